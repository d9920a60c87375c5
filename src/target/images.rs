//! Reading platform images out of what stands under a tag.

use super::oci::{self, Descriptor, ImageConfig, ImageManifest, Index};
use super::{FailureClass, Presence, RawManifest, Reference, Target, TargetError};
use crate::domain::{Digest, Identity, Platform, Repository};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest config that is read, in bytes.
const CONFIG_LIMIT: usize = 8 * 1024 * 1024;

/// A platform image as a registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformImage {
    /// Its own manifest. The digest of this descriptor is the **platform digest**.
    pub manifest: Descriptor,
    /// Its attestation manifest, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Descriptor>,
    /// The platform digest of the base that it was built on, as its annotation (or label) says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
}

impl PlatformImage {
    /// The platform digest.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.manifest.digest
    }
}

/// What stands under a tag, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Digest of what stands there.
    pub digest: Digest,
    /// The identity that its annotation names.
    pub identity: Option<Identity>,
    /// The platform images in it.
    pub platforms: BTreeMap<Platform, PlatformImage>,
    /// The identities that the platform images themselves name, as far as their manifests were read.
    read: BTreeMap<Digest, Option<Identity>>,
}

impl Contents {
    /// The identity that the platform image in it was built for: what an index says holds for all of it, of a wrapper that says nothing the
    /// platform image is asked, which may cost a request. `None` where nothing says it, or there is no such platform in it.
    ///
    /// # Errors
    /// The manifest of the platform image could not be read.
    pub async fn identity_of<T: Target>(
        &self,
        target: &T,
        repository: &Repository,
        platform: &Platform,
    ) -> Result<Option<Identity>, TargetError> {
        let Some(image) = self.platforms.get(platform).filter(|_| self.identity.is_none()) else {
            return Ok(self.identity);
        };
        if let Some(known) = self.read.get(&image.digest()) {
            return Ok(*known);
        }
        let raw = required(target, repository, image.digest()).await?;
        let manifest: ImageManifest = parse(repository, &raw)?;
        Ok(identity_in(&manifest.annotations, None))
    }
}

fn identity_in(annotations: &BTreeMap<String, String>, config: Option<&ImageConfig>) -> Option<Identity> {
    let text = annotations
        .get(oci::IDENTITY)
        .or_else(|| labels(config)?.get(oci::IDENTITY))?;
    text.parse().ok()
}

/// Takes an index, a wrapper, or a bare manifest apart. `with_base` asks for the base that each platform image was built on, which
/// costs a request for each where the index does not say it.
///
/// # Errors
/// It is not a manifest, or what it names could not be read.
pub async fn contents<T: Target>(
    target: &T,
    repository: &Repository,
    raw: &RawManifest,
    with_base: bool,
) -> Result<Contents, TargetError> {
    if oci::is_index(&raw.media_type) {
        let index: Index = parse(repository, raw)?;
        let identity = identity_in(&index.annotations, None);
        let (mut platforms, mut read) = (BTreeMap::new(), BTreeMap::new());
        for child in &index.manifests {
            let Some(platform) = child.image_platform() else {
                continue;
            };
            let attestation = index
                .manifests
                .iter()
                .find(|other| other.attests() == Some(child.digest));
            let mut base = child
                .annotations
                .get(oci::BASE_DIGEST)
                .and_then(|text| text.parse().ok());
            if with_base && base.is_none() {
                let raw = required(target, repository, child.digest).await?;
                let manifest: ImageManifest = parse(repository, &raw)?;
                read.insert(child.digest, identity_in(&manifest.annotations, None));
                base = base_of(target, repository, &manifest).await?;
            }
            let image = PlatformImage {
                manifest: child.clone(),
                attestation: attestation.cloned(),
                base,
            };
            platforms.entry(platform).or_insert(image);
        }
        return Ok(Contents {
            digest: raw.digest,
            identity,
            platforms,
            read,
        });
    }
    let manifest: ImageManifest = parse(repository, raw)?;
    let config = config(target, repository, &manifest).await?;
    let identity = identity_in(&manifest.annotations, Some(&config));
    let platform = Platform::from_parts(&config.os, &config.architecture, config.variant.as_deref());
    let base = if with_base {
        base_in(&manifest, Some(&config))
    } else {
        None
    };
    let descriptor = Descriptor {
        media_type: raw.media_type.clone(),
        digest: raw.digest,
        size: raw.bytes.len() as u64,
        platform: Some(oci::DescriptorPlatform {
            architecture: config.architecture,
            os: config.os,
            variant: config.variant.filter(|variant| !variant.is_empty()),
        }),
        annotations: BTreeMap::new(),
    };
    let image = PlatformImage {
        manifest: descriptor,
        attestation: None,
        base,
    };
    Ok(Contents {
        digest: raw.digest,
        identity,
        platforms: platform.map(|platform| (platform, image)).into_iter().collect(),
        read: BTreeMap::from([(raw.digest, identity)]),
    })
}

