//! Writing to a layout, by one process at a time. Everything here blocks.

#![expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]

use super::fault::Fault;
use super::index::IndexFile;
use super::store::{Folder, Store, foreign};
use crate::domain::Digest;
use crate::target::RawManifest;
use crate::target::oci::Descriptor;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::{BufRead, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Content of the file `oci-layout` (OCI image specification, "Image Layout").
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// How long another process may hold the lock.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a write may replace. It may always find what it would write.
#[derive(Debug, Clone, Copy)]
pub(super) enum Over {
    /// Whatever stands there.
    Anything,
    /// Only this, or nothing.
    Only(Option<Digest>),
}

/// Held while something is written.
#[derive(Debug)]
pub(super) struct Held(#[expect(dead_code, reason = "unlocked when it is closed")] File);

impl Store {
    /// Makes the folder a layout, if it is none, and waits until nobody else writes to it.
    pub(super) fn hold(&self) -> Result<Held, Fault> {
        if let Folder::Foreign(what) = self.look()? {
            return Err(foreign(self.root(), what));
        }
        let own = self.own();
        fs::create_dir_all(&own).map_err(Self::io(&own))?;
        let path = own.join("lock");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Self::io(&path))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Fault::refused(
                        format!(
                            "another process holds `{}` for {} s",
                            path.display(),
                            PATIENCE.as_secs()
                        ),
                        "see which one with `fuser`, and wait for it or end it",
                    ));
                }
                Err(TryLockError::Error(error)) => return Err(Fault::io(&path, &error)),
            }
        }
        let held = Held(file);
        if self.look()? == Folder::Unfinished {
            // `oci-layout` comes last: what has it is whole.
            let blobs = self.blobs();
            fs::create_dir_all(&blobs).map_err(Self::io(&blobs))?;
            if self.index()?.is_none() {
                self.write_index(&held, &IndexFile::empty())?;
            }
            self.write(&held, &self.root().join("oci-layout"), LAYOUT)?;
        }
        Ok(held)
    }

    /// Writes a file as a whole: after a crash the old one is there, or the new one.
    fn write(&self, _held: &Held, to: &Path, bytes: &[u8]) -> Result<(), Fault> {
        let own = self.own();
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&own)
            .map_err(Self::io(&own))?;
        file.write_all(bytes)
            .and_then(|()| file.as_file().sync_all())
            .map_err(Self::io(to))?;
        file.persist(to).map_err(|error| Fault::io(to, &error.error))?;
        sync(to.parent().unwrap_or(self.root()))
    }

    pub(super) fn write_index(&self, held: &Held, index: &IndexFile) -> Result<(), Fault> {
        let bytes = index
            .to_bytes()
            .map_err(|error| Fault::damaged(self.root(), format!("`index.json`: {error}")))?;
        self.write(held, &self.root().join("index.json"), &bytes)
    }

    /// Stores a small blob, unless it is there and sound.
    pub(super) fn put_blob(&self, held: &Held, bytes: &[u8]) -> Result<Digest, Fault> {
        let digest = Digest::of(bytes);
        let path = self.blob_path(digest);
        let there = self.blob(digest, bytes.len() as u64);
        if !matches!(there, Ok(Some(_))) {
            let blobs = self.blobs();
            fs::create_dir_all(&blobs).map_err(Self::io(&blobs))?;
            self.write(held, &path, bytes)?;
        }
        Ok(digest)
    }

    /// Stores a blob that comes in pieces, once its size and digest are those of its descriptor. The layout is not held meanwhile: a blob is there
    /// as a whole or not at all, and whoever else brings it brings the same bytes.
    pub(super) fn receive(&self, blob: &Descriptor, mut pieces: impl BufRead) -> Result<(), Fault> {
        drop(self.hold()?);
        let (own, path, blobs) = (self.own(), self.blob_path(blob.digest), self.blobs());
        fs::create_dir_all(&blobs).map_err(Self::io(&blobs))?;
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(&own)
            .map_err(Self::io(&own))?;
        let (mut hash, mut size) = (Sha256::new(), 0_u64);
        loop {
            let piece = pieces.fill_buf().map_err(Self::io(&path))?;
            if piece.is_empty() {
                break;
            }
            size += piece.len() as u64;
            if size > blob.size {
                break;
            }
            hash.update(piece);
            file.write_all(piece).map_err(Self::io(&path))?;
            let length = piece.len();
            pieces.consume(length);
        }
        let digest = Digest::from_bytes(hash.finalize().into());
        if size != blob.size || digest != blob.digest {
            let reason = format!(
                "what came has {size} bytes and the digest {digest}, and must have {} and {}",
                blob.size, blob.digest
            );
            return Err(Fault::refused(reason, "see what holds it: it is damaged there"));
        }
        file.as_file().sync_all().map_err(Self::io(&path))?;
        file.persist(&path)
            .map_err(|error| Fault::io(&path, &error.error))?;
        sync(&blobs)
    }

    /// Whether a blob is there with its size.
    pub(super) fn has(&self, blob: &Descriptor) -> Result<bool, Fault> {
        let path = self.blob_path(blob.digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len() == blob.size),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Fault::io(&path, &error)),
        }
    }

    /// Puts a manifest under a tag.
    pub(super) fn put(
        &self,
        held: &Held,
        (tag, name): (&str, &str),
        manifest: &RawManifest,
        over: Over,
    ) -> Result<(), Fault> {
        let (mut index, there) = self.standing(tag)?;
        if let Over::Only(seen) = over
            && there != seen
            && there != Some(manifest.digest)
        {
            return Err(conflict(there, seen));
        }
        self.put_blob(held, &manifest.bytes)?;
        if there == Some(manifest.digest) {
            return Ok(());
        }
        let mut descriptor = Map::new();
        descriptor.insert("mediaType".to_owned(), json!(manifest.media_type));
        descriptor.insert("digest".to_owned(), json!(manifest.digest));
        descriptor.insert("size".to_owned(), json!(manifest.bytes.len()));
        let body: Option<Value> = serde_json::from_slice(&manifest.bytes).ok();
        if let Some(kind) = body.as_ref().and_then(|body| body.get("artifactType")) {
            descriptor.insert("artifactType".to_owned(), kind.clone());
        }
        index.set(tag, name, descriptor);
        self.write_index(held, &index)
    }

    /// Takes a tag away, if `seen` stands there. Blobs stay.
    pub(super) fn delete(&self, held: &Held, tag: &str, seen: Digest) -> Result<(), Fault> {
        let (mut index, there) = self.standing(tag)?;
        match there {
            None => Ok(()),
            Some(digest) if digest == seen => {
                index.take_out(tag);
                self.write_index(held, &index)
            }
            Some(_) => Err(conflict(there, Some(seen))),
        }
    }

    /// `index.json`, to be changed, and what stands under a tag in it.
    fn standing(&self, tag: &str) -> Result<(IndexFile, Option<Digest>), Fault> {
        let index = self.index()?;
        let index = index.map_or_else(IndexFile::empty, |index| IndexFile::clone(&index));
        let there = index
            .find(tag)
            .map_err(|reason| Fault::damaged(self.root(), reason))?
            .map(|entry| entry.digest);
        Ok((index, there))
    }
}

fn conflict(there: Option<Digest>, seen: Option<Digest>) -> Fault {
    let shown =
        |digest: Option<Digest>| digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
    Fault::conflict(format!(
        "{} is there now, and it was seen with {}: somebody else writes this tag too",
        shown(there),
        shown(seen)
    ))
}

/// Makes what was renamed into a folder last through a power failure.
pub(super) fn sync(folder: &Path) -> Result<(), Fault> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Fault::io(folder, &error))
}
