//! The files of a layout. Everything here blocks.
//!
//! Blobs are named by their digest and never change. `index.json` is replaced as a whole, by one process at a time: whoever writes holds the
//! lock `.splitbase/lock`, which the system takes back when its process ends, however it ends. Readers need no lock.

#![expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]

use super::fault::Fault;
use super::index::IndexFile;
use crate::domain::{Digest, Tag};
use crate::target::oci::{self, Descriptor, ImageManifest, Index};
use crate::target::{RawManifest, Reference};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest manifest or index that is read, in bytes: what registries take.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;
/// Largest `index.json`, in bytes.
const INDEX_LIMIT: u64 = 256 * 1024 * 1024;
/// Indexes in indexes are followed this deep.
const DEPTH: usize = 4;

/// What a folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Folder {
    /// Not there, or empty.
    Nothing,
    /// A layout that was being made when its process was killed.
    Unfinished,
    /// A layout.
    Layout,
    /// Something else, and what.
    Foreign(&'static str),
}

/// When a file was written: another `index.json` has another one.
type Stamp = (u64, i64, i64, u64);

/// The files of a layout.
#[derive(Debug)]
pub(super) struct Store {
    root: PathBuf,
    index: Mutex<Option<(Stamp, Arc<IndexFile>)>>,
    /// Manifests and indexes of which everything was there.
    whole: Mutex<HashSet<Digest>>,
}

impl Store {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            index: Mutex::default(),
            whole: Mutex::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where this program keeps its lock and what is not whole yet.
    pub(super) fn own(&self) -> PathBuf {
        self.root.join(".splitbase")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(super) fn blob_path(&self, digest: Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Fault + '_ {
        move |error| Fault::io(path, &error)
    }

    /// What the folder is.
    pub(super) fn look(&self) -> Result<Folder, Fault> {
        match fs::metadata(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Folder::Nothing),
            Err(error) => return Err(Fault::io(&self.root, &error)),
            Ok(metadata) if !metadata.is_dir() => return Ok(Folder::Foreign("is not a folder")),
            Ok(_) => {}
        }
        for (name, kind) in [("oci-layout", Folder::Layout), (".splitbase", Folder::Unfinished)] {
            let path = self.root.join(name);
            if path.try_exists().map_err(Self::io(&path))? {
                return Ok(kind);
            }
        }
        let mut entries = fs::read_dir(&self.root).map_err(Self::io(&self.root))?;
        Ok(match entries.next() {
            None => Folder::Nothing,
            Some(_) => Folder::Foreign("is not empty, and is no OCI layout"),
        })
    }

