//! Digests of images outside the family: where they are pinned, and what stands under their tags.

use super::{GatherError, Pins, sources};
use crate::config::{Family, Upstream};
use crate::domain::{Digest, ImageId, Platform};
use crate::facts::Facts;
use crate::record::Record;
use crate::target::images::{contents, required};
use crate::target::{Presence, Reference, Target};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// The digest of every image outside the family that is pinned; `before` has those that were asked for already.
pub(super) async fn upstream<T: Target>(
    family: &Family,
    pins: &Pins,
    references: &BTreeMap<ImageId, Vec<String>>,
    record: Option<&Record>,
    target: &T,
    before: BTreeMap<String, Digest>,
) -> Result<BTreeMap<String, Digest>, GatherError> {
    let (mut known, mut open) = known_upstream(family, pins, references, record);
    open.retain(|reference, _| !before.contains_key(*reference));
    known.extend(before);
    let asked = open.into_iter().map(|(reference, image)| async move {
        let bad = |reason: String| GatherError::Reference {
            image: image.clone(),
            reference: reference.clone(),
            reason,
        };
        let (repository, at) = sources::parse_reference(reference).map_err(|error| bad(error.to_string()))?;
        match target.resolve(&repository, &at).await {
            Presence::Present(digest) => Ok((reference.clone(), digest)),
            Presence::Absent if *image == ImageId::Base && family.base_image.is_some() => {
                Err(GatherError::NoBaseImage {
                    reference: reference.clone(),
                    reason: format!("nothing stands under `{at}` of `{repository}`"),
                })
            }
            Presence::Absent => Err(bad(format!("nothing stands under `{at}` of `{repository}`"))),
            Presence::Unknown(error) => Err(GatherError::Target(error)),
        }
    });
    known.extend(try_join_all(asked).await?);
    Ok(known)
}

/// Every pinned base must be there for the platforms that are built on it: `BuildKit` builds on another platform's image without a word
/// when the pin is a single manifest.
pub(super) async fn check_bases<T: Target>(
    family: &Family,
    bases: &BTreeMap<ImageId, Vec<String>>,
    facts: &Facts,
    target: &T,
) -> Result<(), GatherError> {
    let pinned = bases.iter().flat_map(|(image, references)| {
        references
            .iter()
            .filter_map(move |reference| Some((image, reference, *facts.upstream.get(reference)?)))
    });
    let checks = pinned.map(|(id, reference, digest)| async move {
        let bad = |reason: String| GatherError::Reference {
            image: id.clone(),
            reference: reference.clone(),
            reason,
        };
        let (repository, _) = sources::parse_reference(reference).map_err(|error| bad(error.to_string()))?;
        let raw = required(target, &repository, digest).await?;
        let has = contents(target, &repository, &raw, false).await?.platforms;
        let wanted = family.image(id).map(|image| image.platforms.as_slice());
        let same = |a: &Platform, b: &Platform| (a.os(), a.architecture()) == (b.os(), b.architecture());
        let missing = wanted
            .unwrap_or_default()
            .iter()
            // Of variants of an architecture, BuildKit takes the best that runs.
            .find(|platform| !has.keys().any(|there| same(there, platform)));
        missing.map_or(Ok(()), |platform| {
            Err(GatherError::BasePlatform {
                image: id.clone(),
                reference: format!("{reference}@{digest}"),
                platform: platform.clone(),
                has: has.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            })
        })
    });
    try_join_all(checks).await.map(drop)
}

/// The platform digests of a base from elsewhere.
pub(super) async fn base_platforms<T: Target>(
    family: &Family,
    facts: &Facts,
    target: &T,
) -> Result<Option<BTreeMap<Platform, Digest>>, GatherError> {
    let pinned = family.base_image.as_ref().and_then(|reference| {
        let (repository, _) = sources::parse_reference(reference).ok()?;
        Some((repository, *facts.upstream.get(reference)?))
    });
    let Some((repository, digest)) = pinned else {
        return Ok(None);
    };
    let raw = required(target, &repository, digest).await?;
    let platforms = contents(target, &repository, &raw, false).await?.platforms;
    let platforms = platforms
        .into_iter()
        .map(|(platform, image)| (platform, image.digest()));
    Ok(Some(platforms.collect()))
}

/// The upstream digests that are known without asking, and the references of those that are not.
pub(super) fn known_upstream<'a>(
    family: &Family,
    pins: &Pins,
    references: &'a BTreeMap<ImageId, Vec<String>>,
    record: Option<&Record>,
) -> (BTreeMap<String, Digest>, BTreeMap<&'a String, &'a ImageId>) {
    let (mut known, mut open) = (BTreeMap::new(), BTreeMap::new());
    for (image, references) in references {
        let from_elsewhere = *image == ImageId::Base && family.base_image.is_some();
        let floats = || {
            let image = family.image(image);
            image.is_none_or(|image| image.upstream == Upstream::Float)
        };
        if !from_elsewhere && floats() {
            continue;
        }
        for reference in references {
            // Of the base from elsewhere, or of a context: what a Dockerfile pins itself is not among them.
            if let Ok((_, Reference::Digest(digest))) = sources::parse_reference(reference) {
                known.insert(reference.clone(), digest);
                continue;
            }
            let from_plan = pins
                .plan
                .as_ref()
                .and_then(|(_, upstream)| upstream.get(reference));
            let from_record = record.and_then(|record| record.upstream.get(reference));
            let from_lock = pins.lock.as_ref().and_then(|lock| lock.upstream.get(reference));
            match from_plan.or(from_record).or(from_lock) {
                Some(digest) => drop(known.insert(reference.clone(), *digest)),
                None => drop(open.insert(reference, image)),
            }
        }
    }
    (known, open)
}
