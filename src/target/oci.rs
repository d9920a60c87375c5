//! The parts of OCI and Docker manifests that splitbase reads or writes (OCI image specification 1.1; Docker image manifest v2, schema 2).

use crate::domain::{Digest, Platform};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Media type of an OCI image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of a Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of a Docker image manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// All four, as they must stand in `Accept`: a registry answers 404 for an image whose type is not accepted.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Annotation that ties an attestation manifest to its image manifest (BuildKit, `docs/attestations/attestation-storage.md`).
pub const ATTESTS: &str = "vnd.docker.reference.digest";
/// Annotation that marks a descriptor as an attestation manifest.
pub const ATTESTATION_TYPE: &str = "vnd.docker.reference.type";
/// Annotation of an attestation manifest's layer: what it states.
pub const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
/// Annotation with the digest of the base's platform image (OCI image specification, "Pre-defined annotation keys").
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// Annotation with the full identity of an image.
pub const IDENTITY: &str = "dev.splitbase.identity";

/// The platform of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorPlatform {
    /// In Go's spelling.
    pub architecture: String,
    /// In Go's spelling.
    pub os: String,
    /// Of the architecture: `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A content descriptor. Keys that are not listed here are not kept: never write back what was read as this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content in bytes.
    pub size: u64,
    /// The platform, for children of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescriptorPlatform>,
    /// Annotations of this use of the content.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The platform of an image, in normal form; `None` for attestations (`unknown/unknown`) and what is not for Linux.
    #[must_use]
    pub fn image_platform(&self) -> Option<Platform> {
        if self.annotations.contains_key(ATTESTATION_TYPE) {
            return None;
        }
        let platform = self.platform.as_ref()?;
        Platform::from_parts(&platform.os, &platform.architecture, platform.variant.as_deref())
    }

    /// The digest of the image manifest that this attestation manifest belongs to.
    #[must_use]
    pub fn attests(&self) -> Option<Digest> {
        self.annotations.get(ATTESTS)?.parse().ok()
    }
}

/// An image index or a Docker manifest list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The index's own media type.
    #[serde(default)]
    pub media_type: String,
    /// The children.
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image manifest or an artifact manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// The manifest's own media type.
    #[serde(default)]
    pub media_type: String,
    /// Type of an artifact, where this is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image's config.
    pub config: Descriptor,
    /// The layers, from the bottom up.
    pub layers: Vec<Descriptor>,
    /// Annotations of the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An image's config, as far as it says what the image is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageConfig {
    /// In Go's spelling.
    pub architecture: String,
    /// In Go's spelling.
    pub os: String,
    /// Of the architecture.
    #[serde(default)]
    pub variant: Option<String>,
    /// What containers of it run with.
    #[serde(default)]
    pub config: Option<RunConfig>,
}

/// The part of an image's config that says how it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RunConfig {
    /// Labels; `null` where there are none.
    #[serde(default, rename = "Labels")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// What a manifest body is, told by its shape where `mediaType` is missing (OCI image specification allows that).
#[must_use]
pub fn media_type_of(body: &serde_json::Value) -> Option<&str> {
    if let Some(media_type) = body.get("mediaType").and_then(serde_json::Value::as_str) {
        return Some(media_type);
    }
    if body.get("manifests").is_some() {
        Some(INDEX)
    } else if body.get("config").is_some() {
        Some(MANIFEST)
    } else {
        None
    }
}

/// Whether a blob is in the registry, and not to be had elsewhere (layers of Windows).
#[must_use]
pub fn is_stored(blob: &Descriptor) -> bool {
    !blob.media_type.contains(".nondistributable.") && !blob.media_type.contains(".foreign.")
}

/// Whether this media type is an index or a manifest list.
#[must_use]
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, INDEX | DOCKER_LIST)
}
