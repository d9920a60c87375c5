//! What can go wrong between this program and a target.

use crate::domain::ExitCode;
pub use crate::failure::FailureClass;
use std::time::Duration;

/// A request to a target that failed, with all that a person needs to act on it. Holds no secret: URLs are without queries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attempted}: {reason}")]
pub struct TargetError {
    /// What was attempted and on what: ``read `base-0123456789ab` of `docker.io/acme/devbox` ``.
    pub attempted: String,
    /// Why it failed, in one line: `503 Service Unavailable (UNAVAILABLE: …)`.
    pub reason: String,
    /// The HTTP status, where an answer came at all.
    pub status: Option<u16>,
    /// The error codes of the answer (OCI distribution specification, "Error codes").
    pub codes: Vec<String>,
    /// Whether trying again can help.
    pub class: FailureClass,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// What to do about it; each is one line.
    pub hints: Vec<String>,
    /// Whether it was a write.
    pub write: bool,
}

impl TargetError {
    /// The exit code of a run that this ends: a read that failed leaves something unknown, a write that failed is a failed push, and one that
    /// somebody else overwrote is refused.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        if matches!(self.class, FailureClass::Conflict) {
            ExitCode::Refused
        } else if self.write {
            ExitCode::PushFailed
        } else {
            ExitCode::Unknown
        }
    }
}
