//! Why a version could not be resolved.

use crate::domain::ExitCode;
use crate::failure::{FailureClass, Place, Rule, Symptom, Trouble, classify};
use std::time::Duration;

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
    pub class: FailureClass,
    /// The rule that decided: a name in `docs/reference/failures.md`.
    pub rule: &'static str,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
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
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) reason: String,
    pub(super) rule: &'static Rule,
    pub(super) status: Option<u16>,
    pub(super) exit_code: ExitCode,
    /// How long the source asked to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// What may help beside what the rule says.
    pub(super) hints: Vec<String>,
}

impl Failure {
    /// What the table says of a symptom.
    pub(super) fn of(symptom: &Symptom<'_>, reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            rule: classify(symptom),
            status: symptom.status,
            exit_code: ExitCode::Unknown,
            retry_after: None,
            hints: Vec::new(),
        }
    }

    /// The same of a trouble at a source.
    pub(super) fn at(place: Place, trouble: Trouble, reason: impl Into<String>) -> Self {
        let symptom = Symptom {
            trouble: Some(trouble),
            ..Symptom::at(place)
        };
        Self::of(&symptom, reason)
    }

    /// What is no version, or cannot be asked for.
    pub(super) fn permanent(reason: impl Into<String>) -> Self {
        Self::at(Place::Version, Trouble::Meaningless, reason)
    }

    pub(super) fn interrupted() -> Self {
        Self {
            exit_code: ExitCode::Interrupted,
            ..Self::at(Place::Version, Trouble::Interrupted, "interrupted")
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

    pub(super) fn named(self, name: &str, from: String, attempts: u32) -> VersionError {
        let mut hints: Vec<String> = self.rule.mend(&[("name", name)]).into_iter().collect();
        hints.extend(self.hints);
        VersionError {
            name: name.to_owned(),
            from,
            reason: self.reason,
            class: self.rule.class,
            rule: self.rule.name,
            status: self.status,
            attempts,
            exit_code: self.exit_code,
            hints,
        }
    }
}
