//! What is transient is tried again, as the family's policy says; nothing else is.

use super::Context;
use super::error::Failure;
use crate::failure::FailureClass;
use std::time::Duration;

/// The longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Makes attempts until one succeeds, fails for good, or none is left. Also says how many it were.
pub(super) async fn run<T, A>(
    context: &Context,
    label: &str,
    mut attempt: impl FnMut() -> A,
) -> (Result<T, Failure>, u32)
where
    A: Future<Output = Result<T, Failure>>,
{
    let mut number = 1;
    loop {
        let outcome = tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(Failure::interrupted()),
            outcome = attempt() => outcome,
        };
        let failure = match outcome {
            Err(failure) if failure.rule.class == FailureClass::Transient => failure,
            settled => return (settled, number),
        };
        let Some(planned) = context.retry.pause_after(number) else {
            return (Err(failure), number);
        };
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_PAUSE);
        let pause = planned.max(asked);
        (context.notice)(format!(
            "{label}: {}; attempt {} of {} in {pause:?}",
            failure.reason,
            number + 1,
            context.retry.attempts
        ));
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => return (Err(Failure::interrupted()), number),
            () = tokio::time::sleep(pause) => {}
        }
        number += 1;
    }
}
