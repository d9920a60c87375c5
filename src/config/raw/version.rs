//! `[versions]`: where the value of a build argument comes from.

use super::table::table;
use super::values::{check_argument_name, refuse_secret};
use crate::config::document::{Field, FromToml, Node, Placed, Reader, did_you_mean};
use schemars::{Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

table! {
    /// The version of an npm package.
    NpmVersion {
        /// The package, with its scope.
        "npm" package: String,
        /// Dist-tag, exact version or range. Default: `latest`.
        "range" range: String,
    }
    needs ["npm"]
    later { "min-age": "leave it out; name an exact version in `range` to hold one back", }
}

table! {
    /// The commit of a ref of a git repository.
    GitVersion {
        /// URL of the repository.
        "git" url: String,
        /// Branch, tag or full ref. Default: `HEAD`.
        "ref" reference: String,
    }
    needs ["git"]
}

table! {
    /// What a command prints.
    CommandVersion {
        /// Program and arguments. A program with a slash is relative to this file.
        "command" command: Vec<Placed<String>>,
        /// Regular expression that the whole output must match.
        "pattern" pattern: String,
    }
    needs ["command", "pattern"]
}

table! {
    /// A fixed value.
    ValueVersion {
        /// The value.
        "value" value: String,
    }
    needs ["value"]
}

/// Where a version comes from, told by which of its keys is there.
#[derive(Debug, Clone)]
pub(in crate::config) enum RawVersion {
    Npm(NpmVersion),
    Git(GitVersion),
    Command(CommandVersion),
    Value(ValueVersion),
}

const SOURCES: [&str; 4] = ["npm", "git", "command", "value"];
const LATER: [&str; 12] = [
    "github", "gitlab", "gitea", "http", "https", "url", "pypi", "crates", "cargo", "oci", "docker", "go",
];

impl FromToml for RawVersion {
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let (secret, named) = (refuse_secret(node, reader), check_argument_name(node, reader));
        let source = Self::read_source(node, reader)?;
        (named && !secret).then_some(source)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            NpmVersion::schema(generator),
            GitVersion::schema(generator),
            CommandVersion::schema(generator),
            ValueVersion::schema(generator),
        ] })
    }
}

impl RawVersion {
    fn read_source(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(entries) = node.value else {
            let hint = format!("write `{} = {{ value = \"…\" }}` for a fixed value", node.name);
            reader.mismatch(
                node,
                "a table with `npm`, `git`, `command` or `value`",
                Some(hint),
            );
            return None;
        };
        let found: Vec<_> = SOURCES
            .into_iter()
            .filter(|source| entries.get(*source).is_some())
            .collect();
        match found[..] {
            [source] => match source {
                "npm" => NpmVersion::read(node, reader).map(Self::Npm),
                "git" => GitVersion::read(node, reader).map(Self::Git),
                "command" => CommandVersion::read(node, reader).map(Self::Command),
                _ => ValueVersion::read(node, reader).map(Self::Value),
            },
            [] => {
                let hint = "supported are `npm`, `git`, `command` and `value`".to_owned();
                let later = entries.keys().find(|key| LATER.contains(&key.get_ref().as_ref()));
                if let Some(key) = later {
                    let message = format!(
                        "{}: source `{}` is not supported yet",
                        node.label(),
                        key.get_ref()
                    );
                    reader.error(&key.span(), message, Some(hint));
                } else {
                    let near = entries
                        .keys()
                        .find_map(|key| did_you_mean(key.get_ref(), SOURCES))
                        .unwrap_or(hint);
                    reader.error(&node.key, format!("{} has no source", node.label()), Some(near));
                }
                None
            }
            _ => {
                let message = format!("{} has several sources: `{}`", node.label(), found.join("`, `"));
                reader.error(&node.key, message, Some("keep one of them".to_owned()));
                None
            }
        }
    }

    /// The one text without which a source means nothing, where it was given.
    pub(in crate::config) const fn subject(&self) -> Option<&Placed<String>> {
        let field: &Field<String> = match self {
            Self::Npm(npm) => &npm.package,
            Self::Git(git) => &git.url,
            Self::Value(value) => &value.value,
            Self::Command(command) => &command.pattern,
        };
        field.given()
    }
}
