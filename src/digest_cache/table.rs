//! All records, sorted by device and inode, as they stand in the file.

use super::record::{RECORD, Record, key};
use crate::domain::Digest;
use std::fs::Metadata;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many files are remembered: 11 MB. Beyond, those that were of no use for longest go.
pub(super) const MOST: usize = 131_072;
/// Days after which it is written down that a record is still of use, so that a run that changes nothing need not write.
const OVERDUE: u32 = 7;

/// All records.
#[derive(Debug, Default)]
pub(super) struct Table {
    bytes: Vec<u8>,
    /// Where in `bytes` the records begin.
    begin: usize,
    /// Which were of use in this run.
    used: Vec<AtomicBool>,
}

/// The records that were of use in this run.
pub(super) struct Used {
    pub(super) records: Vec<Record>,
    /// Whether that must be written down.
    pub(super) overdue: bool,
}

impl Table {
    /// A table of the records that stand in `bytes` from `begin` on, sorted by device and inode; `None` if the last of them is not whole.
    pub(super) fn new(bytes: Vec<u8>, begin: usize) -> Option<Self> {
        let size = bytes.len().checked_sub(begin)?;
        let used = (0..size / RECORD).map(|_| AtomicBool::new(false)).collect();
        (size % RECORD == 0).then_some(Self { bytes, begin, used })
    }

    /// All records.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }

    pub(super) fn find(&self, metadata: &Metadata) -> Option<Digest> {
        let (wanted, (records, _)) = (key(metadata), self.bytes().as_chunks::<RECORD>());
        let at = records
            .binary_search_by(|record| record.first_chunk().cmp(&Some(&wanted)))
            .ok()?;
        let record = records.get(at).copied().map(Record)?;
        if !record.is_of(metadata) {
            return None;
        }
        self.used.get(at)?.store(true, Ordering::Relaxed);
        record.digest()
    }

    fn iter(&self) -> impl Iterator<Item = Record> {
        self.bytes().chunks_exact(RECORD).filter_map(Record::from_slice)
    }

    /// What was of use in this run.
    pub(super) fn used(&self, today: u32) -> Used {
        let used = self.iter().zip(&self.used);
        let used = used.filter(|(_, used)| used.load(Ordering::Relaxed));
        let mut overdue = false;
        let records = used.map(|(record, _)| {
            overdue |= record.day().saturating_add(OVERDUE) <= today;
            record.on(today)
        });
        let records = records.collect();
        Used { records, overdue }
    }

    /// This table with these records, the last of each file winning over those before it.
    pub(super) fn merged(&self, updates: Vec<Record>) -> Self {
        let mut all: Vec<Record> = self.iter().chain(updates).collect();
        // Stable: of one file, the later stays behind the earlier.
        all.sort_by(|a, b| a.key().cmp(b.key()));
        all.dedup_by(|later, earlier| {
            let same = later.key() == earlier.key();
            if same {
                *earlier = *later;
            }
            same
        });
        if all.len() > MOST {
            all.sort_by_key(|record| std::cmp::Reverse(record.day()));
            all.truncate(MOST);
            all.sort_by(|a, b| a.key().cmp(b.key()));
        }
        let mut bytes = Vec::with_capacity(all.len() * RECORD);
        for record in &all {
            bytes.extend_from_slice(&record.0);
        }
        let used = all.iter().map(|_| AtomicBool::new(false)).collect();
        Self {
            bytes,
            begin: 0,
            used,
        }
    }
}
