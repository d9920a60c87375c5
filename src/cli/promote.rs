//! `promote`: moves the aliases to a release that stands.

use super::args::PromoteArgs;
use super::confirm;
use super::failure::Failure;
use super::session::Session;
use crate::domain::ExitCode;
use crate::gather;
use crate::plan::{self, Options};

pub(super) async fn run(session: &Session, args: PromoteArgs) -> Result<ExitCode, Failure> {
    if let Some(into) = args.into.clone() {
        return super::copy::run(session, args, &into).await;
    }
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let facts = gather::gather_promotion(&family, &args.version, &target).await?;
    let options = Options {
        adopt: args.adopt,
        allow_older: args.allow_older,
        force: args.force,
        ..session.options()
    };
    let plan = plan::plan_promotion(&family, &facts, &args.version, &options)?;
    confirm::carry_out(session, family, plan, args.yes).await
}
