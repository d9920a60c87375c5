//! Why a step failed.

use super::effects::{AttemptFailure, TestFailure};
use crate::domain::ExitCode;
use crate::plan::{PlanError, StepId};
use crate::target::TargetError;

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepFailure {
    pub(super) message: String,
    pub(super) output: Vec<String>,
    pub(super) hints: Vec<String>,
    pub(super) exit_code: ExitCode,
}

impl StepFailure {
    pub(super) fn new(exit_code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            output: Vec::new(),
            hints: Vec::new(),
            exit_code,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn panicked(step: &StepId) -> Self {
        Self::new(ExitCode::Failed, format!("{step}: splitbase itself failed"))
            .hint("please report it, with the lines that begin with `thread`")
    }

    pub(super) fn interrupted() -> Self {
        Self::new(ExitCode::Interrupted, "interrupted")
    }
}

impl From<TargetError> for StepFailure {
    fn from(error: TargetError) -> Self {
        let mut failure = Self::new(error.exit_code(), error.to_string());
        failure.hints = error.hints;
        failure
    }
}

impl From<PlanError> for StepFailure {
    /// What a plan would have refused came to be since it was made.
    fn from(error: PlanError) -> Self {
        let mut failure = Self::new(error.exit_code(), error.to_string());
        failure.hints = error.hints();
        failure
    }
}

impl From<AttemptFailure> for StepFailure {
    fn from(failure: AttemptFailure) -> Self {
        let AttemptFailure {
            reason,
            output,
            hints,
            exit_code,
            ..
        } = failure;
        Self {
            message: reason,
            output,
            hints,
            exit_code,
        }
    }
}

impl From<TestFailure> for StepFailure {
    fn from(failure: TestFailure) -> Self {
        let TestFailure {
            reason,
            output,
            hints,
            exit_code,
        } = failure;
        Self {
            message: reason,
            output,
            hints,
            exit_code,
        }
    }
}
