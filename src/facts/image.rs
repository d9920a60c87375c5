//! What is known of one image: its inputs, and what the registry holds of it.

use crate::config::HashFormat;
use crate::domain::{Digest, Identity, ImageId, Platform, SmokeIdentity};
use crate::inputs::{self, Change, IdentityInputs, InputEntry, InputList, NamedValue};
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
    /// The path of the one that is the Dockerfile.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dockerfile: String,
    /// Everything else that counts in it; of a `concat` base, what is known to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<NamedValue>,
    /// What changed since the image that its alias points at. Only known where it is to be built, an alias stands, and the list of inputs of
    /// what it points at was published; empty everywhere else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
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

    /// The list of its inputs, as it is published. `hash` says how its identity is computed.
    #[must_use]
    pub fn list(&self, hash: HashFormat) -> InputList {
        let inputs = IdentityInputs {
            files: self.files.clone(),
            dockerfile: self.dockerfile.clone(),
            values: self.values.clone(),
        };
        InputList::new(&self.image, self.identity, hash, inputs)
    }

    /// What changed, in a few words: `rootfs/etc/profile changed, 1 more`. `None` where it is not known.
    #[must_use]
    pub fn change(&self) -> Option<String> {
        inputs::short(&self.changes)
    }
}

/// What stands under a platform identity tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFact {
    /// Digest under the tag: of the wrapper that buildx pushed, or of the bare manifest where it pushed none.
    pub tagged: Digest,
    /// The full identity that it was built for; `None` where nothing says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
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
