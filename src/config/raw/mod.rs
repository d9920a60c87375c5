//! `variants.toml` as it is written, before anything is filled in. The tables here are the one declaration of its keys.

mod file;
mod image;
mod table;
mod values;
mod version;

pub(super) use file::{RawFile, RawSmoke};
pub(super) use image::{RawBase, RawBuild, RawSecret, RawVariant};
pub(super) use values::{Argument, InnerPath, Prereleases, Promote, is_argument_name};
pub(super) use version::RawVersion;
