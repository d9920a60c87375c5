//! Why a version could not be resolved.

use crate::domain::ExitCode;
use std::time::Duration;

/// Whether the same question may have another answer soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may: the source was busy, unreachable, or has not caught up with itself.
    Transient,
    /// It will not, before somebody changes something.
    Permanent,
}

/// A source that could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resolve `{name}` from {from}: {reason}{}", after(*attempts))]
pub struct VersionError {
    /// The name in `[versions]`.
    pub name: String,
    /// The source, as in [`super::source_text`].
    pub from: String,
    /// What went wrong. Never holds credentials.
    pub reason: String,
    /// Whether it is worth another try later.
    pub class: Class,
    /// How often it was tried.
    pub attempts: u32,
    /// What the process ends with.
    pub exit_code: ExitCode,
    /// What may help.
    pub hints: Vec<String>,
}

fn after(attempts: u32) -> String {
    if attempts > 1 {
        format!(" (after {attempts} attempts)")
    } else {
        String::new()
    }
}

/// One attempt that went wrong, before it is known for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) class: Class,
    pub(super) exit_code: ExitCode,
    /// How long the source asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    pub(super) hints: Vec<String>,
}

impl Failure {
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            class: Class::Permanent,
            exit_code: ExitCode::Unknown,
            retry_after: None,
            hints: Vec::new(),
        }
    }

    pub(super) fn transient(reason: impl Into<String>) -> Self {
        Self {
            class: Class::Transient,
            ..Self::permanent(reason)
        }
    }

    pub(super) fn interrupted() -> Self {
        Self {
            exit_code: ExitCode::Interrupted,
            ..Self::permanent("interrupted")
        }
    }

    /// The mistake is in what the user wrote, not in the source.
    pub(super) fn usage(mut self) -> Self {
        self.exit_code = ExitCode::Usage;
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn named(mut self, name: &str, from: String, attempts: u32) -> VersionError {
        if self.hints.is_empty() && self.class == Class::Transient {
            let hint = format!(
                "see whether the source can be reached from here; `--set {name}=VERSION` does without it"
            );
            self.hints.push(hint);
        }
        VersionError {
            name: name.to_owned(),
            from,
            reason: self.reason,
            class: self.class,
            attempts,
            exit_code: self.exit_code,
            hints: self.hints,
        }
    }
}
