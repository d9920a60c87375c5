//! `validate`: the gate of a pull request. What a release would build is built and tested on one platform, into a folder that is thrown away;
//! no registry is written to, and none has to let this run in.

use super::args::ValidateArgs;
use super::describe::page_is_current;
use super::failure::Failure;
use super::release::needs_are_there;
use super::session::Session;
use crate::config::Family;
use crate::domain::{ExitCode, ImageId, Platform, TargetRef};
use crate::execute;
use crate::gather;
use crate::plan::{self, Action, Goal, Options, Plan, Step};
use crate::target::registry::{self, Registry};
use camino::Utf8PathBuf;
use std::sync::Arc;

pub(super) async fn run(session: &Session, args: ValidateArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    // First: it takes no time, and what comes then takes long.
    page_is_current(session, &family)?;
    let platforms = platforms(session, &family).await?;
    let validation = plan::validation(&family, &platforms).ok_or_else(|| nothing(&platforms))?;
    for image in &validation.left_out {
        let on = list(&platforms);
        session.warn(&format!("{image} is not for {on}, and is not validated"));
    }

    // Kept only where a folder was asked for; it goes with everything in it, however this ends.
    let (thrown_away, target) = match session.target_given() {
        Some(asked) if !asked.is_registry() => (None, asked.clone()),
        _ => {
            let (folder, target) = throw_away()?;
            (Some(folder), target)
        }
    };
    let options = Options {
        goal: Goal::Test,
        target: target.clone(),
        throw_away: thrown_away.is_some(),
        ..session.options()
    };
    let mut pins = session.pins(&family, false)?;
    let place = session.target_of(
        registry(session, &family),
        &family,
        validation.family.repositories(),
        &target,
    )?;
    let world = session.world(&family, &place);
    let mut validated = validation.family;
    let mut facts = gather::gather(&validated, &options, &pins, &world).await?;
    Session::refuse_floats(args.strictness, &facts.floats)?;
    let mut plan = plan::plan(&validated, &facts, &options)?;
    if let Some(base) = standing_base(session, &family, &plan).await? {
        session.note(&format!("base: {base} stands, and is not built"));
        validated = plan::on_base(&validated, base);
        pins.plan = Some((facts.versions, facts.upstream));
        pins.period = facts.period;
        facts = gather::gather(&validated, &options, &pins, &world).await?;
        plan = plan::plan(&validated, &facts, &options)?;
    }
    needs_are_there(session, &validated, &plan)?;
    let settings = execute::Settings {
        parallel: args.running.parallel.into(),
        fail_fast: args.running.fail_fast,
        keep_images: args.running.keep_images,
    };
    let plan = Arc::new(plan);
    let report = session
        .execute(validated, Some(&facts), plan.clone(), place, settings)
        .await?;
    session.tell(&report, &plan)
}

/// Registries are only read, and one that does not answer is not waited for: the base can be built from the working tree.
fn registry(session: &Session, family: &Family) -> Registry {
    let options = registry::Options {
        read_only: true,
        ..registry::Options::default()
    };
    session.registry(family, options)
}

/// The base that this plan would build, where it stands in the family's registry already. `base-latest` does not count: it may be of other
/// sources.
async fn standing_base(session: &Session, family: &Family, plan: &Plan) -> Result<Option<String>, Failure> {
    let of_base = |step: &&Step| matches!(&step.action, Action::Build(build) if build.image == ImageId::Base);
    if !plan.steps.iter().any(|step| of_base(&step)) {
        return Ok(None);
    }
    let planned = plan.images.iter().find(|image| image.image == ImageId::Base);
    let (Some(planned), Some(image)) = (planned, family.base()) else {
        return Ok(None);
    };
    let platforms: Vec<Platform> = planned
        .platforms
        .iter()
        .map(|there| there.platform.clone())
        .collect();
    let mut impatient = family.clone();
    impatient.retry.attempts = 1;
    let registry = registry(session, &impatient);
    let work = family.work();
    match gather::standing_base(&registry, work, image, &planned.identity, &platforms).await {
        Ok(found) => Ok(found.map(|base| {
            if let Some(warning) = base.warning {
                session.warn(&warning);
            }
            base.reference
        })),
        // A release would be refused too.
        Err(error) if error.exit_code() == ExitCode::Refused => Err(error.into()),
        Err(error) => {
            session.note(&format!("base: built from the working tree: {error}"));
            Ok(None)
        }
    }
}

/// The platforms that were asked for, or the builder's own.
async fn platforms(session: &Session, family: &Family) -> Result<Vec<Platform>, Failure> {
    if !session.global.platforms.is_empty() {
        return Ok(session.global.platforms.clone());
    }
    let place = session.target(family, &TargetRef::Registry)?;
    let builder = gather::builder(&session.world(family, &place)).await?;
    // BuildKit lists its own platform first.
    Ok(builder.platforms.into_iter().take(1).collect())
}

fn nothing(platforms: &[Platform]) -> Failure {
    let on = list(platforms);
    Failure::new(
        ExitCode::Usage,
        format!("validate the family: none of its variants is for {on}"),
    )
    .hint("name a platform that it is for: `--platform linux/arm64`")
}

fn list(platforms: &[Platform]) -> String {
    let names: Vec<String> = platforms.iter().map(ToString::to_string).collect();
    names.join(", ")
}

fn throw_away() -> Result<(tempfile::TempDir, TargetRef), Failure> {
    let failed = |why: String| {
        Failure::new(
            ExitCode::Failed,
            format!("make a temporary folder for the images: {why}"),
        )
        .hint("`TMPDIR` says where temporary files go; `--to oci:DIR` names a folder that is kept")
    };
    let folder = tempfile::Builder::new()
        .prefix("splitbase-validate-")
        .tempdir()
        .map_err(|error| failed(error.to_string()))?;
    let path = Utf8PathBuf::from_path_buf(folder.path().join("layout"))
        .map_err(|path| failed(format!("`{}` is not UTF-8", path.display())))?;
    Ok((folder, TargetRef::Layout(path)))
}
