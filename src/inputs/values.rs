//! The values that count in an identity beside the files. Pure.

use crate::config::{BuildContext, Image, Provenance};
use crate::domain::{Digest, Identity, Period};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a value is. The words are part of the format of the canonical list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ValueKind {
    /// Build argument.
    Arg,
    /// Identity of the base that a variant stands on; its name is empty.
    Base,
    /// Name of the build argument that gets the base; its name is empty.
    BaseArg,
    /// Digest of the base that a variant stands on, where it is an image from elsewhere; its name is empty.
    BaseImage,
    /// Named build context: `folder` (its files are entries), or the image as configured, without `docker-image://`.
    Context,
    /// Value of `extra`, named by its place from 0.
    Extra,
    /// Further buildx flag, named by its place from 0.
    Flag,
    /// Label.
    Label,
    /// Network of `RUN`; its name is empty.
    Network,
    /// Kind of provenance; its name is empty.
    Provenance,
    /// Refresh period; its name is empty.
    Refresh,
    /// The salt; its name is empty.
    Salt,
    /// Whether an SBOM is attested, or the image that makes it as configured; its name is empty.
    Sbom,
    /// Id of a secret; its value is empty.
    Secret,
    /// Size of `/dev/shm`; its name is empty.
    ShmSize,
    /// Id of an SSH agent; its value is empty.
    Ssh,
    /// Stage to build; its name is empty.
    Target,
    /// Digest of an image from outside, by its reference.
    Upstream,
    /// Resolved version, by its build argument.
    Version,
}

impl ValueKind {
    /// The word in the canonical list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arg => "arg",
            Self::Base => "base",
            Self::BaseArg => "base-arg",
            Self::BaseImage => "base-image",
            Self::Context => "context",
            Self::Extra => "extra",
            Self::Flag => "flag",
            Self::Label => "label",
            Self::Network => "network",
            Self::Provenance => "provenance",
            Self::Refresh => "refresh",
            Self::Salt => "salt",
            Self::Sbom => "sbom",
            Self::Secret => "secret",
            Self::ShmSize => "shm-size",
            Self::Ssh => "ssh",
            Self::Target => "target",
            Self::Upstream => "upstream",
            Self::Version => "version",
        }
    }
}

/// One value that counts. Ordered by kind, name, value, bytewise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedValue {
    /// What it is.
    pub kind: ValueKind,
    /// Its name among those of its kind.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What the configuration leaves open, filled in: templates rendered, versions and digests known.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// `build.args`, without those that come from `[versions]`.
    pub args: &'a IndexMap<String, String>,
    /// `build.labels`.
    pub labels: &'a IndexMap<String, String>,
    /// `extra`.
    pub extra: &'a [String],
    /// Versions by build argument; those that the image does not name are passed over.
    pub versions: &'a BTreeMap<String, String>,
    /// Digests of images from outside, by reference; empty where they float.
    pub upstream: &'a BTreeMap<String, String>,
    /// Identity of the base, where the image stands on one.
    pub base: Option<&'a Identity>,
    /// Digest of the base, where the image stands on one from elsewhere.
    pub base_image: Option<&'a Digest>,
    /// The period that it is built for, where it is refreshed.
    pub period: Option<Period>,
}

/// Versions that an image needs and that are not known: without them it has no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no version is known for {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
pub struct Unresolved {
    /// Their build arguments, in the order of the configuration.
    pub names: Vec<String>,
}

/// Everything that counts for an image beside its files: what reaches the build. What merely tests, tags, caches or limits it does not count, nor
/// do its platforms.
///
/// # Errors
/// The versions that are named and not known.
pub fn values_of(image: &Image, resolved: &Resolved<'_>) -> Result<Vec<NamedValue>, Unresolved> {
    let mut values = Vec::new();
    let mut add = |kind, name: &str, value: &str| {
        let (name, value) = (name.to_owned(), value.to_owned());
        values.push(NamedValue { kind, name, value });
    };
    for (name, value) in resolved.args {
        add(ValueKind::Arg, name, value);
    }
    for (name, value) in resolved.labels {
        add(ValueKind::Label, name, value);
    }
    let mut unknown = Vec::new();
    for name in &image.versions {
        match resolved.versions.get(name) {
            Some(version) => add(ValueKind::Version, name, version),
            None => unknown.push(name.clone()),
        }
    }
    for (reference, digest) in resolved.upstream {
        add(ValueKind::Upstream, reference, digest);
    }
    if let Some(base) = resolved.base {
        add(ValueKind::Base, "", &base.to_string());
    }
    if let Some(base) = resolved.base_image {
        add(ValueKind::BaseImage, "", &base.to_string());
    }
    if let Some(period) = resolved.period {
        add(ValueKind::Refresh, "", &period.to_string());
    }
    for (place, value) in resolved.extra.iter().enumerate() {
        add(ValueKind::Extra, &place.to_string(), value);
    }
    let build = &image.build;
    for (place, flag) in build.flags.iter().enumerate() {
        add(ValueKind::Flag, &place.to_string(), flag);
    }
    for (name, context) in &build.contexts {
        match context {
            BuildContext::Folder(_) => add(ValueKind::Context, name, "folder"),
            BuildContext::Image(reference) => add(ValueKind::Context, name, reference),
        }
    }
    for secret in &build.secrets {
        add(ValueKind::Secret, &secret.id, "");
    }
    for agent in &build.ssh {
        // Where its socket is does not count, as with a secret.
        let id = agent.split_once('=').map_or(agent.as_str(), |(id, _)| id);
        add(ValueKind::Ssh, id, "");
    }
    let options = [
        (ValueKind::BaseArg, image.base_arg.as_deref()),
        (ValueKind::Target, build.target.as_deref()),
        (ValueKind::Network, build.network.as_deref()),
        (ValueKind::ShmSize, build.shm_size.as_deref()),
        (ValueKind::Salt, Some(image.salt.as_str())),
    ];
    for (kind, option) in options {
        if let Some(value) = option.filter(|value| !value.is_empty()) {
            add(kind, "", value);
        }
    }
    let provenance = match build.provenance {
        Provenance::Off => "off",
        Provenance::Min => "min",
        Provenance::Max => "max",
    };
    add(ValueKind::Provenance, "", provenance);
    add(ValueKind::Sbom, "", build.sbom.as_str());
    if !unknown.is_empty() {
        return Err(Unresolved { names: unknown });
    }
    values.sort_unstable();
    Ok(values)
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
