//! Identities and the tags that are derived from them.

use super::digest::{hex, unhex};
use super::{ImageId, InvalidText, Platform, Tag, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "an identity: 64 lower-case hex digits";

/// SHA-256 over the canonical list of an image's inputs. 12 hex digits of it stand in tags, all 64 in annotations and JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity([u8; 32]);

impl Identity {
    /// An identity from the raw hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The first 12 hex digits, as they stand in tags.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Identity {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        unhex(text)
            .map(Self)
            .ok_or_else(|| InvalidText::new(text, EXPECTED))
    }
}

string_serde!(Identity);

/// The identity of a smoke test: its command, inputs, environment and limits. A changed test is run again on an unchanged image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SmokeIdentity(pub Identity);

/// The machine tags of one image under one identity.
///
/// Every name is at most 64 characters, so the longest of them stays under the 128 characters that a tag may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityTags {
    prefix: String,
}

impl IdentityTags {
    /// The tags of `image` under `identity`.
    #[must_use]
    pub fn new(image: &ImageId, identity: &Identity) -> Self {
        let short = identity.short();
        let prefix = match image {
            ImageId::Base => format!("base-{short}"),
            ImageId::Variant(name) => format!("variant-{name}-{short}"),
        };
        Self { prefix }
    }

    /// `base-<12>`, `variant-<name>-<12>`: the index.
    #[must_use]
    pub fn index(&self) -> Tag {
        Tag::derived(self.prefix.clone())
    }

    /// `…-inputs`: the list of what counted in the identity.
    #[must_use]
    pub fn inputs(&self) -> Tag {
        Tag::derived(format!("{}-inputs", self.prefix))
    }

    /// `…-amd64`: the platform image, with what buildx wrapped around it.
    #[must_use]
    pub fn platform(&self, platform: &Platform) -> Tag {
        Tag::derived(format!("{}-{}", self.prefix, platform.tag_suffix()))
    }

    /// `…-amd64-staging`: where buildx pushes to, before the image is adopted.
    #[must_use]
    pub fn staging(&self, platform: &Platform) -> Tag {
        Tag::derived(format!("{}-{}-staging", self.prefix, platform.tag_suffix()))
    }

    /// `…-amd64-ok-<12 of the smoke identity>`: the receipt, on the platform image's own manifest.
    #[must_use]
    pub fn receipt(&self, platform: &Platform, smoke: &SmokeIdentity) -> Tag {
        Tag::derived(format!(
            "{}-{}-ok-{}",
            self.prefix,
            platform.tag_suffix(),
            smoke.0.short()
        ))
    }
}
