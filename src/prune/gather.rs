//! Reading what must be known before anything is deleted. What cannot be read ends it: unknown is not absent.

use super::Facts;
use crate::config::Family;
use crate::domain::{Digest, IdentityTags, Repository, Tag};
use crate::gather::{Recorded, all_records};
use crate::target::oci::{self, ImageManifest, Index};
use crate::target::upkeep::{Found, Upkeep};
use crate::target::{FailureClass, RawManifest, TargetError};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Requests at the same time.
const AT_ONCE: usize = 16;
/// Largest config that is read, in bytes.
const CONFIG_LIMIT: usize = 8 * 1024 * 1024;
/// Indexes in indexes are followed this deep.
const DEPTH: usize = 4;
/// 2013-03-13, before the first image: times before it are made up (`SOURCE_DATE_EPOCH=0`), and say nothing of the age.
const FIRST_IMAGE: i64 = 1_363_132_800;

/// Reads the repository of the family's machine tags.
///
/// # Errors
/// Something of it could not be read.
pub async fn gather<T: Upkeep>(target: &T, family: &Family) -> Result<Facts, TargetError> {
    let repository = family.work();
    let (names, deletes) = tokio::try_join!(target.tags(repository), target.deletes(repository))?;
    let pointed = stream::iter(names.clone()).map(|tag| async move {
        let digest = must(
            repository,
            &tag.to_string(),
            target.pointed(repository, &tag).await,
        )?;
        Ok::<_, TargetError>(digest.map(|digest| (tag, digest)))
    });
    let pointed: Vec<_> = pointed.buffered(AT_ONCE).try_collect().await?;
    let tags: BTreeMap<Tag, Digest> = pointed.into_iter().flatten().collect();
    let records = all_records(target, repository, &names).await?;
    let (children, manifests) = indexes(target, repository, tags.values().copied().collect()).await?;
    let unnamed = tags.iter().filter(|(tag, _)| {
        tag.has_machine_form() && !tag.is_record() && !tag.is_cache() && !is_named(&records, tag)
    });
    let ages = stream::iter(unnamed).map(|(tag, digest)| {
        let raw = manifests.get(digest);
        async move { Some((tag.clone(), created(target, repository, raw?).await?)) }
    });
    let created: Vec<_> = ages.buffered(AT_ONCE).collect().await;
    Ok(Facts {
        now: target.time(repository),
        deletes,
        tags,
        children,
        records,
        created: created.into_iter().flatten().collect(),
    })
}

fn is_named(records: &[Recorded], tag: &Tag) -> bool {
    let images = records.iter().flat_map(|recorded| &recorded.record.images);
    images
        .map(|image| IdentityTags::new(&image.image, &image.identity).index())
        .any(|prefix| {
            let rest = tag.as_str().strip_prefix(prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

/// What was found; `None` where it is not there.
fn must<V>(repository: &Repository, what: &str, found: Found<V>) -> Result<Option<V>, TargetError> {
    match found {
        Found::Whole(value) => Ok(Some(value)),
        Found::Missing => Ok(None),
        Found::Unknown(error) => Err(error),
        Found::Damaged(reason) => Err(damaged(repository, what, reason)),
    }
}

fn damaged(repository: &Repository, what: &str, reason: String) -> TargetError {
    TargetError {
        attempted: format!("read `{what}` of `{repository}`"),
        reason,
        status: None,
        codes: Vec::new(),
        class: FailureClass::Permanent,
        retry_after: None,
        hints: vec![
            "`splitbase verify` shows what is damaged; nothing is deleted before that is mended".to_owned(),
        ],
        write: false,
    }
}

type Manifests = BTreeMap<Digest, RawManifest>;

/// The children of each index among these digests and below them, and the manifests that were read for it.
async fn indexes<T: Upkeep>(
    target: &T,
    repository: &Repository,
    roots: BTreeSet<Digest>,
) -> Result<(BTreeMap<Digest, BTreeSet<Digest>>, Manifests), TargetError> {
    let mut children: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
    let mut manifests = Manifests::new();
    let mut open = roots;
    for _ in 0..=DEPTH {
        let read = stream::iter(std::mem::take(&mut open)).map(|digest| async move {
            must(
                repository,
                &digest.to_string(),
                target.stored(repository, digest).await,
            )
        });
        let read: Vec<Option<RawManifest>> = read.buffered(AT_ONCE).try_collect().await?;
        for raw in read.into_iter().flatten() {
            if oci::is_index(&raw.media_type) {
                let index: Index = serde_json::from_slice(&raw.bytes).map_err(|error| {
                    damaged(
                        repository,
                        &raw.digest.to_string(),
                        format!("it is not a {}: {error}", raw.media_type),
                    )
                })?;
                let named: BTreeSet<Digest> = index.manifests.iter().map(|child| child.digest).collect();
                let deeper = index
                    .manifests
                    .iter()
                    .filter(|child| oci::is_index(&child.media_type));
                open.extend(
                    deeper
                        .map(|child| child.digest)
                        .filter(|digest| !children.contains_key(digest)),
                );
                children.insert(raw.digest, named);
            }
            manifests.insert(raw.digest, raw);
        }
        if open.is_empty() {
            return Ok((children, manifests));
        }
    }
    let reason = format!("indexes in indexes more than {DEPTH} deep are not followed");
    Err(damaged(repository, "the tags", reason))
}

#[derive(Deserialize)]
struct Config {
    created: Option<jiff::Timestamp>,
}

/// When an image was made, as its config says; `None` where it does not say, or nothing that could be so.
async fn created<T: Upkeep>(
    target: &T,
    repository: &Repository,
    raw: &RawManifest,
) -> Option<jiff::Timestamp> {
    let mut manifest = raw.clone();
    for _ in 0..=DEPTH {
        if !oci::is_index(&manifest.media_type) {
            break;
        }
        let index: Index = serde_json::from_slice(&manifest.bytes).ok()?;
        let child = index
            .manifests
            .iter()
            .find(|child| child.image_platform().is_some())?;
        let Found::Whole(child) = target.stored(repository, child.digest).await else {
            return None;
        };
        manifest = child;
    }
    let image: ImageManifest = serde_json::from_slice(&manifest.bytes).ok()?;
    let bytes = target
        .blob(repository, &image.config.digest, CONFIG_LIMIT)
        .await
        .ok()?;
    let config: Config = serde_json::from_slice(&bytes).ok()?;
    config
        .created
        .filter(|created| created.as_second() >= FIRST_IMAGE)
}
