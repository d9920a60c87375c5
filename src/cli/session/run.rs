//! Running a plan for real: what its steps need, from the environment of children to the room on the disk.

use super::Session;
use crate::cli::failure::Failure;
use crate::config::Family;
use crate::credentials::{self, Credentials, PrivateConfig};
use crate::domain::{ExitCode, ImageId};
use crate::effects::Real;
use crate::engine::{self, Room, Verdict};
use crate::environment::Environment;
use crate::execute::{self, Event, Interrupt, Report, Sink};
use crate::facts::Facts;
use crate::inputs::InputEntry;
use crate::plan::{Action, Plan, PlanImage, Step};
use crate::smoke::Held;
use crate::target::Place;
use crate::target::layout::Layout;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Session {
    /// Runs a plan to its end, showing it as it goes.
    pub(in crate::cli) async fn execute(
        &self,
        family: Family,
        facts: Option<&Facts>,
        plan: Arc<Plan>,
        target: Place,
        settings: execute::Settings,
    ) -> Result<Report, Failure> {
        let report = self
            .execute_telling(self.sink(), family, facts, plan, target, settings)
            .await?;
        for warning in self.reporter.finish() {
            self.warn(&warning);
        }
        Ok(report)
    }

    /// Runs a plan that is part of what another command does: nobody sees its steps.
    pub(in crate::cli) async fn execute_silently(
        &self,
        family: Family,
        plan: Arc<Plan>,
        target: Place,
        settings: execute::Settings,
    ) -> Result<Report, Failure> {
        self.execute_telling(Arc::new(Nobody), family, None, plan, target, settings)
            .await
    }

    async fn execute_telling(
        &self,
        sink: Arc<dyn Sink>,
        family: Family,
        facts: Option<&Facts>,
        plan: Arc<Plan>,
        target: Place,
        settings: execute::Settings,
    ) -> Result<Report, Failure> {
        Credentials::of(&self.environment, None).hide_all();
        let login = self.login(&family, &plan)?;
        let environment = self.environment.for_children();
        let environment = match &login {
            Some(login) => login.environment(environment),
            None => environment,
        };
        let room = self.room(&plan, &target, &environment, &sink).await?;
        let files: BTreeMap<_, Vec<InputEntry>> = facts
            .map(|facts| {
                facts
                    .images
                    .iter()
                    .map(|image| (image.image.clone(), image.files.clone()))
                    .collect()
            })
            .unwrap_or_default();
        let lists = lists(&family, facts, &plan)?;
        let root = self.environment.directory().join(&family.root);
        let family = Arc::new(family);
        let effects = Arc::new(Real {
            held: Held::keeping(settings.keep_images),
            room,
            page: self.page(&family),
            pace: self.pace(&family),
            target,
            root,
            files,
            digests: self.digests.clone(),
            lists,
            builder: plan.builder.clone().or_else(|| self.builder().map(str::to_owned)),
            attests: plan.attests,
            environment,
            family,
        });
        let (interrupt, account) = (self.interrupt.clone(), self.account.clone());
        let report = execute::execute(plan, Arc::clone(&effects), settings, sink, interrupt, account).await;
        tokio::select! {
            () = effects.held.remove(&effects.environment, &self.cancel) => {}
            () = self.interrupt.after(Interrupt::CLEANING) => {}
        }
        Ok(report)
    }

    /// Looks whether there is room for what a plan builds and tests, and watches it from then on.
    async fn room(
        &self,
        plan: &Plan,
        target: &Place,
        environment: &Environment,
        sink: &Arc<dyn Sink>,
    ) -> Result<Room, Failure> {
        let fills = |step: &Step| matches!(step.action, Action::Build(_) | Action::Smoke(_));
        if !plan.steps.iter().any(fills) {
            return Ok(Room::default());
        }
        let layout = target.folder().map(Layout::root);
        let ask = || engine::ask(environment, &self.cancel);
        let answer = self.engine.get_or_init(ask).await;
        let (room, found) = Room::look(answer, layout).await;
        match engine::verdict(&found) {
            Verdict::Enough => {}
            Verdict::Scarce(why) => {
                let message =
                    format!("the disk may fill up: {why}; `splitbase doctor --reclaim` shows what can go");
                sink.event(&Event::Warning { step: None, message });
            }
            Verdict::Full(why) => {
                let message = format!("begin to build and test: the disk is full: {why}");
                return Err(Failure::new(ExitCode::Failed, message).hint(
                    "make room: `splitbase doctor --reclaim` shows what can go, and with `--yes` removes it",
                ));
            }
        }
        Ok(room)
    }

    /// Docker's configuration with the credential of the variables, where a plan has docker push or pull. What runs that were killed have left goes.
    fn login(&self, family: &Family, plan: &Plan) -> Result<Option<PrivateConfig>, Failure> {
        credentials::sweep(&self.environment);
        let docker = plan
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Build(_) | Action::Smoke(_) | Action::Sign(_)));
        if !docker {
            return Ok(None);
        }
        let host = self.home.get().map_or(family.repository.host(), String::as_str);
        PrivateConfig::of(&self.environment, host)
            .map_err(|error| Failure::new(ExitCode::Failed, error.to_string()).hint(error.hint))
    }
}

/// The lists of inputs that a plan publishes, as they are published.
fn lists(family: &Family, facts: Option<&Facts>, plan: &Plan) -> Result<BTreeMap<ImageId, Bytes>, Failure> {
    let wanted = plan.images.iter().filter(|planned| planned.inputs.is_some());
    let list = |planned: &PlanImage| {
        let image = family.image(&planned.image)?;
        let fact = facts?.images.iter().find(|fact| fact.image == image.id)?;
        Some(serde_json::to_vec(&fact.list(image.hash)).map(|bytes| (image.id.clone(), bytes.into())))
    };
    let lists: Result<_, serde_json::Error> = wanted.filter_map(list).collect();
    lists.map_err(|error| Failure::new(ExitCode::Failed, format!("write a list of inputs: {error}")))
}

/// A sink for what nobody follows.
struct Nobody;

impl Sink for Nobody {
    fn event(&self, _: &Event) {}
}
