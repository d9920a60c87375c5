//! Where a release is copied to: how the command line names it.

use super::{InvalidText, Repository, TargetRef};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "`oci:DIR` for a folder in OCI image layout, or a repository with its host or its first folder: `[HOST[:PORT]/]PATH/NAME`";

/// Where a release is copied to, or, without a repository, where it is: another repository, or a [`TargetRef`]. A repository has a slash in it, so
/// that no word is taken for one by mistake; a target has none before its colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A repository, on any registry.
    Repository(Repository),
    /// `registry` or `oci:DIR`.
    Target(TargetRef),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(repository) => repository.fmt(f),
            Self::Target(target) => target.fmt(f),
        }
    }
}

impl FromStr for Destination {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(target) = text.parse() {
            return Ok(Self::Target(target));
        }
        if !text.contains('/') || text.starts_with("oci:") {
            return Err(InvalidText::new(text, EXPECTED));
        }
        text.parse().map(Self::Repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_folders() {
        for (text, shown) in [
            ("oci:out", "oci:out"),
            ("oci:/a/b", "oci:/a/b"),
            ("registry", "registry"),
            ("acme/devbox", "docker.io/acme/devbox"),
            ("localhost:5000/devbox", "localhost:5000/devbox"),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.to_string(), shown);
            let is_repository = matches!(destination, Destination::Repository(_));
            assert_eq!(is_repository, shown.contains('/') && !shown.starts_with("oci:"));
        }
        for text in [
            "",
            "oci:",
            "out",
            "devbox",
            "Acme/x",
            "docker://x",
            "./out",
            "a/b:tag",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }
}
