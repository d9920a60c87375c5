//! Deleting by tag and by digest.

use super::Registry;
use super::auth::Access;
use super::exchange::Request;
use super::failure::Operation;
use crate::domain::{Digest, Repository, Tag};
use crate::target::{FailureClass, Presence, Reference, TargetError};
use reqwest::Method;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// First pause while a tag that was taken away is still read.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Codes of an answer that says that what was asked for is not there.
const NOT_THERE: [&str; 4] = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND", "TAG_UNKNOWN"];

impl Registry {
    /// Deletes a tag, or a digest and with it all its tags. That it is gone already is fine.
    pub(super) async fn delete(
        &self,
        repository: &Repository,
        reference: impl fmt::Display + Sync,
    ) -> Result<(), TargetError> {
        let attempted = format!("delete `{reference}` of `{repository}`");
        let operation = Operation::on(repository, attempted, true);
        let path = format!("manifests/{reference}");
        match self.delete_at(&operation, repository, path).await {
            Err(error) if is_absent(&error) => Ok(()),
            Err(mut error) if matches!(error.status, Some(405)) => {
                error.hints = vec![format!(
                    "{} does not let anybody delete: its own tools or its administrator may",
                    repository.host()
                )];
                Err(error)
            }
            deleted => deleted,
        }
    }

    /// As [`Registry::delete`], with the answer as it is.
    pub(super) async fn delete_at(
        &self,
        operation: &Operation,
        repository: &Repository,
        path: String,
    ) -> Result<(), TargetError> {
        let request = Request::new(Method::DELETE, repository, Access::Delete, path);
        self.retrying(|| async { self.checked(operation, &request).await.map(drop) })
            .await
    }

    /// Takes a tag away, if `seen` stands there, and nothing else with it: by its name, never by its digest. `false` where the registry does not do that,
    /// or does not let this account.
    pub(super) async fn remove_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        seen: Digest,
    ) -> Result<bool, TargetError> {
        match self.standing(repository, tag).await {
            Presence::Present(digest) if digest == seen => {}
            Presence::Present(digest) => {
                let attempted = format!("delete `{tag}` of `{repository}`");
                return Err(Operation::on(repository, attempted, true).error(
                    FailureClass::Conflict,
                    format!("{digest} is there now, and {seen} was"),
                ));
            }
            Presence::Absent => return Ok(true),
            Presence::Unknown(error) => return Err(error),
        }
        match self.delete(repository, tag).await {
            Ok(()) => {}
            // 405 and 400 `UNSUPPORTED` or `DIGEST_INVALID`: this registry deletes by digest only (distribution specification, "Deleting tags").
            Err(error) if matches!(error.status, Some(400 | 401 | 403 | 404 | 405 | 501)) => {
                let gone = self.standing(repository, tag).await;
                return Ok(matches!(gone, Presence::Absent));
            }
            Err(error) => return Err(error),
        }
        let deadline = Instant::now() + self.0.options.read_back;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.standing(repository, tag).await {
                Presence::Absent => return Ok(true),
                Presence::Unknown(error) => return Err(error),
                Presence::Present(_) if Instant::now() + pause > deadline => return Ok(false),
                Presence::Present(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What stands under a tag.
    async fn standing(&self, repository: &Repository, tag: &Tag) -> Presence<Digest> {
        let reference = Reference::from(tag);
        self.find_digest(repository, &reference).await
    }
}

/// Whether an answer says that what was asked for is not there, and is no 404 of something that is no registry.
pub(super) fn is_absent(error: &TargetError) -> bool {
    error.status == Some(404) && error.codes.iter().any(|code| NOT_THERE.contains(&code.as_str()))
}
