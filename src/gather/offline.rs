//! Identities without a registry: what `hash` shows. What is not known without asking is left open.

use super::all::{Pins, World, check_sets, known_versions, resolve};
use super::period::{period, period_of};
use super::references::{Known, References};
use super::sources::{self, Sources};
use super::upstream::{known_upstream, upstream};
use super::{GatherError, identities};
use crate::config::{Family, HashFormat, Template, Upstream};
use crate::domain::{Digest, Identity, ImageId, Period};
use crate::facts::Facts;
use crate::inputs::dockerfile::Problem;
use crate::inputs::{Collected, IdentityInputs, InputEntry, InputList, NamedValue};
use crate::plan::Options;
use crate::target::Target;
use crate::versions::Resolved;
use std::collections::BTreeMap;

/// One image as `hash` shows it.
#[derive(Debug, Clone)]
pub struct HashedImage {
    /// Which image.
    pub image: ImageId,
    /// Its identity; `None` while something is open.
    pub identity: Option<Identity>,
    /// The refresh period that it holds for; `None` where it has none of its own.
    pub period: Option<Period>,
    /// The versions and references that are open.
    pub unresolved: Vec<String>,
    /// The files that count.
    pub files: Vec<InputEntry>,
    /// Everything that counts, as lines for people; empty where it was not asked for.
    pub explanation: String,
    /// Everything that counts, as it is published; `None` where it was not asked for, or while something is open.
    pub list: Option<InputList>,
}

/// All images as `hash` shows them.
#[derive(Debug, Clone, Default)]
pub struct Hashed {
    /// The images, in the order of the family.
    pub images: Vec<HashedImage>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
    /// What the Dockerfiles fetch that means something else tomorrow.
    pub floats: Vec<Problem>,
}

/// Computes the identities of all images, and with `explain` what they were computed from. Without a `world`, nothing is asked: versions and upstream digests come from the pins or stay open.
///
/// # Errors
/// Something is missing, cannot be read, or could not be found out.
pub async fn hash<T: Target>(
    family: &Family,
    pins: &Pins,
    explain: bool,
    world: Option<&World<'_, T>>,
) -> Result<Hashed, GatherError> {
    check_sets(family, pins)?;
    let sources = sources::collect(family, &pins.digests).await?;
    let mut references = read(family, pins, &sources)?;
    let (versions, upstream) = match world {
        Some(world) => ask(family, pins, &sources, &mut references, world).await?,
        None => (
            known_versions(family, pins, None)?.0,
            known_upstream(family, pins, &references.upstream, None).0,
        ),
    };
    let period = period(family, pins, None);
    let facts = Facts {
        period,
        ..Facts::of(versions, upstream)
    };
    let mut hashed = Hashed {
        warnings: references.warnings.iter().cloned().collect(),
        floats: references.floats.iter().cloned().collect(),
        ..Hashed::default()
    };
    let mut base: Option<Identity> = None;
    for image in &family.images {
        let (Some(collected), Some(upstream)) = (
            sources.collected.get(&image.id),
            references.upstream.get(&image.id),
        ) else {
            continue;
        };
        let waiting = references.open.get(&image.id).map(Vec::as_slice);
        let mut unresolved = open(image, upstream, waiting.unwrap_or_default(), &facts);
        match &family.base_image {
            _ if image.base_arg.is_none() => {}
            Some(reference) if !facts.upstream.contains_key(reference) => unresolved.push(reference.clone()),
            None if base.is_none() => unresolved.push("base".to_owned()),
            _ => {}
        }
        let mut one = HashedImage {
            image: image.id.clone(),
            identity: None,
            period: period_of(image, period),
            unresolved,
            files: collected.entries.clone(),
            explanation: String::new(),
            list: None,
        };
        if one.unresolved.is_empty() {
            let options = Options::default();
            match image.hash {
                HashFormat::Tree => {
                    let list = identities::canonical_list(
                        family,
                        image,
                        collected,
                        upstream,
                        &facts,
                        &options,
                        base.as_ref(),
                    )?;
                    let identity = list.identity();
                    one.identity = Some(identity);
                    if explain {
                        one.explanation = list.explain();
                        one.list = Some(published(image, collected, identity, list.into_values()));
                    }
                }
                HashFormat::Concat => {
                    let paths = collected.entries.iter().flat_map(|entry| {
                        [
                            "  ",
                            entry.path.as_str(),
                            "
",
                        ]
                    });
                    if explain {
                        one.explanation = paths.collect();
                    }
                    let identity = identities::concat(family, image, &facts, &mut hashed.warnings)?;
                    one.identity = Some(identity);
                    if explain {
                        let values = identities::concat_values(image, &facts)?;
                        one.list = Some(published(image, collected, identity, values));
                    }
                }
            }
        }
        if image.id == ImageId::Base {
            base = one.identity;
        }
        hashed.images.push(one);
    }
    Ok(hashed)
}

