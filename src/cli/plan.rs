//! `plan`: shows what a release would do, and why.

use super::args::{PlanArgs, Wishes};
use super::failure::Failure;
use super::session::{Session, read, write};
use crate::buildx::{self, BuildIo, LayoutIo};
use crate::config::Family;
use crate::domain::{ExitCode, Version};
use crate::facts::Facts;
use crate::gather::{self, World};
use crate::plan::{self, BuildStep, Options, Plan};
use crate::report::{self, PlanView};
use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything that a plan is made from.
#[derive(Serialize, Deserialize)]
struct Saved {
    schema: u32,
    family: Family,
    options: Options,
    facts: Facts,
}

pub(super) async fn run(session: &Session, args: PlanArgs) -> Result<ExitCode, Failure> {
    if let Some(path) = &args.facts {
        let saved: Saved = serde_json::from_slice(&read(path)?)
            .map_err(|error| Failure::new(ExitCode::Usage, format!("read facts from `{path}`: {error}")))?;
        Session::refuse_floats(args.strictness, &saved.facts.floats)?;
        let plan = plan::plan(&saved.family, &saved.facts, &saved.options)?;
        return show(session, &plan, &args, &saved.family.root);
    }
    if args.dry_run {
        session.writes_nothing();
    }
    let family = session.family()?;
    let version = session.version(args.version.clone())?;
    let options = options(session, version, &args.wishes);
    let is_kept = args.save.is_some() || args.save_facts.is_some();
    let facts = gather(session, &family, &options, &args.wishes, is_kept).await?;
    Session::refuse_floats(args.strictness, &facts.floats)?;
    let plan = plan::plan(&family, &facts, &options)?;
    super::release::needs_signer(session, &plan).await?;
    let root = family.root.clone();
    if let Some(path) = &args.save {
        write(path, &plan)?;
    }
    if let Some(path) = &args.save_facts {
        write(
            path,
            &Saved {
                schema: plan::SCHEMA,
                family,
                options,
                facts,
            },
        )?;
    }
    show(session, &plan, &args, &root)
}

/// Options of a release, or of a build where no version is given.
pub(super) fn options(session: &Session, version: Option<Version>, wishes: &Wishes) -> Options {
    let goal = if version.is_some() {
        plan::Goal::Release
    } else {
        plan::Goal::Test
    };
    Options {
        goal,
        version,
        no_promote: wishes.no_promote,
        rebuild: wishes.rebuild.clone(),
        force: wishes.force,
        adopt: wishes.adopt,
        allow_older: wishes.allow_older,
        ..session.options()
    }
}

/// The facts for a plan; for one that is run, now or later, with `tools`: its record says what built it.
pub(super) async fn gather(
    session: &Session,
    family: &Family,
    options: &Options,
    wishes: &Wishes,
    tools: bool,
) -> Result<Facts, Failure> {
    let target = session.target(family, &options.target)?;
    let pins = session.pins(family, wishes.re_resolve)?;
    let world = World {
        engine: tools.then_some(&session.engine),
        ..session.world(family, &target)
    };
    Ok(gather::gather(family, options, &pins, &world).await?)
}

fn show(session: &Session, plan: &Plan, args: &PlanArgs, root: &Utf8Path) -> Result<ExitCode, Failure> {
    show_plan(session, plan, args.dry_run.then_some(root))?;
    if !args.dry_run {
        for error in report::publish(&session.environment, &report::outputs_of_plan(plan), None) {
            session.warn(&error.to_string());
        }
    }
    let something = !plan.steps.is_empty();
    Ok(if args.exit_code && something {
        ExitCode::SomethingToDo
    } else {
        ExitCode::Done
    })
}

/// The plan as it was asked for: the document, or the text for people; with `commands`, all builds with their exact lines, for a family in that
/// folder.
pub(super) fn show_plan(session: &Session, plan: &Plan, commands: Option<&Utf8Path>) -> Result<(), Failure> {
    if session.is_json() {
        return session.json(plan);
    }
    let line = |step: &BuildStep| command_line(session, plan, step, commands.unwrap_or(Utf8Path::new("")));
    let view = PlanView {
        all: session.global.verbose || commands.is_some(),
        builder: plan.builder.as_deref().or_else(|| session.builder()),
        command: commands
            .is_some()
            .then_some(&line as &dyn Fn(&BuildStep) -> String),
    };
    session.stdout.write(&report::plan(plan, &view));
    Ok(())
}

/// The line as it will be run. What is known only then stands in angle brackets: the digest of a base that is built in the same release.
fn command_line(session: &Session, plan: &Plan, step: &BuildStep, family: &Utf8Path) -> String {
    let folder = session.absolute(family);
    let secrets = buildx::presume(&step.secrets, &folder, &session.environment);
    let root = plan.target.layout().map(|folder| session.absolute(folder));
    let io = BuildIo {
        layout: root.as_deref().map(|root| LayoutIo {
            root,
            export: Path::new("<folder>"),
        }),
        root: Path::new("."),
        builder: plan.builder.as_deref(),
        metadata_file: Path::new("<file>"),
        attests: plan.attests,
        exports_cache: plan.attests,
        without_cache_from: false,
        no_cache: false,
        secrets: &secrets,
    };
    let base = step.base.as_ref().filter(|base| base.digest.is_none());
    let base = base.map(|_| {
        format!(
            "{}@<digest of base for {}>",
            step.base_repository(),
            step.platform
        )
    });
    let line = buildx::shell_line(&buildx::command(step, base.as_deref(), &io));
    if folder == session.absolute(Utf8Path::new("")) {
        return line;
    }
    let folder = shlex::try_quote(family.as_str()).unwrap_or_default();
    format!("cd {folder} && {line}")
}
