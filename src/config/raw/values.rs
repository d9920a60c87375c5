//! Values that only `variants.toml` has: arguments, paths, templates, and the words of its choices.

use crate::config::document::{
    FromToml, Node, Reader, Span, looks_like_secret, looks_like_token, read_choice, read_text,
};
use crate::config::{HashFormat, Provenance, Refresh, Sbom, Template, Upstream};
use crate::domain::{ByteSize, Duration, Platform, TagPattern, Versioning};
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use toml::de::DeValue;

/// `[release] promote`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Promote {
    /// A release moves the aliases.
    Auto,
    /// Aliases move by hand.
    Never,
}

/// `[release] prereleases`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum Prereleases {
    /// A pre-release gets its release tags only.
    NoAliases,
    /// A pre-release moves the aliases like any other version.
    Aliases,
}

macro_rules! choices {
    ($($type:ty),* $(,)?) => {
        $(impl FromToml for $type {
            fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                read_choice(node, reader)
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                generator.subschema_for::<Self>()
            }
        })*
    };
}
choices!(
    Promote,
    Prereleases,
    Refresh,
    Versioning,
    HashFormat,
    Upstream,
    Provenance
);

macro_rules! texts {
    ($($type:ty: $pattern:literal $example:literal),* $(,)?) => {
        $(impl FromToml for $type {
            fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
                read_text(node, reader)
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        })*
    };
}
texts!(
    Platform: "^linux/[a-z0-9_]+(/[a-z0-9_]+)?$" "linux/arm64",
    Duration: "^([0-9]+(ms|s|m|h|d))+$" "1h30m",
    TagPattern: "^[A-Za-z0-9_.*?-]{1,128}$" "base-*",
    ByteSize: "^[0-9]+(\\.[0-9]+)? *([kKMGT]?B|[KMGT]iB)$" "2.5GB",
);

/// Parses a template, and notes what is wrong with it at its place.
fn template(text: &str, node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(error) => {
            let span: Span = reader.within(&node.span, text, error.offset, error.length);
            reader.error(&span, format!("{}: {}", node.label(), error.message), None);
            None
        }
    }
}

impl FromToml for Template {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = String::read(node, reader)?;
        template(&text, node, reader)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A boolean, or the image that scans. Whether that is one is seen to where it is resolved.
impl FromToml for Sbom {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            DeValue::Boolean(true) => Some(Self::On),
            DeValue::Boolean(false) => Some(Self::Off),
            DeValue::String(text) => Some(Self::Scanner(text.clone().into_owned())),
            _ => {
                reader.mismatch(node, "`true`, `false` or an image", None);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["boolean", "string"],
            "examples": [true, "docker.io/docker/buildkit-syft-scanner:stable-1"],
        })
    }
}

/// The value of a build argument: text with placeholders, a boolean or a whole number.
#[derive(Debug, Clone)]
pub(in crate::config) struct Argument(pub(in crate::config) Template);

impl FromToml for Argument {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        // Its value is not looked at any further: messages quote what they are about.
        if refuse_secret(node, reader) || !check_argument_name(node, reader) {
            return None;
        }
        let template = match node.value {
            DeValue::String(text) => template(text, node, reader),
            DeValue::Boolean(value) => Some(Template::literal(if *value { "true" } else { "false" })),
            DeValue::Integer(number) => {
                let decimal = number.radix() == 10;
                if !decimal {
                    let hint = "write it in decimal, or in quotes".to_owned();
                    reader.mismatch(node, "a decimal number", Some(hint));
                }
                decimal.then(|| Template::literal(number.as_str()))
            }
            _ => {
                let hint = matches!(node.value, DeValue::Float(_) | DeValue::Datetime(_))
                    .then(|| "put it in quotes, so that it arrives as it is written".to_owned());
                reader.mismatch(node, "a string, a boolean or a whole number", hint);
                None
            }
        };
        template.map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "boolean", "integer"] })
    }
}

/// Notes an argument whose name says that it is a secret: arguments stand in the image's history for all to read.
pub(super) fn refuse_secret(node: &Node<'_>, reader: &mut Reader<'_>) -> bool {
    let token = matches!(node.value, DeValue::String(text) if looks_like_token(text));
    let secret = token || looks_like_secret(node.name);
    if secret {
        reader.hide(&node.span);
        let what = if token { "the value of " } else { "" };
        let message = format!(
            "{what}{} looks like a secret, and build arguments can be read in the image",
            node.label()
        );
        let hint = format!(
            "use `[build] secrets = [{{ id = \"{}\", env = \"{}\" }}]` and `RUN --mount=type=secret,…`",
            node.name.to_lowercase().replace('_', "-"),
            node.name.to_uppercase().replace('-', "_")
        );
        reader.error(&node.key, message, Some(hint));
    }
    secret
}

/// Notes a name that no build argument can have.
pub(super) fn check_argument_name(node: &Node<'_>, reader: &mut Reader<'_>) -> bool {
    let good = is_argument_name(node.name);
    if !good {
        let message = format!("{}: no build argument can have this name", node.label());
        let hint = "names are letters, digits and `_`, the first no digit".to_owned();
        reader.error(&node.key, message, Some(hint));
    }
    good
}

/// Whether an `ARG` can have this name.
pub(in crate::config) fn is_argument_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// A path relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct RootPath(pub(in crate::config) Utf8PathBuf);

/// A path inside the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) struct InnerPath(pub(in crate::config) Utf8PathBuf);

impl FromToml for RootPath {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        relative(node, reader, "this file's folder").map(Self)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

impl FromToml for InnerPath {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let path = relative(node, reader, "the build context")?;
        if path.components().any(|part| part == Utf8Component::ParentDir) {
            let message = format!("{}: `{path}` may lead out of the build context", node.label());
            let hint = "name a path inside the context, or set `context` to a folder further up".to_owned();
            reader.error(&node.span, message, Some(hint));
            return None;
        }
        Some(Self(path))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// A relative path without `./` and trailing slashes.
fn relative(node: &Node<'_>, reader: &mut Reader<'_>, to: &str) -> Option<Utf8PathBuf> {
    let text = String::read(node, reader)?;
    let path = Utf8Path::new(&text);
    let problem = if text.is_empty() {
        Some(format!("{} is empty", node.label()))
    } else if path.is_absolute() {
        Some(format!("{}: `{text}` is absolute", node.label()))
    } else if text.contains('\0') {
        Some(format!("{}: no path holds a NUL", node.label()))
    } else {
        None
    };
    if let Some(message) = problem {
        reader.error(
            &node.span,
            message,
            Some(format!("write a path relative to {to}")),
        );
        return None;
    }
    let plain: Utf8PathBuf = path
        .components()
        .filter(|part| *part != Utf8Component::CurDir)
        .collect();
    Some(if plain.as_str().is_empty() {
        ".".into()
    } else {
        plain
    })
}
