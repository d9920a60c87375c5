//! Content is hashed here: streamed, on all cores, in memory that does not grow with the files.

use super::InputError;
use super::entry::{EntryKind, InputEntry};
use crate::digest_cache::Digests;
use crate::domain::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

/// What one thread reads at a time.
const BUFFER: usize = 128 * 1024;
/// How many files are handed over at a time: enough that threads do not meet often, few enough that they end together.
const BATCH: usize = 32;
/// Beyond as many threads, finding files and the disk are what takes the time.
const MOST_THREADS: usize = 32;

/// Something that counts, found and not yet read.
#[derive(Debug)]
pub(super) struct Found {
    /// The entry's path.
    pub(super) path: String,
    /// At which byte of `path` the path relative to `base` begins.
    pub(super) relative_at: usize,
    /// The folder that it was found in.
    pub(super) base: Arc<Path>,
    /// What it is.
    pub(super) what: What,
}

impl Found {
    /// Its path, relative to `base`.
    pub(super) fn relative(&self) -> &str {
        self.path.get(self.relative_at..).unwrap_or(&self.path)
    }
}

/// What was found.
#[derive(Debug)]
pub(super) enum What {
    /// A regular file.
    File,
    /// A file that is read whatever symlinks lead to it: the Dockerfile.
    Followed,
    /// A symlink, with its target.
    Symlink(String),
    /// A folder in which nothing counts.
    Directory,
}

/// Reads what `find` finds while it is still looking, but for what `digests` knows. The entries are sorted by path, each path once.
pub(super) fn read_all<R>(
    digests: &Digests<'_>,
    find: impl FnOnce(&mut dyn FnMut(Found)) -> Result<R, InputError>,
) -> Result<(Vec<InputEntry>, R), InputError> {
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, MOST_THREADS));
    let (sender, receiver) = mpsc::channel::<Vec<Found>>();
    let receiver = Mutex::new(receiver);
    let stop = AtomicBool::new(false);
    let worker = || read_batches(digests, &receiver, &stop);
    std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut batch = Vec::with_capacity(BATCH);
        let result = find(&mut |found| {
            batch.push(found);
            if batch.len() == BATCH {
                // The receiver lives as long as this function.
                let _ = sender.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
            }
        });
        let _ = sender.send(batch);
        // With the sender gone, the threads end when they have read what there is.
        drop(sender);
        stop.fetch_or(result.is_err(), Ordering::Relaxed);
        let mut parts = vec![worker()];
        parts.extend(handles.into_iter().map(|handle| match handle.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        let result = result?;
        let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut entries: Vec<_> = parts.into_iter().flatten().collect();
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        Ok((entries, result))
    })
}

fn read_batches(
    digests: &Digests<'_>,
    receiver: &Mutex<mpsc::Receiver<Vec<Found>>>,
    stop: &AtomicBool,
) -> Result<Vec<InputEntry>, InputError> {
    let mut buffer = Vec::new();
    let mut entries = Vec::new();
    loop {
        // Nothing panics while it holds the lock.
        let batch = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = batch else { return Ok(entries) };
        for found in batch {
            if stop.load(Ordering::Relaxed) {
                return Ok(entries);
            }
            let entry =
                entry(digests, found, &mut buffer).inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            entries.push(entry);
        }
    }
}

fn entry(digests: &Digests<'_>, found: Found, buffer: &mut Vec<u8>) -> Result<InputEntry, InputError> {
    let (kind, executable, size, digest) = match &found.what {
        What::Directory => (EntryKind::Directory, false, 0, Digest::of(b"")),
        What::Symlink(target) => (
            EntryKind::Symlink,
            false,
            target.len() as u64,
            Digest::of(target.as_bytes()),
        ),
        What::File | What::Followed => {
            let path = found.base.join(found.relative());
            let follow = matches!(found.what, What::Followed);
            let (executable, size, digest) = file(digests, &path, follow, buffer)?;
            (EntryKind::File, executable, size, digest)
        }
    };
    Ok(InputEntry {
        path: found.path,
        kind,
        executable,
        size,
        digest,
    })
}

/// Whether a regular file's owner may execute it, its size and its digest.
fn file(
    digests: &Digests<'_>,
    path: &Path,
    follow: bool,
    buffer: &mut Vec<u8>,
) -> Result<(bool, u64, Digest), InputError> {
    if !digests.is_none() {
        let metadata = if follow {
            std::fs::metadata(path)
        } else {
            std::fs::symlink_metadata(path)
        };
        if let Ok(metadata) = metadata
            && metadata.is_file()
            && let Some(digest) = digests.find(&metadata)
        {
            return Ok((is_executable(&metadata), metadata.size(), digest));
        }
    }
    // Where nothing needs to be read, none is needed.
    buffer.resize(BUFFER, 0);
    let mut hash = Sha256::new();
    let read = stream(path, follow, buffer, |bytes| hash.update(bytes))?;
    let digest = Digest::from_bytes(hash.finalize().into());
    if read.size == read.before.size() {
        digests.keep(&read.file, &read.before, digest);
    }
    Ok((is_executable(&read.before), read.size, digest))
}

pub(super) fn is_executable(metadata: &Metadata) -> bool {
    metadata.mode() & 0o100 != 0
}

/// A file that was read to its end.
pub(super) struct Read {
    pub(super) file: File,
    /// What it was before it was read.
    pub(super) before: Metadata,
    /// Bytes that were read.
    pub(super) size: u64,
}

/// Gives a regular file's bytes to `sink`.
pub(super) fn stream(
    path: &Path,
    follow: bool,
    buffer: &mut [u8],
    mut sink: impl FnMut(&[u8]),
) -> Result<Read, InputError> {
    let failed = |source| InputError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = open(path, follow).map_err(failed)?;
    let before = file.metadata().map_err(failed)?;
    if !before.is_file() {
        // It was one when the folder was listed.
        return Err(failed(io::Error::other("it is no regular file any more")));
    }
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(Read { file, before, size }),
            Ok(count) => {
                #[expect(clippy::indexing_slicing, reason = "what is read fits the buffer")]
                sink(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Opens without following a symlink, and without waiting for a FIFO's writer, should one have come in between.
fn open(path: &Path, follow: bool) -> io::Result<File> {
    let mut flags = rustix::fs::OFlags::NONBLOCK;
    if !follow {
        flags |= rustix::fs::OFlags::NOFOLLOW;
    }
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A file can be replaced between the listing of its folder and its reading.
    #[test]
    fn what_is_no_regular_file_any_more_is_neither_followed_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, fifo) = (
            folder.path().join("file"),
            folder.path().join("link"),
            folder.path().join("fifo"),
        );
        tempfile::NamedTempFile::new().unwrap().persist(&file).unwrap();
        symlink(&file, &link).unwrap();
        let directory = rustix::fs::CWD;
        rustix::fs::mkfifoat(directory, &fifo, rustix::fs::Mode::RUSR).unwrap();
        let read = |path: &Path, follow| stream(path, follow, &mut [0; 16], |_| {});
        assert_eq!(read(&file, false).unwrap().size, 0);
        assert_eq!(read(&link, true).unwrap().size, 0);
        for path in [&link, &fifo] {
            assert!(
                matches!(read(path, false), Err(InputError::Read { .. })),
                "{}",
                path.display()
            );
        }
    }
}
