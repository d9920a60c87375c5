//! What `explain` shows: what changed of each image since what its alias points at.

use super::all::{Pins, World};
use super::lists::{Lists, identity_under};
use super::standing::gather_status;
use super::{GatherError, offline};
use crate::config::Family;
use crate::domain::{Digest, Identity, ImageId, PublicTag, Version};
use crate::inputs::{Change, InputList};
use crate::target::Target;
use std::collections::BTreeMap;

/// What an image is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Against {
    /// The first of its aliases that stands.
    pub alias: PublicTag,
    /// What it points at.
    pub digest: Digest,
    /// The release that put it there, as far as the newest record knows.
    pub version: Option<Version>,
    /// The identity of what it points at; `None` where nothing says it.
    pub identity: Option<Identity>,
}

/// What came of comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It has no identity yet: something floats that could not be known.
    Open(Vec<String>),
    /// No alias of it stands.
    New,
    /// Nothing says of which identity that is what the alias points at.
    Unmarked,
    /// The identities are the same, and so are the inputs.
    Unchanged,
    /// The list of what the alias points at was not published.
    Unpublished,
    /// This changed. Empty where the lists do not show it: a `concat` hash sees files that `.dockerignore` keeps out.
    Changed(Vec<Change>),
}

/// One image, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Which image.
    pub image: ImageId,
    /// Its identity now; `None` while something is open.
    pub identity: Option<Identity>,
    /// What it is compared with; `None` where no alias of it stands.
    pub against: Option<Against>,
    /// What came of it.
    pub verdict: Verdict,
}

/// Compares the images that `wanted` names with what their aliases point at. Gives what is odd too.
///
/// # Errors
/// The sources or the registry could not be read.
pub async fn explain<T: Target>(
    family: &Family,
    pins: &Pins,
    wanted: impl Fn(&ImageId) -> bool,
    world: &World<'_, T>,
) -> Result<(Vec<Explained>, Vec<String>), GatherError> {
    let (hashed, status) = tokio::try_join!(
        offline::hash(family, pins, true, Some(world)),
        gather_status(family, world.target)
    )?;
    let now: BTreeMap<ImageId, InputList> = hashed
        .images
        .iter()
        .filter_map(|image| Some((image.image.clone(), image.list.clone()?)))
        .collect();
    let (lists, newest) = (Lists::new(world.target, family), status.newest.as_ref());
    let explained = hashed.images.iter().filter(|image| wanted(&image.image));
    let explained = explained.map(|image| {
        let mut aliases = status.aliases.iter().filter(|(_, of)| *of == image.image);
        let standing = aliases.find_map(|(alias, _)| Some((alias, *status.tags.get(alias)?)));
        let (now, lists) = (&now, &lists);
        async move {
            let against = match standing {
                None => None,
                Some((alias, digest)) => {
                    let point = newest.and_then(|newest| newest.points.get(alias));
                    let under = (alias, &image.image);
                    let identity = identity_under(world.target, family, newest, under, digest).await?;
                    Some(Against {
                        alias: alias.clone(),
                        digest,
                        version: point
                            .filter(|point| point.digest == digest)
                            .map(|point| point.version.clone()),
                        identity,
                    })
                }
            };
            let before = against.as_ref().map(|against| against.identity);
            let verdict = match (now.get(&image.image), before) {
                (None, _) => Verdict::Open(image.unresolved.clone()),
                (_, None) => Verdict::New,
                (_, Some(None)) => Verdict::Unmarked,
                (Some(list), Some(Some(before))) if list.identity == before => Verdict::Unchanged,
                (Some(list), Some(Some(before))) => {
                    let found = lists.changes(before, list, now.get(&ImageId::Base)).await?;
                    found.map_or(Verdict::Unpublished, Verdict::Changed)
                }
            };
            Ok::<_, GatherError>(Explained {
                image: image.image.clone(),
                identity: image.identity,
                against,
                verdict,
            })
        }
    });
    let explained = futures_util::future::try_join_all(explained).await?;
    Ok((explained, hashed.warnings))
}
