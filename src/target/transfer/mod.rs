//! Carrying images from one place to another, byte for byte: with attestations, and with all that refers to them (signatures, SBOMs). Between
//! registries, and between a registry and a layout.
//!
//! Content comes first, children before what names them, and the tags that only serve to find it last. What is there already is left as it is, so
//! a run that was cut off is gone on with. No blob is ever in memory as a whole.

mod graph;
mod referring;

pub use graph::{Root, sidecars};
pub use referring::{Referring, fallback_tag, is_signed, referring};

use super::images::required;
use super::oci::{self, Descriptor};
use super::place::Store;
use super::{FailureClass, Place, Presence, RawManifest, Reference, Target, TargetError};
use crate::domain::{Digest, Repository, Tag};
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::BoxStream;
use graph::{Graph, Node};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::Semaphore;

/// Blobs that are copied at the same time. More do not make it quicker, for one connection each fills a line; each holds some pieces in memory.
const COPIES: usize = 4;

/// The bytes of a blob, in pieces.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// How a blob came to be where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was there.
    There,
    /// The registry took it over from another of its repositories.
    Mounted,
    /// Its bytes were sent.
    Copied,
}

/// What was carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Manifests and indexes that were put.
    pub manifests: usize,
    /// Blobs that the registry took over from another of its repositories.
    pub mounted: usize,
    /// Blobs whose bytes were sent.
    pub copied: usize,
    /// How many bytes that were.
    pub bytes: u64,
    /// Signatures and other things that refer to the images, there before or not.
    pub referrers: usize,
}

/// Brings `roots` with all that they name, and all that refers to them, into the repository `to` of `place`. Nothing but the tags by which
/// referrers and signatures are found is written as a tag. What was carried, and every manifest and index of it.
///
/// # Errors
/// Something of it could not be read, or could not be stored.
pub async fn carry(
    from: &Place,
    roots: &[Root],
    place: &Place,
    to: &Repository,
) -> Result<(Carried, Vec<RawManifest>), TargetError> {
    let images = Graph::read(from, roots).await?;
    let carrier = Carrier {
        from,
        place,
        to,
        copies: Semaphore::new(COPIES),
    };
    let (carried, graph) = carrier.all(images).await?;
    let manifests = graph.nodes.into_values().map(|node| node.raw);
    Ok((carried, manifests.collect()))
}

struct Carrier<'a> {
    from: &'a Place,
    place: &'a Place,
    to: &'a Repository,
    copies: Semaphore,
}

/// Manifests whose blobs are there now.
struct Content {
    carried: Carried,
    /// Those that were not there, and are not yet.
    absent: BTreeSet<Digest>,
}

impl Carried {
    /// Both together.
    #[must_use]
    pub const fn and(&self, more: &Self) -> Self {
        Self {
            manifests: self.manifests + more.manifests,
            mounted: self.mounted + more.mounted,
            copied: self.copied + more.copied,
            bytes: self.bytes.saturating_add(more.bytes),
            referrers: if self.referrers > more.referrers {
                self.referrers
            } else {
                more.referrers
            },
        }
    }
}

/// Puts each tag that is not there on what has this digest in the same repository, which is not read again where it is among `known`. What stands
/// there already is that place's own and stays.
///
/// # Errors
/// It could not be read, or not be written.
pub async fn put_absent(
    place: &Place,
    repository: &Repository,
    tags: &[(Tag, Digest)],
    known: &[RawManifest],
) -> Result<(), TargetError> {
    let known: BTreeMap<Digest, &RawManifest> = known.iter().map(|raw| (raw.digest, raw)).collect();
    let known = &known;
    let absent = tags.iter().map(|(tag, digest)| async move {
        match place.resolve(repository, &Reference::from(tag)).await {
            Presence::Present(_) => Ok(None),
            Presence::Absent => Ok(Some(match known.get(digest) {
                Some(raw) => (tag, (*raw).clone()),
                None => (tag, required(place, repository, *digest).await?),
            })),
            Presence::Unknown(error) => Err(error),
        }
    });
    let absent: Vec<_> = try_join_all(absent).await?.into_iter().flatten().collect();
    // Indexes last: docker-registry 2.8 writes down anew that a manifest is there whenever it is put, and whoever puts an index that names it in that
    // very moment is told that it is not.
    for indexes in [false, true] {
        let puts = absent
            .iter()
            .filter(|(_, raw)| oci::is_index(&raw.media_type) == indexes)
            .map(|(tag, raw)| place.put_manifest_if(repository, tag, raw, None));
        try_join_all(puts).await?;
    }
    Ok(())
}

