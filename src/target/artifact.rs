//! Artifacts: documents that are kept in a registry beside images. An ordinary image manifest with an empty config and one layer, which is the
//! document (OCI image specification, "Guidelines for Artifact Usage").

use super::oci::{self, Descriptor, ImageManifest};
use super::{FailureClass, RawManifest, Target, TargetError};
use crate::domain::{Digest, Repository};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The empty config of an artifact (OCI image specification, "Guidance for an empty descriptor").
const EMPTY: &[u8] = b"{}";

/// Stores the parts of an artifact of this type, which is also the media type of the document. Gives its manifest, to be put under a tag.
///
/// # Errors
/// They could not be stored.
pub async fn store<T: Target>(
    target: &T,
    repository: &Repository,
    artifact_type: &str,
    document: Bytes,
) -> Result<RawManifest, TargetError> {
    let descriptor = |media_type: &str, bytes: &[u8]| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: oci::MANIFEST.to_owned(),
        artifact_type: Some(artifact_type.to_owned()),
        config: descriptor("application/vnd.oci.empty.v1+json", EMPTY),
        layers: vec![descriptor(artifact_type, &document)],
        annotations: BTreeMap::new(),
    };
    let manifest = serde_json::to_vec(&manifest).map_err(|error| TargetError {
        write: true,
        ..failure(
            format!("write a manifest of type `{artifact_type}`"),
            error.to_string(),
        )
    })?;
    tokio::try_join!(
        target.put_blob(repository, document),
        target.put_blob(repository, Bytes::from_static(EMPTY))
    )?;
    Ok(RawManifest {
        digest: Digest::of(&manifest),
        media_type: oci::MANIFEST.to_owned(),
        bytes: manifest.into(),
    })
}

/// The document of an artifact of this type, of at most `limit` bytes. `what` names it in messages.
///
/// # Errors
/// It is no such artifact, or could not be read.
pub async fn document<T: Target>(
    target: &T,
    repository: &Repository,
    raw: &RawManifest,
    artifact_type: &str,
    limit: usize,
    what: &str,
) -> Result<Bytes, TargetError> {
    let attempted = || format!("read {what} of `{repository}`");
    let manifest: ImageManifest = serde_json::from_slice(&raw.bytes)
        .map_err(|error| failure(attempted(), format!("it is no manifest: {error}")))?;
    let layer = manifest
        .layers
        .iter()
        .find(|layer| layer.media_type == artifact_type);
    let layer = layer.ok_or_else(|| failure(attempted(), format!("it is no `{artifact_type}`")))?;
    target.blob(repository, &layer.digest, limit).await
}

/// A document that cannot be used.
#[must_use]
pub fn failure(attempted: String, reason: String) -> TargetError {
    TargetError {
        attempted,
        reason,
        status: None,
        codes: Vec::new(),
        class: FailureClass::Permanent,
        retry_after: None,
        hints: vec!["a newer splitbase may have written it".to_owned()],
        write: false,
    }
}
