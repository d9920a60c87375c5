//! A TOML document read with the place of everything in it, and every problem of it at once.
//!
//! Serde stops at the first unknown key or wrong type. Here a document is walked by types that note what they cannot use and go on.

mod field;
mod near;
mod node;
mod reader;
mod secrecy;
mod source;
mod values;

pub(super) use field::{Entry, Field, Map, Placed};
pub(super) use near::did_you_mean;
pub(super) use node::{Node, Table};
pub(super) use reader::Reader;
pub(crate) use secrecy::{looks_like_secret, looks_like_token};
pub(super) use source::Span;
pub(super) use values::{FromToml, read_choice, read_text};
