//! Looking for a base that stands, in a registry that is not the target.

use super::probe;
use crate::domain::{Identity, IdentityTags, ImageId, Platform, Repository};
use crate::target::images::{contents, required};
use crate::target::{Target, TargetError};

/// The base of this identity that stands in `repository` for all of `platforms`, as `REPOSITORY@DIGEST`; `None` where there is none, or not for
/// all of them.
///
/// # Errors
/// Whether it is there could not be found out.
pub async fn standing_base<T: Target>(
    target: &T,
    repository: &Repository,
    identity: &Identity,
    platforms: &[Platform],
) -> Result<Option<String>, TargetError> {
    let tag = IdentityTags::new(&ImageId::Base, identity).index();
    let Some(digest) = probe::current(target, repository, &tag).await? else {
        return Ok(None);
    };
    let raw = required(target, repository, digest).await?;
    let has = contents(target, repository, &raw, false).await?.platforms;
    let whole = platforms.iter().all(|platform| has.contains_key(platform));
    Ok(whole.then(|| repository.with_digest(&digest)))
}
