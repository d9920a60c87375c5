//! `variants.toml`: read, checked and turned into a [`Family`].
//!
//! Everything that is wrong with a file is reported at once, each with its place. Nothing here asks a registry or an engine.

mod family;
mod template;

pub use family::{
    Build, BuildContext, Cache, CacheTo, Family, HashFormat, Image, Provenance, Release, Retry, Secret,
    SecretSource, Smoke, Upstream, VersionSource,
};
pub use template::{Template, TemplateError};
