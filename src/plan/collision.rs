//! What stands under an identity tag, and was not built for that identity.
//!
//! A tag holds 12 of the 64 digits, and anybody who may push can put anything under it. What says of itself that it is of another identity is
//! never used. What says nothing is refused too, but for what was there before splitbase: the bases of shell pipelines, whose hash is
//! `concat`.

use super::{Options, PlanError};
use crate::config::{HashFormat, Image};
use crate::domain::{Identity, IdentityTags, Platform, Tag};
use crate::facts::ImageFacts;

/// Refuses images of other identities under the identity tags of `image`, unless they are built anew. Gives what is odd, but no error.
pub(super) fn check(image: &Image, fact: &ImageFacts, options: &Options) -> Result<Vec<String>, PlanError> {
    let tags = IdentityTags::new(&image.id, &fact.identity);
    let replaced = |platform: &Platform| {
        let mut rebuilds = options.rebuild.iter();
        rebuilds.any(|rebuild| rebuild.covers(&image.id, platform))
    };
    let mut warnings = Vec::new();
    if let Some(index) = fact
        .index
        .as_ref()
        .filter(|_| !image.platforms.iter().all(replaced))
    {
        warnings.extend(check_identity(
            image,
            tags.index(),
            fact.identity,
            index.identity,
        )?);
    }
    for (platform, there) in fact.platforms.iter().filter(|(platform, _)| !replaced(platform)) {
        warnings.extend(check_identity(
            image,
            tags.platform(platform),
            fact.identity,
            there.identity,
        )?);
    }
    Ok(warnings)
}

/// Refuses what stands under `tag` of `image` where it was `found` to be of another identity than `identity`, or of none that it tells. Gives
/// what is odd, but no error.
///
/// # Errors
/// It is of another identity, or does not say so.
pub fn check_identity(
    image: &Image,
    tag: Tag,
    identity: Identity,
    found: Option<Identity>,
) -> Result<Option<String>, PlanError> {
    match found {
        Some(found) if found == identity => Ok(None),
        None if image.hash == HashFormat::Concat => Ok(Some(format!(
            "`{tag}` does not say of which identity it is: it is taken for an image of the time before splitbase"
        ))),
        _ => Err(PlanError::Collision {
            tag,
            image: image.id.clone(),
            identity,
            found,
        }),
    }
}
