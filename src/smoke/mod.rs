//! Smoke tests: runs the family's own command against a platform image by digest, on this machine, and leaves nothing behind.

mod command;
mod containers;
mod held;
mod identity;
mod load;
mod run;
mod size;
mod verdict;

#[cfg(test)]
mod e2e;

pub use held::Held;
pub use identity::{SmokeFile, smoke_identity};
pub use load::{Loading, WriteArchive};
pub use run::{SmokeFailure, SmokeFailureKind, SmokeOptions, SmokePassed, run};
pub use size::{TooLarge, check_size};
