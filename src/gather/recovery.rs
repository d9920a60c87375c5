//! What ending an unfinished release needs to know, and which release an alias stands for that no record knows.

use super::all::{alive, recent};
use super::records::{Records, records};
use super::{GatherError, probe};
use crate::config::{Family, Image, Template};
use crate::domain::{Digest, PublicTag, Repository, Tag, Version};
use crate::facts::Facts;
use crate::plan::publish;
use crate::record::Record;
use crate::target::{Target, TargetError};
use futures_util::future::{join_all, try_join_all};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Release tags that are asked for at most, the highest versions first.
const MOST: usize = 200;

/// The record of `version`, or the newest one, and what stands under all tags that it names.
///
/// # Errors
/// The registry could not be read.
pub async fn gather_recovery<T: Target>(
    family: &Family,
    version: Option<&Version>,
    target: &T,
) -> Result<Facts, GatherError> {
    let Records {
        own,
        newest,
        newest_digest,
        mark,
        ..
    } = records(target, family, version).await?;
    let record = if version.is_some() { own } else { newest.clone() };
    let tags = record.iter().flat_map(named_in).collect::<BTreeSet<_>>();
    let tags = probe::current_tags(target, &family.repository, tags).await?;
    Ok(Facts {
        tags,
        mark,
        alive: alive(record.as_ref()),
        other_alive: alive(newest.as_ref()),
        recent: recent(record.as_ref(), target.time(family.work())),
        record,
        newest,
        newest_digest,
        ..Facts::default()
    })
}

/// All release tags and aliases that a record names.
fn named_in(record: &Record) -> impl Iterator<Item = PublicTag> {
    let images = record.images.iter();
    let images = images.flat_map(|image| image.tags.iter().chain(&image.aliases).cloned());
    let attempt = record.attempt.iter();
    let attempt = attempt.flat_map(|attempt| attempt.tags.iter().chain(&attempt.aliases));
    let attempt = attempt.map(|moved| moved.tag.clone());
    let moved = record.aliases.iter().map(|moved| moved.alias.clone());
    images.chain(attempt).chain(moved)
}

/// For each of `aliases` that no record knows: the highest version that has a release tag of the same image with the same digest. Asked for only where
/// there is such an alias.
pub(super) async fn named<T: Target>(
    target: &T,
    family: &Family,
    facts: &Facts,
    aliases: &[(PublicTag, crate::domain::ImageId)],
) -> Result<BTreeMap<PublicTag, Version>, TargetError> {
    let unknown = aliases.iter().filter_map(|(alias, id)| {
        let digest = facts.tags.get(alias)?;
        let image = family.image(id)?;
        publish::is_unknown(facts, alias).then_some((alias, image, *digest))
    });
    let unknown: Vec<_> = unknown.collect();
    let repositories: BTreeSet<&Repository> = unknown
        .iter()
        .map(|(alias, ..)| alias.repository(&family.repository))
        .collect();
    // Who cannot list tags is told what `--adopt` does, as ever.
    let listed =
        join_all(repositories.into_iter().map(|repository| async move {
            (repository, target.tags(repository).await.unwrap_or_default())
        }));
    let listed: BTreeMap<_, _> = listed.await.into_iter().collect();
    let found = unknown.into_iter().map(|(alias, image, digest)| {
        let repository = alias.repository(&family.repository);
        let tags = listed.get(repository).map(Vec::as_slice).unwrap_or_default();
        async move {
            let version = highest(target, family, image, repository, tags, digest).await?;
            Ok::<_, TargetError>(version.map(|version| (alias.clone(), version)))
        }
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}

async fn highest<T: Target>(
    target: &T,
    family: &Family,
    image: &Image,
    repository: &Repository,
    tags: &[Tag],
    digest: Digest,
) -> Result<Option<Version>, TargetError> {
    let releases = tags.iter().filter(|tag| !tag.has_machine_form());
    let releases = releases.filter_map(|tag| {
        let mut templates = image.tags.iter();
        let version = templates.find_map(|template| version_in(family, image, template, tag))?;
        Some((version, tag))
    });
    let mut releases: Vec<_> = releases.collect();
    releases.sort_by(|(left, _), (right, _)| {
        let order = family.versioning.compare(right, left);
        order.unwrap_or(Ordering::Equal).then_with(|| right.cmp(left))
    });
    releases.truncate(MOST);
    for some in releases.chunks(16) {
        let looked = some.iter().map(|(version, tag)| async move {
            let there = probe::current(target, repository, tag).await?;
            Ok::<_, TargetError>((there == Some(digest)).then(|| version.clone()))
        });
        if let Some(version) = try_join_all(looked).await?.into_iter().flatten().next() {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// The version that `tag` would be of, if `template` is what it was made from.
fn version_in(family: &Family, image: &Image, template: &Template, tag: &Tag) -> Option<Version> {
    /// Nothing that can be in a tag.
    const HERE: &str = "\u{0}";
    let fixed = |name: &str| match name {
        "version" => Some(HERE.to_owned()),
        "variant" => Some(image.id.name().to_owned()),
        "image" => Some(image.id.dashed()),
        "family" => Some(family.name.clone()),
        _ => None,
    };
    let text = template.render(fixed).ok()?;
    let (before, after) = text.split_once(HERE)?;
    let version: Version = tag
        .as_str()
        .strip_prefix(before)?
        .strip_suffix(after)?
        .parse()
        .ok()?;
    family.versioning.parse(&version).ok()?;
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given::{DEVBOX, family, id};

    #[test]
    fn the_version_of_a_tag() {
        let family = family(DEVBOX);
        let version = |image: &str, tag: &str| {
            let image = family.image(&id(image)).unwrap();
            let version = version_in(&family, image, &image.tags[0], &tag.parse().unwrap());
            version.map(|version| version.to_string())
        };
        assert_eq!(version("variant/core", "v1.2.3b").as_deref(), Some("v1.2.3b"));
        assert_eq!(version("variant/omos", "v1.2.3-omos").as_deref(), Some("v1.2.3"));
        for (image, tag) in [
            ("variant/core", "latest"),
            ("variant/omos", "v1.2.3"),
            ("variant/omos", "latest-omos"),
        ] {
            assert_eq!(version(image, tag), None, "{tag}");
        }
    }
}
