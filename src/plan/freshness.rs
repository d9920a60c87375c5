//! Whether a build must not use the build cache, because a refresh period or a salt asks for it.
//!
//! The cache of an earlier period would make the image of the new one out of what is to be replaced. What an image was last built for stands in
//! the newest record; where nothing does, nothing proves that the cache is of this period.

use super::Options;
use crate::config::{Family, Image};
use crate::domain::ImageId;
use crate::facts::Facts;
use crate::record::Freshness;
use std::collections::BTreeMap;

/// The period and the salts that an image is built for: its own, and those of the base that it stands on.
fn freshness(family: &Family, image: &Image, facts: &Facts) -> Freshness {
    let base = family.base().filter(|_| image.base_arg.is_some());
    let refreshed = image.id == ImageId::Base || base.is_some();
    Freshness {
        period: facts.period.filter(|_| refreshed),
        base_salt: base.map_or_else(String::new, |base| base.salt.clone()),
        salt: image.salt.clone(),
    }
}

/// What the images are built for, as far as they are for anything.
pub(super) fn fresh(family: &Family, images: &[&Image], facts: &Facts) -> BTreeMap<ImageId, Freshness> {
    let known = images
        .iter()
        .map(|image| (image.id.clone(), freshness(family, image, facts)));
    known
        .filter(|(_, freshness)| *freshness != Freshness::default())
        .collect()
}

/// Why a build of `image` must not use the build cache; `None` if it may.
pub(super) fn without_cache(
    family: &Family,
    image: &Image,
    facts: &Facts,
    options: &Options,
) -> Option<String> {
    if options.throw_away {
        return None;
    }
    let now = freshness(family, image, facts);
    let then = facts
        .newest
        .as_ref()
        .and_then(|record| record.fresh.get(&image.id));
    let then = then.cloned().unwrap_or_default();
    let period = now.period.filter(|period| then.period != Some(*period));
    let salt = (&now.base_salt, &now.salt) != (&then.base_salt, &then.salt);
    match (period, salt) {
        (None, false) => None,
        (None, true) => Some("a new salt: built without cache".to_owned()),
        (Some(period), false) => Some(format!("a new refresh period, {period}: built without cache")),
        (Some(period), true) => Some(format!(
            "a new refresh period, {period}, and a new salt: built without cache"
        )),
    }
}
