//! Whether this machine, its engine and the registry are ready for a release: what would fail after forty minutes is found in seconds.
//!
//! Each check is one file: what it asks, and apart from that the verdict on the answers, which is pure. Nothing here changes anything:
//! what is built goes nowhere, the upload that is opened is cancelled. Nothing here retries for long, and every check is bounded in time.

mod builder;
mod check;
mod clock;
mod credentials;
mod disk;
mod emulation;
mod engine;
mod examine;
mod program;
mod registry;
#[cfg(test)]
mod tests;
mod versions;

pub use check::{Check, Diagnosis, Kind, Status};
pub use examine::{Patient, examine};
pub use registry::client;
