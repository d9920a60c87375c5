//! What the builder can do.

use crate::domain::Platform;
use serde::{Deserialize, Serialize};

/// Where an engine keeps its images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageStore {
    /// containerd's snapshotters: OCI images, several platforms, attestations.
    Containerd,
    /// The classic graph drivers: one platform at a time, Docker manifests, no attestations, no registry cache export.
    Classic,
    /// The builder is not part of an engine (`docker-container`, `kubernetes`, `remote`): it can do all that BuildKit can.
    None,
}

/// The builder that runs the builds, as `docker buildx inspect` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuilderFacts {
    /// Its name.
    pub name: String,
    /// `docker`, `docker-container`, `kubernetes`, `remote`.
    pub driver: String,
    /// Where its images go.
    pub store: ImageStore,
    /// BuildKit's version, as far as it tells.
    pub buildkit: String,
    /// buildx's own version; empty where the client does not tell.
    pub buildx: String,
    /// The engine's version; empty where there is none, or it does not tell.
    #[serde(default)]
    pub engine: String,
    /// What it can build for, natively or emulated.
    pub platforms: Vec<Platform>,
}

impl BuilderFacts {
    /// Whether a pushed image can carry attestations and OCI annotations.
    #[must_use]
    pub fn attests(&self) -> bool {
        self.store != ImageStore::Classic
    }

    /// Whether images can be exported to OCI layouts, and built upon such: the classic store's engine refuses both ("OCI exporter is not
    /// supported for the docker driver", "unknown scheme oci-layout").
    #[must_use]
    pub fn exports_layouts(&self) -> bool {
        self.store != ImageStore::Classic
    }

    /// Whether build cache can be exported to a registry.
    #[must_use]
    pub fn exports_cache(&self) -> bool {
        self.store != ImageStore::Classic
    }
}
