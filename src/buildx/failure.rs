//! A build that failed, and whether another attempt can succeed.

use super::progress::Progress;
use crate::domain::ExitCode;

/// Lines of output that a failure carries.
const TAIL: usize = 20;

/// What kind of failure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureClass {
    /// A `RUN` ended with an error.
    RunFailed {
        /// The command as the Dockerfile has it, redacted.
        command: String,
        /// Its exit code, where it had one.
        exit_code: Option<i32>,
    },
    /// A `COPY` or `ADD` source does not exist.
    MissingSource,
    /// What a build needed was collected as garbage while it ran: the disk is nearly full.
    CacheEvicted,
    /// A push failed in a way that passes.
    PushTransient,
    /// A push was refused.
    PushPermanent,
    /// Reading a base image failed in a way that passes.
    PullTransient,
    /// A base image does not exist, may not be read, or is not for the platform.
    BadBase,
    /// A layer of a `--cache-from` image cannot be read.
    CacheFromBroken,
    /// No space is left.
    DiskFull,
    /// The engine or builder cannot be reached.
    EngineLost,
    /// The Dockerfile, or a flag, is wrong.
    Frontend,
    /// A secret or an SSH agent that the build needs is not there.
    MissingSecret,
    /// It took longer than the step's `timeout`.
    TimedOut,
    /// The run was interrupted.
    Cancelled,
    /// Anything else.
    Unknown,
}

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

/// A build that failed. Texts hold no secrets and no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BuildFailure {
    /// What kind of failure it is.
    pub class: FailureClass,
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
    pub fn exit_code(&self) -> ExitCode {
        match self.class {
            FailureClass::PushTransient | FailureClass::PushPermanent => ExitCode::PushFailed,
            FailureClass::Cancelled => ExitCode::Interrupted,
            FailureClass::MissingSecret => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    }

    /// A failure without output.
    pub(super) fn new(class: FailureClass, reason: impl Into<String>) -> Self {
        let retry = match class {
            FailureClass::PushTransient | FailureClass::PullTransient | FailureClass::CacheEvicted => {
                Retry::Transient
            }
            FailureClass::CacheFromBroken => Retry::WithoutCacheFrom,
            _ => Retry::Never,
        };
        Self {
            class,
            reason: reason.into(),
            output: Vec::new(),
            hints: Vec::new(),
            retry,
            warnings: Vec::new(),
        }
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hints.push(hint.to_owned());
        self
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
    lines[lines.len().saturating_sub(TAIL)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}
