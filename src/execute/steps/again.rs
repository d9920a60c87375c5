//! Looking once more at what was looked at before: at the barrier's findings when signing has taken its time, and at release tags and the claim
//! before aliases move.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::Run;
use super::super::state::Foreign;
use super::claim;
use super::publish::{Moved, PAUSE, SETTLE, check_aliases, check_tags, current, noticed, place, shown};
use crate::domain::ExitCode;
use crate::plan::Action;
use futures_util::future::try_join_all;

/// Directly before the first write that users see. The barrier has just looked, but for the time that signatures took.
pub(super) async fn before_tags<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let mut actions = run.plan.steps.iter().map(|step| &step.action);
    if !actions.any(|action| matches!(action, Action::Sign(_))) {
        return Ok(());
    }
    let look = || async {
        tokio::try_join!(
            check_tags(run),
            check_aliases(run),
            claim::goes_on(run),
            claim::whole(run)
        )
        .map(drop)
    };
    run.tags_looked.get_or_init(look).await.clone()
}

/// Directly before the first alias moves: this run is still the one that publishes, all of its release tags stand, and aliases are where the plan saw
/// them.
pub(super) async fn before_aliases<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    before_tags(run).await?;
    let look = || async { tokio::try_join!(tags_stand(run), check_aliases(run)).map(drop) };
    run.aliases_looked.get_or_init(look).await.clone()
}

/// This run still is the one that publishes, and every release tag that it wrote is where it left it. A run that stalled between its look at the newest
/// record and its write may have passed the barrier, too: whoever wrote that record last goes on, and puts a release tag that the other one
/// has written over in the same moment where it was, once.
pub(super) async fn tags_stand<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let written = run.state.lock().written.clone();
    let stand = async {
        claim::goes_on(run).await?;
        try_join_all(written.iter().map(|tag| stands(run, tag)))
            .await
            .map(drop)
    };
    noticed(run, stand.await)
}

async fn stands<E: Effects>(run: &Run<E>, tag: &Moved) -> Result<(), StepFailure> {
    let (mut left, mut put_again) = (SETTLE, false);
    loop {
        let there = current(run, &tag.repository, tag.tag.tag()).await?;
        if there == Some(tag.to) {
            run.state.lock().standing.insert(tag.tag.clone());
            return Ok(());
        }
        // What reads as it was before may be stale.
        let stale = there == tag.from && !left.is_zero();
        if !stale && put_again {
            run.state.lock().foreign = Some(Foreign::ReleaseTag);
            let message = format!(
                "release tag `{}` was written at {}, and is at {}: somebody else wrote it in the same moment",
                tag.tag,
                tag.to,
                shown(there)
            );
            return Err(StepFailure::new(ExitCode::Refused, message)
                .hint("look who did; `splitbase recover --undo` takes back what this release wrote"));
        }
        if !stale {
            claim::goes_on(run).await?;
            place(run, &tag.repository, None, &tag.tag, tag.to, there).await?;
            put_again = true;
        }
        run.effects.pause(PAUSE).await;
        left = left.saturating_sub(PAUSE);
    }
}
