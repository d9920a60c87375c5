//! `build` and `smoke`: the same steps alone.

use super::args::{BuildArgs, SmokeArgs, Strictness};
use super::failure::Failure;
use super::release::perform;
use super::session::Session;
use crate::domain::ExitCode;
use crate::gather;
use crate::plan::{self, Goal, Options};

pub(super) async fn build(session: &Session, args: BuildArgs) -> Result<ExitCode, Failure> {
    let options = Options {
        goal: Goal::Build,
        rebuild: args.rebuild,
        ..session.options()
    };
    steps(session, options, args.running, args.strictness).await
}

pub(super) async fn smoke(session: &Session, args: SmokeArgs) -> Result<ExitCode, Failure> {
    let options = Options {
        goal: Goal::Smoke,
        test_again: args.again,
        ..session.options()
    };
    steps(session, options, args.running, Strictness::default()).await
}

async fn steps(
    session: &Session,
    options: Options,
    running: super::args::Running,
    strictness: Strictness,
) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let pins = session.pins(&family, false)?;
    let facts = gather::gather(&family, &options, &pins, &session.world(&family, &target)).await?;
    Session::refuse_floats(strictness, &facts.floats)?;
    let plan = plan::plan(&family, &facts, &options)?;
    perform(session, family, Some(&facts), plan, running).await
}
