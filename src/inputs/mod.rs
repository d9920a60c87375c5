//! What goes into an image: files, values, and the identity that is computed from them.
//!
//! This module reads files and writes none. It starts no process, asks no registry, and knows neither plans nor tags. All of it is synchronous: callers on
//! an async runtime go through `spawn_blocking`.

mod concat;
pub mod dockerfile;
mod dockerignore;
mod entry;
mod error;
mod go_regexp;
mod hash;
mod ignore_pattern;
mod junk;
mod pattern;
mod place;
mod reach;
mod request;
mod tree;
mod values;
mod walk;

pub use concat::{Blind, Concat, concat};
pub use dockerignore::{BadPattern, Dockerignore, Inherited};
pub use entry::{Differences, EntryKind, InputEntry};
pub use error::InputError;
pub use junk::{Junk, JunkLine};
pub use reach::reached;
pub use request::Request;
pub use tree::{CanonicalList, IdentityInputs, TREE_FORMAT};
pub use values::{NamedValue, Resolved, Unresolved, ValueKind, values_of};
pub use walk::{Collected, collect, collect_files, context_paths, fingerprint};

#[cfg(test)]
mod identity_tests;
#[cfg(test)]
mod single_change_tests;
