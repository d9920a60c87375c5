//! Making the repository's page, when the release is done.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run, Teller};
use crate::domain::ExitCode;
use crate::plan::DescribeStep;
use crate::target::registry::{Observer, RetryNotice};
use std::sync::Arc;

/// Makes the page from the record as it was just written. Whoever runs this makes a warning of its failure.
pub(in super::super) async fn describe<E: Effects>(
    run: &Run<E>,
    step: &DescribeStep,
    teller: &Teller<E>,
) -> Result<Done, StepFailure> {
    let record = run.state.lock().record.clone();
    let record = record.ok_or_else(|| {
        StepFailure::new(
            ExitCode::Failed,
            format!("make `{}`: there is no record", step.describe.output),
        )
    })?;
    let told = teller.clone();
    let observer: Observer = Arc::new(move |notice: RetryNotice| {
        told.retry(
            notice.attempted,
            notice.attempt,
            notice.of,
            notice.reason,
            notice.delay,
        );
    });
    let again = format!(
        "the release is done; `splitbase describe {} --push` does it again",
        record.version
    );
    let described = tokio::select! {
        described = run.effects.describe(&record, &observer) => described,
        () = run.cancel.cancelled() => {
            return Err(StepFailure::new(ExitCode::Failed, "interrupted").hint(again));
        }
    };
    match described {
        Ok((message, warnings)) => {
            for warning in warnings {
                teller.warn(warning);
            }
            Ok(Done::of(message))
        }
        Err((message, hints)) => {
            let mut failure = StepFailure::new(ExitCode::Failed, message);
            failure.hints = hints;
            Err(failure.hint(again))
        }
    }
}
