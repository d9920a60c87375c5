//! Values with their places.

use super::Span;
use std::rc::Rc;

/// A value of the document.
#[derive(Debug, Clone)]
pub(in crate::config) struct Placed<T> {
    pub(in crate::config) value: T,
    /// Where it stands.
    pub(in crate::config) span: Span,
    /// How messages call it: `` `[family] name` ``.
    pub(in crate::config) label: Rc<str>,
}

/// What a document says for one key.
///
/// A value that could not be used was reported where it was read. It is told from an absent one, so that nobody reports it as missing too.
#[derive(Debug, Clone, Default)]
pub(in crate::config) enum Field<T> {
    #[default]
    Absent,
    Bad,
    Given(Placed<T>),
}

impl<T> Field<T> {
    pub(in crate::config) const fn given(&self) -> Option<&Placed<T>> {
        match self {
            Self::Given(placed) => Some(placed),
            Self::Absent | Self::Bad => None,
        }
    }

    pub(in crate::config) fn into_given(self) -> Option<Placed<T>> {
        match self {
            Self::Given(placed) => Some(placed),
            Self::Absent | Self::Bad => None,
        }
    }

    pub(in crate::config) fn value(&self) -> Option<&T> {
        self.given().map(|placed| &placed.value)
    }

    pub(in crate::config) fn span(&self) -> Option<&Span> {
        self.given().map(|placed| &placed.span)
    }

    pub(in crate::config) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// One entry of a table whose keys are free.
#[derive(Debug, Clone)]
pub(in crate::config) struct Entry<T> {
    pub(in crate::config) name: String,
    /// Where its key stands.
    pub(in crate::config) key: Span,
    pub(in crate::config) value: Field<T>,
}

/// A table whose keys are free, in the order of the file.
#[derive(Debug, Clone)]
pub(in crate::config) struct Map<T>(pub(in crate::config) Vec<Entry<T>>);

impl<T> Map<T> {
    pub(in crate::config) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.name.as_str())
    }
}
