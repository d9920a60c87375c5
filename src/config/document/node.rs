//! Where the reader is in a document.

use super::Span;
use std::borrow::Cow;
use std::rc::Rc;
use toml::de::{DeTable, DeValue};

/// A value of the document and how it is reached.
pub(in crate::config) struct Node<'n> {
    /// The table that it is in; empty for the document's own.
    pub(in crate::config) table: &'n str,
    /// Its key.
    pub(in crate::config) name: &'n str,
    /// Where its key stands.
    pub(in crate::config) key: Span,
    /// Where it stands.
    pub(in crate::config) span: Span,
    pub(in crate::config) value: &'n DeValue<'n>,
    /// Whether it is an item of the list that has the key.
    pub(in crate::config) is_item: bool,
}

/// A table of the document and its path.
pub(in crate::config) struct Table<'n> {
    pub(in crate::config) path: String,
    pub(in crate::config) entries: &'n DeTable<'n>,
}

impl Node<'_> {
    /// How messages call it: `` `[variants.omos] tags` ``, `` `[describe]` ``, `` `schema` ``.
    pub(in crate::config) fn label(&self) -> Rc<str> {
        match (self.table, self.name, self.value) {
            ("", "", _) => "the file".into(),
            ("", name, DeValue::Table(_)) => format!("`[{}]`", key(name)).into(),
            ("", name, _) => format!("`{}`", key(name)).into(),
            (table, name, _) => format!("`[{table}] {}`", key(name)).into(),
        }
    }

    /// Its path, for when it is a table.
    pub(in crate::config) fn path(&self) -> String {
        match self.table {
            "" if self.name.is_empty() => String::new(),
            "" => key(self.name).into_owned(),
            table => format!("{table}.{}", key(self.name)),
        }
    }

    /// What kind of value it is, as a noun phrase.
    pub(in crate::config) fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        }
    }
}

/// A key as TOML writes it.
fn key(name: &str) -> Cow<'_, str> {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare {
        name.into()
    } else {
        format!("{name:?}").into()
    }
}
