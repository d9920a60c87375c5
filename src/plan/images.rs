//! What becomes of each platform image: used as it is, built, tested.

use super::publish::Names;
use super::{Goal, Options, PlanError, PlanImage, PlanPlatform, PresenceWord};
use crate::config::Image;
use crate::domain::{Digest, IdentityTags, Platform, Tag};
use crate::facts::{Facts, ImageFacts, PlatformImage};
use std::collections::BTreeMap;

/// What becomes of one platform image.
pub(super) struct Decision<'a> {
    /// What the registry holds, whether it is used or not.
    pub(super) found: Option<&'a PlatformImage>,
    /// Why it is built; `None` when what is there is used.
    pub(super) build: Option<String>,
    /// Whether nothing of the build may come from the cache.
    pub(super) no_cache: bool,
    /// Why it is tested now; `None` when it is not, or was before.
    pub(super) smoke: Option<String>,
}

impl<'a> Decision<'a> {
    /// The platform image that is used as it is.
    pub(super) fn used(&self) -> Option<&'a PlatformImage> {
        self.found.filter(|_| self.build.is_none())
    }
}

/// What becomes of one image.
pub(super) struct ImageState<'a> {
    pub(super) fact: &'a ImageFacts,
    pub(super) platforms: BTreeMap<Platform, Decision<'a>>,
    /// Whether the plan tests what it builds.
    pub(super) tests: bool,
    /// Why its index is written; `None` when it is as it should be.
    pub(super) assemble: Option<String>,
}

impl ImageState<'_> {
    /// The digest of its index, where nothing of it will change.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.fact
            .index
            .as_ref()
            .filter(|_| self.assemble.is_none())
            .map(|index| index.digest)
    }

    /// The receipt that the barrier asks for.
    pub(super) fn receipt(&self, image: &Image, platform: &Platform) -> Option<Tag> {
        let smoke = image.smoke.as_ref().filter(|_| self.tests)?;
        if !smoke.platforms.contains(platform) {
            return None;
        }
        Some(IdentityTags::new(&image.id, &self.fact.identity).receipt(platform, &self.fact.smoke?))
    }

    pub(super) fn document(&self, image: &Image, names: &Names) -> PlanImage {
        let used = self
            .platforms
            .values()
            .filter(|decision| decision.used().is_some())
            .count();
        let found = self
            .platforms
            .values()
            .filter(|decision| decision.found.is_some())
            .count();
        let presence = match (used, found) {
            (used, _) if used == self.platforms.len() && self.assemble.is_none() => PresenceWord::Present,
            (0, 0) => PresenceWord::Absent,
            _ => PresenceWord::Incomplete,
        };
        let why = self
            .platforms
            .values()
            .find_map(|decision| decision.build.clone());
        PlanImage {
            image: image.id.clone(),
            identity: self.fact.identity,
            tag: IdentityTags::new(&image.id, &self.fact.identity).index(),
            presence,
            digest: self.digest(),
            why: why
                .or_else(|| self.assemble.clone())
                .unwrap_or_else(|| "its inputs are unchanged".to_owned()),
            inputs: self
                .assemble
                .as_ref()
                .filter(|_| image.publish_inputs)
                .map(|_| IdentityTags::new(&image.id, &self.fact.identity).inputs()),
            platforms: image
                .platforms
                .iter()
                .filter_map(|platform| {
                    let decision = self.platforms.get(platform)?;
                    let receipt = self.receipt(image, platform);
                    Some(PlanPlatform {
                        platform: platform.clone(),
                        presence: if decision.found.is_some() {
                            PresenceWord::Present
                        } else {
                            PresenceWord::Absent
                        },
                        digest: decision.used().map(PlatformImage::digest),
                        found: decision.used().cloned(),
                        tested: receipt.is_some(),
                        receipt,
                    })
                })
                .collect(),
            tags: names.tags_of(&image.id),
            aliases: names.aliases_of(&image.id),
        }
    }
}

/// What an image is built on.
pub(super) enum Base<'a> {
    /// Nothing of the family.
    None,
    /// The family's own base.
    Built(Option<&'a ImageState<'a>>),
    /// An image from elsewhere. Its digest is in the identity of what is built on it, so what is there was built on it.
    Elsewhere(&'a str, &'a Facts),
}

