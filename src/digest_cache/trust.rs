//! Which files may be remembered: those of which a later change cannot go unseen.

use super::lock;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

/// By how much a file must be older than the run that hashes it. The coarsest times of file systems that are trusted are whole seconds, and the kernel's
/// clock for files goes in ticks of up to 10 ms: a file that is written after it was hashed has a later time then.
const CLEARLY: SignedDuration = SignedDuration::from_secs(2);

/// Which files may be remembered.
#[derive(Debug)]
pub(super) struct Trust {
    /// Before anything was hashed.
    now: Timestamp,
    /// By device: whether its file system takes its times from this machine's clock.
    devices: Mutex<HashMap<u64, bool>>,
}

impl Trust {
    /// For hashing that begins after `now`.
    pub(super) fn at(now: Timestamp) -> Self {
        Self {
            now,
            devices: Mutex::default(),
        }
    }

    /// Whether both times of a file are clearly before the run. Those in the future are not.
    pub(super) fn old_enough(&self, metadata: &Metadata) -> bool {
        let times = [
            (metadata.mtime(), metadata.mtime_nsec()),
            (metadata.ctime(), metadata.ctime_nsec()),
        ];
        times.into_iter().all(|(seconds, nanoseconds)| {
            let time = i32::try_from(nanoseconds)
                .ok()
                .and_then(|nanoseconds| Timestamp::new(seconds, nanoseconds).ok());
            time.is_some_and(|time| self.now.duration_since(time) >= CLEARLY)
        })
    }

    /// Whether the file system that `file` is on can be trusted with its times.
    pub(super) fn keeps_time(&self, file: &File, metadata: &Metadata) -> bool {
        *lock(&self.devices)
            .entry(metadata.dev())
            .or_insert_with(|| is_local(file))
    }
}

/// Whether a file system writes times of this machine's clock, and a ctime that nobody can set. Those of a server or of a program (NFS, SMB, 9p, FUSE,
/// virtiofs) may be late, coarse or made up, and FAT has no ctime.
#[cfg(target_os = "linux")]
fn is_local(file: &File) -> bool {
    /// The numbers of `statfs(2)`.
    const LOCAL: [u64; 11] = [
        0xEF53,      // ext2, ext3, ext4
        0x5846_5342, // xfs
        0x9123_683E, // btrfs
        0x0102_1994, // tmpfs
        0x8584_58F6, // ramfs
        0x794C_7630, // overlayfs
        0x2FC1_2FC1, // zfs
        0xF2F5_2010, // f2fs
        0xCA45_1A4E, // bcachefs
        0x7371_7368, // squashfs
        0xE0F5_E1E2, // erofs
    ];
    rustix::fs::fstatfs(file).is_ok_and(|found| LOCAL.iter().any(|known| is(found.f_type, *known)))
}

/// The type of the field differs between machines: on some it has 32 bits and a sign.
#[cfg(target_os = "linux")]
fn is(found: impl TryInto<i64>, known: u64) -> bool {
    found
        .try_into()
        .is_ok_and(|found: i64| found.cast_unsigned() & 0xFFFF_FFFF == known)
}

#[cfg(not(target_os = "linux"))]
fn is_local(_: &File) -> bool {
    false
}
