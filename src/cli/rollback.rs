//! `rollback`: moves the aliases back to what a release replaced.

use super::args::RollbackArgs;
use super::confirm;
use super::failure::Failure;
use super::session::Session;
use crate::domain::ExitCode;
use crate::gather;
use crate::plan::{self, Options};

pub(super) async fn run(session: &Session, args: RollbackArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let facts = gather::gather_recovery(&family, args.version.as_ref(), &target).await?;
    if facts.record.is_none() && args.version.is_none() {
        let message = format!("roll back: there is no release in `{}`", family.repository);
        return Err(Failure::new(ExitCode::Refused, message));
    }
    let options = Options {
        version: args.version,
        force: args.force,
        ..session.options()
    };
    let plan = plan::plan_rollback(&family, &facts, &options)?;
    confirm::carry_out(session, family, plan, args.yes).await
}
