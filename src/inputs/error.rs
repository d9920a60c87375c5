//! What can go wrong while inputs are read.

use crate::domain::ExitCode;
use camino::Utf8PathBuf;
use std::io;
use std::path::PathBuf;

/// Inputs that cannot be read, or that are not what was declared. A missing input is always one of these, never another hash.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Something that was named is not there.
    #[error("{role} `{path}` does not exist")]
    Missing {
        /// What it was to be: `input`, `Dockerfile`, `build context`, `named build context`.
        role: &'static str,
        /// Where it was looked for.
        path: Utf8PathBuf,
    },
    /// Something that was named is of another kind.
    #[error("{role} `{path}` is not a {expected}")]
    WrongKind {
        /// What it was to be.
        role: &'static str,
        /// Where it is.
        path: Utf8PathBuf,
        /// The kind that it should have: `folder`, `file`.
        expected: &'static str,
    },
    /// A declared input lies outside the build context.
    #[error("input `{path}` leaves the build context")]
    Escapes {
        /// The input, as declared.
        path: Utf8PathBuf,
    },
    /// A folder on the way to a declared input is a symlink.
    #[error("input `{path}` goes through the symlink `{link}`")]
    ThroughSymlink {
        /// The input, as declared.
        path: Utf8PathBuf,
        /// The symlink.
        link: Utf8PathBuf,
    },
    /// A declared input is there, but a rule keeps all of it out of the build.
    #[error("input `{path}` never reaches the build: {reason}")]
    KeptOut {
        /// The input, as declared.
        path: Utf8PathBuf,
        /// What keeps it out.
        reason: String,
    },
    /// A socket, a device or a FIFO.
    #[error("`{path}` is a {kind}: an input is a file, a folder or a symlink")]
    SpecialFile {
        /// Where it is.
        path: Utf8PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A name, or a symlink's target, that is not UTF-8.
    #[error("the {what} of `{}` is not UTF-8", path.display())]
    NotUtf8 {
        /// `name` or `target`.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// A file that the ignore file lets through and BuildKit sends without its content.
    #[error(
        "`{path}` would reach the build as an empty file: `{file}:{line}` keeps out a folder above it once more"
    )]
    ArrivesEmpty {
        /// The file.
        path: Utf8PathBuf,
        /// The ignore file.
        file: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
    },
    /// The ignore file has a line that BuildKit would refuse.
    #[error("{file}:{line}: `{pattern}` is not a valid pattern")]
    IgnorePattern {
        /// The ignore file.
        file: Utf8PathBuf,
        /// Line, from 1.
        line: usize,
        /// The line's text.
        pattern: String,
    },
    /// The system refused to read something.
    #[error("could not read `{}`", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
}

impl InputError {
    /// What the process ends with.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read { .. } => ExitCode::Failed,
            _ => ExitCode::Usage,
        }
    }

    /// The path that it is about, as text.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Missing { path, .. }
            | Self::WrongKind { path, .. }
            | Self::Escapes { path }
            | Self::ThroughSymlink { path, .. }
            | Self::KeptOut { path, .. }
            | Self::ArrivesEmpty { path, .. }
            | Self::SpecialFile { path, .. } => path.to_string(),
            Self::IgnorePattern { file, .. } => file.to_string(),
            Self::NotUtf8 { path, .. } | Self::Read { path, .. } => path.display().to_string(),
        }
    }

    /// How it is mended.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { role: "input", .. } => {
                "`inputs` are relative to the build context: correct the path, or take it out".to_owned()
            }
            Self::Missing { role: "Dockerfile", .. } => {
                "`dockerfile` is relative to `variants.toml`: correct the path".to_owned()
            }
            Self::Missing { .. } => {
                "paths are relative to `variants.toml`: correct the path, or create the folder".to_owned()
            }
            Self::WrongKind { expected, .. } => format!("name a {expected}"),
            Self::Escapes { .. } => {
                "name a path inside the build context, or give the folder as a named context in `build.contexts`"
                    .to_owned()
            }
            Self::ThroughSymlink { .. } => {
                "symlinks are never followed: name the folder that it points at".to_owned()
            }
            Self::KeptOut { path, .. } => {
                format!("take `{path}` out of `inputs`, or let it through with the line `!{path}`")
            }
            Self::ArrivesEmpty { .. } => {
                "take that line out, or move it before the line with the exception".to_owned()
            }
            Self::SpecialFile { .. } => "remove it, or list it in `.dockerignore`".to_owned(),
            Self::NotUtf8 { what, .. } => {
                format!("rename it, or list it in `.dockerignore`: a {what} must be UTF-8")
            }
            Self::IgnorePattern { .. } => {
                "see docs/identity.md for the syntax; a literal `[` or `\\` is written `\\[` or `\\\\`"
                    .to_owned()
            }
            Self::Read { .. } => "see to it that this user may read it".to_owned(),
        }
    }
}
