//! The record of a release as its plan has it.

use super::images::ImageState;
use super::publish::Names;
use super::{Options, SCHEMA};
use crate::config::{Family, Image};
use crate::domain::{Digest, ImageId};
use crate::facts::{BuilderFacts, Facts};
use crate::record::{Record, RecordImage, RecordPlatform, RecordState, Tools};
use std::collections::BTreeMap;

/// The record as it will be written first. Times, holder and digests of what is built are filled in when it is written.
pub(super) fn first_record(
    family: &Family,
    facts: &Facts,
    options: &Options,
    selected: &[&Image],
    states: &BTreeMap<ImageId, ImageState<'_>>,
    names: &Names,
) -> Option<Record> {
    let version = options.version.clone()?;
    let earlier = facts.record.as_ref();
    let mut images: Vec<RecordImage> = Vec::new();
    for image in selected {
        let state = states.get(&image.id)?;
        images.push(RecordImage {
            image: image.id.clone(),
            identity: state.fact.identity,
            digest: state.digest(),
            tags: names.tags_of(&image.id),
            aliases: names.aliases_of(&image.id),
            platforms: state
                .platforms
                .iter()
                .filter_map(|(platform, decision)| {
                    let digest = decision.used()?.digest();
                    let receipt = state.receipt(image, platform);
                    Some(RecordPlatform::new(platform.clone(), digest, receipt).knowing(known(facts, digest)))
                })
                .collect(),
        });
    }
    // Not every engine says which BuildKit it is.
    let told = |what: fn(&BuilderFacts) -> &String| {
        let version = facts.builder.as_ref().map(what);
        version.filter(|version| !version.is_empty()).cloned()
    };
    let is_selected = |id: &ImageId| selected.iter().any(|image| image.id == *id);
    let kept = earlier.map(|record| record.images.as_slice()).unwrap_or_default();
    images.extend(
        kept.iter()
            .filter(|image| !is_selected(&image.image) && family.image(&image.image).is_some())
            .cloned(),
    );
    let left_out = family
        .images
        .iter()
        .filter(|image| images.iter().all(|known| known.image != image.id));
    Some(Record {
        schema: SCHEMA,
        version,
        family: family.name.clone(),
        repository: family.repository.clone(),
        state: earlier.map_or(RecordState::Planned, |record| record.state),
        started: earlier.map_or(jiff::Timestamp::UNIX_EPOCH, |record| record.started),
        updated: jiff::Timestamp::UNIX_EPOCH,
        holder: None,
        revision: facts.revision.clone(),
        versions: facts.versions.clone(),
        upstream: facts.upstream.clone(),
        period: facts.period,
        fresh: facts
            .newest
            .as_ref()
            .map(|newest| newest.fresh.clone())
            .unwrap_or_default(),
        left_out: left_out.map(|image| image.id.clone()).collect(),
        images,
        aliases: earlier.map(|record| record.aliases.clone()).unwrap_or_default(),
        ended: false,
        attempt: earlier.and_then(|record| record.attempt.clone()),
        points: facts
            .newest
            .as_ref()
            .map(|newest| newest.points.clone())
            .unwrap_or_default(),
        tools: Tools {
            splitbase: env!("CARGO_PKG_VERSION").to_owned(),
            buildx: told(|builder| &builder.buildx),
            buildkit: told(|builder| &builder.buildkit),
            engine: told(|builder| &builder.engine),
        },
    })
}

/// What earlier records know of a platform image: its sizes, and, where it is of this very release, what building it took.
fn known(facts: &Facts, digest: Digest) -> Option<RecordPlatform> {
    let own = facts.record.as_ref().and_then(|record| record.platform(digest));
    let other = facts.newest.as_ref().and_then(|record| record.platform(digest));
    own.cloned().or_else(|| {
        let mut other = other?.clone();
        other.steps = None;
        Some(other)
    })
}
