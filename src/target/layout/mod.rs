//! A folder in OCI image layout (OCI image specification 1.1, "Image Layout") as a target: tags are entries of `index.json`, all else are
//! blobs. It needs no registry, no account and no port.

mod archive;
mod carry;
mod fault;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod index;
mod stage;
mod store;
mod sweep;
#[cfg(test)]
mod tests;
mod upkeep;
mod write;

pub use archive::Archive;
pub use stage::Stage;

use super::measure::{Compression, count};
use super::{Presence, RawManifest, Reference, Target, TargetError, oci};
use crate::domain::{Digest, Repository, Tag};
use bytes::Bytes;
use fault::Fault;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{Folder, Store};
use write::Over;

/// A folder that cannot be a target, with what to do about it. It is a matter of usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("use `{shown}` as target: {reason}")]
pub struct UnfitFolder {
    shown: String,
    reason: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// A folder in OCI image layout. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Layout {
    store: Arc<Store>,
    /// As messages call it: `oci:DIR`, as it was given.
    shown: Arc<str>,
}

impl Layout {
    /// The layout in `root`, an absolute path. `shown` is what messages call it. Writes nothing: the folder is made by the first write.
    ///
    /// # Errors
    /// There is something else in this place.
    pub fn open(root: PathBuf, shown: &str) -> Result<Self, UnfitFolder> {
        let unfit = |(reason, hints)| UnfitFolder {
            shown: shown.to_owned(),
            reason,
            hints,
        };
        // buildx takes a layout as `oci-layout://PATH:TAG@DIGEST`, and cannot be told where the path ends.
        if root.to_str().is_none_or(|path| path.contains([':', '@'])) {
            let reason = format!("buildx cannot take the path `{}`", root.display());
            let hint = "name a folder whose whole path is without `:` and `@`, and is UTF-8".to_owned();
            return Err(unfit((reason, vec![hint])));
        }
        let store = Store::new(root);
        match store.look() {
            Ok(Folder::Foreign(what)) => {
                return Err(unfit(store::foreign(store.root(), what).into_parts()));
            }
            Err(fault) => return Err(unfit(fault.into_parts())),
            Ok(Folder::Nothing | Folder::Unfinished | Folder::Layout) => {}
        }
        Ok(Self {
            store: Arc::new(store),
            shown: shown.into(),
        })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.store.root()
    }

    /// A folder that a build on top of `base` exports to.
    ///
    /// # Errors
    /// It could not be made.
    pub async fn stage(&self, base: Option<Digest>) -> Result<Stage, TargetError> {
        let attempted = format!("make a folder for a build in `{}`", self.shown);
        self.blocking(attempted, true, move |store| store.stage(base))
            .await
    }

    /// Moves the image that was exported to `stage` into the layout, and puts it under `tag`.
    ///
    /// # Errors
    /// It is not whole, or could not be moved.
    pub async fn take_in(
        &self,
        stage: Stage,
        exported: Digest,
        repository: &Repository,
        tag: &Tag,
    ) -> Result<(), TargetError> {
        let attempted = self.on(true, &tag.to_string());
        let (name, tag) = (repository.with_tag(tag), tag.to_string());
        self.blocking(attempted, true, move |store| {
            store.take_in(&stage, exported, (&tag, &name))
        })
        .await
    }

    /// The platform image of this digest, to be loaded into an engine.
    ///
    /// # Errors
    /// It is not there, or damaged.
    pub async fn archive(&self, digest: Digest) -> Result<Archive, TargetError> {
        let attempted = self.on(false, &digest.to_string());
        self.blocking(attempted, false, move |store| store.archive(digest))
            .await
    }

    fn on(&self, write: bool, what: &str) -> String {
        let (verb, place) = if write { ("write", "to") } else { ("read", "of") };
        format!("{verb} `{what}` {place} `{}`", self.shown)
    }

