//! What is wrong with a configuration file, as data; [`render`](super::render) makes text of it.

use crate::domain::ExitCode;
use camino::Utf8PathBuf;
use serde::Serialize;
use std::fmt;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but says something that is probably not meant.
    Warning,
}

/// Where in a file something stands. Lines and columns count from 1, columns and lengths in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column in which it begins.
    pub column: usize,
    /// How many characters of the line it is long; at least 1.
    pub length: usize,
    /// The whole line. Values of keys that look like secrets are blotted out, so that this can be shown and logged.
    pub text: String,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: Utf8PathBuf,
    /// Where in the file; `None` when it is about the file as a whole, or about a variable or flag.
    pub place: Option<Place>,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// Why a file could not be loaded: every problem that was found in it, in the order of the file, warnings included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigErrors {
    /// The file, as it was named.
    pub file: Utf8PathBuf,
    /// What is wrong with it; at least one is an error.
    pub problems: Vec<Problem>,
}

impl ConfigErrors {
    /// What the process ends with.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    /// All problems as text for people, and at the end how many there are.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        super::render_all(&self.problems, color)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for ConfigErrors {}
