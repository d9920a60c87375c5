//! Releases of families of container images: see `docs/architecture.md`.

pub mod buildx;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod domain;
pub mod environment;
pub mod inputs;
pub mod process;
pub mod record;
pub mod smoke;
pub mod target;
pub mod versions;
