//! How a table of the file is declared: once, for reading it and for its JSON Schema.

/// Declares a table: a struct of [`Field`](crate::config::document::Field)s, how it is read, and its schema.
///
/// `needs` are keys that must be there. `later` are keys that are known but refused, each with what to do without it.
macro_rules! table {
    (
        $(#[doc = $about:literal])*
        $name:ident { $( $(#[doc = $doc:literal])* $key:literal $field:ident: $type:ty, )* }
        $( needs [ $($needed:literal),* ] )?
        $( later { $($late:literal: $hint:literal,)* } )?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Default)]
        pub(in crate::config) struct $name {
            $( $(#[doc = $doc])* pub(in crate::config) $field: $crate::config::document::Field<$type>, )*
        }

        impl $crate::config::document::FromToml for $name {
            fn read(
                node: &$crate::config::document::Node<'_>,
                reader: &mut $crate::config::document::Reader<'_>,
            ) -> Option<Self> {
                let later = [$( $( ($late, $hint), )* )?];
                let table = reader.table(node, &[$($key),*], &[$( $($needed),* )?], &later)?;
                Some(Self { $( $field: reader.field(&table, $key), )* })
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                let name = stringify!($name);
                name.strip_prefix("Raw").unwrap_or(name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let properties = [$( $crate::config::raw::table::described(
                    $key,
                    <$type as $crate::config::document::FromToml>::schema(generator),
                    &[$($doc),*],
                ), )*];
                $crate::config::raw::table::object(
                    &[$($about),*],
                    &properties.into_iter().collect(),
                    &[$( $($needed),* )?],
                )
            }
        }
    };
}
pub(super) use table;

use serde_json::{Map, Value, json};

/// A property of a table with its documentation.
pub(super) fn described(key: &str, mut schema: schemars::Schema, lines: &[&str]) -> (String, Value) {
    schema.insert("description".to_owned(), text(lines).into());
    (key.to_owned(), schema.into())
}

/// A table with these properties and no others.
pub(super) fn object(about: &[&str], properties: &Map<String, Value>, needed: &[&str]) -> schemars::Schema {
    let mut schema = schemars::json_schema!({
        "type": "object",
        "description": text(about),
        "properties": properties,
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        schema.insert("required".to_owned(), json!(needed));
    }
    schema
}

/// A doc comment's lines as one text.
fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}
