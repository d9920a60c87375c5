//! A build that failed, and whether another attempt can succeed.

use super::progress::Progress;
use crate::domain::ExitCode;
use crate::failure::{FailureClass, FailureKind, Symptom, classify};

/// Lines of output that a failure carries.
const TAIL: usize = 20;

/// Whether another attempt can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After a pause. What was built comes from the cache, so this only pushes or pulls again.
    Transient,
    /// At once, without `--cache-from`; once.
    WithoutCacheFrom,
    /// Not at all. (A failed `RUN` may still be run again when `[retry] build` says so.)
    Never,
}

/// A `RUN` that ended with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRun {
    /// The command as the Dockerfile has it, redacted.
    pub command: String,
    /// Its exit code, where it had one.
    pub exit_code: Option<i32>,
}

/// A build that failed. Texts hold no secrets and no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BuildFailure {
    /// The rule that decided: a name in `docs/reference/failures.md`.
    pub rule: &'static str,
    /// What failed.
    pub kind: FailureKind,
    /// Whether it passes.
    pub class: FailureClass,
    /// The HTTP status of the answer that it failed at.
    pub status: Option<u16>,
    /// The error code of the registry: `TOOMANYREQUESTS`.
    pub code: Option<&'static str>,
    /// The request that failed, without the query of its URL.
    pub request: Option<String>,
    /// The `RUN` that failed.
    pub run: Option<FailedRun>,
    /// Why: one line.
    pub reason: String,
    /// The end of the output.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether another attempt can succeed.
    pub retry: Retry,
    /// What was odd before it failed.
    pub warnings: Vec<String>,
}

impl BuildFailure {
    /// The exit code that this failure asks for.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self.kind {
            FailureKind::Push => ExitCode::PushFailed,
            FailureKind::Cancelled => ExitCode::Interrupted,
            FailureKind::MissingSecret => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    }

    /// What failed, and whether it passes.
    #[cfg(test)]
    pub(super) const fn what(&self) -> (FailureKind, FailureClass) {
        (self.kind, self.class)
    }

    /// What the table says of a symptom; a failure without output.
    pub(super) fn of(symptom: &Symptom<'_>, reason: impl Into<String>) -> Self {
        let rule = classify(symptom);
        let retry = match (rule.kind, rule.class) {
            (FailureKind::CacheBroken, _) => Retry::WithoutCacheFrom,
            (_, FailureClass::Transient) => Retry::Transient,
            _ => Retry::Never,
        };
        Self {
            rule: rule.name,
            kind: rule.kind,
            class: rule.class,
            status: symptom.status,
            code: crate::failure::code(symptom.text),
            request: crate::failure::request(symptom.text),
            run: None,
            reason: reason.into(),
            output: Vec::new(),
            hints: rule.mend(&[]).into_iter().collect(),
            retry,
            warnings: Vec::new(),
        }
    }

    pub(super) fn with_output_of(mut self, progress: &Progress) -> Self {
        let lines: Vec<&str> = progress.text().collect();
        self.output = last(&lines);
        self.warnings = progress.warnings().to_vec();
        self
    }
}

/// The last lines of an output.
pub(super) fn last(lines: &[&str]) -> Vec<String> {
    let last = lines.iter().skip(lines.len().saturating_sub(TAIL));
    last.map(|line| (*line).to_owned()).collect()
}
