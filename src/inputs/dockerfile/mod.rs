//! Dockerfiles, read in order to complain and to know what they build on. Pure: nothing here reads files, and no build depends on what it finds.

mod check;
mod expand;
mod fetches;
mod floating;
mod glob;
mod parse;
mod references;
mod secrets;
mod shell;
mod sources;
mod stages;
mod unclear;
mod words;

pub use check::{Checks, Problem, check, floats, needs_paths};
pub use expand::{Variables, expand};
pub use floating::floating;
pub use parse::{Dockerfile, Heredoc, Instruction};
pub use references::{Reference, References, Role, Scope, references};
pub use sources::{Context, taken};
pub use stages::triggers;
pub use unclear::unclear;

#[cfg(test)]
mod floating_tests;
#[cfg(test)]
mod parse_tests;
#[cfg(test)]
mod sources_tests;
#[cfg(test)]
mod tests;
