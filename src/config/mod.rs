//! `variants.toml`: read, checked and turned into a [`Family`].
//!
//! Everything that is wrong with a file is reported at once, each with its place. Nothing here asks a registry or an engine.

mod document;
mod family;
mod load;
mod naming;
mod problem;
mod raw;
mod render;
mod resolve;
mod sbom;
mod schema;
mod template;

pub(crate) use crate::environment::{looks_harmless, looks_like_secret, looks_like_token};
pub use family::{
    Build, BuildContext, Cache, CacheTo, Describe, Family, HashFormat, Image, Provenance, Prune, Refresh,
    Release, Retry, Secret, SecretSource, Sign, Smoke, Upstream, VersionSource,
};
pub use load::{Loaded, Overrides, load, parse};
pub use naming::{TagError, render_tag};
pub use problem::{ConfigErrors, Place, Problem, Severity};
pub use render::{render, render_all};
pub use sbom::Sbom;
pub use schema::json_schema;
pub use template::{Template, TemplateError};

#[cfg(test)]
mod tests;