fn published(
    image: &crate::config::Image,
    collected: &Collected,
    identity: Identity,
    values: Vec<NamedValue>,
) -> InputList {
    let inputs = IdentityInputs {
        files: collected.entries.clone(),
        dockerfile: collected.dockerfile.clone(),
        values,
    };
    InputList::new(&image.id, identity, image.hash, inputs)
}

/// Names of versions and references that the identity of `image` waits for.
fn open(
    image: &crate::config::Image,
    references: &[String],
    waiting: &[String],
    facts: &Facts,
) -> Vec<String> {
    let placeholders = image
        .build
        .args
        .values()
        .chain(image.build.labels.values())
        .chain(&image.extra);
    let named = placeholders
        .flat_map(Template::placeholders)
        .filter_map(|name| name.strip_prefix("versions."));
    let names = image.versions.iter().map(String::as_str).chain(named);
    let mut open: Vec<String> = names
        .filter(|name| !facts.versions.contains_key(*name))
        .map(str::to_owned)
        .collect();
    let stamped = |name: &str| matches!(name, "version" | "revision");
    let stamps = image
        .build
        .args
        .values()
        .chain(image.build.labels.values())
        .flat_map(Template::placeholders);
    open.extend(stamps.filter(|name| stamped(name)).map(str::to_owned));
    if image.upstream == Upstream::Pin {
        let not_pinned = |reference: &&String| !facts.upstream.contains_key(*reference);
        open.extend(references.iter().filter(not_pinned).chain(waiting).cloned());
    }
    open.sort();
    open.dedup();
    open
}

/// What floating versions and upstream references stand for now: what `resolve` shows.
///
/// # Errors
/// Something could not be found out.
pub async fn resolve_floating<T: Target>(
    family: &Family,
    pins: &Pins,
    world: &World<'_, T>,
) -> Result<(BTreeMap<String, Resolved>, BTreeMap<String, Digest>), GatherError> {
    check_sets(family, pins)?;
    let sources = sources::collect(family, &pins.digests).await?;
    let mut references = read(family, pins, &sources)?;
    ask(family, pins, &sources, &mut references, world).await
}

/// What the Dockerfiles name, with the versions that are known without asking.
fn read(family: &Family, pins: &Pins, sources: &Sources) -> Result<References, GatherError> {
    let versions = known_versions(family, pins, None)?.0;
    Ok(References::read(family, sources, &known(&versions)))
}

/// Asks for versions and images from outside, side by side but for the images that a version names.
async fn ask<T: Target>(
    family: &Family,
    pins: &Pins,
    sources: &Sources,
    references: &mut References,
    world: &World<'_, T>,
) -> Result<(BTreeMap<String, Resolved>, BTreeMap<String, Digest>), GatherError> {
    let (named, target) = (&references.upstream, world.target);
    let (versions, found) = tokio::try_join!(
        resolve(family, pins, None, world),
        upstream(family, pins, named, None, target, BTreeMap::new()),
    )?;
    references.read_waiting(family, sources, &known(&versions));
    let upstream = upstream(family, pins, &references.upstream, None, target, found).await?;
    Ok((versions, upstream))
}

/// No release is made: what a build gets of its version stays open.
const fn known(versions: &BTreeMap<String, Resolved>) -> Known<'_> {
    Known {
        versions,
        version: None,
        revision: None,
    }
}
