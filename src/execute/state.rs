//! What a run has made and learnt so far.

use super::steps::publish::Moved;
use crate::domain::{Digest, ImageId, Platform, PublicTag, Tag};
use crate::facts::PlatformImage;
use crate::plan::Plan;
use crate::record::{Record, RecordSteps};
use crate::target::RawManifest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a run has made and learnt so far. Shared by all steps.
#[derive(Debug, Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
}

/// What came to be known of a platform image for the record.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Known {
    /// Sum of its layers as they are stored, in bytes.
    pub(super) size: Option<u64>,
    /// Sum of its uncompressed layers, in bytes.
    pub(super) uncompressed: Option<u64>,
    /// What building it took.
    pub(super) steps: Option<RecordSteps>,
}

/// What somebody else wrote in the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    /// An alias, or the newest record.
    Alias,
    /// A release tag that this run wrote, and could not get back.
    ReleaseTag,
}

/// The fields of [`State`].
#[derive(Debug, Default)]
pub(super) struct Inner {
    /// Platform images that are used: found when planning, or adopted since.
    pub(super) platforms: BTreeMap<(ImageId, Platform), PlatformImage>,
    /// Indexes that are as they should be.
    pub(super) indexes: BTreeMap<ImageId, Digest>,
    /// The bytes of indexes that this run wrote, to be put under more tags without being read again.
    pub(super) bytes: BTreeMap<Digest, RawManifest>,
    /// Tags and aliases that this run wrote, or found where they should be.
    pub(super) standing: BTreeSet<PublicTag>,
    /// Identity tags of platform images that this run built or took over, and what it found or put there.
    pub(super) tagged: BTreeMap<Tag, Digest>,
    /// The release tags that this run wrote, or was about to.
    pub(super) written: Vec<Moved>,
    /// The aliases that this run moved, or was about to.
    pub(super) moved: Vec<Moved>,
    /// What somebody else wrote in the same moment.
    pub(super) foreign: Option<Foreign>,
    /// Whether the aliases that this run moved were put back.
    pub(super) withdrawn: bool,
    /// Whether this run has written a release tag or moved an alias.
    pub(super) published: bool,
    /// The record, as it was last written or will be written next.
    pub(super) record: Option<Record>,
    /// The record as this run wrote it last.
    pub(super) recorded: Option<Digest>,
    /// What came to be known of platform images for the record.
    pub(super) known: BTreeMap<Digest, Known>,
    /// What is odd, but no error.
    pub(super) warnings: Vec<String>,
}

impl State {
    /// What is known from the plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut inner = Inner {
            record: plan.record.clone(),
            warnings: Vec::new(),
            ..Inner::default()
        };
        for image in &plan.images {
            for platform in &image.platforms {
                if let Some(found) = &platform.found {
                    inner
                        .platforms
                        .insert((image.image.clone(), platform.platform.clone()), found.clone());
                }
            }
            if let Some(digest) = image.digest {
                inner.indexes.insert(image.image.clone(), digest);
            }
        }
        Self {
            inner: Mutex::new(inner),
        }
    }

    /// Access to the fields. Never held across an await.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A step that panicked cannot have left a field half written: each change is one assignment.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platform image that is used.
    pub(super) fn platform(&self, image: &ImageId, platform: &Platform) -> Option<PlatformImage> {
        self.lock()
            .platforms
            .get(&(image.clone(), platform.clone()))
            .cloned()
    }

    /// The index of an image.
    pub(super) fn index(&self, image: &ImageId) -> Option<Digest> {
        self.lock().indexes.get(image).copied()
    }
}
