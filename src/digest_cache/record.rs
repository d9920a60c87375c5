//! One file as it was when it was hashed.

use crate::domain::Digest;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Bytes of a record.
pub(super) const RECORD: usize = KEY + STAT + 32 + 4;
/// Device and inode.
pub(super) const KEY: usize = 16;
/// Size, mtime, ctime.
const STAT: usize = 8 + 2 * (8 + 4);

/// One file as it was when it was hashed. In the file: device, inode (8 bytes each), size (8), mtime and ctime (8 for the seconds, 4 for the nanoseconds),
/// digest (32), day of last use (4). Numbers are big-endian, so that bytes sort as numbers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record(pub(super) [u8; RECORD]);

impl Record {
    pub(super) fn new(metadata: &Metadata, digest: Digest, day: u32) -> Self {
        let mut bytes = [0; RECORD];
        bytes[..KEY].copy_from_slice(&key(metadata));
        bytes[KEY..KEY + STAT].copy_from_slice(&stat(metadata));
        bytes[KEY + STAT..RECORD - 4].copy_from_slice(digest.as_bytes());
        bytes[RECORD - 4..].copy_from_slice(&day.to_be_bytes());
        Self(bytes)
    }

    /// A record of a whole file's bytes.
    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.0[..KEY]
    }

    /// Whether a file of this metadata is the one that was hashed.
    pub(super) fn is_of(&self, metadata: &Metadata) -> bool {
        self.0[..KEY] == key(metadata) && self.0[KEY..KEY + STAT] == stat(metadata)
    }

    pub(super) fn digest(&self) -> Option<Digest> {
        let bytes = &self.0[KEY + STAT..RECORD - 4];
        bytes.try_into().ok().map(Digest::from_bytes)
    }

    /// The day on which it was last of use.
    pub(super) fn day(&self) -> u32 {
        self.0[RECORD - 4..]
            .iter()
            .fold(0, |day, byte| day << 8 | u32::from(*byte))
    }

    pub(super) fn on(mut self, day: u32) -> Self {
        self.0[RECORD - 4..].copy_from_slice(&day.to_be_bytes());
        self
    }
}

/// Device and inode.
pub(super) fn key(metadata: &Metadata) -> [u8; KEY] {
    let mut bytes = [0; KEY];
    bytes[..8].copy_from_slice(&metadata.dev().to_be_bytes());
    bytes[8..].copy_from_slice(&metadata.ino().to_be_bytes());
    bytes
}

fn stat(metadata: &Metadata) -> [u8; STAT] {
    let mut bytes = [0; STAT];
    bytes[..8].copy_from_slice(&metadata.size().to_be_bytes());
    let times = [
        (metadata.mtime(), metadata.mtime_nsec()),
        (metadata.ctime(), metadata.ctime_nsec()),
    ];
    let (places, _) = bytes[8..].as_chunks_mut::<12>();
    for ((seconds, nanoseconds), place) in times.into_iter().zip(places) {
        place[..8].copy_from_slice(&seconds.to_be_bytes());
        // Below 10⁹ by definition; what is not never matches anything that is.
        let nanoseconds = u32::try_from(nanoseconds).unwrap_or(u32::MAX);
        place[8..].copy_from_slice(&nanoseconds.to_be_bytes());
    }
    bytes
}