/// The manifest of this digest, which must be there.
///
/// # Errors
/// It is not there, or could not be read.
pub async fn required<T: Target>(
    target: &T,
    repository: &Repository,
    digest: Digest,
) -> Result<RawManifest, TargetError> {
    match target.manifest(repository, &Reference::Digest(digest)).await {
        Presence::Present(raw) => Ok(raw),
        Presence::Unknown(error) => Err(error),
        Presence::Absent => Err(damaged(repository, digest, "it is not there".to_owned())),
    }
}

/// The layers of a platform image.
///
/// # Errors
/// Its manifest is not there, or could not be read.
pub async fn layers<T: Target>(
    target: &T,
    repository: &Repository,
    digest: Digest,
) -> Result<Vec<Descriptor>, TargetError> {
    let raw = required(target, repository, digest).await?;
    Ok(parse::<ImageManifest>(repository, &raw)?.layers)
}

async fn base_of<T: Target>(
    target: &T,
    repository: &Repository,
    manifest: &ImageManifest,
) -> Result<Option<Digest>, TargetError> {
    match base_in(manifest, None) {
        Some(base) => Ok(Some(base)),
        None => Ok(base_in(
            manifest,
            Some(&config(target, repository, manifest).await?),
        )),
    }
}

fn base_in(manifest: &ImageManifest, config: Option<&ImageConfig>) -> Option<Digest> {
    let text = manifest
        .annotations
        .get(oci::BASE_DIGEST)
        .or_else(|| labels(config)?.get(oci::BASE_DIGEST))?;
    text.parse().ok()
}

/// The classic image store drops annotations: there it is a label.
fn labels(config: Option<&ImageConfig>) -> Option<&BTreeMap<String, String>> {
    config?.config.as_ref()?.labels.as_ref()
}

async fn config<T: Target>(
    target: &T,
    repository: &Repository,
    manifest: &ImageManifest,
) -> Result<ImageConfig, TargetError> {
    let digest = manifest.config.digest;
    let bytes = target.blob(repository, &digest, CONFIG_LIMIT).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| damaged(repository, digest, format!("it is not an image config: {error}")))
}

fn parse<D: serde::de::DeserializeOwned>(
    repository: &Repository,
    raw: &RawManifest,
) -> Result<D, TargetError> {
    serde_json::from_slice(&raw.bytes).map_err(|error| {
        damaged(
            repository,
            raw.digest,
            format!("it is not a {}: {error}", raw.media_type),
        )
    })
}

fn damaged(repository: &Repository, digest: Digest, reason: String) -> TargetError {
    TargetError {
        attempted: format!("read `{digest}` of `{repository}`"),
        reason,
        status: None,
        codes: Vec::new(),
        class: FailureClass::Permanent,
        retry_after: None,
        hints: vec!["the image is damaged: `--rebuild` makes it anew".to_owned()],
        write: false,
    }
}
