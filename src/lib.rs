//! Releases of families of container images: see `docs/architecture.md`.

pub mod buildx;
pub mod ci;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod describe;
pub mod doctor;
pub mod domain;
pub mod effects;
pub mod environment;
pub mod execute;
pub mod facts;
pub mod gather;
pub mod holder;
pub mod init;
pub mod inputs;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod sign;
pub mod smoke;
pub mod target;
#[cfg(test)]
mod testing;
pub mod versions;
