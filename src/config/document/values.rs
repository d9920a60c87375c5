//! Values that can be read from a document: text, numbers, lists, tables with free keys, and words of a choice.

use super::{Entry, Map, Node, Placed, Reader, did_you_mean};
use crate::domain::InvalidText;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use std::fmt;
use std::str::FromStr;
use toml::de::DeValue;

/// A value that can be read from a document, and that knows its JSON Schema.
pub(in crate::config) trait FromToml: Sized {
    /// Reads it. What is wrong goes to the reader; `None` when nothing of it can be used.
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self>;

    /// What it may look like.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

impl FromToml for String {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if let DeValue::String(text) = node.value {
            return Some(text.clone().into_owned());
        }
        reader.mismatch(node, "a string", None);
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl FromToml for bool {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if let DeValue::Boolean(value) = node.value {
            return Some(*value);
        }
        reader.mismatch(node, "`true` or `false`", None);
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl FromToml for u32 {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        if let DeValue::Integer(value) = node.value {
            let number = Self::from_str_radix(value.as_str(), value.radix());
            if number.is_err() {
                let message = format!("{} is out of range", node.label());
                reader.error(&node.span, message, Some(format!("0 to {}", Self::MAX)));
            }
            return number.ok();
        }
        reader.mismatch(node, "a whole number", None);
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": Self::MAX })
    }
}

/// A list; items that cannot be used are left out of it.
impl<T: FromToml> FromToml for Vec<Placed<T>> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(items) = node.value else {
            let hint = node
                .value
                .as_str()
                .map(|text| format!("write `{} = [{text:?}]`", node.name));
            reader.mismatch(node, "an array", hint);
            return None;
        };
        let items = items.iter().filter_map(|item| {
            let node = Node {
                table: node.table,
                name: node.name,
                key: item.span(),
                span: item.span(),
                value: item.get_ref(),
                is_item: true,
            };
            reader.value(&node).into_given()
        });
        Some(items.collect())
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": T::schema(generator) })
    }
}

impl<T: FromToml> FromToml for Map<T> {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(entries) = node.value else {
            reader.mismatch(node, "a table", None);
            return None;
        };
        let path = node.path();
        let mut entries: Vec<_> = entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, value)| Entry {
            name: key.get_ref().clone().into_owned(),
            key: key.span(),
            value: reader.value(&Node {
                table: &path,
                name: key.get_ref(),
                key: key.span(),
                span: value.span(),
                value: value.get_ref(),
                is_item: false,
            }),
        });
        Some(Self(entries.collect()))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": T::schema(generator) })
    }
}

/// Reads text of a form that a type knows.
pub(in crate::config) fn read_text<T>(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T>
where
    T: FromStr<Err = InvalidText>,
{
    let text = String::read(node, reader)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let (noun, grammar) = split_expected(error.expected);
            reader.error(
                &node.span,
                format!("{}: `{text}` is not {noun}", node.label()),
                grammar,
            );
            None
        }
    }
}

/// `a platform: linux/ARCH …` is a noun and its grammar.
fn split_expected(expected: &str) -> (&str, Option<String>) {
    match expected.split_once(": ") {
        Some((noun, grammar)) => (noun, Some(format!("write {grammar}"))),
        None => (expected, None),
    }
}

/// Reads one word of a choice.
pub(in crate::config) fn read_choice<T>(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<T>
where
    T: DeserializeOwned + JsonSchema,
{
    let text = String::read(node, reader)?;
    let words = match T::deserialize(StrDeserializer::<NotOneOf>::new(&text)) {
        Ok(value) => return Some(value),
        Err(NotOneOf(words)) => words,
    };
    let known = format!("known here: `{}`", words.join("`, `"));
    let hint = did_you_mean(&text, words.iter().copied()).unwrap_or(known);
    reader.error(
        &node.span,
        format!("{}: `{text}` is not a known word", node.label()),
        Some(hint),
    );
    None
}

/// What serde says when a word is not one of a choice: only the words are kept.
#[derive(Debug)]
struct NotOneOf(&'static [&'static str]);

impl fmt::Display for NotOneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not one of {}", self.0.join(", "))
    }
}

impl std::error::Error for NotOneOf {}

impl serde::de::Error for NotOneOf {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}
