//! Deleting what nothing needs any more: machine tags and records, never a release tag or an alias.
//!
//! What goes is decided by [`plan`], a pure function of [`Facts`]; [`gather`] reads those, and [`run`] deletes, asking again before each deletion.

mod facts;
mod gather;
mod hub;
mod plan;
mod run;
#[cfg(test)]
mod run_tests;
#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use gather::gather;
pub use hub::{HubAccount, HubError};
pub use plan::{Deletion, Kept, Plan, Unfinished, plan};
pub use run::{Ended, Event, Way, run};
