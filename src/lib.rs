//! Releases of families of container images: see `docs/architecture.md`.
// The types of nested futures: a release in a command, requests in a release, retries in a request.
#![recursion_limit = "256"]
// Of the lints on what may panic it is the only one that clippy.toml cannot turn off in tests.
#![cfg_attr(test, expect(clippy::string_slice, reason = "tests end by panicking"))]

pub mod buildx;
pub mod ci;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod describe;
pub mod digest_cache;
pub mod doctor;
pub mod domain;
pub mod effects;
pub mod engine;
pub mod environment;
pub mod execute;
pub mod facts;
pub mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gather;
pub mod holder;
pub mod init;
pub mod inputs;
pub mod pace;
pub mod plan;
pub mod process;
pub mod prune;
pub mod reclaim;
pub mod record;
pub mod report;
pub mod sign;
pub mod smoke;
pub mod target;
#[cfg(test)]
mod testing;
pub mod verify;
pub mod versions;