impl Carrier<'_> {
    /// Copies the blobs of these that are not there.
    async fn content<'n>(&self, nodes: impl Iterator<Item = &'n Node>) -> Result<Content, TargetError> {
        let absent = try_join_all(nodes.map(|node| self.is_absent(node))).await?;
        let absent: Vec<&Node> = absent.into_iter().flatten().collect();
        // A registry takes a manifest only once all that it names is there; so what is named by one that is there needs no look.
        let mut blobs: BTreeMap<Digest, (&Repository, &Descriptor)> = BTreeMap::new();
        for node in &absent {
            blobs.extend(
                node.blobs
                    .iter()
                    .map(|blob| (blob.digest, (&node.repository, blob))),
            );
        }
        let mut blobs: Vec<_> = blobs.into_values().collect();
        // The longest first: whatever comes last then is short.
        blobs.sort_by_key(|(_, blob)| std::cmp::Reverse(blob.size));
        let mut carried = Carried {
            manifests: absent.len(),
            ..Carried::default()
        };
        let brought = blobs.iter().map(|(from, blob)| self.blob(from, blob));
        for (how, (_, blob)) in try_join_all(brought).await?.into_iter().zip(&blobs) {
            match how {
                How::There => {}
                How::Mounted => carried.mounted += 1,
                How::Copied => {
                    carried.copied += 1;
                    carried.bytes = carried.bytes.saturating_add(blob.size);
                }
            }
        }
        Ok(Content {
            carried,
            absent: absent.iter().map(|node| node.raw.digest).collect(),
        })
    }

    /// What refers to the images is looked for while their blobs are on the way, for that takes longest.
    async fn all(&self, images: Graph) -> Result<(Carried, Graph), TargetError> {
        let (first, more) =
            tokio::try_join!(self.content(images.nodes.values()), images.referring(self.from))?;
        let rest = self.content(more.nodes.values()).await?;
        let graph = images.with(more);
        let mut carried = first.carried.and(&rest.carried);
        carried.referrers = graph.referrers();
        let is_absent =
            |node: &&Node| first.absent.contains(&node.raw.digest) || rest.absent.contains(&node.raw.digest);
        let absent: Vec<&Node> = graph.nodes.values().filter(is_absent).collect();
        let levels: BTreeSet<usize> = absent.iter().map(|node| node.level).collect();
        let mut noticed = BTreeSet::new();
        for level in levels {
            let puts = absent.iter().filter(|node| node.level == level);
            let puts = puts.map(|node| async move {
                let seen = self.put_by_digest(&node.raw).await?;
                Ok::<_, TargetError>(seen.then_some(node.raw.digest))
            });
            noticed.extend(try_join_all(puts).await?.into_iter().flatten());
        }
        self.refer(&graph, &noticed).await?;
        for (tag, digest) in &graph.tags {
            if let Some(node) = graph.nodes.get(digest) {
                self.tag(tag, &node.raw).await?;
            }
        }
        Ok((carried, graph))
    }

    async fn is_absent<'n>(&self, node: &'n Node) -> Result<Option<&'n Node>, TargetError> {
        let reference = Reference::from(node.raw.digest);
        match self.place.resolve(self.to, &reference).await {
            Presence::Present(_) => Ok(None),
            Presence::Absent => Ok(Some(node)),
            Presence::Unknown(error) => Err(error),
        }
    }

    async fn blob(&self, from: &Repository, blob: &Descriptor) -> Result<How, TargetError> {
        let _permit = self.copies.acquire().await;
        let source = self.from.store_of(from);
        let open = || async move {
            match source {
                Store::Registry(registry) => registry.open_blob(from, blob).await,
                Store::Layout(layout) => layout.open_blob(blob).await,
            }
        };
        match (source, self.place.store_of(self.to)) {
            (source, Store::Registry(registry)) => {
                let near = matches!(source, Store::Registry(_)) && from.host() == self.to.host();
                registry
                    .carry_blob(self.to, blob, near.then_some(from), open)
                    .await
            }
            (_, Store::Layout(layout)) if layout.holds_blob(blob).await? => Ok(How::There),
            (Store::Registry(registry), Store::Layout(layout)) => {
                registry
                    .trying(|| async { layout.take_blob(blob, open().await?).await })
                    .await
            }
            (Store::Layout(_), Store::Layout(layout)) => layout.take_blob(blob, open().await?).await,
        }
    }

    /// Whether the registry took note of its subject by itself.
    async fn put_by_digest(&self, manifest: &RawManifest) -> Result<bool, TargetError> {
        match self.place.store_of(self.to) {
            Store::Registry(registry) => registry.put_by_digest(self.to, manifest).await,
            Store::Layout(layout) => layout.put_by_digest(manifest).await.map(|()| false),
        }
    }

    /// Puts a tag by which something is found, where it is not there yet.
    async fn tag(&self, tag: &Tag, manifest: &RawManifest) -> Result<(), TargetError> {
        let seen = match self.place.resolve(self.to, &Reference::from(tag)).await {
            Presence::Present(digest) if digest == manifest.digest => return Ok(()),
            Presence::Present(digest) => Some(digest),
            Presence::Absent => None,
            Presence::Unknown(error) => return Err(error),
        };
        self.place.put_manifest_if(self.to, tag, manifest, seen).await
    }
}

/// What is not as it must be in what is carried.
fn unfit(repository: &Repository, digest: Digest, reason: impl std::fmt::Display) -> TargetError {
    TargetError {
        attempted: format!("read `{digest}` of `{repository}`"),
        reason: reason.to_string(),
        status: None,
        codes: Vec::new(),
        class: FailureClass::Permanent,
        retry_after: None,
        hints: vec!["see who wrote it: splitbase copies images, indexes and what refers to them".to_owned()],
        write: false,
    }
}
