//! The record: the account of one release, kept in the registry under `_release-<version>`; `_release` is always the newest.

use crate::domain::{Digest, Identity, ImageId, Period, Platform, PublicTag, Repository, Tag, Version};
use crate::versions::Resolved;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Type of the artifact that holds a record, and media type of its one layer.
pub const ARTIFACT_TYPE: &str = "application/vnd.splitbase.release.v1+json";
/// Largest record that is read, in bytes.
pub const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// How far a release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordState {
    /// All pins are fixed, nothing is published yet.
    Planned,
    /// The barrier is passed: release tags and aliases are being written.
    Publishing,
    /// All release tags stand and all aliases have moved.
    Done,
    /// All release tags stand; aliases wait for `promote`.
    NotPromoted,
    /// It ended before anything was published; a later run of the same version goes on with its pins.
    Failed,
    /// It was taken back: its aliases are where they were, its release tags are gone where the target deletes tags.
    Undone,
}

impl RecordState {
    /// Whether the release was neither finished nor given up.
    #[must_use]
    pub const fn is_unfinished(self) -> bool {
        matches!(self, Self::Planned | Self::Publishing)
    }

    /// Whether all of its release tags stand.
    #[must_use]
    pub const fn stands(self) -> bool {
        matches!(self, Self::Done | Self::NotPromoted)
    }

    /// The word for it, as in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Publishing => "publishing",
            Self::Done => "done",
            Self::NotPromoted => "not-promoted",
            Self::Failed => "failed",
            Self::Undone => "undone",
        }
    }
}

/// One platform image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPlatform {
    /// Which platform.
    pub platform: Platform,
    /// The platform digest.
    pub digest: Digest,
    /// The receipt that the barrier found, where the platform is tested.
    pub receipt: Option<Tag>,
    /// What is downloaded for it, in bytes: the sum of its layers as they are stored. Where it is known.
    #[serde(default)]
    pub size: Option<u64>,
    /// The sum of its uncompressed layers, in bytes. Where a test has counted them.
    #[serde(default)]
    pub uncompressed: Option<u64>,
    /// What building it took, where this release built it.
    #[serde(default)]
    pub steps: Option<RecordSteps>,
}

/// The steps of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSteps {
    /// How many came from the build cache.
    pub cached: u32,
    /// How many ran.
    pub run: u32,
}

impl RecordPlatform {
    /// One of which no more is known yet.
    #[must_use]
    pub const fn new(platform: Platform, digest: Digest, receipt: Option<Tag>) -> Self {
        Self {
            platform,
            digest,
            receipt,
            size: None,
            uncompressed: None,
            steps: None,
        }
    }

    /// With what another account of the same platform image knows.
    #[must_use]
    pub fn knowing(mut self, other: Option<Self>) -> Self {
        if let Some(other) = other.filter(|other| other.digest == self.digest) {
            self.size = self.size.or(other.size);
            self.uncompressed = self.uncompressed.or(other.uncompressed);
            self.steps = self.steps.or(other.steps);
        }
        self
    }
}

/// One image of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordImage {
    /// Which image.
    pub image: ImageId,
    /// Its identity.
    pub identity: Identity,
    /// Digest of its index; `None` until it is assembled.
    pub digest: Option<Digest>,
    /// Its release tags.
    pub tags: Vec<PublicTag>,
    /// Its aliases.
    pub aliases: Vec<PublicTag>,
    /// Its platform images.
    pub platforms: Vec<RecordPlatform>,
}

/// An alias that a release moves, or finds where it should be: then `old` and `new` are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordAlias {
    /// The alias.
    pub alias: PublicTag,
    /// Where it pointed before.
    pub old: Option<Digest>,
    /// The release that it stood for before, where records knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Version>,
    /// Where it points after.
    pub new: Option<Digest>,
}

/// A release tag or alias on its way from one digest to another; `None` is no tag at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordMove {
    /// The release tag or alias.
    pub tag: PublicTag,
    /// Where it was.
    pub old: Option<Digest>,
    /// Where it is to be.
    pub new: Option<Digest>,
    /// For an alias: the release that it stood for, where records knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_version: Option<Version>,
    /// For an alias: the release that it is to stand for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<Version>,
}

/// What was decided at the barrier. It is all that is needed to finish it, or to take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The state of the release before.
    pub before: RecordState,
    /// The state that it is to have.
    pub goal: RecordState,
    /// The release tags that are written.
    pub tags: Vec<RecordMove>,
    /// The aliases that are moved.
    pub aliases: Vec<RecordMove>,
}

/// Which release an alias is known to point at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasPoint {
    /// The digest that was put there.
    pub digest: Digest,
    /// The release that put it there.
    pub version: Version,
}

/// What makes an image another one though nothing else changed. Nothing of an image is in a cache that is of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// The refresh period, where its base, or itself, is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The salt of the base that it stands on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_salt: String,
    /// Its own salt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub salt: String,
}

/// The process that runs a release, so that another one on the same machine can see whether it is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Id of the machine's current boot, with its process namespace.
    pub boot: String,
    /// Process id.
    pub process: u32,
    /// When the process started, in clock ticks since boot.
    pub started: u64,
}

/// The programs that made a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tools {
    /// Version of splitbase.
    pub splitbase: String,
    /// Version of buildx, where it was asked.
    #[serde(default)]
    pub buildx: Option<String>,
    /// Version of BuildKit, where it was asked.
    #[serde(default)]
    pub buildkit: Option<String>,
    /// Version of the engine, where it was asked.
    #[serde(default)]
    pub engine: Option<String>,
}

impl Record {
    /// What it says of a platform image.
    #[must_use]
    pub fn platform(&self, digest: Digest) -> Option<&RecordPlatform> {
        let mut platforms = self.images.iter().flat_map(|image| &image.platforms);
        platforms.find(|platform| platform.digest == digest)
    }

    /// Whether its release tags stand, by its own account.
    #[must_use]
    pub const fn stands(&self) -> bool {
        matches!(self.state, RecordState::Done | RecordState::NotPromoted)
    }
}

/// The account of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format: 1.
    pub schema: u32,
    /// The release.
    pub version: Version,
    /// The family's name.
    pub family: String,
    /// Where it went. Tags elsewhere than there are named with their repository.
    pub repository: Repository,
    /// How far it has come.
    pub state: RecordState,
    /// When it was first written.
    pub started: jiff::Timestamp,
    /// When it was last written.
    pub updated: jiff::Timestamp,
    /// Who last wrote it.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// Whether the run that left it unfinished has said that it ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// The commit that the sources were at.
    #[serde(default)]
    pub revision: Option<String>,
    /// What each floating version was pinned to.
    pub versions: BTreeMap<String, Resolved>,
    /// What each upstream reference was pinned to.
    #[serde(default)]
    pub upstream: BTreeMap<String, Digest>,
    /// The refresh period that its base is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// What each image of the family is known to be built for, carried on from record to record. Set at the barrier.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fresh: BTreeMap<ImageId, Freshness>,
    /// The images of the release.
    pub images: Vec<RecordImage>,
    /// Images of the family that this release left out.
    #[serde(default)]
    pub left_out: Vec<ImageId>,
    /// The aliases that it moves.
    pub aliases: Vec<RecordAlias>,
    /// What is being written, while it is *publishing*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Which release each alias of the family is known to point at, carried on from record to record.
    #[serde(default)]
    pub points: BTreeMap<PublicTag, AliasPoint>,
    /// The programs that made it.
    #[serde(default)]
    pub tools: Tools,
}
