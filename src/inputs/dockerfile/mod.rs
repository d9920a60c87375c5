//! Dockerfiles, read in order to complain and to know what they build on. Pure: nothing here reads files, and no build depends on what it finds.

mod check;
mod expand;
mod parse;
mod references;

pub use check::{Checks, Problem, check, floats, needs_paths};
pub use expand::{Variables, expand};
pub use parse::{Dockerfile, Instruction};
pub use references::{Reference, References, Role, Scope, references};

#[cfg(test)]
mod tests;
