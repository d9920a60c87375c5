//! Putting aliases back when somebody else moved one of them in the same moment.

use super::super::effects::Effects;
use super::super::event::Event;
use super::super::failure::StepFailure;
use super::super::run::Run;
use super::publish::{Moved, current, place};
use crate::domain::ExitCode;
use crate::target::Target;
use futures_util::future::join_all;

/// Puts each alias that this run moved back to where it was, if it is still where this run left it. One that was not there before is deleted; where the
/// target deletes no tags, it stays, and that is said.
///
/// # Errors
/// One of them could not be put back: the release is cut off.
pub(in super::super) async fn withdraw<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let moved = run.state.lock().moved.clone();
    let done = join_all(moved.iter().map(|moved| back(run, moved))).await;
    let mut failed = None;
    for (moved, done) in moved.iter().zip(done) {
        match done {
            Ok((message, stays)) => {
                say(run, message);
                if !stays {
                    run.state.lock().standing.remove(&moved.tag);
                }
            }
            Err(error) => {
                say(
                    run,
                    format!("alias `{}` could not be put back: {}", moved.tag, error.message),
                );
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

fn say<E: Effects>(run: &Run<E>, message: String) {
    run.state.lock().warnings.push(message.clone());
    run.sink.event(&Event::Warning { step: None, message });
}

/// What became of one alias, and whether it still points at this release.
async fn back<E: Effects>(run: &Run<E>, moved: &Moved) -> Result<(String, bool), StepFailure> {
    let (alias, repository) = (&moved.tag, &moved.repository);
    let there = current(run, repository, alias.tag()).await?;
    if there == moved.from {
        return Ok((format!("alias `{alias}` is where it was before"), false));
    }
    if there != Some(moved.to) {
        let there = there.map_or_else(|| "nothing".to_owned(), |there| there.to_string());
        return Ok((
            format!("alias `{alias}` is at {there}, where somebody else put it: it stays"),
            false,
        ));
    }
    if let Some(old) = moved.from {
        place(run, repository, None, alias, old, Some(moved.to)).await?;
        return Ok((format!("alias `{alias}` was put back to {old}"), false));
    }
    let target = run.effects.target();
    if target.delete_tag(repository, alias.tag(), moved.to).await? {
        return Ok((format!("alias `{alias}` was new, and was deleted again"), false));
    }
    let message = format!(
        "alias `{alias}` was not there before, and cannot be deleted there: it stays at {}",
        moved.to
    );
    Ok((message, true))
}

/// Whether a failure means that somebody else moved an alias.
pub(super) fn is_foreign(failure: &StepFailure) -> bool {
    failure.exit_code == ExitCode::Refused
}
