//! A family to start from: what its files say, and how they are written without ever touching one that is there.

mod adopt;
mod guess;
mod template;
#[cfg(test)]
mod tests;
mod write;

pub use adopt::Adopted;
pub use guess::{name, repository};
pub use template::{Answers, BaseImage, NewFile, files, files_beside};
pub use write::{WriteError, existing, write};

/// The Dockerfile of a base.
pub const BASE: &str = "Dockerfile.base";
/// The Dockerfile of the variants.
pub const VARIANT: &str = "Dockerfile.variant";
/// The smoke test.
pub const SMOKE: &str = "scripts/smoke-test.sh";
/// The family's file.
pub const FAMILY: &str = "variants.toml";
/// The one file that the base of a new family copies.
pub const MOTD: &str = "rootfs/etc/motd";
/// What is kept from builds.
pub const IGNORE: &str = ".dockerignore";
