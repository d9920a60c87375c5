//! The target of a run: the family's registry, or a layout in its stead.

use super::layout::Layout;
use super::registry::Registry;
use super::upkeep::{Deletes, Found, Upkeep};
use super::{Presence, RawManifest, Reference, Target, TargetError, oci};
use crate::domain::{Digest, Repository, Tag};
use bytes::Bytes;

/// The target of a run. With a layout, all repositories of the family are that folder, nothing is ever written to a registry, and registries are
/// only asked for images from outside the family.
#[derive(Debug, Clone)]
pub struct Place {
    registry: Registry,
    layout: Option<(Vec<Repository>, Layout)>,
}

/// What a repository is in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Store<'a> {
    /// A registry.
    Registry(&'a Registry),
    /// A folder.
    Layout(&'a Layout),
}

impl Place {
    /// All repositories are where their names say.
    #[must_use]
    pub const fn registry(registry: Registry) -> Self {
        Self {
            registry,
            layout: None,
        }
    }

    /// `layout` stands for `repositories`.
    #[must_use]
    pub const fn layout(registry: Registry, repositories: Vec<Repository>, layout: Layout) -> Self {
        Self {
            registry,
            layout: Some((repositories, layout)),
        }
    }

    /// The layout, where the target is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Layout> {
        self.layout.as_ref().map(|(_, layout)| layout)
    }

    /// What a repository is in.
    pub(super) fn store_of(&self, repository: &Repository) -> Store<'_> {
        self.read(repository)
            .map_or(Store::Registry(&self.registry), Store::Layout)
    }

    fn read(&self, repository: &Repository) -> Option<&Layout> {
        let (own, layout) = self.layout.as_ref()?;
        own.contains(repository).then_some(layout)
    }
}

impl Target for Place {
    async fn resolve(&self, repository: &Repository, reference: &Reference) -> Presence<Digest> {
        match self.read(repository) {
            Some(layout) => layout.resolve(repository, reference).await,
            None => self.registry.resolve(repository, reference).await,
        }
    }

    async fn manifest(&self, repository: &Repository, reference: &Reference) -> Presence<RawManifest> {
        match self.read(repository) {
            Some(layout) => layout.manifest(repository, reference).await,
            None => self.registry.manifest(repository, reference).await,
        }
    }

    async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes, TargetError> {
        match self.read(repository) {
            Some(layout) => layout.blob(repository, digest, limit).await,
            None => self.registry.blob(repository, digest, limit).await,
        }
    }

    async fn uncompressed_size(
        &self,
        repository: &Repository,
        layer: &oci::Descriptor,
    ) -> Result<u64, TargetError> {
        match self.read(repository) {
            Some(layout) => layout.uncompressed_size(repository, layer).await,
            None => self.registry.uncompressed_size(repository, layer).await,
        }
    }

    async fn put_blob(&self, repository: &Repository, bytes: Bytes) -> Result<Digest, TargetError> {
        match self.folder() {
            Some(layout) => layout.put_blob(repository, bytes).await,
            None => self.registry.put_blob(repository, bytes).await,
        }
    }

    async fn copy_content(
        &self,
        from: &Repository,
        to: &Repository,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        match self.folder() {
            Some(layout) => layout.copy_content(from, to, manifest).await,
            None => self.registry.copy_content(from, to, manifest).await,
        }
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        match self.folder() {
            Some(layout) => layout.put_manifest(repository, tag, manifest).await,
            None => self.registry.put_manifest(repository, tag, manifest).await,
        }
    }

    async fn put_manifest_if(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        seen: Option<Digest>,
    ) -> Result<(), TargetError> {
        match self.folder() {
            Some(layout) => layout.put_manifest_if(repository, tag, manifest, seen).await,
            None => {
                self.registry
                    .put_manifest_if(repository, tag, manifest, seen)
                    .await
            }
        }
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, TargetError> {
        match self.read(repository) {
            Some(layout) => layout.tags(repository).await,
            None => self.registry.tags(repository).await,
        }
    }

    async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        seen: Digest,
    ) -> Result<bool, TargetError> {
        match self.folder() {
            Some(layout) => layout.delete_tag(repository, tag, seen).await,
            None => self.registry.delete_tag(repository, tag, seen).await,
        }
    }

    fn time(&self, repository: &Repository) -> jiff::Timestamp {
        match self.folder() {
            Some(layout) => layout.time(repository),
            None => self.registry.time(repository),
        }
    }
}

impl Upkeep for Place {
    async fn pointed(&self, repository: &Repository, tag: &Tag) -> Found<Digest> {
        match self.read(repository) {
            Some(layout) => layout.pointed(repository, tag).await,
            None => self.registry.pointed(repository, tag).await,
        }
    }

    async fn stored(&self, repository: &Repository, digest: Digest) -> Found<RawManifest> {
        match self.read(repository) {
            Some(layout) => layout.stored(repository, digest).await,
            None => self.registry.stored(repository, digest).await,
        }
    }

    async fn has_blob(&self, repository: &Repository, blob: &oci::Descriptor) -> Found<()> {
        match self.read(repository) {
            Some(layout) => layout.has_blob(repository, blob).await,
            None => self.registry.has_blob(repository, blob).await,
        }
    }

    async fn read_through(&self, repository: &Repository, blob: &oci::Descriptor) -> Found<()> {
        match self.read(repository) {
            Some(layout) => layout.read_through(repository, blob).await,
            None => self.registry.read_through(repository, blob).await,
        }
    }

    async fn deletes(&self, repository: &Repository) -> Result<Deletes, TargetError> {
        match self.folder() {
            Some(layout) => layout.deletes(repository).await,
            None => self.registry.deletes(repository).await,
        }
    }

    async fn remove(&self, repository: &Repository, tag: &Tag) -> Result<(), TargetError> {
        match self.folder() {
            Some(layout) => layout.remove(repository, tag).await,
            None => self.registry.remove(repository, tag).await,
        }
    }

    async fn remove_digest(&self, repository: &Repository, digest: Digest) -> Result<(), TargetError> {
        match self.folder() {
            Some(layout) => layout.remove_digest(repository, digest).await,
            None => self.registry.remove_digest(repository, digest).await,
        }
    }

    async fn sweep(&self) -> Result<u64, TargetError> {
        match self.folder() {
            Some(layout) => layout.sweep().await,
            None => self.registry.sweep().await,
        }
    }
}
