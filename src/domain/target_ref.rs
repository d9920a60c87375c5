//! Which target: how the command line and saved plans name where a release goes.

use super::{InvalidText, string_serde};
use camino::{Utf8Path, Utf8PathBuf};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a target: `registry`, or `oci:DIR` for a folder in OCI image layout";

/// Names a target: `registry` (the family's repository), or `oci:DIR` (a folder in OCI image layout, relative to the working folder).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TargetRef {
    /// The family's repository, on its registry.
    #[default]
    Registry,
    /// A folder in OCI image layout, as it was given.
    Layout(Utf8PathBuf),
}

impl TargetRef {
    /// The folder, where the target is one.
    #[must_use]
    pub fn layout(&self) -> Option<&Utf8Path> {
        match self {
            Self::Registry => None,
            Self::Layout(folder) => Some(folder),
        }
    }

    /// ` into oci:DIR`, to stand behind the repository in a sentence; nothing for a registry, which the repository names.
    #[must_use]
    pub fn into_words(&self) -> String {
        match self {
            Self::Registry => String::new(),
            Self::Layout(_) => format!(" into {self}"),
        }
    }

    /// Whether it is the family's registry.
    #[must_use]
    pub fn is_registry(&self) -> bool {
        *self == Self::Registry
    }
}

impl fmt::Display for TargetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry => f.write_str("registry"),
            Self::Layout(folder) => write!(f, "oci:{folder}"),
        }
    }
}

impl FromStr for TargetRef {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("oci:") {
            Some(folder) if !folder.is_empty() => Ok(Self::Layout(folder.into())),
            None if text == "registry" => Ok(Self::Registry),
            _ => Err(InvalidText::new(text, EXPECTED)),
        }
    }
}

string_serde!(TargetRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_written_back() {
        for (text, folder) in [
            ("registry", None),
            ("oci:out", Some("out")),
            ("oci:/a/b", Some("/a/b")),
        ] {
            let target: TargetRef = text.parse().unwrap();
            assert_eq!(target.layout().map(Utf8Path::as_str), folder);
            assert_eq!(target.to_string(), text);
        }
        for text in ["", "oci:", "out", "docker://x"] {
            assert!(text.parse::<TargetRef>().is_err(), "{text}");
        }
    }
}
