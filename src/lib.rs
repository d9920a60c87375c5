//! Releases of families of container images: see `docs/architecture.md`.

pub mod buildx;
pub mod clock;
pub mod config;
pub mod domain;
pub mod environment;
pub mod execute;
pub mod facts;
pub mod inputs;
pub mod plan;
pub mod process;
pub mod record;
pub mod smoke;
pub mod target;
pub mod versions;

#[cfg(test)]
mod testing;
