//! Letting what refers to an image be found: by the registry's own lists, or by the fallback tag where it keeps none (OCI distribution
//! specification 1.1, "Referrers Tag Schema").

use super::super::images::required;
use super::super::oci;
use super::super::place::Store;
use super::super::{Place, Presence, RawManifest, Reference, Target, TargetError};
use super::graph::{self, Graph, digest_of};
use super::{Carrier, unfit};
use crate::domain::{Digest, Repository, Tag};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `sha256-<64 hex>`: the list of what refers to a digest, on registries that keep none themselves.
#[must_use]
pub fn fallback_tag(digest: &Digest) -> Tag {
    Tag::of_digest(digest)
}

/// What refers to a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referring {
    /// The tags that exist only for it: the list of what refers to it, and what cosign before 3.0 put beside it. None of it has another use, and
    /// whoever keeps the digest keeps these.
    pub tags: Vec<Tag>,
    /// What refers to it, or stands under one of those tags. Something may refer to each of these in turn.
    pub digests: BTreeSet<Digest>,
}

/// What refers to `digest`: signatures, attestations, SBOMs.
///
/// # Errors
/// It could not be read.
pub async fn referring(
    place: &Place,
    repository: &Repository,
    digest: Digest,
) -> Result<Referring, TargetError> {
    let ((listed, list), tagged) = tokio::try_join!(
        graph::referrers(place, repository, digest),
        graph::tagged(place, repository, digest)
    )?;
    let mut found = Referring {
        tags: list.iter().map(|_| fallback_tag(&digest)).collect(),
        digests: listed.iter().filter_map(digest_of).collect(),
    };
    for (tag, digest) in tagged {
        found.tags.push(tag);
        found.digests.insert(digest);
    }
    Ok(found)
}

/// Whether `digest` bears a signature of cosign, whoever made it: a bundle that refers to it, or one under the tag that cosign before 3.0 used.
///
/// # Errors
/// It could not be read.
pub async fn is_signed(place: &Place, repository: &Repository, digest: Digest) -> Result<bool, TargetError> {
    let found = referring(place, repository, digest).await?;
    let [signature, ..] = graph::sidecars(&digest);
    if found.tags.contains(&signature) {
        return Ok(true);
    }
    for digest in found.digests {
        let manifest = required(place, repository, digest).await?;
        let body: Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
        if is_signature(&body) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a manifest holds a bundle that is a signature of an image and no attestation about it (sigstore, "Cosign bundle specification").
fn is_signature(manifest: &Value) -> bool {
    let layers = manifest.get("layers").and_then(Value::as_array);
    let bundle = layers.into_iter().flatten().any(|layer| {
        let kind = layer.get("mediaType").and_then(Value::as_str);
        kind.is_some_and(|kind| kind.starts_with("application/vnd.dev.sigstore.bundle"))
    });
    let predicate = manifest
        .pointer("/annotations/dev.sigstore.bundle.predicateType")
        .and_then(Value::as_str);
    bundle && predicate.is_none_or(|predicate| predicate == "https://sigstore.dev/cosign/sign/v1")
}

impl Carrier<'_> {
    /// Sees to it that all that refers to something is listed. `noticed` are those of which the registry said that it lists them.
    pub(super) async fn refer(&self, graph: &Graph, noticed: &BTreeSet<Digest>) -> Result<(), TargetError> {
        for (subject, listed) in &graph.listed {
            let open: Vec<&Value> = listed
                .iter()
                .filter(|entry| digest_of(entry).is_some_and(|digest| !noticed.contains(&digest)))
                .collect();
            if open.is_empty() {
                continue;
            }
            let known = match self.place.store_of(self.to) {
                Store::Registry(registry) => registry.referrers(self.to, subject).await?,
                Store::Layout(_) => None,
            };
            let known = known.unwrap_or_default();
            let is_known = |entry: &Value| known.iter().any(|known| digest_of(known) == digest_of(entry));
            if !open.iter().all(|entry| is_known(entry)) {
                self.list(subject, &open, graph.lists.get(subject)).await?;
            }
        }
        Ok(())
    }

    /// Adds to the list under the fallback tag what is not in it. Where there is none, the one that was found at the source serves as it is.
    async fn list(
        &self,
        subject: &Digest,
        entries: &[&Value],
        theirs: Option<&RawManifest>,
    ) -> Result<(), TargetError> {
        let tag = fallback_tag(subject);
        let there = match self.place.manifest(self.to, &Reference::from(&tag)).await {
            Presence::Present(list) => Some(list),
            Presence::Absent => None,
            Presence::Unknown(error) => return Err(error),
        };
        let base = there.as_ref().or(theirs);
        let mut body = match base {
            Some(list) => {
                serde_json::from_slice(&list.bytes).map_err(|error| unfit(self.to, list.digest, error))?
            }
            None => json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": []}),
        };
        let Some(Value::Array(listed)) = body.get_mut("manifests") else {
            let digest = base.map_or(*subject, |list| list.digest);
            return Err(unfit(
                self.to,
                digest,
                format!("what stands under `{tag}` is no list"),
            ));
        };
        let before = listed.len();
        for entry in entries {
            if listed.iter().all(|known| digest_of(known) != digest_of(entry)) {
                listed.push((*entry).clone());
            }
        }
        let list = match base {
            Some(list) if listed.len() == before => list.clone(),
            _ => RawManifest::new(body.to_string()).map_err(|error| unfit(self.to, *subject, error))?,
        };
        self.tag(&tag, &list).await
    }
}
