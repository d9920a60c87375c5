//! Small documents in a registry: an artifact under a tag of its own. Registries that refuse unknown artifact types get an ordinary image manifest
//! that carries the same layer.

use super::oci::{self, Descriptor, ImageManifest};
use super::{FailureClass, Presence, RawManifest, Reference, Target, TargetError};
use crate::domain::{Digest, Repository, Tag};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// The empty config of an artifact (OCI image specification, "Guidance for an empty descriptor").
const EMPTY: &[u8] = b"{}";
/// Media type of the empty config.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// Media type of an image's config.
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
/// A config that every registry knows: of an image for nothing, without a layer that could be unpacked.
const CONFIG: &[u8] =
    br#"{"architecture":"unknown","os":"unknown","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;

/// How documents are written to a target: remembers for a run what the target has refused.
#[derive(Debug, Default)]
pub struct Artifacts {
    plain: AtomicBool,
}

impl Artifacts {
    /// Puts a document under a tag; gives what stands there then, to be put under further tags. `kind` is the type of the artifact and the media type of
    /// its one layer.
    ///
    /// # Errors
    /// It could not be stored in either form.
    pub async fn put<T: Target>(
        &self,
        target: &T,
        repository: &Repository,
        tag: &Tag,
        kind: &str,
        document: Bytes,
    ) -> Result<RawManifest, TargetError> {
        if !self.plain.load(Ordering::Relaxed) {
            match Box::pin(put(
                target,
                repository,
                tag,
                kind,
                document.clone(),
                Form::Artifact,
            ))
            .await
            {
                Err(error) if refuses_artifacts(&error) => self.plain.store(true, Ordering::Relaxed),
                written => return written,
            }
        }
        Box::pin(put(target, repository, tag, kind, document, Form::Image)).await
    }
}

/// The document of this kind under `tag`, of at most `limit` bytes, in whichever form it was written; `None` where there is none.
///
/// # Errors
/// It could not be read, or what stands there is another thing.
pub async fn get<T: Target>(
    target: &T,
    repository: &Repository,
    tag: &Tag,
    kind: &str,
    limit: usize,
) -> Result<Option<Bytes>, TargetError> {
    let raw = match target.manifest(repository, &Reference::from(tag)).await {
        Presence::Present(raw) => raw,
        Presence::Absent => return Ok(None),
        Presence::Unknown(error) => return Err(error),
    };
    let what = format!("`{tag}`");
    document(target, repository, &raw, kind, limit, &what)
        .await
        .map(Some)
}

/// The document of this kind that a manifest carries, of at most `limit` bytes. `what` names it in messages.
///
/// # Errors
/// It carries none, or the document could not be read.
pub async fn document<T: Target>(
    target: &T,
    repository: &Repository,
    raw: &RawManifest,
    kind: &str,
    limit: usize,
    what: &str,
) -> Result<Bytes, TargetError> {
    let attempted = || format!("read {what} of `{repository}`");
    let manifest: ImageManifest = serde_json::from_slice(&raw.bytes)
        .map_err(|error| failure(attempted(), format!("it is no manifest: {error}")))?;
    let layer = manifest.layers.iter().find(|layer| layer.media_type == kind);
    let layer =
        layer.ok_or_else(|| failure(attempted(), format!("it holds nothing of the type `{kind}`")))?;
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

/// How a document is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// With a type of its own and the empty config (OCI image specification 1.1, "Guidelines for Artifact Usage").
    Artifact,
    /// As an image: config and manifest are those of one, and only the layer's type is its own.
    Image,
}

/// Whether a registry took the content and refused the manifest for what it is: 400 or 415, or a code that says so. Not where it refuses the account.
fn refuses_artifacts(error: &TargetError) -> bool {
    let says = |code: &String| matches!(code.as_str(), "MANIFEST_INVALID" | "UNSUPPORTED");
    matches!(error.status, Some(400 | 415)) || error.codes.iter().any(says)
}

async fn put<T: Target>(
    target: &T,
    repository: &Repository,
    tag: &Tag,
    kind: &str,
    document: Bytes,
    form: Form,
) -> Result<RawManifest, TargetError> {
    let descriptor = |media_type: &str, bytes: &[u8]| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        platform: None,
        annotations: BTreeMap::new(),
    };
    let (config, config_type, artifact_type) = match form {
        Form::Artifact => (EMPTY, EMPTY_TYPE, Some(kind.to_owned())),
        Form::Image => (CONFIG, CONFIG_TYPE, None),
    };
    let manifest = ImageManifest {
        schema_version: 2,
        media_type: oci::MANIFEST.to_owned(),
        artifact_type,
        config: descriptor(config_type, config),
        layers: vec![descriptor(kind, &document)],
        annotations: BTreeMap::new(),
    };
    let bytes = serde_json::to_vec(&manifest).map_err(|error| TargetError {
        write: true,
        hints: Vec::new(),
        ..failure(format!("write a `{kind}` to `{repository}`"), error.to_string())
    })?;
    let raw = RawManifest {
        digest: Digest::of(&bytes),
        media_type: oci::MANIFEST.to_owned(),
        bytes: bytes.into(),
    };
    tokio::try_join!(
        target.put_blob(repository, document),
        target.put_blob(repository, Bytes::from_static(config))
    )?;
    target.put_manifest(repository, tag, &raw).await?;
    Ok(raw)
}
