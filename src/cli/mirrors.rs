//! The mirrors of a family: what a release is copied to once it is done.
//!
//! They come after the last alias, because a mirror that does not answer must hold up nobody who pulls from the family's own repository. A release
//! whose mirror failed is done; running it again does nothing there, and goes on with the mirror.

use super::copy::{Copy, Wanted, said};
use super::failure::{Failure, Message};
use super::session::{Session, exit_code};
use crate::config::Family;
use crate::domain::{Destination, ExitCode, Repository, Version};
use crate::gather;
use crate::plan::{Options, Plan};
use crate::report;
use crate::target::{Place, registry};

/// The mirrors that a plan is followed by, and what they get.
fn of(plan: &Plan) -> Option<(&Version, &[Repository])> {
    let version = plan.version.as_ref()?;
    (!plan.mirrors.is_empty()).then_some((version, &plan.mirrors))
}

/// Before anything is built: every mirror can be read, and this account may write to it.
pub(super) async fn are_ready(session: &Session, family: &Family, plan: &Plan) -> Result<(), Failure> {
    let Some((version, mirrors)) = of(plan).filter(|_| !plan.steps.is_empty()) else {
        return Ok(());
    };
    let registry = session.registry(family, registry::Options::default());
    for mirror in mirrors {
        registry.try_push(mirror).await?;
        let there = session.family_in(mirror)?;
        gather::record(&Place::registry(registry.clone()), &there, Some(version)).await?;
    }
    Ok(())
}

/// Copies the release that is done to every mirror. One that fails keeps no other from its copy; the first decides the exit code.
pub(super) async fn follow(session: &Session, family: &Family, plan: &Plan) -> Result<ExitCode, Failure> {
    let Some((version, mirrors)) = of(plan) else {
        return Ok(ExitCode::Done);
    };
    let mut worst = ExitCode::Done;
    for mirror in mirrors {
        let failed = match one(session, family, version, mirror).await {
            Ok(()) => continue,
            Err(failure) => failure,
        };
        let exit_code = failed.exit_code;
        if exit_code == ExitCode::Interrupted {
            return Err(failed);
        }
        let failed = beside(failed, version, mirror);
        failed.tell(&session.stderr);
        if worst == ExitCode::Done {
            worst = exit_code;
        }
    }
    Ok(worst)
}

async fn one(
    session: &Session,
    family: &Family,
    version: &Version,
    mirror: &Repository,
) -> Result<(), Failure> {
    let into = Destination::Repository(mirror.clone());
    let wanted = Wanted {
        version,
        source: &crate::domain::TargetRef::Registry,
        into: &into,
        may: Options::default(),
        mirrors: true,
    };
    let copy = Copy::plan(session, family, &wanted).await?;
    for warning in &copy.plan_there().warnings {
        session.warn(&format!("mirror `{mirror}`: {warning}"));
    }
    let carried = copy.bring(session).await?;
    let nothing = copy.plan_there().steps.is_empty();
    let report = copy.publish(session).await?;
    let code = exit_code(report.exit_code);
    if code != ExitCode::Done {
        session.stderr.write(&report::failures(&report));
        return Err(Failure::new(
            code,
            format!("publish {version} in the mirror `{mirror}`"),
        ));
    }
    if !nothing {
        session.note(&format!("mirror: {}", said(&carried, &into)));
    }
    Ok(())
}

/// A failure of a mirror, which says what is done all the same.
fn beside(mut failure: Failure, version: &Version, mirror: &Repository) -> Failure {
    failure.messages.push(Message::Plain(
        format!("release {version} is done; its mirror `{mirror}` does not have it"),
        vec![format!(
            "`splitbase release {version}` again does nothing but the mirror; so does `splitbase promote {version} --into {mirror} --yes`"
        )],
    ));
    failure
}
