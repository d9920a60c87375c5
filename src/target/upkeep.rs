//! What looking after a target needs beyond a release: asking whether what it holds is whole, and deleting.

use super::oci::Descriptor;
use super::{RawManifest, Target, TargetError};
use crate::domain::{Digest, Repository, Tag};
use std::future::Future;

/// How something that must be there was found.
#[derive(Debug, Clone)]
pub enum Found<T> {
    /// It is there.
    Whole(T),
    /// It is proven not to be there.
    Missing,
    /// It is there, and is not what it must be: why, in one line.
    Damaged(String),
    /// It could not be found out, after all retries.
    Unknown(TargetError),
}

/// What deleting a tag takes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Deletes {
    /// A tag can be deleted, and what it pointed at stays as long as anything else names it.
    Tags,
    /// Only a digest can be deleted, with every tag that names it. Also where it could not be found out: it is the careful assumption.
    Digests,
}

/// Looking after a target.
pub trait Upkeep: Target {
    /// What a tag points at, without a look at what that refers to.
    fn pointed(&self, repository: &Repository, tag: &Tag) -> impl Future<Output = Found<Digest>> + Send;

    /// The manifest or index of this digest, without a look at what it refers to.
    fn stored(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> impl Future<Output = Found<RawManifest>> + Send;

    /// Whether a blob is there with the size that it must have, by the cheapest request (HEAD on a registry).
    fn has_blob(&self, repository: &Repository, blob: &Descriptor) -> impl Future<Output = Found<()>> + Send;

    /// The same by reading all of it: its bytes have its digest. Nothing of it is kept.
    fn read_through(
        &self,
        repository: &Repository,
        blob: &Descriptor,
    ) -> impl Future<Output = Found<()>> + Send;

    /// What deleting a tag takes along here. Changes nothing.
    ///
    /// # Errors
    /// It could not be asked.
    fn deletes(&self, repository: &Repository) -> impl Future<Output = Result<Deletes, TargetError>> + Send;

    /// Deletes a tag and nothing else. That it is gone already is fine.
    ///
    /// # Errors
    /// The target refuses, or could not be reached.
    fn remove(
        &self,
        repository: &Repository,
        tag: &Tag,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Deletes a manifest or index by its digest, and with it every tag on it. That it is gone already is fine.
    ///
    /// # Errors
    /// The target refuses, or could not be reached.
    fn remove_digest(
        &self,
        repository: &Repository,
        digest: Digest,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Gives back the room of what nothing refers to any more, where that is not the business of the target itself. Gives the bytes that became
    /// free.
    ///
    /// # Errors
    /// It could not be done.
    fn sweep(&self) -> impl Future<Output = Result<u64, TargetError>> + Send;
}
