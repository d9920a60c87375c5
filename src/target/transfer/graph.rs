//! What there is to carry: images, all that they name, and all that refers to any of it.

use super::super::oci::{self, Descriptor, ImageManifest, Index};
use super::super::place::Store;
use super::super::{Place, Presence, RawManifest, Reference, Target, TargetError};
use super::{fallback_tag, unfit};
use crate::domain::{Digest, Repository, Tag};
use crate::target::images::required;
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::BTreeMap;

/// Something that is carried: what has this digest in this repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Root {
    /// Where it is.
    pub repository: Repository,
    /// Its digest.
    pub digest: Digest,
}

/// One manifest or index.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) repository: Repository,
    pub(super) raw: RawManifest,
    /// What it names beside manifests.
    pub(super) blobs: Vec<Descriptor>,
    children: Vec<Digest>,
    /// Whose it is, where it refers to another one.
    subject: Option<Digest>,
    /// 0 for what names no manifest; else one more than the highest that it names or refers to.
    pub(super) level: usize,
}

/// All that is carried.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: BTreeMap<Digest, Node>,
    /// For each digest, the descriptors of what refers to it.
    pub(super) listed: BTreeMap<Digest, Vec<Value>>,
    /// For each digest, the list that stands under its fallback tag.
    pub(super) lists: BTreeMap<Digest, RawManifest>,
    /// Tags by which signatures are found.
    pub(super) tags: BTreeMap<Tag, Digest>,
}

/// What refers to one digest.
struct Referrers {
    repository: Repository,
    digest: Digest,
    listed: Vec<Value>,
    list: Option<RawManifest>,
    tags: Vec<(Tag, Digest)>,
}

impl Graph {
    /// The images of `roots` with all that they name, and not yet what refers to any of it.
    pub(super) async fn read(place: &Place, roots: &[Root]) -> Result<Self, TargetError> {
        let mut graph = Self::default();
        let roots = roots
            .iter()
            .map(|root| (root.digest, root.repository.clone()))
            .collect();
        graph.add(place, roots, |_| false).await?;
        Ok(graph)
    }

    /// All that refers to anything of it, with all that this names, and what refers to that in turn.
    pub(super) async fn referring(&self, place: &Place) -> Result<Self, TargetError> {
        let mut more = Self::default();
        let whose = |nodes: &BTreeMap<Digest, Node>| -> Vec<(Repository, Digest)> {
            nodes
                .iter()
                .map(|(digest, node)| (node.repository.clone(), *digest))
                .collect()
        };
        let mut asked = whose(&self.nodes);
        while !asked.is_empty() {
            let found = asked
                .into_iter()
                .map(|(repository, digest)| all_referrers(place, repository, digest));
            let mut frontier = BTreeMap::new();
            for found in try_join_all(found).await? {
                let referring = found.listed.iter().filter_map(digest_of);
                let tagged = found.tags.iter().map(|(_, digest)| *digest);
                frontier.extend(
                    referring
                        .chain(tagged)
                        .map(|next| (next, found.repository.clone())),
                );
                if !found.listed.is_empty() {
                    more.listed.insert(found.digest, found.listed);
                }
                more.lists.extend(found.list.map(|list| (found.digest, list)));
                more.tags.extend(found.tags);
            }
            let mut new = Self::default();
            let known = |digest: &Digest| self.nodes.contains_key(digest) || more.nodes.contains_key(digest);
            new.add(place, frontier, known).await?;
            asked = whose(&new.nodes);
            more.nodes.extend(new.nodes);
        }
        Ok(more)
    }

    /// Both together.
    pub(super) fn with(mut self, more: Self) -> Self {
        self.nodes.extend(more.nodes);
        self.listed.extend(more.listed);
        self.lists.extend(more.lists);
        self.tags.extend(more.tags);
        self.level();
        self
    }

    /// Reads these, and all that they name; not what is known.
    async fn add(
        &mut self,
        place: &Place,
        mut frontier: BTreeMap<Digest, Repository>,
        known: impl Fn(&Digest) -> bool,
    ) -> Result<(), TargetError> {
        loop {
            frontier.retain(|digest, _| !known(digest) && !self.nodes.contains_key(digest));
            if frontier.is_empty() {
                return Ok(());
            }
            let read = frontier.iter().map(|(digest, repository)| async move {
                node(repository, required(place, repository, *digest).await?)
            });
            let read = try_join_all(read).await?;
            frontier.clear();
            for node in read {
                let children = node.children.iter();
                frontier.extend(children.map(|child| (*child, node.repository.clone())));
                self.nodes.insert(node.raw.digest, node);
            }
        }
    }

