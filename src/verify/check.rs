//! Walks from the record to tags, indexes, manifests and blobs, side by side. Each digest of a repository is looked at once.

use crate::config::Family;
use crate::domain::{Digest, Identity, IdentityTags, ImageId, PublicTag, Repository, Tag};
use crate::record::{Record, RecordImage, RecordState};
use crate::target::oci::{self, Descriptor, ImageManifest, Index};
use crate::target::upkeep::{Found, Upkeep};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Requests at the same time; with as many pieces of a layer in memory when all of it is read.
const AT_ONCE: usize = 8;
/// Indexes in indexes are followed this deep.
const DEPTH: usize = 4;

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is not there.
    Missing,
    /// It is there, and is not what it must be.
    Damaged,
    /// A tag points at something else.
    Misplaced,
    /// It could not be found out.
    Unknown,
}

/// Something that is not as the record says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The image that it is of.
    pub image: ImageId,
    /// What it is: a tag, or a digest with what it is.
    pub what: String,
    /// What kind of trouble.
    pub kind: Kind,
    /// What was found, in one line.
    pub detail: String,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Release tags, aliases and receipts.
    pub tags: usize,
    /// Indexes and manifests, those of attestations too.
    pub manifests: usize,
    /// Configs and layers.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Signatures that the family asks for.
    pub signatures: usize,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What was looked at.
    pub checked: Checked,
    /// What is not as it must be, in order.
    pub findings: Vec<Finding>,
}

/// Looks whether all that `record` names is there. `newest` is the family's newest record: it knows which aliases this release must hold now. With
/// `deep` every byte is read. `one_place`: all repositories are one folder.
pub async fn verify<T: Upkeep>(
    target: &T,
    family: &Family,
    record: &Record,
    newest: &Record,
    deep: bool,
    one_place: bool,
) -> Verified {
    let walk = Walk {
        target,
        home: &family.repository,
        work: if one_place {
            &family.repository
        } else {
            family.work()
        },
        one_place,
        deep,
        seen: Mutex::default(),
        found: Mutex::new(Verified {
            checked: Checked::default(),
            findings: Vec::new(),
        }),
    };
    let mut tags: Vec<(&RecordImage, Repository, Tag, Vec<Digest>)> = Vec::new();
    let mut roots: Vec<(&RecordImage, Repository, Digest)> = Vec::new();
    for image in &record.images {
        let Some(digest) = image.digest else {
            walk.note(
                image,
                "its index".to_owned(),
                Kind::Missing,
                "the record lacks its digest".to_owned(),
            );
            continue;
        };
        let public = image.tags.iter().map(|tag| (tag, vec![digest]));
        let held = aliases(record, newest, image);
        let mut places = BTreeSet::from([walk.work.clone()]);
        for (tag, may) in public.chain(held.iter().map(|(alias, may)| (*alias, may.clone()))) {
            let repository = walk.place(tag);
            places.insert(repository.clone());
            tags.push((image, repository, tag.tag().clone(), may));
        }
        for platform in &image.platforms {
            if let Some(receipt) = &platform.receipt {
                tags.push((image, walk.work.clone(), receipt.clone(), vec![platform.digest]));
            }
        }
        roots.extend(places.into_iter().map(|place| (image, place, digest)));
    }
    let tags = stream::iter(tags).map(|(image, repository, tag, may)| walk.tag(image, repository, tag, may));
    tags.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    // Breadth first: what one level names is asked for side by side, and nothing twice.
    let mut open: Vec<Job<'_>> = roots
        .into_iter()
        .map(|(image, repository, digest)| Job {
            image,
            repository,
            what: Piece::Manifest { digest, root: true },
        })
        .collect();
    for _ in 0..=DEPTH + 1 {
        open.retain(|job| walk.first_time(job));
        let next = stream::iter(std::mem::take(&mut open)).map(|job| walk.look(job));
        let next: Vec<Vec<Job<'_>>> = next.buffer_unordered(AT_ONCE).collect().await;
        open = next.into_iter().flatten().collect();
        if open.is_empty() {
            break;
        }
    }
    for job in open {
        let what = job.what.digest().to_string();
        let detail = "indexes in indexes are not followed so deep".to_owned();
        walk.note(job.image, what, Kind::Unknown, detail);
    }
    let mut verified = walk.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    verified.findings.sort();
    verified.findings.dedup();
    verified
}

/// The aliases of an image that this release must hold now, each with the digests that it may be at: one, but two while it is being moved.
fn aliases<'a>(
    record: &'a Record,
    newest: &'a Record,
    image: &'a RecordImage,
) -> Vec<(&'a PublicTag, Vec<Digest>)> {
    let held = |alias: &&PublicTag| {
        let point = newest.points.get(*alias);
        point.is_some_and(|point| point.version == record.version)
    };
    let may = |alias: &'a PublicTag| {
        let mut may = vec![newest.points.get(alias).map(|point| point.digest)];
        if newest.state == RecordState::Publishing {
            let moving = newest.aliases.iter().find(|moved| moved.alias == *alias);
            may.extend(moving.map(|moved| moved.new));
        }
        (alias, may.into_iter().flatten().collect())
    };
    image.aliases.iter().filter(held).map(may).collect()
}

/// What is looked at.
#[derive(Debug, Clone)]
enum Piece {
    Manifest { digest: Digest, root: bool },
    Blob(Descriptor),
}

impl Piece {
    const fn digest(&self) -> Digest {
        match self {
            Self::Manifest { digest, .. } => *digest,
            Self::Blob(blob) => blob.digest,
        }
    }
}

struct Job<'a> {
    image: &'a RecordImage,
    repository: Repository,
    what: Piece,
}

