//! What can be wrong with a folder.

use crate::target::{FailureClass, TargetError};
use std::path::Path;

/// What went wrong in a folder, without what was attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    reason: String,
    class: FailureClass,
    hint: Option<String>,
}

impl Fault {
    /// The system refused something.
    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self {
            reason: format!("`{}`: {error}", path.display()),
            class: FailureClass::Unknown,
            hint: None,
        }
    }

    /// The folder is not as it must be. Nothing that this program does leaves it so.
    pub(super) fn damaged(root: &Path, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            class: FailureClass::Permanent,
            hint: Some(format!(
                "the layout is damaged: bring its files back, or remove `{}`, and all of it is built anew",
                root.display()
            )),
        }
    }

    /// It cannot be done.
    pub(super) fn refused(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            class: FailureClass::Permanent,
            hint: Some(hint.into()),
        }
    }

    /// Something else stands there than what was seen.
    pub(super) fn conflict(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            class: FailureClass::Conflict,
            hint: Some("see who else releases into this folder; then run this again".to_owned()),
        }
    }

    /// As the error of a request.
    pub(super) fn of(self, attempted: String, write: bool) -> TargetError {
        TargetError {
            attempted,
            reason: self.reason,
            status: None,
            codes: Vec::new(),
            class: self.class,
            retry_after: None,
            hints: self.hint.into_iter().collect(),
            write,
        }
    }

    pub(super) fn into_parts(self) -> (String, Vec<String>) {
        (self.reason, self.hint.into_iter().collect())
    }
}
