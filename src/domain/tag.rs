//! Tags.

use super::{Digest, InvalidText, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a tag: 1 to 128 characters of `A-Z a-z 0-9 _ . -`, the first a letter, digit or `_`";

/// A tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` (OCI distribution specification, "Pulling manifests").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// A tag made of parts whose grammar is narrower than a tag's.
    pub(super) fn derived(text: String) -> Self {
        debug_assert!(text.parse::<Self>().is_ok(), "{text}");
        Self(text)
    }

    /// `sha256-<64 hex>`: what belongs to a digest (OCI distribution specification 1.1, "Referrers Tag Schema"; cosign appends to it).
    #[must_use]
    pub fn of_digest(digest: &Digest) -> Self {
        Self::derived(format!("sha256-{}", digest.hex()))
    }

    /// This tag with something short behind it, of the characters that a tag may have.
    #[must_use]
    pub(crate) fn with_end(&self, end: &str) -> Self {
        Self::derived(format!("{self}{end}"))
    }

    /// The tag as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this has the form of a record's tag: `_release`, `_release-…`, `_release.…`.
    #[must_use]
    pub fn is_record(&self) -> bool {
        let rest = self.0.strip_prefix("_release");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    }

    /// Whether this has the form of a cache reference.
    #[must_use]
    pub fn is_cache(&self) -> bool {
        self.0.starts_with("cache-")
    }

    /// Whether this has the form of a machine tag, which no release tag or alias may have: an identity tag with or without anything
    /// behind it, a cache reference, or a record.
    #[must_use]
    pub fn has_machine_form(&self) -> bool {
        let text = self.0.as_str();
        if self.is_record() || self.is_cache() {
            return true;
        }
        let identity_at = |rest: &str| {
            let digits = rest.split('-').next().unwrap_or(rest);
            digits.len() == 12 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if let Some(rest) = text.strip_prefix("base-") {
            return identity_at(rest);
        }
        text.strip_prefix("variant-").is_some_and(|rest| {
            rest.match_indices('-')
                .filter(|(at, _)| *at > 0)
                .filter_map(|(at, _)| rest.get(at + 1..))
                .any(identity_at)
        })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Tag {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let later = |byte: u8| first(byte) || matches!(byte, b'.' | b'-');
        let bytes = text.as_bytes();
        if (1..=128).contains(&bytes.len())
            && bytes.first().is_some_and(|&b| first(b))
            && bytes.iter().all(|&b| later(b))
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new(text, EXPECTED))
        }
    }
}

string_serde!(Tag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_forms_are_known() {
        for text in [
            "base-0123456789ab",
            "base-0123456789ab-amd64",
            "base-0123456789ab-inputs",
            "variant-a-b-0123456789ab-inputs",
            "variant-a-b-0123456789ab-arm-v7-staging",
            "_release",
            "_release-v1",
            "_release.tools",
            "_release.tools-v1",
            "cache-base-amd64",
        ] {
            assert!(text.parse::<Tag>().unwrap().has_machine_form(), "{text}");
        }
        for text in [
            "base-latest",
            "base-0123456789abc",
            "latest",
            "v1.2.3",
            "variant-0123456789ab",
            "base-0123456789AB",
            "variants",
        ] {
            assert!(!text.parse::<Tag>().unwrap().has_machine_form(), "{text}");
        }
    }
}
