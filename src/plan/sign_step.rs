//! Signing, before the first tag that users pull leads to an image.

use super::{Action, Options, SignStep, Step, StepId, publish};
use crate::config::Family;
use crate::domain::{ImageId, PublicTag};
use crate::record::{Record, RecordState};
use std::collections::BTreeSet;

/// The signing of every image that has a release tag or alias, whether or not one of them is still to be written: a run that was killed may have signed
/// none of them, and an alias that stands already would go on leading to what nobody signed. What bears a signature is found when its turn comes.
///
/// `named` has an image's release tags before its aliases: the first says in which repository users pull it, and so where `verify` looks.
pub(super) fn signatures<'a>(
    family: &Family,
    options: &Options,
    named: impl IntoIterator<Item = (&'a ImageId, &'a PublicTag)>,
    warnings: &mut Vec<String>,
) -> Vec<Step> {
    if family.sign.is_none() {
        return Vec::new();
    }
    if !options.target.is_registry() {
        warnings
            .push("nothing is signed: cosign signs in registries, and this goes into a folder".to_owned());
        return Vec::new();
    }
    let mut signed = BTreeSet::new();
    let first = named.into_iter().filter(|(image, _)| signed.insert(*image));
    let step = |(image, tag): (&ImageId, &PublicTag)| Step {
        id: StepId::sign(image),
        needs: vec![StepId::record(RecordState::Publishing)],
        why: "`[sign]`: before a tag leads to it".to_owned(),
        action: Action::Sign(SignStep {
            image: image.clone(),
            repository: tag.repository(&family.repository).clone(),
            source: publish::source(family, tag),
        }),
    };
    first.map(step).collect()
}

/// The same for the images of a release that its record describes.
pub(super) fn of_record(
    family: &Family,
    options: &Options,
    record: &Record,
    warnings: &mut Vec<String>,
) -> Vec<Step> {
    let there = record.images.iter().filter(|image| image.digest.is_some());
    let named = there.flat_map(|image| {
        let tags = image.tags.iter().chain(&image.aliases);
        tags.map(|tag| (&image.image, tag))
    });
    signatures(family, options, named, warnings)
}

/// The steps after which release tags and aliases may be written: the barrier, and all signing.
pub(super) fn before_tags(signing: &[Step]) -> Vec<StepId> {
    let barrier = StepId::record(RecordState::Publishing);
    let signed = signing.iter().map(|step| step.id.clone());
    std::iter::once(barrier).chain(signed).collect()
}
