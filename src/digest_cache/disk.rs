//! The file: read whole, replaced whole.

use super::place::Place;
use super::record::RECORD;
use super::table::{MOST, Table};
use sha2::{Digest as _, Sha256};
use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::time::Duration;

/// What the file begins with; another format is another line.
const FORMAT: &[u8] = b"splitbase file digests, format 1\n";
/// The line, then device and inode of the file itself, 8 bytes each: a copy, restored on another machine, says nothing of the files there.
const HEADER: usize = FORMAT.len() + 16;
/// SHA-256 of all that stands before it.
const CHECKSUM: usize = 32;
/// What files are called until they are whole.
const UNFINISHED: &str = ".unfinished-";
/// How long such a file may be at work.
const AT_WORK: Duration = Duration::from_secs(600);

/// What the file holds; `None` if it is not there, not whole, of another format, a copy, or might be written by somebody else.
pub(super) fn read(place: &Place) -> Option<Table> {
    // A FIFO must not be waited for.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(place.file())
        .ok()?;
    let metadata = file.metadata().ok()?;
    let most = (HEADER + MOST * RECORD + CHECKSUM) as u64;
    let ours = metadata.uid() == place.user && metadata.mode() & 0o022 == 0;
    if !metadata.is_file() || !ours || metadata.len() > most {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    file.take(most).read_to_end(&mut bytes).ok()?;
    let size = bytes.len().checked_sub(CHECKSUM)?;
    let (content, checksum) = bytes.split_at(size);
    if !content.starts_with(&header(&metadata)) || Sha256::digest(content).as_slice() != checksum {
        return None;
    }
    bytes.truncate(size);
    Table::new(bytes, HEADER)
}

/// Replaces the file. It is not forced to the disk: what a power failure leaves is not whole, and is not read.
///
/// # Errors
/// The folder is somebody else's or cannot be written.
pub(super) fn write(place: &Place, table: &Table) -> io::Result<()> {
    if !place.is_ours() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&place.folder)?;
    clear(place);
    // Of mode 600, and removed if what follows fails.
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(&place.folder)?;
    let header = header(&file.as_file().metadata()?);
    let checksum = Sha256::new()
        .chain_update(&header)
        .chain_update(table.bytes())
        .finalize();
    for part in [&header[..], table.bytes(), &checksum[..]] {
        file.write_all(part)?;
    }
    file.persist(place.file())?;
    Ok(())
}

pub(super) fn remove(place: &Place) {
    let _ = std::fs::remove_file(place.file());
}

fn header(metadata: &Metadata) -> Vec<u8> {
    let mut header = FORMAT.to_vec();
    header.extend(metadata.dev().to_be_bytes());
    header.extend(metadata.ino().to_be_bytes());
    header
}

/// Removes what killed processes left.
#[expect(clippy::disallowed_methods, reason = "the folder is this module's own")]
fn clear(place: &Place) {
    let Ok(entries) = std::fs::read_dir(&place.folder) else {
        return;
    };
    for entry in entries.flatten() {
        let left = || entry.metadata().ok()?.modified().ok()?.elapsed().ok();
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED)
            && left().is_some_and(|age| age > AT_WORK)
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
