//! One input, and what differs between two readings of the inputs.

use crate::domain::Digest;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What an input is. A symlink is never followed: its target's text is its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symlink.
    Symlink,
    /// A folder in which nothing counts: `COPY` brings it along. Other folders follow from what lies in them.
    Directory,
}

impl EntryKind {
    /// The word for it: `file`, `symlink`, `directory`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Symlink => "symlink",
            Self::Directory => "directory",
        }
    }
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InputEntry {
    /// Relative to the context, `/` between the names. What lies in a named context is `@NAME/…`, a Dockerfile outside the context `@/…`, and
    /// a path of the context that itself begins with `@` is written `./@…`.
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EntryKind,
    /// Whether its owner may execute it; always `false` for what is no file.
    pub executable: bool,
    /// Bytes of content; of the target's text for a symlink; 0 for a directory.
    pub size: u64,
    /// Digest of these bytes.
    pub digest: Digest,
}

/// What differs between two readings of the same inputs, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// There in both, with other content, kind or exec bit.
    pub changed: Vec<String>,
    /// There in the second only.
    pub added: Vec<String>,
    /// There in the first only.
    pub removed: Vec<String>,
}

impl Differences {
    /// What differs between two lists, each sorted by path as [`collect`](super::collect) gives them.
    #[must_use]
    pub fn between(before: &[InputEntry], after: &[InputEntry]) -> Self {
        let mut differences = Self::default();
        let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return differences,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(old), Some(new)) => old.path.cmp(&new.path),
            };
            let old = order.is_le().then(|| before.next()).flatten();
            let new = order.is_ge().then(|| after.next()).flatten();
            match (old, new) {
                (Some(old), Some(new)) if old != new => differences.changed.push(new.path.clone()),
                (Some(old), None) => differences.removed.push(old.path.clone()),
                (None, Some(new)) => differences.added.push(new.path.clone()),
                _ => {}
            }
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_by_path() {
        let entry = |path: &str, content: &str| InputEntry {
            path: path.to_owned(),
            kind: EntryKind::File,
            executable: false,
            size: content.len() as u64,
            digest: Digest::of(content.as_bytes()),
        };
        let before = [entry("a", "1"), entry("b", "1"), entry("d", "1")];
        let after = [entry("b", "2"), entry("c", "1"), entry("d", "1"), entry("e", "1")];
        let found = Differences::between(&before, &after);
        assert_eq!(found.changed, ["b"]);
        assert_eq!(found.added, ["c", "e"]);
        assert_eq!(found.removed, ["a"]);
        assert!(Differences::between(&before, &before).is_empty());
    }

    #[test]
    fn keys_of_the_json() {
        let entry = InputEntry {
            path: "rootfs/etc/motd".to_owned(),
            kind: EntryKind::File,
            executable: false,
            size: 0,
            digest: Digest::of(b""),
        };
        assert_eq!(
            serde_json::to_string(&entry).unwrap(),
            "{\"path\":\"rootfs/etc/motd\",\"type\":\"file\",\"executable\":false,\"size\":0,\
             \"digest\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"
        );
    }
}
