//! A target in memory. It serves what a registry cannot be made to do at will: faults, and foreign writers at a given moment.

use crate::domain::{Digest, Repository, Tag};
use crate::target::upkeep::{Deletes, Found, Upkeep};
use crate::target::{FailureClass, Presence, RawManifest, Reference, Target, TargetError, oci};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// What the target holds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Content {
    pub(crate) manifests: BTreeMap<Digest, RawManifest>,
    pub(crate) tags: BTreeMap<Tag, Digest>,
    pub(crate) blobs: BTreeMap<Digest, Bytes>,
    /// Every write, as `TAG DIGEST` or `copy DIGEST FROM TO`, in order.
    pub(crate) writes: Vec<String>,
    /// Whether it compares and sets, as a layout does.
    pub(crate) compares: bool,
    /// Whether it deletes tags.
    pub(crate) deletes: bool,
    /// Whether deleting a tag takes its digest along, against all promises.
    pub(crate) takes_along: bool,
}

impl Content {
    /// Somebody else puts a manifest under a tag.
    pub(crate) fn put(&mut self, tag: &Tag, manifest: &RawManifest) {
        self.manifests.insert(manifest.digest, manifest.clone());
        self.tags.insert(tag.clone(), manifest.digest);
    }
}

/// Called before each request with its verb (`resolve`, `read`, `put`) and reference; may change the content, and may let it fail.
pub(crate) type Hook = Box<dyn FnMut(&str, &str, &mut Content) -> Option<TargetError> + Send>;

/// Asked about each request with its verb (`resolve`, `read`, `put`, `copy`) and reference, and with `answer` once a tag was put: true, and it is never answered.
pub(crate) type Stall = Box<dyn FnMut(&str, &str) -> bool + Send>;

/// A target in memory.
#[derive(Default)]
pub(crate) struct Memory {
    content: Mutex<Content>,
    hook: Mutex<Option<Hook>>,
    stall: Mutex<Option<Stall>>,
}

/// A failure of a request.
pub(crate) fn failure(write: bool) -> TargetError {
    TargetError {
        attempted: "ask".to_owned(),
        reason: "503 Service Unavailable".to_owned(),
        status: Some(503),
        codes: Vec::new(),
        class: FailureClass::Transient,
        retry_after: None,
        hints: Vec::new(),
        write,
    }
}

impl Memory {
    /// Access to the content.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Content) -> R) -> R {
        act(&mut self.content.lock().unwrap())
    }

    /// Sets what is called before each request.
    pub(crate) fn hook(
        &self,
        hook: impl FnMut(&str, &str, &mut Content) -> Option<TargetError> + Send + 'static,
    ) {
        *self.hook.lock().unwrap() = Some(Box::new(hook));
    }

    /// Sets which requests are never answered.
    pub(crate) fn stall(&self, stall: impl FnMut(&str, &str) -> bool + Send + 'static) {
        *self.stall.lock().unwrap() = Some(Box::new(stall));
    }

    async fn answered(&self, verb: &str, reference: &str) {
        let stalls = self
            .stall
            .lock()
            .unwrap()
            .as_mut()
            .is_some_and(|stall| stall(verb, reference));
        if stalls {
            std::future::pending::<()>().await;
        }
    }

    /// The digest under a tag.
    pub(crate) fn tag(&self, tag: &str) -> Option<Digest> {
        self.with(|content| content.tags.get(&tag.parse().unwrap()).copied())
    }

    /// The index under a tag.
    pub(crate) fn index(&self, tag: &str) -> oci::Index {
        let raw = self.with(|content| content.manifests[&content.tags[&tag.parse().unwrap()]].clone());
        serde_json::from_slice(&raw.bytes).unwrap()
    }

    /// The tags that were written, in order.
    pub(crate) fn written(&self) -> Vec<String> {
        self.with(|content| {
            let tags = content
                .writes
                .iter()
                .filter(|line| !line.starts_with("copy "))
                .map(|line| line.split(' ').next().unwrap().to_owned());
            tags.collect()
        })
    }

    fn before(&self, verb: &str, reference: &str) -> Option<TargetError> {
        let mut hook = self.hook.lock().unwrap();
        let hook = hook.as_mut()?;
        hook(verb, reference, &mut self.content.lock().unwrap())
    }
}

impl Target for Memory {
    async fn resolve(&self, _: &Repository, reference: &Reference) -> Presence<Digest> {
        self.answered("resolve", &reference.to_string()).await;
        if let Some(error) = self.before("resolve", &reference.to_string()) {
            return Presence::Unknown(error);
        }
        let found = self.with(|content| match reference {
            Reference::Tag(tag) => content.tags.get(tag).copied(),
            Reference::Digest(digest) => content.manifests.contains_key(digest).then_some(*digest),
        });
        found.map_or(Presence::Absent, Presence::Present)
    }

    async fn manifest(&self, _: &Repository, reference: &Reference) -> Presence<RawManifest> {
        self.answered("read", &reference.to_string()).await;
        if let Some(error) = self.before("read", &reference.to_string()) {
            return Presence::Unknown(error);
        }
        let found = self.with(|content| {
            let digest = match reference {
                Reference::Tag(tag) => *content.tags.get(tag)?,
                Reference::Digest(digest) => *digest,
            };
            content.manifests.get(&digest).cloned()
        });
        found.map_or(Presence::Absent, Presence::Present)
    }