    /// `index.json`; `None` where there is no layout yet.
    pub(super) fn index(&self) -> Result<Option<Arc<IndexFile>>, Fault> {
        let finished = match self.look()? {
            Folder::Nothing => return Ok(None),
            Folder::Foreign(what) => return Err(foreign(&self.root, what)),
            Folder::Unfinished => false,
            Folder::Layout => {
                self.check_version()?;
                true
            }
        };
        let path = self.root.join("index.json");
        let damaged = |reason: String| Fault::damaged(&self.root, reason);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if finished {
                    Err(damaged("it has no `index.json`".to_owned()))
                } else {
                    Ok(None)
                };
            }
            Err(error) => return Err(Fault::io(&path, &error)),
        };
        let metadata = file.metadata().map_err(Self::io(&path))?;
        let stamp = (
            metadata.ino(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.size(),
        );
        let known = self.index.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let index = match known {
            Some((seen, index)) if seen == stamp => index,
            _ => {
                if metadata.len() > INDEX_LIMIT {
                    return Err(damaged(format!("`index.json` has {} bytes", metadata.len())));
                }
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(Self::io(&path))?;
                let index = Arc::new(IndexFile::parse(&bytes).map_err(damaged)?);
                *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, index.clone()));
                index
            }
        };
        if !finished && !index.is_empty() {
            return Err(damaged("it has an `index.json`, but no `oci-layout`".to_owned()));
        }
        Ok(Some(index))
    }

    fn check_version(&self) -> Result<(), Fault> {
        let path = self.root.join("oci-layout");
        let bytes = self.read_small(&path, 4096)?;
        let damaged = |reason: &str| Err(Fault::damaged(&self.root, format!("`oci-layout` {reason}")));
        let Ok(value) = serde_json::from_slice::<Value>(&bytes) else {
            return damaged("is not JSON");
        };
        match value.get("imageLayoutVersion").and_then(Value::as_str) {
            Some("1.0.0") => Ok(()),
            _ => damaged("does not say `\"imageLayoutVersion\": \"1.0.0\"`"),
        }
    }

    fn read_small(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
        let file = File::open(path).map_err(Self::io(path))?;
        let mut bytes = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(Self::io(path))?;
        if bytes.len() as u64 > limit {
            let reason = format!("`{}` has more than {limit} bytes", path.display());
            return Err(Fault::damaged(&self.root, reason));
        }
        Ok(bytes)
    }

    /// All tags.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, Fault> {
        let index = self.index()?;
        let tags = index.iter().flat_map(|index| index.all_tags());
        Ok(tags.filter_map(|tag| tag.parse().ok()).collect())
    }

    /// The bytes of a small blob, which have its digest; `None` where it is not there.
    pub(super) fn blob(&self, digest: Digest, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.blob_at(&self.blob_path(digest), digest, limit)
    }

    pub(super) fn blob_at(&self, path: &Path, digest: Digest, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        if !path.try_exists().map_err(Self::io(path))? {
            return Ok(None);
        }
        let bytes = self.read_small(path, limit)?;
        let found = Digest::of(&bytes);
        if found != digest {
            let reason = format!("the blob {digest} is damaged: its bytes have the digest {found}");
            return Err(Fault::damaged(&self.root, reason));
        }
        Ok(Some(bytes))
    }

    /// The manifest or index behind a reference, with all that it names there; `None` where nothing stands there.
    pub(super) fn find(&self, reference: &Reference) -> Result<Option<RawManifest>, Fault> {
        let damaged = |reason: String| Fault::damaged(&self.root, reason);
        let (digest, size) = match reference {
            Reference::Digest(digest) => (*digest, None),
            Reference::Tag(tag) => {
                let Some(index) = self.index()? else {
                    return Ok(None);
                };
                let Some(entry) = index.find(tag.as_str()).map_err(damaged)? else {
                    return Ok(None);
                };
                (entry.digest, Some(entry.size))
            }
        };
        let Some(raw) = self.manifest(digest)? else {
            return match size {
                None => Ok(None),
                Some(_) => Err(damaged(format!(
                    "`{reference}` is at {digest}, which is not there"
                ))),
            };
        };
        if size.is_some_and(|size| size != raw.bytes.len() as u64) {
            return Err(damaged(format!(
                "the entry `{reference}` has not the size of {digest}"
            )));
        }
        self.whole(&raw, 0)?;
        Ok(Some(raw))
    }

    fn manifest(&self, digest: Digest) -> Result<Option<RawManifest>, Fault> {
        let Some(bytes) = self.blob(digest, MANIFEST_LIMIT)? else {
            return Ok(None);
        };
        let raw = RawManifest::new(bytes);
        raw.map(Some)
            .map_err(|error| Fault::damaged(&self.root, format!("the blob {digest} is {error}")))
    }

    /// Whether all that a manifest names is there, by name and size. Their bytes are read when they are used.
    fn whole(&self, raw: &RawManifest, depth: usize) -> Result<(), Fault> {
        let known = |whole: &HashSet<Digest>| whole.contains(&raw.digest);
        if known(&self.whole.lock().unwrap_or_else(PoisonError::into_inner)) || depth > DEPTH {
            return Ok(());
        }
        let damaged = |reason: String| Fault::damaged(&self.root, reason);
        let missing = |child: Digest| damaged(format!("{} names {child}, which is not there", raw.digest));
        match parts(raw).map_err(damaged)? {
            Parts::Index(children) => {
                for child in children {
                    let child = self
                        .manifest(child.digest)?
                        .ok_or_else(|| missing(child.digest))?;
                    self.whole(&child, depth + 1)?;
                }
            }
            Parts::Manifest(blobs) => {
                for blob in blobs {
                    let path = self.blob_path(blob.digest);
                    match fs::metadata(&path) {
                        Ok(metadata) if metadata.len() == blob.size => {}
                        Ok(metadata) => {
                            return Err(damaged(format!(
                                "the blob {} is damaged: it has {} bytes, and {} says {}",
                                blob.digest,
                                metadata.len(),
                                raw.digest,
                                blob.size
                            )));
                        }
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {
                            return Err(missing(blob.digest));
                        }
                        Err(error) => return Err(Fault::io(&path, &error)),
                    }
                }
            }
        }
        self.whole
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(raw.digest);
        Ok(())
    }
}

/// What a manifest or index names.
pub(super) enum Parts {
    /// The children of an index.
    Index(Vec<Descriptor>),
    /// Config and layers, less those that are to be had elsewhere.
    Manifest(Vec<Descriptor>),
}

/// Takes a manifest or index apart; what is wrong with it otherwise.
pub(super) fn parts(raw: &RawManifest) -> Result<Parts, String> {
    let wrong = |error: serde_json::Error| format!("{} is not a {}: {error}", raw.digest, raw.media_type);
    if oci::is_index(&raw.media_type) {
        let index: Index = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
        return Ok(Parts::Index(index.manifests));
    }
    let manifest: ImageManifest = serde_json::from_slice(&raw.bytes).map_err(wrong)?;
    let blobs = std::iter::once(manifest.config).chain(manifest.layers);
    Ok(Parts::Manifest(blobs.filter(oci::is_stored).collect()))
}

/// Why a folder cannot be made a layout.
pub(super) fn foreign(root: &Path, what: &str) -> Fault {
    Fault::refused(
        format!("`{}` {what}", root.display()),
        "name an empty folder, one that is not there yet, or a layout",
    )
}
