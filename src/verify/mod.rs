//! Whether the target holds what a record names: whole, and under the right tags. Reads only.

mod check;
mod signature;

pub use check::{Checked, Finding, Kind, Verified, verify};
pub use signature::verify_signatures;
