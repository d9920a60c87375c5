//! Where a release goes: what the executor and the facts need of a registry or of an OCI image layout.
//!
//! The trait works on raw manifests, because a digest is one of bytes: parsing and writing again changes it.
//! Nothing here knows of plans or configuration.

pub mod artifact;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod images;
pub mod layout;
mod measure;
pub mod oci;
mod place;
pub mod registry;
pub mod transfer;
pub mod upkeep;

pub use error::{FailureClass, TargetError};
pub use place::Place;

use crate::domain::{Digest, Repository, Tag};
use bytes::Bytes;
use std::fmt;
use std::future::Future;

/// What a manifest is asked for by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// By a tag, which may move.
    Tag(Tag),
    /// By its digest.
    Digest(Digest),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl From<&Tag> for Reference {
    fn from(tag: &Tag) -> Self {
        Self::Tag(tag.clone())
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

/// Whether something is there. **Unknown is not absent**: `Absent` is only ever a proven absence.
#[derive(Debug, Clone)]
pub enum Presence<T> {
    /// It is there.
    Present(T),
    /// It is proven not to be there.
    Absent,
    /// It could not be found out, after all retries.
    Unknown(TargetError),
}

/// A manifest or index as it was stored: its bytes have `digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawManifest {
    /// Digest of `bytes`, computed here and not taken from a header.
    pub digest: Digest,
    /// The `mediaType` of the body; where it has none, what it must be from its shape.
    pub media_type: String,
    /// The body, byte for byte.
    pub bytes: Bytes,
}

/// Bytes that are no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a manifest: {reason}")]
pub struct InvalidManifest {
    /// What is wrong with them.
    pub reason: String,
}

impl RawManifest {
    /// Takes in the bytes of a manifest or index, and computes its digest and media type.
    ///
    /// # Errors
    /// They are not JSON, or nothing in them tells which of the four types they have.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, InvalidManifest> {
        let bytes = bytes.into();
        let body: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| InvalidManifest {
            reason: error.to_string(),
        })?;
        let media_type = oci::media_type_of(&body)
            .ok_or_else(|| InvalidManifest {
                reason: "it has neither `mediaType`, `manifests` nor `config`".to_owned(),
            })?
            .to_owned();
        Ok(Self {
            digest: Digest::of(&bytes),
            media_type,
            bytes,
        })
    }
}

/// A registry, or whatever else can hold manifests, blobs and tags.
///
/// Reads retry what is transient by themselves, as far as the policy given at construction says; callers never retry on top.
pub trait Target: Send + Sync + 'static {
    /// The digest behind a reference, by the cheapest request that proves it (HEAD on a registry).
    fn resolve(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> impl Future<Output = Presence<Digest>> + Send;

    /// The manifest behind a reference, raw. Asked by digest, its bytes are proven to have that digest.
    fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> impl Future<Output = Presence<RawManifest>> + Send;

    /// A small blob (a config, a record), whole and with its digest proven. At most `limit` bytes.
    ///
    /// # Errors
    /// It is not there, larger than `limit`, damaged, or could not be read.
    fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> impl Future<Output = Result<Bytes, TargetError>> + Send;

    /// The size in bytes of a layer's uncompressed tar, by streaming it; nothing of it is kept.
    ///
    /// # Errors
    /// It is not there, its compression is not known, or it could not be read to its end.
    fn uncompressed_size(
        &self,
        repository: &Repository,
        layer: &oci::Descriptor,
    ) -> impl Future<Output = Result<u64, TargetError>> + Send;

    /// Stores a small blob, unless it is there.
    ///
    /// # Errors
    /// It could not be stored, after all retries.
    fn put_blob(
        &self,
        repository: &Repository,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Digest, TargetError>> + Send;

    /// Brings all that `manifest` refers to (the children of an index, configs, layers) from one repository to another of the same registry,
    /// byte for byte, so that `manifest` can be put there. What is there already stays. On a registry the blobs are mounted, and copied
    /// where it does not mount; where all repositories share one store there is nothing to do.
    ///
    /// # Errors
    /// Something of it could not be read, or could not be stored.
    fn copy_content(
        &self,
        from: &Repository,
        to: &Repository,
        manifest: &RawManifest,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Puts `manifest` under `tag`, byte for byte, and reads the digest back.
    ///
    /// # Errors
    /// It could not be stored, or another digest is there afterwards.
    fn put_manifest(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
    ) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// As [`Target::put_manifest`], where the target can compare and set: only if what stands under `tag` is `seen`, or `manifest` already.
    /// A registry cannot, and writes whatever stands there.
    ///
    /// # Errors
    /// As [`Target::put_manifest`]; with [`FailureClass::Conflict`] where something else stands there: then nothing was written.
    fn put_manifest_if(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        seen: Option<Digest>,
    ) -> impl Future<Output = Result<(), TargetError>> + Send {
        let _ = seen;
        self.put_manifest(repository, tag, manifest)
    }

    /// All tags of a repository, in order; none where there is no repository yet.
    ///
    /// # Errors
    /// They could not be read to the end.
    fn tags(&self, repository: &Repository) -> impl Future<Output = Result<Vec<Tag>, TargetError>> + Send;

    /// Takes a tag away, if `seen` stands there, and nothing with it: what it pointed at stays, and all other tags of that. `false` where the target
    /// cannot, or does not let this account: then nothing was done.
    ///
    /// # Errors
    /// It could not be deleted, after all retries; with [`FailureClass::Conflict`] where something else stands there.
    fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        seen: Digest,
    ) -> impl Future<Output = Result<bool, TargetError>> + Send;

    /// What time it is by the clock of the target, to the second: that of the registry of `repository`, as it told it last, or else this machine's.
    fn time(&self, repository: &Repository) -> jiff::Timestamp {
        let _ = repository;
        crate::clock::now()
    }
}
