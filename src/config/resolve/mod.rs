//! From the file as it is written to a [`Family`](super::Family): defaults, merging, and what only shows when several keys are seen together.

mod base_image;
mod build;
mod cache;
mod describe;
mod family;
mod flags;
mod image;
mod placeholders;
mod platforms;
mod repository;
mod sign;
mod smoke;
mod tags;
mod versions;

pub(super) use family::family;

use super::Overrides;
use super::document::{Field, Placed, Reader, Span};
use super::raw::RawFile;
use crate::domain::Versioning;
use crate::environment::Environment;
use camino::Utf8Path;
use std::collections::BTreeSet;

/// What resolving works with.
struct Resolver<'r, 's> {
    raw: &'r RawFile,
    /// The file itself, as it was named.
    file: &'r Utf8Path,
    environment: &'r Environment,
    overrides: &'r Overrides,
    reader: &'r mut Reader<'s>,
    versioning: Versioning,
    /// `[release] stamp-version`.
    stamp_version: bool,
    /// Names in `[versions]` that something refers to.
    used_versions: BTreeSet<String>,
}

impl Resolver<'_, '_> {
    fn error(&mut self, span: &Span, message: String, hint: impl Into<Option<String>>) {
        self.reader.error(span, message, hint.into());
    }
}

/// The last of several fields that says something: the layers of a default and what overrides it.
fn last<'f, T: 'f>(layers: impl IntoIterator<Item = &'f Field<T>>) -> Option<&'f Placed<T>> {
    layers.into_iter().filter_map(Field::given).last()
}
