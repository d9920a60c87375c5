//! What goes into an image: files, values, and the identity that is computed from them.
//!
//! This module reads files and writes none: digests that were computed before come from a [cache](crate::digest_cache), which is handed to it. It starts no process, asks no registry, and knows neither plans nor tags. All of it is synchronous: callers on
//! an async runtime go through `spawn_blocking`.

mod change;
mod concat;
pub mod dockerfile;
mod dockerignore;
mod entry;
mod error;
mod go_regexp;
mod hash;
mod ignore_pattern;
mod junk;
mod list;
mod pattern;
mod place;
mod reach;
mod request;
mod tree;
mod values;
mod walk;

pub use change::{Aspect, Change, ChangeWord, Subject, changes, short};
pub use concat::{Blind, Concat, concat};
pub use dockerignore::{BadPattern, Dockerignore, Inherited};
pub use entry::{Differences, EntryKind, InputEntry};
pub use error::InputError;
pub use junk::{Junk, JunkLine};
pub use list::{InputList, InvalidList, LIST_LIMIT, LIST_TYPE};
pub use reach::reached;
pub use request::Request;
pub use tree::{CanonicalList, IdentityInputs, TREE_FORMAT};
pub use values::{NamedValue, Resolved, Unresolved, ValueKind, values_of};
pub use walk::{Collected, Listing, collect, collect_files, collect_with, context_listing, fingerprint};

#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod single_change_tests;
