//! Folders of builds: buildx exports each image into one of its own, and what it wrote is moved into the layout.

#![expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]

use super::fault::Fault;
use super::store::{Parts, Store, parts};
use super::write::{Held, Over, sync};
use crate::domain::Digest;
use crate::target::RawManifest;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Beginning of the names of these folders.
const PREFIX: &str = "build-";
/// Largest manifest that is read, in bytes.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

/// A folder that one build exports to. It goes with this value; where the process is killed, with the next build.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl Stage {
    /// Where buildx exports to.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.path().join("blobs/sha256").join(digest.hex())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left of it, the next build removes.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Store {
    /// Makes a folder for a build on top of `base`, whose blobs are in it already (as links), so that buildx need not write them once more.
    pub(super) fn stage(&self, base: Option<Digest>) -> Result<Stage, Fault> {
        let held = self.hold()?;
        self.sweep(&held);
        let own = self.own();
        let failed = |error: &io::Error| Fault::io(&own, error);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&own)
            .map_err(|error| failed(&error))?
            .keep();
        let lock = File::create(folder.join("lock")).map_err(|error| failed(&error))?;
        lock.lock().map_err(|error| failed(&error))?;
        let stage = Stage { folder, _lock: lock };
        drop(held);
        let blobs = stage.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|error| Fault::io(&blobs, &error))?;
        let base = base.map(|base| self.find(&base.into())).transpose()?.flatten();
        if let Some(Parts::Manifest(known)) = base.as_ref().and_then(|base| parts(base).ok()) {
            for blob in known {
                // Where links cannot be made, buildx writes the blob.
                let _ = fs::hard_link(self.blob_path(blob.digest), blobs.join(blob.digest.hex()));
            }
        }
        Ok(stage)
    }

    /// Removes what killed processes left.
    fn sweep(&self, _held: &Held) {
        let Ok(entries) = fs::read_dir(self.own()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("new-") {
                // Written only while the lock is held, which is ours now.
                let _ = fs::remove_file(entry.path());
            } else if name.starts_with(PREFIX) {
                let lock = File::open(entry.path().join("lock"));
                if lock.is_ok_and(|lock| lock.try_lock().is_err()) {
                    continue;
                }
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Whether some process is building into the layout right now.
    pub(super) fn is_built_into(&self, _held: &Held) -> bool {
        let Ok(entries) = fs::read_dir(self.own()) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let lock = File::open(entry.path().join("lock"));
            entry.file_name().to_string_lossy().starts_with(PREFIX)
                && lock.is_ok_and(|lock| lock.try_lock().is_err())
        })
    }

    /// Moves the image that was exported into the layout, and puts it under a tag.
    pub(super) fn take_in(
        &self,
        stage: &Stage,
        exported: Digest,
        (tag, name): (&str, &str),
    ) -> Result<(), Fault> {
        let mut blobs = Vec::new();
        let raw = self.collect(stage, exported, &mut blobs)?;
        for (digest, size) in &blobs {
            let (from, to) = (stage.blob(*digest), self.blob_path(*digest));
            let Some(new) = metadata(&from)? else {
                let there = metadata(&to)?;
                if there.is_some_and(|there| size.is_none_or(|size| size == there.len())) {
                    continue;
                }
                let reason = format!("buildx did not write {digest}, which the image needs");
                return Err(Fault::refused(
                    reason,
                    "see what the build printed; then run this again",
                ));
            };
            if size.is_some_and(|size| size != new.len()) {
                let reason = format!("buildx wrote {} bytes of {digest}", new.len());
                return Err(Fault::refused(
                    reason,
                    "see whether its disk is full; then run this again",
                ));
            }
            if metadata(&to)?.is_some_and(|there| (there.dev(), there.ino()) == (new.dev(), new.ino())) {
                continue;
            }
            File::open(&from)
                .and_then(|file| file.sync_all())
                .and_then(|()| fs::rename(&from, &to))
                .map_err(|error| Fault::io(&to, &error))?;
        }
        sync(&self.blobs())?;
        let held = self.hold()?;
        self.put(&held, (tag, name), &raw, Over::Anything)
    }

    /// The blobs of an exported image with their sizes, children first.
    fn collect(
        &self,
        stage: &Stage,
        digest: Digest,
        blobs: &mut Vec<(Digest, Option<u64>)>,
    ) -> Result<RawManifest, Fault> {
        let odd = |reason: String| Fault::refused(reason, "see what the build printed; then run this again");
        let bytes = match self.blob_at(&stage.blob(digest), digest, MANIFEST_LIMIT)? {
            Some(bytes) => Some(bytes),
            None => self.blob(digest, MANIFEST_LIMIT)?,
        };
        let bytes = bytes.ok_or_else(|| odd(format!("buildx did not write {digest}, which it told of")))?;
        let raw = RawManifest::new(bytes).map_err(|error| odd(format!("{digest} is {error}")))?;
        match parts(&raw).map_err(odd)? {
            Parts::Index(children) => {
                for child in children {
                    self.collect(stage, child.digest, blobs)?;
                }
            }
            Parts::Manifest(named) => blobs.extend(named.iter().map(|blob| (blob.digest, Some(blob.size)))),
        }
        blobs.push((digest, None));
        Ok(raw)
    }
}

fn metadata(path: &Path) -> Result<Option<fs::Metadata>, Fault> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::io(path, &error)),
    }
}
