//! Release versions and their order.

use super::{InvalidText, string_serde};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a version: 1 to 100 characters of `A-Z a-z 0-9 _ . -`, the first a letter or digit, for example `v1.2.3`";

/// The version of a release, as given on the command line: it stands in tags, so it has their grammar.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

impl Version {
    /// The version as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let later = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let bytes = text.as_bytes();
        if (1..=100).contains(&bytes.len())
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|&b| later(b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new(text, EXPECTED))
        }
    }
}

string_serde!(Version);

/// How versions of a family are written, and so how they are ordered.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Versioning {
    /// Semantic versioning 2.0, with or without a leading `v`.
    #[default]
    Semver,
    /// Semantic versioning whose patch may carry a letter for a further build of it: 1.14.20 < 1.14.20b < 1.14.21.
    SemverLetter,
    /// Numbers joined by dots or dashes: 2026.11, 2026.11.20, 2026-11-20.1.
    Calver,
    /// Versions have no order; aliases always move.
    None,
}

/// A version taken apart by its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedVersion {
    numbers: Vec<u64>,
    letter: Option<char>,
    prerelease: Vec<String>,
}

impl ParsedVersion {
    /// The first number, if any.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<u64> {
        self.numbers.get(index).copied()
    }

    /// Whether this is a pre-release (`v1.2.3-rc.1`).
    #[must_use]
    pub const fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

impl Versioning {
    /// Takes `version` apart, or says that it does not follow the scheme.
    ///
    /// # Errors
    /// The version is not written as the scheme asks. [`Versioning::None`] takes everything.
    pub fn parse(self, version: &Version) -> Result<ParsedVersion, InvalidText> {
        let text = version.as_str();
        let bare = text.strip_prefix('v').unwrap_or(text);
        let parsed = match self {
            Self::Semver => parse_semver(bare, false),
            Self::SemverLetter => parse_semver(bare, true),
            Self::Calver => parse_calver(bare),
            Self::None => Some(ParsedVersion {
                numbers: Vec::new(),
                letter: None,
                prerelease: Vec::new(),
            }),
        };
        let expected = match self {
            Self::SemverLetter => "a version like `v1.2.3` or `v1.2.3b` (`versioning = \"semver-letter\"`)",
            Self::Calver => "a version like `2026.11.20` (`versioning = \"calver\"`)",
            Self::Semver | Self::None => {
                "a version like `v1.2.3` or `v1.2.3-rc.1` (`versioning = \"semver\"`)"
            }
        };
        parsed.ok_or_else(|| InvalidText::new(text, expected))
    }

    /// The order of two versions; `None` where the scheme has none, or one of them does not follow it.
    #[must_use]
    pub fn compare(self, left: &Version, right: &Version) -> Option<Ordering> {
        if self == Self::None {
            return (left == right).then_some(Ordering::Equal);
        }
        let (left, right) = (self.parse(left).ok()?, self.parse(right).ok()?);
        let length = left.numbers.len().max(right.numbers.len());
        let number = |version: &ParsedVersion, index| version.number(index).unwrap_or(0);
        let numbers = (0..length)
            .map(|index| number(&left, index).cmp(&number(&right, index)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        let prerelease = match (left.is_prerelease(), right.is_prerelease()) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            _ => compare_prerelease(&left.prerelease, &right.prerelease),
        };
        Some(numbers.then(left.letter.cmp(&right.letter)).then(prerelease))
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn parse_semver(text: &str, letters: bool) -> Option<ParsedVersion> {
    let (core, prerelease) = match text.split_once('-') {
        Some((core, prerelease)) => (core, prerelease.split('.').map(str::to_owned).collect()),
        None => (text, Vec::new()),
    };
    if prerelease.iter().any(String::is_empty) {
        return None;
    }
    let (core, letter) = match core.strip_suffix(|c: char| c.is_ascii_lowercase()) {
        Some(rest) if letters => (rest, core.chars().last()),
        _ => (core, None),
    };
    let numbers = core.split('.').map(number).collect::<Option<Vec<_>>>()?;
    (numbers.len() == 3).then_some(ParsedVersion {
        numbers,
        letter,
        prerelease,
    })
}

fn parse_calver(text: &str) -> Option<ParsedVersion> {
    let numbers = text.split(['.', '-']).map(number).collect::<Option<Vec<_>>>()?;
    (numbers.len() >= 2).then_some(ParsedVersion {
        numbers,
        letter: None,
        prerelease: Vec::new(),
    })
}

/// Semantic Versioning 2.0.0, item 11.
fn compare_prerelease(left: &[String], right: &[String]) -> Ordering {
    for (left, right) in left.iter().zip(right) {
        let order = match (number(left), number(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => left.cmp(right),
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(scheme: Versioning, versions: &[&str]) {
        for pair in versions.windows(2) {
            let (left, right) = (pair[0].parse().unwrap(), pair[1].parse().unwrap());
            assert_eq!(
                scheme.compare(&left, &right),
                Some(Ordering::Less),
                "{left} < {right}"
            );
            assert_eq!(scheme.compare(&right, &left), Some(Ordering::Greater));
        }
    }

    #[test]
    fn orders() {
        ordered(
            Versioning::Semver,
            &[
                "v1.2.3-alpha",
                "1.2.3-alpha.1",
                "v1.2.3-alpha.beta",
                "v1.2.3-rc.2",
                "v1.2.3-rc.11",
                "v1.2.3",
                "v1.10.0",
                "v2.0.0",
            ],
        );
        ordered(
            Versioning::SemverLetter,
            &["v1.14.20", "v1.14.20b", "v1.14.20c", "v1.14.21-rc.1", "v1.14.21"],
        );
        ordered(
            Versioning::Calver,
            &["2025.12", "2026.1", "2026.01.2", "2026-11-20.1"],
        );
    }

    #[test]
    fn foreign_forms_have_no_order() {
        let (odd, good) = ("v1.14.20b".parse().unwrap(), "v1.14.20".parse().unwrap());
        assert_eq!(Versioning::Semver.compare(&odd, &good), None);
        assert!(Versioning::Semver.parse(&odd).is_err());
    }
}
