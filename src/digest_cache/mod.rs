//! Digests of files that were hashed before, in a file of the user's cache folder, so that what did not change is not read again.
//!
//! A digest is found again by device, inode, size, mtime and ctime, the times to the nanosecond. Nobody can set a ctime, so a file that was written after
//! it was hashed has another one, but for what [`trust`] keeps out. Whatever is wrong with the file or its folder, the run goes on without it: nothing here
//! is an error. What builds are checked with does not come from here (`docs/decisions/digest-cache.md`).

mod disk;
mod place;
mod record;
mod table;
mod trust;

use crate::clock;
use crate::domain::Digest;
use crate::environment::Environment;
use place::Place;
use record::Record;
use std::fs::{File, Metadata};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use table::Table;
use trust::Trust;

/// Digests of files that were hashed before. The default holds none, and keeps none.
#[derive(Debug, Default)]
pub struct DigestCache {
    store: Option<Store>,
    /// Set where a run must leave no trace.
    read_only: AtomicBool,
}

#[derive(Debug)]
struct Store {
    place: Place,
    trust: Trust,
    /// Days since 1970: when records were last of use.
    today: u32,
    table: Mutex<Option<Arc<Table>>>,
    fresh: Mutex<Vec<Record>>,
}

/// The cache while files are hashed.
#[derive(Debug)]
pub struct Digests<'a> {
    open: Option<(&'a Store, Arc<Table>)>,
}

/// The file that the digests are kept in, where there is one of this user, and its size in bytes.
#[must_use]
pub fn file(environment: &Environment) -> Option<(std::path::PathBuf, u64)> {
    let place = Place::of(environment).filter(Place::is_ours)?;
    let metadata = place.file().symlink_metadata().ok()?;
    metadata.is_file().then(|| (place.file(), metadata.len()))
}

impl DigestCache {
    /// The cache of this user; holds and keeps nothing where there is no place for it. The file is not read yet.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self {
            store: Place::of(environment).map(|place| Store::new(place, clock::now_exactly())),
            read_only: AtomicBool::new(false),
        }
    }

    /// From now on nothing is written: what is there still serves.
    pub fn only_read(&self) {
        self.read_only.store(true, Ordering::Relaxed);
    }

    /// Reads the file, unless it is read already.
    #[must_use]
    pub fn open(&self) -> Digests<'_> {
        let open = self.store.as_ref().map(|store| (store, store.table()));
        Digests { open }
    }

    /// Writes what was hashed since. Another process that writes at the same time may undo this: the files are read once more then.
    pub fn save(&self) {
        let Some(store) = &self.store else { return };
        if self.read_only.load(Ordering::Relaxed) {
            return;
        }
        let table = lock(&store.table).take();
        let mut changed = std::mem::take(&mut *lock(&store.fresh));
        let used = table.as_deref().map(|table| table.used(store.today));
        if changed.is_empty() && !used.as_ref().is_some_and(|used| used.overdue) {
            *lock(&store.table) = table;
            return;
        }
        drop(table);
        // What was hashed comes last, and wins.
        let mut updates = used.map(|used| used.records).unwrap_or_default();
        updates.append(&mut changed);
        // Read again: another process may have written.
        let current = disk::read(&store.place).unwrap_or_default();
        // A full disk, a folder that may not be written: then there is none.
        let _ = disk::write(&store.place, &current.merged(updates));
    }

    /// Removes the file: something in it was wrong.
    pub fn forget(&self) {
        if let Some(store) = &self.store {
            *lock(&store.table) = None;
            lock(&store.fresh).clear();
            disk::remove(&store.place);
        }
    }
}

impl Store {
    fn new(place: Place, now: jiff::Timestamp) -> Self {
        Self {
            place,
            trust: Trust::at(now),
            today: u32::try_from(now.as_second() / 86_400).unwrap_or_default(),
            table: Mutex::default(),
            fresh: Mutex::default(),
        }
    }

    fn table(&self) -> Arc<Table> {
        lock(&self.table)
            .get_or_insert_with(|| Arc::new(disk::read(&self.place).unwrap_or_default()))
            .clone()
    }
}

impl Digests<'_> {
    /// Whether nothing is ever found or kept.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.open.is_none()
    }

    /// The digest of a file of this metadata, if it was hashed before.
    #[must_use]
    pub fn find(&self, metadata: &Metadata) -> Option<Digest> {
        let (_, table) = self.open.as_ref()?;
        table.find(metadata)
    }

    /// Keeps the digest of all of `file`, whose metadata was `before` when its reading began. A file that changed meanwhile, or so shortly before that a
    /// later change could go unseen, is not kept.
    pub fn keep(&self, file: &File, before: &Metadata, digest: Digest) {
        let Some((store, _)) = &self.open else { return };
        let record = Record::new(before, digest, store.today);
        let unchanged = || {
            file.metadata()
                .is_ok_and(|after| record.is_of(&after) && after.is_file())
        };
        if store.trust.old_enough(before) && store.trust.keeps_time(file, before) && unchanged() {
            lock(&store.fresh).push(record);
        }
    }
}

/// Nothing panics while it holds one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
