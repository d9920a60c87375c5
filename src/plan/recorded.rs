//! Plans of releases that a record describes, of which nothing is built any more.

use super::{Options, Plan, PlanImage, PresenceWord, SCHEMA, Step};
use crate::config::Family;
use crate::domain::{IdentityTags, PublicTag};
use crate::facts::Facts;
use crate::record::{AliasPoint, Record, RecordImage};
use std::collections::BTreeMap;

/// What such plans differ in.
pub(super) struct Recorded {
    /// Why the images are in it.
    pub(super) why: &'static str,
    pub(super) steps: Vec<Step>,
    pub(super) points: BTreeMap<PublicTag, AliasPoint>,
    pub(super) warnings: Vec<String>,
    /// Whether the release is copied to the family's mirrors afterwards.
    pub(super) mirrored: bool,
}

impl Plan {
    /// The plan whose versions, digests and images are those of `record`. Images without a digest never came to be, and are not in it.
    pub(super) fn of_record(
        record: Record,
        family: &Family,
        facts: &Facts,
        options: &Options,
        what: Recorded,
    ) -> Self {
        let there = record.images.iter().filter(|image| image.digest.is_some());
        Self {
            schema: SCHEMA,
            version: Some(record.version.clone()),
            family: family.name.clone(),
            repository: family.repository.clone(),
            target: options.target.clone(),
            work_repository: family.work_repository.clone(),
            mirrors: if what.mirrored {
                Self::mirrors_of(family, options)
            } else {
                Vec::new()
            },
            mark: facts.mark.clone(),
            versions: record.versions.clone(),
            upstream: record.upstream.clone(),
            period: record.period,
            fresh: record.fresh.clone(),
            images: there.map(|image| PlanImage::of_record(image, what.why)).collect(),
            steps: what.steps,
            warnings: what.warnings,
            retry: family.retry.clone(),
            builder: None,
            attests: true,
            newest: facts.newest_digest,
            points: what.points,
            record: Some(record),
        }
    }
}

impl PlanImage {
    fn of_record(image: &RecordImage, why: &str) -> Self {
        Self {
            image: image.image.clone(),
            identity: image.identity,
            tag: IdentityTags::new(&image.image, &image.identity).index(),
            presence: PresenceWord::Present,
            digest: image.digest,
            why: why.to_owned(),
            inputs: None,
            platforms: Vec::new(),
            tags: image.tags.clone(),
            aliases: image.aliases.clone(),
        }
    }
}
