//! What is known of one image: its inputs, and what the registry holds of it.

use crate::domain::{Digest, Identity, ImageId, Platform, SmokeIdentity};
use crate::inputs::InputEntry;
use crate::target::images::PlatformImage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Which image.
    pub image: ImageId,
    /// Its identity.
    pub identity: Identity,
    /// The files that count in it.
    pub files: Vec<InputEntry>,
    /// References of images outside the family that its Dockerfile names and that are pinned, as written there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<String>,
    /// The identity of its smoke test, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SmokeIdentity>,
    /// What stands under its identity tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<IndexFact>,
    /// What stands under its platform identity tags. They are only asked for where the index does not hold the platform; absent ones are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<Platform, PlatformFact>,
    /// The platform digest that today's receipt is for. Absent receipts are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receipts: BTreeMap<Platform, Digest>,
}

impl ImageFacts {
    /// What the registry holds for `platform`, in the index or beside it.
    #[must_use]
    pub fn platform(&self, platform: &Platform) -> Option<&PlatformImage> {
        let index = self
            .index
            .as_ref()
            .and_then(|index| index.platforms.get(platform));
        index.or_else(|| self.platforms.get(platform).map(|fact| &fact.image))
    }
}

/// What stands under a platform identity tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFact {
    /// Digest under the tag: of the wrapper that buildx pushed, or of the bare manifest where it pushed none.
    pub tagged: Digest,
    /// The platform image in it.
    #[serde(flatten)]
    pub image: PlatformImage,
}

/// An index as a registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFact {
    /// Digest under the identity tag.
    pub digest: Digest,
    /// The full identity that it was written for; `None` where another tool wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Its platform images.
    pub platforms: BTreeMap<Platform, PlatformImage>,
}
