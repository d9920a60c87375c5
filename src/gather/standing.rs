//! What stands in the registry already: all that promoting a release and `status` need.

use super::all::{alive, recent};
use super::records::{Records, records};
use super::{GatherError, probe};
use crate::config::Family;
use crate::domain::{Digest, IdentityTags, ImageId, PublicTag};
use crate::facts::Facts;
use crate::plan::{PlanError, check_identity};
use crate::record::Record;
use crate::target::images::{contents, required};
use crate::target::{Target, TargetError};
use std::collections::BTreeMap;

/// The record of `version` and the newest one, and what stands under the aliases and release tags that the record names: all that
/// [`crate::plan::plan_promotion`] needs.
///
/// # Errors
/// The registry could not be read.
pub async fn gather_promotion<T: Target>(
    family: &Family,
    version: &crate::domain::Version,
    target: &T,
) -> Result<Facts, GatherError> {
    let Records {
        own: record,
        newest,
        newest_digest,
        mark,
        ..
    } = records(target, family, Some(version)).await?;
    let images = record
        .as_ref()
        .map(|record| record.images.as_slice())
        .unwrap_or_default();
    let tags = images
        .iter()
        .flat_map(|image| image.tags.iter().chain(&image.aliases))
        .cloned();
    let tags = probe::current_tags(target, &family.repository, tags).await?;
    let (alive, other_alive) = (alive(record.as_ref()), alive(newest.as_ref()));
    let recent = recent(record.as_ref(), target.time(family.work()));
    let aliases = record.iter().flat_map(|record| &record.images);
    let aliases = aliases.flat_map(|image| {
        let aliases = image.aliases.iter();
        aliases.map(|alias| (alias.clone(), image.image.clone()))
    });
    let aliases: Vec<_> = aliases.collect();
    let mut facts = Facts {
        tags,
        mark,
        record,
        alive,
        other_alive,
        newest,
        newest_digest,
        recent,
        ..Facts::default()
    };
    facts.named = Box::pin(super::recovery::named(target, family, &facts, &aliases)).await?;
    Ok(facts)
}

/// What `status` shows.
#[derive(Debug)]
pub struct StatusFacts {
    /// The newest record.
    pub newest: Option<Record>,
    /// The aliases of the family as the newest release has them, and those that records know beside.
    pub aliases: Vec<(PublicTag, ImageId)>,
    /// What stands under them; absent ones are left out.
    pub tags: BTreeMap<PublicTag, Digest>,
    /// Identity tags of the newest release under which there is something of another identity now.
    pub collisions: Vec<PlanError>,
}

/// Gathers what `status` shows.
///
/// # Errors
/// The registry could not be read.
pub async fn gather_status<T: Target>(family: &Family, target: &T) -> Result<StatusFacts, GatherError> {
    let newest = records(target, family, None).await?.newest;
    let mut aliases: Vec<(PublicTag, ImageId)> = Vec::new();
    let mut add = |alias: &PublicTag, image: &ImageId| {
        if aliases.iter().all(|(known, _)| known != alias) {
            aliases.push((alias.clone(), image.clone()));
        }
    };
    for image in &family.images {
        // Aliases without a version in them are known before there is a release.
        for alias in image.aliases.iter().filter_map(|template| {
            let fixed = |name: &str| match name {
                "variant" => Some(image.id.name().to_owned()),
                "image" => Some(image.id.dashed()),
                "family" => Some(family.name.clone()),
                _ => None,
            };
            let alias = template.render(fixed).ok()?.parse().ok()?;
            Some(family.public_tag(image, alias))
        }) {
            add(&alias, &image.id);
        }
    }
    for image in newest.iter().flat_map(|newest| &newest.images) {
        for alias in &image.aliases {
            add(alias, &image.image);
        }
    }
    let (tags, collisions) = tokio::try_join!(
        probe::current_tags(
            target,
            &family.repository,
            aliases.iter().map(|(alias, _)| alias.clone()),
        ),
        collisions(family, newest.as_ref(), target)
    )?;
    Ok(StatusFacts {
        newest,
        aliases,
        tags,
        collisions,
    })
}

/// What no longer is what the newest release knows under its identity tags is read, and asked for its identity.
async fn collisions<T: Target>(
    family: &Family,
    newest: Option<&Record>,
    target: &T,
) -> Result<Vec<PlanError>, TargetError> {
    let repository = family.work();
    let images = newest.into_iter().flat_map(|newest| &newest.images);
    let checks = images.filter_map(|known| Some((known, family.image(&known.image)?)));
    let checks = checks.map(|(known, image)| async move {
        let tag = IdentityTags::new(&known.image, &known.identity).index();
        let digest = match probe::current(target, repository, &tag).await? {
            Some(digest) if Some(digest) != known.digest => digest,
            _ => return Ok(None),
        };
        let raw = required(target, repository, digest).await?;
        let found = contents(target, repository, &raw, false).await?.identity;
        Ok::<_, TargetError>(check_identity(image, tag, known.identity, found).err())
    });
    let found = futures_util::future::try_join_all(checks).await?;
    Ok(found.into_iter().flatten().collect())
}
