//! Identities without a registry: what `hash` shows. What is not known without asking is left open.

use super::all::{Pins, World, check_sets, known_upstream, known_versions};
use super::{GatherError, identities, sources};
use crate::config::{Family, HashFormat, Template, Upstream};
use crate::domain::{Digest, Identity, ImageId};
use crate::facts::Facts;
use crate::inputs::InputEntry;
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
    /// The versions and references that are open.
    pub unresolved: Vec<String>,
    /// The files that count.
    pub files: Vec<InputEntry>,
    /// Everything that counts, as lines for people; empty where it was not asked for.
    pub explanation: String,
}

/// All images as `hash` shows them.
#[derive(Debug, Clone, Default)]
pub struct Hashed {
    /// The images, in the order of the family.
    pub images: Vec<HashedImage>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
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
    let sources = sources::collect(family).await?;
    let (versions, upstream) = match world {
        Some(world) => {
            let versions = super::all::resolve(family, pins, None, world).await?;
            let upstream = super::all::upstream(family, pins, &sources.upstream, None, world.target).await?;
            (versions, upstream)
        }
        None => (
            known_versions(family, pins, None)?.0,
            known_upstream(family, pins, &sources.upstream, None).0,
        ),
    };
    let facts = Facts::of(versions, upstream);
    let mut hashed = Hashed::default();
    let mut base: Option<Identity> = None;
    for image in &family.images {
        let (Some(collected), Some(references)) =
            (sources.collected.get(&image.id), sources.upstream.get(&image.id))
        else {
            continue;
        };
        let mut unresolved = open(image, references, &facts);
        match &family.base_image {
            _ if image.base_arg.is_none() => {}
            Some(reference) if !facts.upstream.contains_key(reference) => unresolved.push(reference.clone()),
            None if base.is_none() => unresolved.push("base".to_owned()),
            _ => {}
        }
        let mut one = HashedImage {
            image: image.id.clone(),
            identity: None,
            unresolved,
            files: collected.entries.clone(),
            explanation: String::new(),
        };
        if one.unresolved.is_empty() {
            let options = Options::default();
            match image.hash {
                HashFormat::Tree => {
                    let list = identities::canonical_list(
                        family,
                        image,
                        collected,
                        references,
                        &facts,
                        &options,
                        base.as_ref(),
                    )?;
                    if explain {
                        one.explanation = list.explain();
                    }
                    one.identity = Some(list.identity());
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
                    one.identity = Some(identities::concat(family, image, &facts, &mut hashed.warnings)?);
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

/// Names of versions and references that the identity of `image` waits for.
fn open(image: &crate::config::Image, references: &[String], facts: &Facts) -> Vec<String> {
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
        open.extend(
            references
                .iter()
                .filter(|reference| !facts.upstream.contains_key(*reference))
                .cloned(),
        );
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
    let sources = sources::collect(family).await?;
    let versions = super::all::resolve(family, pins, None, world);
    let upstream = super::all::upstream(family, pins, &sources.upstream, None, world.target);
    tokio::try_join!(versions, upstream)
}
