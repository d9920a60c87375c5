//! A registry, over the OCI distribution specification 1.1. Why it is our own client: `docs/decisions/registry-client.md`.

mod auth;
mod blob;
mod carry;
mod challenge;
mod copy;
mod delete;
mod exchange;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod http;
mod hub;
mod layer;
mod pages;
mod pipe;
mod presence;
mod push;
mod reach;
mod retry;
mod tags;
#[cfg(test)]
mod tests;
mod time;
mod upkeep;

pub use hub::{Descriptions, HUB, Hub};
pub use reach::Reached;
pub use retry::{Observer, RetryNotice};

use crate::config::Retry;
use crate::credentials::Credentials;
use crate::domain::{Digest, Repository};
use crate::pace::Pace;
use crate::target::{Presence, RawManifest, Reference, Target, TargetError, oci};
use auth::Auth;
use bytes::Bytes;
use http::Http;
use push::Before;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// How a [`Registry`] behaves. The defaults serve; tests make them shorter.
#[derive(Debug, Clone)]
pub struct Options {
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time without a byte from the server.
    pub idle_timeout: Duration,
    /// Longest time for the whole of a request, beside what its bytes take (see `exchange::SLOWEST`).
    pub request_timeout: Duration,
    /// How long to wait for a tag that was written to read as what was written.
    pub read_back: Duration,
    /// Most requests at the same time.
    pub parallel: usize,
    /// Never open an upload, not even to find out whether this account may push: what is denied then stays unknown.
    pub read_only: bool,
    /// Hosts (`HOST[:PORT]`) that are spoken to without TLS, besides those on this machine.
    pub plain_http: Vec<String>,
    /// What all requests of the run share.
    pub pace: Pace,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
            read_back: Duration::from_secs(10),
            parallel: 16,
            read_only: false,
            plain_http: Vec::new(),
            pace: Pace::default(),
        }
    }
}

/// All registries that a run talks to. Cheap to clone: clones share connections, tokens and what was learnt.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    http: Http,
    auth: Auth,
    retry: Retry,
    observer: Observer,
    options: Options,
    /// Outcome of the push probe of each repository.
    pushable: OnceMap<Repository, bool>,
    /// Blobs that were brought to a repository from another one.
    brought: OnceMap<(Repository, Digest), ()>,
    copies: Semaphore,
    /// Uncompressed size of each layer.
    sizes: OnceMap<Digest, u64>,
    /// What time each host told last, and when.
    heard: Mutex<HashMap<String, (jiff::Timestamp, tokio::time::Instant)>>,
}

/// Values that are found out once; whoever else asks meanwhile waits. Failures are not kept.
type OnceMap<K, V> = Mutex<HashMap<K, Arc<OnceCell<V>>>>;

fn once<K: std::hash::Hash + Eq, V>(map: &OnceMap<K, V>, key: K) -> Arc<OnceCell<V>> {
    let mut map = map.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Arc::clone(map.entry(key).or_default())
}

impl Registry {
    /// A client that retries by `retry`, and tells `observer` of each retry. Does no I/O yet.
    pub fn new(retry: Retry, credentials: Credentials, observer: Observer) -> Self {
        Self::with_options(retry, credentials, observer, Options::default())
    }

    /// As [`Registry::new`], with other limits.
    pub fn with_options(
        retry: Retry,
        credentials: Credentials,
        observer: Observer,
        options: Options,
    ) -> Self {
        Self(Arc::new(Inner {
            http: Http::new(options.clone()),
            auth: Auth::new(credentials, options.request_timeout),
            retry,
            observer,
            options,
            pushable: Mutex::default(),
            brought: Mutex::default(),
            copies: Semaphore::new(copy::COPIES),
            sizes: Mutex::default(),
            heard: Mutex::default(),
        }))
    }

    /// Whether this account may push to the repository: whether it can open an upload, which is cancelled at once. Asked once per
    /// repository and run.
    ///
    /// # Errors
    /// It could not be found out.
    pub async fn may_push(&self, repository: &Repository) -> Result<bool, TargetError> {
        if self.0.options.read_only {
            return Ok(false);
        }
        once(&self.0.pushable, repository.clone())
            .get_or_try_init(|| self.probe_push(repository))
            .await
            .copied()
    }
}

/// For `doctor`, which wants to know more than yes and no.
impl Registry {
    /// Opens an upload and cancels it.
    ///
    /// # Errors
    /// The registry does not let this account, or could not be asked.
    pub async fn try_push(&self, repository: &Repository) -> Result<(), TargetError> {
        self.open_and_cancel(repository).await
    }

    /// Asks for the tags of a repository: whether the registry answers, and whether this account may read.
    ///
    /// # Errors
    /// The registry did not answer, or is in trouble itself.
    pub async fn reach(&self, repository: &Repository) -> Result<Reached, TargetError> {
        self.ask_for_tags(repository).await
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

impl Target for Registry {
    async fn resolve(&self, repository: &Repository, reference: &Reference) -> Presence<Digest> {
        self.find_digest(repository, reference).await
    }

    async fn manifest(&self, repository: &Repository, reference: &Reference) -> Presence<RawManifest> {
        self.find_manifest(repository, reference).await
    }

    async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes, TargetError> {
        self.read_blob(repository, digest, limit).await
    }

    async fn uncompressed_size(
        &self,
        repository: &Repository,
        layer: &oci::Descriptor,
    ) -> Result<u64, TargetError> {
        once(&self.0.sizes, layer.digest)
            .get_or_try_init(|| self.measure(repository, layer))
            .await
            .copied()
    }

    async fn put_blob(&self, repository: &Repository, bytes: Bytes) -> Result<Digest, TargetError> {
        self.upload(repository, bytes).await
    }

    async fn copy_content(
        &self,
        from: &Repository,
        to: &Repository,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        self.copy(from, to, manifest).await
    }

    async fn put_manifest(
        &self,
        repository: &Repository,
        tag: &crate::domain::Tag,
        manifest: &RawManifest,
    ) -> Result<(), TargetError> {
        self.write_tag(repository, tag, manifest, Before::Unknown).await
    }

    async fn put_manifest_if(
        &self,
        repository: &Repository,
        tag: &crate::domain::Tag,
        manifest: &RawManifest,
        seen: Option<Digest>,
    ) -> Result<(), TargetError> {
        self.write_tag(repository, tag, manifest, Before::Was(seen)).await
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<crate::domain::Tag>, TargetError> {
        self.list_tags(repository).await
    }

    async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &crate::domain::Tag,
        seen: Digest,
    ) -> Result<bool, TargetError> {
        self.remove_tag(repository, tag, seen).await
    }

    fn time(&self, repository: &Repository) -> jiff::Timestamp {
        self.told_time(repository).unwrap_or_else(crate::clock::now)
    }
}
