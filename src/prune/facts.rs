//! What must be known before anything is deleted, as plain values.

use crate::domain::{Digest, Tag};
use crate::gather::Recorded;
use crate::target::upkeep::Deletes;
use std::collections::{BTreeMap, BTreeSet};

/// What the repository of the machine tags holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Now, by the target's own clock where it tells one.
    pub now: jiff::Timestamp,
    /// What deleting a tag takes along there.
    pub deletes: Deletes,
    /// All tags and what they point at.
    pub tags: BTreeMap<Tag, Digest>,
    /// The children of each index. Everything else has none.
    pub children: BTreeMap<Digest, BTreeSet<Digest>>,
    /// The records of all families.
    pub records: Vec<Recorded>,
    /// When the images under machine tags were made that no record names, where their configs say it.
    pub created: BTreeMap<Tag, jiff::Timestamp>,
}

impl Facts {
    /// These digests and all that they lead to.
    #[must_use]
    pub fn closure(&self, from: impl IntoIterator<Item = Digest>) -> BTreeSet<Digest> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<Digest> = from.into_iter().collect();
        while let Some(digest) = open.pop() {
            if reached.insert(digest) {
                open.extend(self.children.get(&digest).into_iter().flatten().copied());
            }
        }
        reached
    }
}
