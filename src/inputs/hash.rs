//! Content is hashed here: streamed, by a few threads, in memory that does not grow with the files.

use super::InputError;
use super::entry::{EntryKind, InputEntry};
use crate::domain::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What one thread reads at a time.
const BUFFER: usize = 128 * 1024;
/// How many files a thread takes at a time: enough that threads do not meet often, few enough that they end together.
const BATCH: usize = 16;

/// Something that counts, found and not yet read.
#[derive(Debug)]
pub(super) struct Found {
    /// The entry's path.
    pub(super) path: String,
    /// At which byte of `path` the path relative to `bases[base]` begins.
    pub(super) relative_at: usize,
    /// Index of the folder that it was found in.
    pub(super) base: usize,
    /// What it is.
    pub(super) what: What,
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

/// Reads everything that was found; sorted by path, each path once.
pub(super) fn read_all(mut found: Vec<Found>, bases: &[PathBuf]) -> Result<Vec<InputEntry>, InputError> {
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    found.dedup_by(|a, b| a.path == b.path);
    let threads = std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 4));
    let slots: Vec<Mutex<Vec<Found>>> = batches(found);
    let results: Vec<Mutex<Vec<InputEntry>>> = slots.iter().map(|_| Mutex::default()).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || -> Result<(), InputError> {
        let mut buffer = vec![0; BUFFER];
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = slots.get(index) else { break };
            let batch = slot
                .lock()
                .map(|mut batch| std::mem::take(&mut *batch))
                .unwrap_or_default();
            let mut entries = Vec::with_capacity(batch.len());
            for item in batch {
                entries.push(
                    entry(item, bases, &mut buffer).inspect_err(|_| stop.store(true, Ordering::Relaxed))?,
                );
            }
            if let Ok(mut result) = results[index].lock() {
                *result = entries;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads.min(slots.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        let own = worker();
        let others = handles.into_iter().map(|handle| match handle.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own)
            .chain(others.collect::<Vec<_>>())
            .collect::<Result<(), _>>()
    })?;
    let entries = results
        .into_iter()
        .flat_map(|result| result.into_inner().unwrap_or_default());
    Ok(entries.collect())
}

fn batches(found: Vec<Found>) -> Vec<Mutex<Vec<Found>>> {
    let mut batches = Vec::with_capacity(found.len() / BATCH + 1);
    let mut rest = found.into_iter().peekable();
    while rest.peek().is_some() {
        batches.push(Mutex::new(rest.by_ref().take(BATCH).collect()));
    }
    batches
}

fn entry(found: Found, bases: &[PathBuf], buffer: &mut [u8]) -> Result<InputEntry, InputError> {
    let (kind, executable, size, digest) = match &found.what {
        What::Directory => (EntryKind::Directory, false, 0, Digest::of(b"")),
        What::Symlink(target) => (
            EntryKind::Symlink,
            false,
            target.len() as u64,
            Digest::of(target.as_bytes()),
        ),
        What::File | What::Followed => {
            let path = bases[found.base].join(&found.path[found.relative_at..]);
            let mut sink = Sha256::new();
            let follow = matches!(found.what, What::Followed);
            let (size, executable) = stream(&path, follow, buffer, |bytes| sink.update(bytes))?;
            (
                EntryKind::File,
                executable,
                size,
                Digest::from_bytes(sink.finalize().into()),
            )
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

/// Gives a regular file's bytes to `sink`; how many they were, and whether its owner may execute it.
pub(super) fn stream(
    path: &Path,
    follow: bool,
    buffer: &mut [u8],
    mut sink: impl FnMut(&[u8]),
) -> Result<(u64, bool), InputError> {
    let failed = |source| InputError::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = open(path, follow).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        // It was one when the folder was listed.
        return Err(failed(io::Error::other("it is no regular file any more")));
    }
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((size, metadata.mode() & 0o100 != 0)),
            Ok(count) => {
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