    /// How many things refer to images.
    pub(super) fn referrers(&self) -> usize {
        let listed = self.listed.values().flatten().filter_map(digest_of);
        let all: std::collections::BTreeSet<_> = listed.chain(self.tags.values().copied()).collect();
        all.len()
    }

    /// Puts everything above what it names, and above what it refers to.
    fn level(&mut self) {
        // No digest can be made to name itself, so this ends: each round lifts by one what stands too low.
        for _ in 0..=self.nodes.len() {
            let levels: BTreeMap<Digest, usize> = self
                .nodes
                .iter()
                .map(|(digest, node)| (*digest, node.level))
                .collect();
            let mut lifted = false;
            for node in self.nodes.values_mut() {
                let below = node.children.iter().chain(&node.subject);
                let level = below.filter_map(|digest| levels.get(digest)).max();
                let level = level.map_or(0, |level| level + 1);
                lifted |= level > node.level;
                node.level = node.level.max(level);
            }
            if !lifted {
                break;
            }
        }
    }
}

pub(super) fn digest_of(descriptor: &Value) -> Option<Digest> {
    descriptor.get("digest")?.as_str()?.parse().ok()
}

async fn all_referrers(
    place: &Place,
    repository: Repository,
    digest: Digest,
) -> Result<Referrers, TargetError> {
    let ((listed, list), tags) = tokio::try_join!(
        referrers(place, &repository, digest),
        tagged(place, &repository, digest),
    )?;
    Ok(Referrers {
        repository,
        digest,
        listed,
        list,
        tags,
    })
}

fn node(repository: &Repository, raw: RawManifest) -> Result<Node, TargetError> {
    let wrong = |error: serde_json::Error| unfit(repository, raw.digest, format!("not a manifest: {error}"));
    let (blobs, children) = if oci::is_index(&raw.media_type) {
        let index: Index = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
        (
            Vec::new(),
            index.manifests.into_iter().map(|child| child.digest).collect(),
        )
    } else {
        let manifest: ImageManifest = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
        // What is to be had elsewhere is not in the repository.
        let here = |blob: &Descriptor| {
            !blob.media_type.contains(".nondistributable.") && !blob.media_type.contains(".foreign.")
        };
        let blobs = std::iter::once(manifest.config).chain(manifest.layers);
        (blobs.filter(here).collect(), Vec::new())
    };
    let body: Value = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
    let subject = body.get("subject").and_then(digest_of);
    Ok(Node {
        repository: repository.clone(),
        raw,
        blobs,
        children,
        subject,
        level: 0,
    })
}

/// What refers to `digest`: as the registry lists it, and as it stands under the fallback tag. A registry that has come to keep lists may still
/// have older ones under tags.
pub(super) async fn referrers(
    place: &Place,
    repository: &Repository,
    digest: Digest,
) -> Result<(Vec<Value>, Option<RawManifest>), TargetError> {
    let mut listed = match place.store_of(repository) {
        Store::Registry(registry) => registry.referrers(repository, &digest).await?.unwrap_or_default(),
        Store::Layout(_) => Vec::new(),
    };
    let list = match place
        .manifest(repository, &Reference::from(&fallback_tag(&digest)))
        .await
    {
        Presence::Present(list) => Some(list),
        Presence::Absent => None,
        Presence::Unknown(error) => return Err(error),
    };
    // Cosign before 2.2 put signatures under no such tag, and other programs may put anything there.
    let list = list.filter(|list| oci::is_index(&list.media_type));
    let body = list
        .as_ref()
        .and_then(|list| serde_json::from_slice::<Value>(&list.bytes).ok());
    let entries = body.as_ref().and_then(|body| body.get("manifests")?.as_array());
    for entry in entries.into_iter().flatten() {
        if digest_of(entry).is_some() && listed.iter().all(|known| digest_of(known) != digest_of(entry)) {
            listed.push(entry.clone());
        }
    }
    Ok((listed, list))
}

/// Where cosign before 3.0 keeps signatures, attestations and SBOMs of a digest.
#[must_use]
pub fn sidecars(digest: &Digest) -> [Tag; 3] {
    let fallback = fallback_tag(digest);
    [".sig", ".att", ".sbom"].map(|end| fallback.with_end(end))
}

pub(super) async fn tagged(
    place: &Place,
    repository: &Repository,
    digest: Digest,
) -> Result<Vec<(Tag, Digest)>, TargetError> {
    let found = sidecars(&digest).map(|tag| async move {
        match place.resolve(repository, &Reference::from(&tag)).await {
            Presence::Present(found) => Ok(Some((tag, found))),
            Presence::Absent => Ok(None),
            Presence::Unknown(error) => Err(error),
        }
    });
    Ok(try_join_all(found).await?.into_iter().flatten().collect())
}