    async fn blocking<R: Send + 'static>(
        &self,
        attempted: String,
        write: bool,
        act: impl FnOnce(&Store) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, TargetError> {
        let store = self.store.clone();
        let done = tokio::task::spawn_blocking(move || act(&store)).await;
        match done {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(fault)) => Err(fault.of(attempted, write)),
            Err(error) => {
                let fault = Fault::refused(error.to_string(), "run this again");
                Err(fault.of(attempted, write))
            }
        }
    }

    async fn find(&self, reference: &Reference) -> Presence<RawManifest> {
        let attempted = self.on(false, &reference.to_string());
        let reference = reference.clone();
        let found = self.blocking(attempted, false, move |store| store.find(&reference));
        match found.await {
            Ok(Some(raw)) => Presence::Present(raw),
            Ok(None) => Presence::Absent,
            Err(error) => Presence::Unknown(error),
        }
    }

    async fn put(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        over: Over,
    ) -> Result<(), TargetError> {
        let attempted = self.on(true, &tag.to_string());
        let (name, tag, manifest) = (repository.with_tag(tag), tag.to_string(), manifest.clone());
        self.blocking(attempted, true, move |store| {
            if Digest::of(&manifest.bytes) != manifest.digest {
                let reason = "the manifest's bytes do not have its digest";
                return Err(Fault::refused(reason, "please report it"));
            }
            let held = store.hold()?;
            store.put(&held, (&tag, &name), &manifest, over)
        })
        .await
    }
}

impl Target for Layout {
    async fn resolve(&self, _: &Repository, reference: &Reference) -> Presence<Digest> {
        match self.find(reference).await {
            Presence::Present(raw) => Presence::Present(raw.digest),
            Presence::Absent => Presence::Absent,
            Presence::Unknown(error) => Presence::Unknown(error),
        }
    }

    async fn manifest(&self, _: &Repository, reference: &Reference) -> Presence<RawManifest> {
        self.find(reference).await
    }

    async fn blob(&self, _: &Repository, digest: &Digest, limit: usize) -> Result<Bytes, TargetError> {
        let attempted = self.on(false, &digest.to_string());
        let digest = *digest;
        self.blocking(attempted, false, move |store| {
            let bytes = store.blob(digest, limit as u64)?;
            bytes
                .map(Bytes::from)
                .ok_or_else(|| Fault::damaged(store.root(), format!("the blob {digest} is not there")))
        })
        .await
    }

    async fn uncompressed_size(&self, _: &Repository, layer: &oci::Descriptor) -> Result<u64, TargetError> {
        let attempted = self.on(false, &format!("layer {}", layer.digest));
        let layer = layer.clone();
        self.blocking(attempted, false, move |store| {
            let damaged = |reason: String| Fault::damaged(store.root(), reason);
            let compression = Compression::of(&layer.media_type).ok_or_else(|| {
                let reason = format!(
                    "how `{}` is compressed is not known",
                    layer.media_type.escape_debug()
                );
                Fault::refused(reason, "leave out `max-size`")
            })?;
            let path = store.blob_path(layer.digest);
            let counted = open(&path)
                .and_then(|file| count(std::io::BufReader::with_capacity(256 * 1024, file), compression))
                .map_err(|error| damaged(format!("the layer {}: {error}", layer.digest)))?;
            if counted.digest == layer.digest {
                Ok(counted.uncompressed)
            } else {
                Err(damaged(format!(
                    "the layer {} is damaged: its bytes have the digest {}",
                    layer.digest, counted.digest
                )))
            }
        })
        .await
    }

    async fn put_blob(&self, _: &Repository, bytes: Bytes) -> Result<Digest, TargetError> {
        let attempted = self.on(true, &Digest::of(&bytes).to_string());
        self.blocking(attempted, true, move |store| {
            let held = store.hold()?;
            store.put_blob(&held, &bytes)
        })
        .await
    }

    async fn copy_content(
        &self,
        _from: &Repository,
        _to: &Repository,
        _manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        // All repositories share its blobs.
        Ok(())
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        self.put(repository, tag, manifest, Over::Anything).await
    }

    async fn put_manifest_if(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        seen: Option<Digest>,
    ) -> Result<(), TargetError> {
        self.put(repository, tag, manifest, Over::Only(seen)).await
    }

    async fn tags(&self, _: &Repository) -> Result<Vec<Tag>, TargetError> {
        let attempted = self.on(false, "the tags");
        self.blocking(attempted, false, Store::tags).await
    }

    async fn delete_tag(&self, _: &Repository, tag: &Tag, seen: Digest) -> Result<bool, TargetError> {
        let attempted = format!("delete `{tag}` of `{}`", self.shown);
        let tag = tag.to_string();
        self.blocking(attempted, true, move |store| {
            let held = store.hold()?;
            store.delete(&held, &tag, seen).map(|()| true)
        })
        .await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]
fn open(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::File::open(path)
}
