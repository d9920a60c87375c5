//! Whether an SBOM is attested to an image, and which scanner makes it.

use serde::{Deserialize, Serialize};

/// Whether an SBOM is attested, and by what. In JSON `false`, `true` or the scanner's reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum Sbom {
    /// None.
    #[default]
    Off,
    /// By the scanner that `BuildKit` takes when none is named.
    On,
    /// By this image, which follows `BuildKit`'s protocol for scanners (`docs/attestations/sbom-protocol.md` there).
    Scanner(String),
}

impl Sbom {
    /// The image that scans, where one is named.
    #[must_use]
    pub fn scanner(&self) -> Option<&str> {
        match self {
            Self::Scanner(reference) => Some(reference),
            Self::Off | Self::On => None,
        }
    }

    /// As it is written in the configuration and counts in the identity.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Off => "false",
            Self::On => "true",
            Self::Scanner(reference) => reference,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Whether(bool),
    Scanner(String),
}

impl From<Written> for Sbom {
    fn from(written: Written) -> Self {
        match written {
            Written::Whether(false) => Self::Off,
            Written::Whether(true) => Self::On,
            Written::Scanner(reference) => Self::Scanner(reference),
        }
    }
}

impl From<Sbom> for Written {
    fn from(sbom: Sbom) -> Self {
        match sbom {
            Sbom::Off => Self::Whether(false),
            Sbom::On => Self::Whether(true),
            Sbom::Scanner(reference) => Self::Scanner(reference),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_in_json_was_a_boolean_before() {
        for (sbom, json) in [
            (Sbom::Off, "false"),
            (Sbom::On, "true"),
            (Sbom::Scanner("a.b/c:1".into()), "\"a.b/c:1\""),
        ] {
            assert_eq!(serde_json::to_string(&sbom).unwrap(), json);
            assert_eq!(serde_json::from_str::<Sbom>(json).unwrap(), sbom);
        }
    }
}
