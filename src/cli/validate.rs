//! `validate`: the gate of a pull request. What a release would build is built and tested on one platform, into a folder that is thrown away;
//! no registry is written to, and none has to let this run in.

use super::args::ValidateArgs;
use super::failure::Failure;
use super::release::needs_are_there;
use super::session::Session;
use crate::config::Family;
use crate::domain::{ExitCode, Platform, TargetRef};
use crate::execute;
use crate::gather;
use crate::plan::{self, Goal, Options};
use camino::Utf8PathBuf;
use std::sync::Arc;

pub(super) async fn run(session: &Session, args: ValidateArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let platforms = platforms(session, &family).await?;
    let validation = plan::validation(&family, &platforms).ok_or_else(|| nothing(&platforms))?;
    for image in &validation.left_out {
        let on = list(&platforms);
        session.warn(&format!("{image} is not for {on}, and is not validated"));
    }

    // Kept only where a folder was asked for; it goes with everything in it, however this ends.
    let (_thrown_away, target) = match &session.global.to {
        Some(asked) if !asked.is_registry() => (None, asked.clone()),
        _ => {
            let (folder, target) = throw_away()?;
            (Some(folder), target)
        }
    };
    let options = Options {
        goal: Goal::Test,
        target: target.clone(),
        ..session.options()
    };
    let pins = session.pins(&family, false)?;
    let place = session.target_of(&family, validation.family.repositories(), &target)?;
    let world = session.world(&family, &place);
    let facts = gather::gather(&validation.family, &options, &pins, &world).await?;
    let plan = plan::plan(&validation.family, &facts, &options)?;
    needs_are_there(session, &validation.family, &plan)?;
    let settings = execute::Settings {
        parallel: args.running.parallel.into(),
        fail_fast: args.running.fail_fast,
    };
    let plan = Arc::new(plan);
    let report = session
        .execute(validation.family, Some(&facts), plan.clone(), place, settings)
        .await;
    session.tell(&report, &plan)
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
