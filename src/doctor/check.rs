//! What a check found.

use serde::{Deserialize, Serialize};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `variants.toml` itself.
    Family,
    /// The docker client and the engine behind it.
    Engine,
    /// The buildx plugin.
    Buildx,
    /// The builder.
    Builder,
    /// A platform: whether the builder runs programs for it.
    Platform,
    /// A platform that is tested: whether the engine, which is not the builder, runs programs for it.
    Smoke,
    /// Free space.
    Disk,
    /// Where the credentials come from.
    Credentials,
    /// Whether the registry answers, and lets the repository be read.
    Registry,
    /// Whether this account may push.
    Push,
    /// The clock.
    Clock,
    /// An entry of `[versions]`.
    Version,
}

impl Kind {
    /// The word for it, as in the JSON document.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Engine => "engine",
            Self::Buildx => "buildx",
            Self::Builder => "builder",
            Self::Platform => "platform",
            Self::Smoke => "smoke",
            Self::Disk => "disk",
            Self::Credentials => "credentials",
            Self::Registry => "registry",
            Self::Push => "push",
            Self::Clock => "clock",
            Self::Version => "version",
        }
    }
}

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// A release can succeed, but not all is as it should be, or it could not be found out.
    Warning,
    /// A release fails.
    Error,
}

/// What one check found. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub check: Kind,
    /// Which of several: a platform, the name of a version.
    pub subject: Option<String>,
    /// How well it is.
    pub status: Status,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub mend: Option<String>,
}

impl Check {
    /// All is well.
    pub(super) fn ok(check: Kind, message: impl Into<String>) -> Self {
        Self {
            check,
            subject: None,
            status: Status::Ok,
            message: message.into(),
            mend: None,
        }
    }

    /// Something is odd, or unknown.
    pub(super) fn warning(check: Kind, message: impl Into<String>) -> Self {
        Self {
            status: Status::Warning,
            ..Self::ok(check, message)
        }
    }

    /// A release would fail.
    pub(super) fn error(check: Kind, message: impl Into<String>) -> Self {
        Self {
            status: Status::Error,
            ..Self::ok(check, message)
        }
    }

    /// It could not be looked at, because of something that another check tells.
    pub(super) fn skipped(check: Kind, why: &str) -> Self {
        Self::warning(check, format!("not checked: {why}"))
    }

    /// The same with a way to mend it.
    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The same about this one of several.
    pub(super) fn on(mut self, subject: &(impl ToString + ?Sized)) -> Self {
        self.subject = Some(subject.to_string());
        self
    }

    /// What is wrong with the family's file, in one line.
    #[must_use]
    pub fn of_family(message: impl Into<String>, status: Status, mend: Option<String>) -> Self {
        Self {
            check: Kind::Family,
            subject: None,
            status,
            message: message.into(),
            mend,
        }
    }
}

/// All that was found: the document of `doctor -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Version of the document's form.
    pub schema: u32,
    /// The checks, in the order in which they are shown.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// The document of these checks.
    #[must_use]
    pub const fn new(checks: Vec<Check>) -> Self {
        Self { schema: 1, checks }
    }

    /// The worst of them; [`Status::Ok`] where there is none.
    #[must_use]
    pub fn worst(&self) -> Status {
        self.checks
            .iter()
            .map(|check| check.status)
            .max()
            .unwrap_or(Status::Ok)
    }

    /// How many checks ended so.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}
