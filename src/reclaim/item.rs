//! What can be removed, as data.

use crate::domain::ByteSize;
use serde::Serialize;
use std::path::PathBuf;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Build cache of a builder.
    BuildCache,
    /// An image in the engine.
    Image,
    /// A file or folder among the temporary ones.
    Temporary,
    /// Digests of files that were hashed before.
    DigestCache,
}

impl Kind {
    /// The word for it, as in the JSON document.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BuildCache => "build-cache",
            Self::Image => "image",
            Self::Temporary => "temporary",
            Self::DigestCache => "digest-cache",
        }
    }
}

/// How it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Removal {
    /// `docker buildx prune` of this builder.
    Prune(Option<String>),
    /// `docker image rm`.
    Image(String),
    /// A file, or a folder with all in it.
    Path(PathBuf),
}

/// What came of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was only shown.
    Shown,
    /// It is gone.
    Removed,
    /// It is there still.
    Failed,
}

/// Something that can go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// What kind of thing it is.
    pub kind: Kind,
    /// Its name in the engine, or its path.
    pub name: String,
    /// What it takes, in bytes; `null` where that is not known. Images share layers: of them it is the most that they take.
    pub bytes: Option<u64>,
    /// What it is there for, or was.
    pub why: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it could not be removed.
    pub message: Option<String>,
    #[serde(skip)]
    pub(super) removal: Removal,
}

impl Item {
    pub(super) fn new(
        kind: Kind,
        name: impl Into<String>,
        bytes: Option<u64>,
        why: impl Into<String>,
        removal: Removal,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            bytes,
            why: why.into(),
            outcome: Outcome::Shown,
            message: None,
            removal,
        }
    }
}

/// All that can go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The items, in the order in which they are shown and removed.
    pub items: Vec<Item>,
    /// What could not be looked at, and why; one line each.
    pub notes: Vec<String>,
}

impl Found {
    /// What all of it takes, in bytes, as far as that is known.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = self.items.iter().filter_map(|item| item.bytes);
        bytes.sum::<ByteSize>().0
    }
}