struct Walk<'a, T> {
    target: &'a T,
    home: &'a Repository,
    work: &'a Repository,
    one_place: bool,
    deep: bool,
    seen: Mutex<BTreeSet<(Repository, Digest)>>,
    found: Mutex<Verified>,
}

impl<T: Upkeep> Walk<'_, T> {
    fn place(&self, tag: &PublicTag) -> Repository {
        if self.one_place {
            self.home.clone()
        } else {
            tag.repository(self.home).clone()
        }
    }

    fn first_time(&self, job: &Job<'_>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((job.repository.clone(), job.what.digest()))
    }

    fn count(&self, count: impl FnOnce(&mut Checked)) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut found.checked);
    }

    fn note(&self, image: &RecordImage, what: String, kind: Kind, detail: String) {
        let finding = Finding {
            image: image.image.clone(),
            what,
            kind,
            detail,
        };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.findings.push(finding);
    }

    /// What was found, where it is whole; what is wrong with it is noted.
    fn whole<V>(&self, job: &Job<'_>, what: &str, found: Found<V>) -> Option<V> {
        let digest = job.what.digest();
        let named = if self.one_place {
            format!("{what} {digest}")
        } else {
            format!("{what} {}", job.repository.with_digest(&digest))
        };
        let (kind, detail) = match found {
            Found::Whole(value) => return Some(value),
            Found::Missing => (Kind::Missing, "it is not there".to_owned()),
            Found::Damaged(reason) => (Kind::Damaged, reason),
            Found::Unknown(error) => (Kind::Unknown, error.to_string()),
        };
        self.note(job.image, named, kind, detail);
        None
    }

    async fn tag(&self, image: &RecordImage, repository: Repository, tag: Tag, may: Vec<Digest>) {
        self.count(|checked| checked.tags += 1);
        let shown = if repository == *self.home {
            tag.to_string()
        } else {
            repository.with_tag(&tag)
        };
        let should = may.first().map(ToString::to_string).unwrap_or_default();
        let (kind, detail) = match self.target.pointed(&repository, &tag).await {
            Found::Whole(digest) if may.contains(&digest) => return,
            Found::Whole(digest) => (
                Kind::Misplaced,
                format!("it is at {digest}, and should be at {should}"),
            ),
            Found::Missing => (
                Kind::Missing,
                format!("there is no such tag; it should be at {should}"),
            ),
            Found::Damaged(reason) => (Kind::Damaged, reason),
            Found::Unknown(error) => (Kind::Unknown, error.to_string()),
        };
        self.note(image, shown, kind, detail);
    }

    /// Looks at one piece; gives what it names.
    async fn look<'j>(&self, job: Job<'j>) -> Vec<Job<'j>> {
        let next = |what: Piece| Job {
            image: job.image,
            repository: job.repository.clone(),
            what,
        };
        match &job.what {
            Piece::Blob(blob) => {
                self.count(|checked| {
                    checked.blobs += 1;
                    checked.bytes = checked.bytes.saturating_add(blob.size);
                });
                let found = if self.deep {
                    self.target.read_through(&job.repository, blob).await
                } else {
                    self.target.has_blob(&job.repository, blob).await
                };
                self.whole(&job, "blob", found);
                Vec::new()
            }
            Piece::Manifest { digest, root } => {
                self.count(|checked| checked.manifests += 1);
                let found = self.target.stored(&job.repository, *digest).await;
                let Some(raw) = self.whole(&job, "manifest", found) else {
                    return Vec::new();
                };
                let parsed = if oci::is_index(&raw.media_type) {
                    serde_json::from_slice::<Index>(&raw.bytes).map(|index| {
                        if *root {
                            self.check_index(&job, &index);
                        }
                        let children = index.manifests.iter().map(|child| Piece::Manifest {
                            digest: child.digest,
                            root: false,
                        });
                        children.map(next).collect()
                    })
                } else {
                    serde_json::from_slice::<ImageManifest>(&raw.bytes).map(|image| {
                        let blobs = std::iter::once(image.config).chain(image.layers);
                        blobs
                            .filter(oci::is_stored)
                            .map(|blob| next(Piece::Blob(blob)))
                            .collect()
                    })
                };
                parsed.unwrap_or_else(|error| {
                    let reason = format!("it is not a {}: {error}", raw.media_type);
                    self.whole::<()>(&job, "manifest", Found::Damaged(reason));
                    Vec::new()
                })
            }
        }
    }

    /// The index of an image must be of its identity, and have the platform images that the record names.
    fn check_index(&self, job: &Job<'_>, index: &Index) {
        let image = job.image;
        let mut held = BTreeMap::new();
        for child in &index.manifests {
            if let Some(platform) = child.image_platform() {
                held.insert(platform, child.digest);
            }
        }
        for platform in &image.platforms {
            let detail = match held.get(&platform.platform) {
                Some(digest) if *digest == platform.digest => continue,
                Some(digest) => format!(
                    "the index has {digest} for it, and the record {}",
                    platform.digest
                ),
                None => "the index has nothing for it".to_owned(),
            };
            self.note(image, platform.platform.to_string(), Kind::Damaged, detail);
        }
        let stated = index.annotations.get(oci::IDENTITY);
        if let Some(other) = stated.filter(|stated| stated.parse::<Identity>().ok() != Some(image.identity)) {
            let tag = IdentityTags::new(&image.image, &image.identity).index();
            let detail = format!(
                "the index says that it is of the identity {other}, and not {}",
                image.identity
            );
            self.note(image, tag.to_string(), Kind::Damaged, detail);
        }
    }
}
