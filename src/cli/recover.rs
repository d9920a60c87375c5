//! `recover`: shows a release that was cut off, and finishes it or takes it back.

use super::args::{RecoverArgs, Running};
use super::confirm;
use super::failure::Failure;
use super::plan as plan_command;
use super::release::perform;
use super::session::Session;
use crate::config::Family;
use crate::domain::{ExitCode, Version};
use crate::gather;
use crate::plan::{self, Options, Way};
use crate::record::RecordState;

pub(super) async fn run(session: &Session, args: RecoverArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let facts = gather::gather_recovery(&family, args.version.as_ref(), &target).await?;
    let way = if args.undo { Way::Undo } else { Way::Finish };
    let options = Options {
        force: args.force,
        ..session.options()
    };
    let Some(record) = &facts.record else {
        return match &args.version {
            None => {
                session.note("nothing to recover: there is no release yet");
                confirm::nothing(session)
            }
            Some(version) => Err(Failure::new(
                ExitCode::Refused,
                format!("recover `{version}`: no record of it is there"),
            )),
        };
    };
    if !record.state.is_unfinished() {
        session.note(&format!(
            "nothing to recover: {} is not unfinished, its record says `{}`",
            record.version,
            record.state.word()
        ));
        return confirm::nothing(session);
    }
    let published = record.state == RecordState::Publishing;
    session.note(&format!(
        "{} is unfinished since {}: {}",
        record.version,
        record.updated,
        if published {
            "release tags and aliases were being written"
        } else {
            "nothing of it is published"
        }
    ));
    let version = record.version.clone();
    let begins_anew = way == Way::Finish && !(published && record.attempt.is_some());
    if begins_anew {
        return Box::pin(again(session, family, version, &args)).await;
    }
    let plan = plan::plan_recovery(&family, &facts, way, &options)?;
    confirm::carry_out(session, family, plan, args.yes).await
}

/// A release of which nothing is published is finished by making it: from the sources, with the pins of its record.
async fn again(
    session: &Session,
    family: Family,
    version: Version,
    args: &RecoverArgs,
) -> Result<ExitCode, Failure> {
    let wishes = super::args::Wishes::default();
    let options = plan_command::options(session, Some(version), &wishes);
    let mut facts = plan_command::gather(session, &family, &options, &wishes, true).await?;
    if args.force {
        // Only the age of the record is passed over: no release tag is overwritten.
        facts.recent = None;
    }
    let plan = plan::plan(&family, &facts, &options)?;
    if !confirm::agreed(session, &plan, args.yes).await? {
        return Ok(confirm::SHOWN);
    }
    let running = Running {
        parallel: super::args::PARALLEL,
        fail_fast: false,
        keep_images: false,
    };
    Box::pin(perform(session, family, Some(&facts), plan, running)).await
}