    async fn blob(&self, _: &Repository, digest: &Digest, limit: usize) -> Result<Bytes, TargetError> {
        let found = self.with(|content| content.blobs.get(digest).cloned());
        found
            .filter(|bytes| bytes.len() <= limit)
            .ok_or_else(|| failure(false))
    }

    async fn uncompressed_size(&self, _: &Repository, layer: &oci::Descriptor) -> Result<u64, TargetError> {
        Ok(layer.size * 2)
    }

    async fn put_blob(&self, _: &Repository, bytes: Bytes) -> Result<Digest, TargetError> {
        let digest = Digest::of(&bytes);
        self.with(|content| content.blobs.insert(digest, bytes));
        Ok(digest)
    }

    async fn copy_content(
        &self,
        from: &Repository,
        to: &Repository,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        self.answered("copy", &manifest.digest.to_string()).await;
        if let Some(error) = self.before("copy", &manifest.digest.to_string()) {
            return Err(error);
        }
        self.with(|content| {
            content
                .writes
                .push(format!("copy {} {} {}", manifest.digest, from.path(), to.path()));
        });
        Ok(())
    }

    async fn put_manifest(
        &self,
        _: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        self.answered("put", tag.as_str()).await;
        if let Some(error) = self.before("put", tag.as_str()) {
            return Err(error);
        }
        self.with(|content| {
            content.writes.push(format!("{tag} {}", manifest.digest));
            content.put(tag, manifest);
        });
        self.answered("answer", tag.as_str()).await;
        Ok(())
    }

    async fn put_manifest_if(
        &self,
        repository: &Repository,
        tag: &Tag,
        manifest: &RawManifest,
        seen: Option<Digest>,
    ) -> Result<(), TargetError> {
        // A foreign writer at this moment is faster.
        let faster = self
            .with(|content| content.compares)
            .then(|| self.before("compare", tag.as_str()));
        let there = self.tag(tag.as_str());
        if faster.is_some() && there != seen && there != Some(manifest.digest) {
            return Err(TargetError {
                class: FailureClass::Conflict,
                reason: "somebody else writes this tag too".to_owned(),
                ..failure(true)
            });
        }
        self.put_manifest(repository, tag, manifest).await
    }

    async fn tags(&self, _: &Repository) -> Result<Vec<Tag>, TargetError> {
        Ok(self.with(|content| content.tags.keys().cloned().collect()))
    }

    async fn delete_tag(&self, _: &Repository, tag: &Tag, seen: Digest) -> Result<bool, TargetError> {
        if let Some(error) = self.before("delete", tag.as_str()) {
            return Err(error);
        }
        self.with(|content| {
            if content.tags.get(tag).is_some_and(|there| *there != seen) {
                return Err(TargetError {
                    class: FailureClass::Conflict,
                    ..failure(true)
                });
            }
            if content.deletes {
                content.tags.remove(tag);
            }
            Ok(content.deletes)
        })
    }
}

impl Upkeep for Memory {
    async fn pointed(&self, repository: &Repository, tag: &Tag) -> Found<Digest> {
        match self.resolve(repository, &Reference::from(tag)).await {
            Presence::Present(digest) => Found::Whole(digest),
            Presence::Absent => Found::Missing,
            Presence::Unknown(error) => Found::Unknown(error),
        }
    }

    async fn stored(&self, _: &Repository, digest: Digest) -> Found<RawManifest> {
        let raw = self.with(|content| content.manifests.get(&digest).cloned());
        raw.map_or(Found::Missing, Found::Whole)
    }

    async fn has_blob(&self, _: &Repository, blob: &oci::Descriptor) -> Found<()> {
        let there = self.with(|content| content.blobs.contains_key(&blob.digest));
        if there { Found::Whole(()) } else { Found::Missing }
    }

    async fn read_through(&self, repository: &Repository, blob: &oci::Descriptor) -> Found<()> {
        self.has_blob(repository, blob).await
    }

    async fn deletes(&self, _: &Repository) -> Result<Deletes, TargetError> {
        Ok(Deletes::Tags)
    }

    async fn remove(&self, _: &Repository, tag: &Tag) -> Result<(), TargetError> {
        if let Some(error) = self.before("delete", tag.as_str()) {
            return Err(error);
        }
        self.with(|content| {
            content.writes.push(format!("delete {tag}"));
            if let Some(digest) = content.tags.remove(tag)
                && content.takes_along
            {
                content.manifests.remove(&digest);
                content.tags.retain(|_, at| *at != digest);
            }
        });
        Ok(())
    }

    async fn remove_digest(&self, _: &Repository, digest: Digest) -> Result<(), TargetError> {
        if let Some(error) = self.before("delete", &digest.to_string()) {
            return Err(error);
        }
        self.with(|content| {
            content.writes.push(format!("delete {digest}"));
            content.manifests.remove(&digest);
            content.tags.retain(|_, at| *at != digest);
        });
        Ok(())
    }

    async fn sweep(&self) -> Result<u64, TargetError> {
        Ok(0)
    }
}
