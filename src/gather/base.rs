//! Looking for a base that stands, in a registry that is not the target.

use super::{GatherError, probe};
use crate::config::Image;
use crate::domain::{Identity, IdentityTags, Platform, Repository};
use crate::plan::check_identity;
use crate::target::Target;
use crate::target::images::{contents, required};

/// A base that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingBase {
    /// `REPOSITORY@DIGEST`.
    pub reference: String,
    /// What is odd, but no error.
    pub warning: Option<String>,
}

/// The base of this identity that stands in `repository` for all of `platforms`; `None` where there is none, or not for all of them.
///
/// # Errors
/// Whether it is there could not be found out; or what is there is of another identity.
pub async fn standing_base<T: Target>(
    target: &T,
    repository: &Repository,
    image: &Image,
    identity: &Identity,
    platforms: &[Platform],
) -> Result<Option<StandingBase>, GatherError> {
    let tag = IdentityTags::new(&image.id, identity).index();
    let Some(digest) = probe::current(target, repository, &tag).await? else {
        return Ok(None);
    };
    let raw = required(target, repository, digest).await?;
    let there = contents(target, repository, &raw, false).await?;
    let warning = check_identity(image, tag, *identity, there.identity)?;
    let whole = platforms
        .iter()
        .all(|platform| there.platforms.contains_key(platform));
    Ok(whole.then(|| StandingBase {
        reference: repository.with_digest(&digest),
        warning,
    }))
}
