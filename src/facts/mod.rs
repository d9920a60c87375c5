//! What was learnt before planning: file hashes, what the registry holds, what floating versions resolve to, what the builder can do.
//!
//! [`Facts`] are plain values: saved together with the family and the options they reproduce any plan byte for byte.
//! Unknown is not absent, and never gets in here: what could not be found out ends the run before there is a plan.

mod builder;
mod image;

pub use crate::target::images::PlatformImage;
pub use builder::{BuilderFacts, ImageStore};
pub use image::{ImageFacts, IndexFact, PlatformFact};

use crate::domain::{Digest, Mark, Period, Platform, PublicTag, Version};
use crate::inputs::dockerfile::Problem;
use crate::record::Record;
use crate::versions::Resolved;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that the planner knows of the world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Of each image, in the order of the family.
    pub images: Vec<ImageFacts>,
    /// What each name in `[versions]` stands for.
    pub versions: BTreeMap<String, Resolved>,
    /// Digest of each image outside the family that a Dockerfile or a build context names, by its reference as written.
    pub upstream: BTreeMap<String, Digest>,
    /// The refresh period that the base is built for; `None` where nothing is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// The builder; `None` when nobody needed to ask for it.
    pub builder: Option<BuilderFacts>,
    /// What stands under release tags and aliases; absent tags are left out.
    pub tags: BTreeMap<PublicTag, Digest>,
    /// Platform digests of a base from elsewhere; `None` where nothing is built on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_platforms: Option<BTreeMap<Platform, Digest>>,
    /// What the family's records carry in their tags.
    #[serde(default, skip_serializing_if = "Mark::is_none")]
    pub mark: Mark,
    /// The record of the version that is to be released.
    pub record: Option<Record>,
    /// The process on this machine that is making that very release right now, if there is one.
    #[serde(default)]
    pub alive: Option<u32>,
    /// The process on this machine that is making the release of the newest record right now, if that is another one.
    #[serde(default)]
    pub other_alive: Option<u32>,
    /// The newest record.
    pub newest: Option<Record>,
    /// The digest of the artifact that the newest record is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_digest: Option<Digest>,
    /// How many seconds ago the record of that very release was written, where it is unfinished, that is less than ten minutes, and nothing tells that its run has
    /// ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<u64>,
    /// Which release an alias stands for of which no record knows, as a release tag with the same digest tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named: BTreeMap<PublicTag, Version>,
    /// The commit that the sources are at.
    pub revision: Option<String>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
    /// What the Dockerfiles fetch that means something else tomorrow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floats: Vec<Problem>,
}

impl Facts {
    /// The platform digest of a base from elsewhere for `platform`: of several variants of an architecture the best that runs there, as
    /// `BuildKit` chooses.
    #[must_use]
    pub fn base_platform(&self, platform: &Platform) -> Option<Digest> {
        let platforms = self.base_platforms.as_ref()?;
        let runs = |there: &&Platform| {
            there.architecture() == platform.architecture() && there.variant() <= platform.variant()
        };
        let best = platforms
            .keys()
            .filter(runs)
            .max_by_key(|there| there.variant())?;
        platforms.get(best).copied()
    }

    /// What floats in the Dockerfiles, as warnings with their mends.
    pub fn float_warnings(&self) -> impl Iterator<Item = String> {
        self.floats.iter().map(Problem::warning)
    }

    /// Only what floating versions and upstream references stand for.
    #[must_use]
    pub fn of(versions: BTreeMap<String, Resolved>, upstream: BTreeMap<String, Digest>) -> Self {
        Self {
            versions,
            upstream,
            ..Self::default()
        }
    }
}
