//! `promote`: moves the aliases to a release that stands.

use super::args::{PromoteArgs, Running};
use super::failure::Failure;
use super::plan as plan_command;
use super::release::perform;
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
        ..session.options()
    };
    let plan = plan::plan_promotion(&family, &facts, &args.version, &options)?;
    if !args.yes {
        plan_command::human(session, &plan, false);
        if !plan.steps.is_empty() {
            session.note("nothing was moved: `--yes` does it");
        }
        return Ok(ExitCode::Done);
    }
    let running = Running {
        parallel: 1,
        fail_fast: false,
    };
    perform(session, family, None, plan, running).await
}
