//! Asking the registry what it holds.

use crate::config::Image;
use crate::domain::{Digest, IdentityTags, Platform, PublicTag, Repository, Tag};
use crate::facts::{ImageFacts, IndexFact, PlatformFact};
use crate::record::{ARTIFACT_TYPE, Record, SIZE_LIMIT};
use crate::target::images::{Contents, contents};
use crate::target::{Presence, Reference, Target, TargetError, artifact};
use futures_util::future::{try_join, try_join_all};
use std::collections::BTreeMap;

/// Fills in what the registry holds of `image`: the index first, platform tags only where it does not hold a platform, receipts only where
/// there is something to have one.
pub(crate) async fn image<T: Target>(
    target: &T,
    repository: &Repository,
    image: &Image,
    fact: &mut ImageFacts,
) -> Result<(), TargetError> {
    let tags = IdentityTags::new(&image.id, &fact.identity);
    let with_base = image.base_arg.is_some();
    let (index, mut held_receipts) = match current(target, repository, &tags.index()).await? {
        // Its platforms are not known yet, but most likely are all of them.
        Some(digest) => {
            try_join(
                index(target, repository, (&tags.index(), digest), with_base),
                receipts(target, repository, image, fact, &tags, |_| true),
            )
            .await?
        }
        None => (None, BTreeMap::new()),
    };
    let held = |platform: &&Platform| {
        index
            .as_ref()
            .is_some_and(|index| index.platforms.contains_key(*platform))
    };
    let missing = image.platforms.iter().filter(|platform| !held(platform));
    let found = missing
        .map(|platform| platform_image(target, repository, platform, tags.platform(platform), with_base));
    let platforms: BTreeMap<_, _> = try_join_all(found).await?.into_iter().flatten().collect();
    if index.is_none() && !platforms.is_empty() {
        let found = |platform: &Platform| platforms.contains_key(platform);
        held_receipts = receipts(target, repository, image, fact, &tags, found).await?;
    }
    fact.platforms = platforms;
    fact.index = index;
    fact.receipts = held_receipts;
    Ok(())
}

async fn index<T: Target>(
    target: &T,
    repository: &Repository,
    seen: (&Tag, Digest),
    with_base: bool,
) -> Result<Option<IndexFact>, TargetError> {
    let found = at(target, repository, seen, with_base).await?;
    Ok(found.map(|contents| IndexFact {
        digest: contents.digest,
        identity: contents.identity,
        platforms: contents.platforms,
    }))
}

async fn platform_image<T: Target>(
    target: &T,
    repository: &Repository,
    platform: &Platform,
    tag: Tag,
    with_base: bool,
) -> Result<Option<(Platform, PlatformFact)>, TargetError> {
    // HEAD first, because a GET counts as a pull on some registries.
    let Some(digest) = current(target, repository, &tag).await? else {
        return Ok(None);
    };
    let Some(mut contents) = at(target, repository, (&tag, digest), with_base).await? else {
        return Ok(None);
    };
    let identity = contents.identity_of(target, repository, platform).await?;
    let found = contents.platforms.remove(platform);
    Ok(found.map(|image| {
        (
            platform.clone(),
            PlatformFact {
                tagged: contents.digest,
                identity,
                image,
            },
        )
    }))
}

/// What has the digest that was seen under a tag.
async fn at<T: Target>(
    target: &T,
    repository: &Repository,
    (tag, digest): (&Tag, Digest),
    with_base: bool,
) -> Result<Option<Contents>, TargetError> {
    let mut found = target.manifest(repository, &Reference::Digest(digest)).await;
    if matches!(found, Presence::Absent) {
        // The tag moved between the two requests, or the registry says another digest than it has: that the tag is not there it has not said.
        found = target.manifest(repository, &Reference::from(tag)).await;
    }
    match found {
        Presence::Present(raw) => contents(target, repository, &raw, with_base).await.map(Some),
        Presence::Unknown(error) => Err(error),
        // Deleted.
        Presence::Absent => Ok(None),
    }
}

async fn receipts<T: Target>(
    target: &T,
    repository: &Repository,
    image: &Image,
    fact: &ImageFacts,
    tags: &IdentityTags,
    wanted: impl Fn(&Platform) -> bool,
) -> Result<BTreeMap<Platform, Digest>, TargetError> {
    let (Some(smoke), Some(identity)) = (&image.smoke, &fact.smoke) else {
        return Ok(BTreeMap::new());
    };
    let tested = image
        .platforms
        .iter()
        .filter(|platform| smoke.platforms.contains(platform) && wanted(platform));
    let receipts = tested.map(|platform| async move {
        let tag = tags.receipt(platform, identity);
        Ok(current(target, repository, &tag)
            .await?
            .map(|digest| (platform.clone(), digest)))
    });
    Ok(try_join_all(receipts).await?.into_iter().flatten().collect())
}

/// What stands under each of these tags of a family whose repository is `family`; absent ones are left out.
pub(crate) async fn current_tags<T: Target>(
    target: &T,
    family: &Repository,
    tags: impl IntoIterator<Item = PublicTag>,
) -> Result<BTreeMap<PublicTag, Digest>, TargetError> {
    let found = tags.into_iter().map(|tag| async move {
        Ok(current(target, tag.repository(family), tag.tag())
            .await?
            .map(|digest| (tag, digest)))
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

pub(super) async fn current<T: Target>(
    target: &T,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, TargetError> {
    match target.resolve(repository, &Reference::from(tag)).await {
        Presence::Present(digest) => Ok(Some(digest)),
        Presence::Absent => Ok(None),
        Presence::Unknown(error) => Err(error),
    }
}

/// The record under `tag`.
///
/// # Errors
/// It could not be read, or is none that this version understands.
pub(crate) async fn record<T: Target>(
    target: &T,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Record>, TargetError> {
    Ok(record_and_digest(target, repository, tag)
        .await?
        .map(|(record, _)| record))
}

/// The same with the digest of the artifact.
pub(super) async fn record_and_digest<T: Target>(
    target: &T,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<(Record, Digest)>, TargetError> {
    let raw = match target.manifest(repository, &Reference::from(tag)).await {
        Presence::Present(raw) => raw,
        Presence::Absent => return Ok(None),
        Presence::Unknown(error) => return Err(error),
    };
    let what = format!("the record `{tag}`");
    let bytes = artifact::document(target, repository, &raw, ARTIFACT_TYPE, SIZE_LIMIT, &what).await?;
    serde_json::from_slice(&bytes)
        .map(|record| Some((record, raw.digest)))
        .map_err(|error| {
            artifact::failure(
                format!("read {what} of `{repository}`"),
                format!("it is not a record: {error}"),
            )
        })
}
