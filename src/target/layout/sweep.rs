//! Deleting from a layout: entries of `index.json`, and then the blobs that nothing names any more. Everything here blocks.

#![expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]

use super::fault::Fault;
use super::index::IndexFile;
use super::store::{Parts, Store, parts};
use crate::domain::Digest;
use crate::target::RawManifest;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// Blobs that were written more recently than this stay: somebody may be about to name them.
const YOUNG: Duration = Duration::from_secs(600);
/// Largest blob that may be a manifest, in bytes.
const MANIFEST_LIMIT: u64 = 4 * 1024 * 1024;

impl Store {
    /// Takes these tags out of `index.json`, in one write.
    pub(super) fn take_out(&self, wanted: impl Fn(&str, Digest) -> bool) -> Result<(), Fault> {
        if self.index()?.is_none() {
            return Ok(());
        }
        let held = self.hold()?;
        let Some(index) = self.index()? else { return Ok(()) };
        let mut changed = IndexFile::clone(&index);
        let mut removed = false;
        for tag in index.all_tags() {
            let entry = index
                .find(&tag)
                .map_err(|reason| Fault::damaged(self.root(), reason))?;
            if entry.is_some_and(|entry| wanted(&tag, entry.digest)) {
                removed |= changed.take_out(&tag);
            }
        }
        if removed {
            self.write_index(&held, &changed)?;
        }
        Ok(())
    }

    /// Removes the blobs that no entry leads to, unless a build is running or they are young; the bytes that became free.
    pub(super) fn sweep_blobs(&self) -> Result<u64, Fault> {
        if self.index()?.is_none() {
            return Ok(0);
        }
        let held = self.hold()?;
        let Some(index) = self.index()? else { return Ok(0) };
        if self.is_built_into(&held) {
            return Ok(0);
        }
        let mut reached = BTreeSet::new();
        for digest in index.digests() {
            // Blobs of another algorithm lie in another folder, which nobody sweeps; what such an entry leads to is not known.
            let digest: Digest = digest.parse().map_err(|_| {
                let reason = format!(
                    "`index.json` names `{}`, and what it leads to is not known",
                    digest.escape_debug()
                );
                Fault::refused(
                    reason,
                    "no blob was removed: take out that entry, or leave its blobs where they are",
                )
            })?;
            self.reach(digest, &mut reached)?;
        }
        let blobs = self.blobs();
        let mut freed = 0_u64;
        for entry in fs::read_dir(&blobs).map_err(Self::io(&blobs))? {
            let entry = entry.map_err(Self::io(&blobs))?;
            let name = entry.file_name();
            let digest = name
                .to_str()
                .and_then(|hex| format!("sha256:{hex}").parse::<Digest>().ok());
            let Some(digest) = digest.filter(|digest| !reached.contains(digest)) else {
                continue;
            };
            let path = self.blob_path(digest);
            let metadata = fs::metadata(&path).map_err(Self::io(&path))?;
            let age = metadata
                .modified()
                .ok()
                .and_then(|written| written.elapsed().ok());
            if age.is_some_and(|age| age >= YOUNG) {
                fs::remove_file(&path).map_err(Self::io(&path))?;
                freed = freed.saturating_add(metadata.len());
            }
        }
        Ok(freed)
    }

    /// Notes a manifest and all that it names. What is not there leads nowhere.
    fn reach(&self, digest: Digest, reached: &mut BTreeSet<Digest>) -> Result<(), Fault> {
        if !reached.insert(digest) {
            return Ok(());
        }
        let Some(bytes) = self.blob(digest, MANIFEST_LIMIT)? else {
            return Ok(());
        };
        // An entry of another program may be anything; a blob that is no manifest names nothing.
        let Ok(raw) = RawManifest::new(bytes) else {
            return Ok(());
        };
        match parts(&raw).map_err(|reason| Fault::damaged(self.root(), reason))? {
            Parts::Index(children) => {
                for child in children {
                    self.reach(child.digest, reached)?;
                }
            }
            Parts::Manifest(blobs) => reached.extend(blobs.iter().map(|blob| blob.digest)),
        }
        Ok(())
    }
}
