//! Signing what is about to be published.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use crate::domain::ExitCode;
use crate::plan::SignStep;

/// Signs the index of an image, unless it is signed already. No tag leads to it yet: a signature that fails publishes nothing.
pub(in super::super) async fn sign<E: Effects>(run: &Run<E>, step: &SignStep) -> Result<Done, StepFailure> {
    let digest = run.state.index(&step.image).ok_or_else(|| {
        let message = format!("sign {}: its index is not known", step.image);
        StepFailure::new(ExitCode::Failed, message)
    })?;
    match run.effects.sign(step, digest, &run.cancel).await {
        Ok(message) => Ok(Done::of(message)),
        Err(failure) => Err(StepFailure {
            message: failure.reason,
            output: failure.output,
            hints: failure.hints,
            exit_code: failure.exit_code,
        }),
    }
}