/// Decides what becomes of `image`, given what becomes of its base. `stale` says why the build cache is not to be used, where it is not.
pub(super) fn decide<'a>(
    image: &Image,
    fact: &'a ImageFacts,
    base: &Base<'_>,
    stale: Option<&str>,
    options: &Options,
) -> Result<ImageState<'a>, PlanError> {
    let mut platforms = BTreeMap::new();
    for platform in &image.platforms {
        let found = fact.platform(platform);
        let rebuild = options
            .rebuild
            .iter()
            .any(|rebuild| rebuild.covers(&image.id, platform));
        let build = if rebuild {
            Some(match found {
                Some(found) => format!("asked for with `--rebuild`: replaces {}", found.digest()),
                None => "asked for with `--rebuild`".to_owned(),
            })
        } else if let Base::Built(base) = base {
            let base = base
                .and_then(|base| base.platforms.get(platform))
                .ok_or_else(|| PlanError::NoBasePlatform {
                    image: image.id.clone(),
                    platform: platform.clone(),
                })?;
            reason_on_base(fact, found, base)
        } else {
            found.is_none().then(|| absent(fact))
        };
        if let (Some(_), Base::Elsewhere(reference, facts)) = (&build, base) {
            has_platform(image, platform, reference, facts)?;
        }
        let build = build.map(|why| stale.map_or_else(|| why.clone(), |stale| format!("{why}; {stale}")));
        let mut decision = Decision {
            found,
            build,
            no_cache: rebuild || stale.is_some(),
            smoke: None,
        };
        decision.smoke = reason_to_test(image, fact, platform, &decision, options);
        platforms.insert(platform.clone(), decision);
    }
    let assemble = reason_to_assemble(fact, &platforms);
    Ok(ImageState {
        tests: options.goal != Goal::Build,
        fact,
        platforms,
        assemble,
    })
}

/// Nothing can be built on a base from elsewhere that is not there for the platform.
fn has_platform(image: &Image, platform: &Platform, reference: &str, facts: &Facts) -> Result<(), PlanError> {
    // It is only read once it is known that something is to be built.
    let Some(platforms) = &facts.base_platforms else {
        return Ok(());
    };
    if facts.base_platform(platform).is_some() {
        return Ok(());
    }
    let digest = facts
        .upstream
        .get(reference)
        .map(|digest| format!("@{digest}"))
        .filter(|_| !reference.contains('@'));
    let has: Vec<_> = platforms.keys().map(ToString::to_string).collect();
    Err(PlanError::BaseImagePlatform {
        image: image.id.clone(),
        reference: format!("{reference}{}", digest.unwrap_or_default()),
        platform: platform.clone(),
        has: if has.is_empty() {
            "no platform".to_owned()
        } else {
            has.join(", ")
        },
    })
}

fn absent(fact: &ImageFacts) -> String {
    if fact.index.is_some() {
        "its index lacks this platform".to_owned()
    } else {
        fact.change()
            .unwrap_or_else(|| format!("nothing stands under identity {}", fact.identity.short()))
    }
}

fn reason_on_base(fact: &ImageFacts, found: Option<&PlatformImage>, base: &Decision<'_>) -> Option<String> {
    let Some(found) = found else {
        if let (None, Some(changed)) = (&fact.index, fact.change()) {
            return Some(changed);
        }
        return Some(match base.build {
            Some(_) => "its base is built".to_owned(),
            None => "nothing stands under its identity".to_owned(),
        });
    };
    match (base.used(), found.base) {
        (None, _) => Some("its base is built anew".to_owned()),
        (Some(base), Some(built_on)) if base.digest() == built_on => None,
        (Some(base), Some(built_on)) => Some(format!(
            "it was built on base {built_on}, the base is now {}",
            base.digest()
        )),
        (Some(_), None) => Some("it does not say which base it was built on".to_owned()),
    }
}

fn reason_to_test(
    image: &Image,
    fact: &ImageFacts,
    platform: &Platform,
    decision: &Decision<'_>,
    options: &Options,
) -> Option<String> {
    if options.goal == Goal::Build {
        return None;
    }
    image
        .smoke
        .as_ref()
        .filter(|smoke| smoke.platforms.contains(platform))?;
    let Some(used) = decision.used() else {
        return Some("it is built".to_owned());
    };
    if options.test_again {
        return Some("asked for".to_owned());
    }
    match fact.receipts.get(platform) {
        Some(tested) if *tested == used.digest() => None,
        Some(_) => Some("today's test passed on another image".to_owned()),
        None => Some("today's test has not passed on it".to_owned()),
    }
}

fn reason_to_assemble(fact: &ImageFacts, platforms: &BTreeMap<Platform, Decision<'_>>) -> Option<String> {
    if platforms.values().any(|decision| decision.build.is_some()) {
        return Some("a platform image is built".to_owned());
    }
    let Some(index) = &fact.index else {
        return Some("its platform images are there, but no index joins them".to_owned());
    };
    let joined = |platform: &Platform| index.platforms.contains_key(platform);
    (!platforms.keys().all(joined)).then(|| "its index lacks a platform that is there".to_owned())
}
