//! The plan as a document.

use super::{Options, Step};
use crate::config::{Family, Retry};
use crate::domain::{
    Digest, Identity, ImageId, Mark, Period, Platform, PublicTag, Repository, Tag, TargetRef, Version,
};
use crate::facts::PlatformImage;
use crate::record::{AliasPoint, Freshness, Record};
use crate::versions::Resolved;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the plan's format.
pub const SCHEMA: u32 = 1;

/// Presence, as the plan's JSON spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresenceWord {
    /// All of it is there and may be used.
    Present,
    /// Nothing of it is there, and that is proven.
    Absent,
    /// Some of it is there.
    Incomplete,
    /// It could not be found out.
    Unknown,
}

/// What is planned for one platform of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPlatform {
    /// Which platform.
    pub platform: Platform,
    /// Whether the registry holds it.
    pub presence: PresenceWord,
    /// Its platform digest, where it is there and is used.
    pub digest: Option<Digest>,
    /// The platform image that is used, with its attestation.
    pub found: Option<PlatformImage>,
    /// Whether it is tested in a release.
    pub tested: bool,
    /// The receipt that the barrier asks for, where it is tested.
    pub receipt: Option<Tag>,
}

/// What is planned for one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanImage {
    /// Which image.
    pub image: ImageId,
    /// Its identity.
    pub identity: Identity,
    /// Its identity tag.
    pub tag: Tag,
    /// Whether the registry holds it.
    pub presence: PresenceWord,
    /// Digest of its index, where nothing of it will change.
    pub digest: Option<Digest>,
    /// Why it is built, completed or used again: one line.
    pub why: String,
    /// The tag that the list of its inputs is kept under, where the plan makes something of it and the list may be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Tag>,
    /// Its platforms.
    pub platforms: Vec<PlanPlatform>,
    /// The release tags that it gets.
    pub tags: Vec<PublicTag>,
    /// The aliases that it gets.
    pub aliases: Vec<PublicTag>,
}

/// What will be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this format.
    pub schema: u32,
    /// The release; `None` for plans that tag nothing.
    pub version: Option<Version>,
    /// The family's name.
    pub family: String,
    /// What images are called. If the target is a registry: where release tags and aliases go, but those that are named with another repository;
    /// and machine tags, where there is no other place for them.
    pub repository: Repository,
    /// Where everything goes: `registry`, or `oci:DIR`.
    #[serde(default)]
    pub target: TargetRef,
    /// Where machine tags go, when not to `repository`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_repository: Option<Repository>,
    /// Repositories that the release is copied to once its aliases have moved. They are planned on their own, by what is there then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<Repository>,
    /// What the family's records and caches carry in their tags.
    #[serde(default, skip_serializing_if = "Mark::is_none")]
    pub mark: Mark,
    /// What floating versions were resolved to.
    pub versions: BTreeMap<String, Resolved>,
    /// What upstream references were resolved to.
    pub upstream: BTreeMap<String, Digest>,
    /// The refresh period that the base is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// What the images are built for, where a period or a salt asks for it: the record says so once they stand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fresh: BTreeMap<ImageId, Freshness>,
    /// The images.
    pub images: Vec<PlanImage>,
    /// What is done, in an order in which it could be done one by one.
    pub steps: Vec<Step>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
    /// What is tried again, and how often.
    pub retry: Retry,
    /// The builder's name, where one was asked for.
    pub builder: Option<String>,
    /// Whether the builder keeps attestations and annotations.
    pub attests: bool,
    /// The record as it will be written first; digests are filled in as the release goes on. Its state is how far an earlier run came.
    pub record: Option<Record>,
    /// The newest record when the plan was made: whoever publishes after that is seen by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Digest>,
    /// Aliases that are where they should be already, and will stand for this release once it is done.
    #[serde(default)]
    pub points: BTreeMap<PublicTag, AliasPoint>,
}

impl Plan {
    /// Where machine tags go.
    #[must_use]
    pub fn work(&self) -> &Repository {
        self.work_repository.as_ref().unwrap_or(&self.repository)
    }

    /// The mirrors that a plan of this version is followed by. What goes into a folder goes nowhere else.
    pub(super) fn mirrors_of(family: &Family, options: &Options) -> Vec<Repository> {
        if options.target.is_registry() {
            family.mirrors.clone()
        } else {
            Vec::new()
        }
    }
}
