//! What is transient is tried again, as the family's policy says; nothing else is.

use super::Context;
use super::error::Failure;
use crate::failure::FailureClass;
use crate::pace::Again;

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
        let mut failure = match outcome {
            Err(failure) if failure.rule.class == FailureClass::Transient => failure,
            settled => return (settled, number),
        };
        let pace = context.http.pace();
        let pause = match pace.again(&context.retry, number, failure.retry_after) {
            Again::After(pause) => pause,
            Again::No => return (Err(failure), number),
            Again::Refused(why) => {
                failure.reason = format!("{}; not tried again: {why}", failure.reason);
                return (Err(failure), number);
            }
        };
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
