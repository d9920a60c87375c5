//! Reports: turns events and documents into what people and machines read.
//!
//! The one module beside `cli` that may write to standard output and standard error. It decides nothing: it never looks at a registry,
//! a file of the family or a process, and a run goes the same way with any reporter or with none.
//!
//! Texts are rendered with ANSI styles in them; [`Output`] takes them out again where colours are not wanted. Text that came from
//! elsewhere goes through [`text::clean`] first.

mod actions;
mod doctor;
mod explain;
mod frame;
mod github;
mod history;
mod json;
mod live;
mod markdown;
mod message;
mod moves;
mod output;
mod phase;
mod plain;
mod plan;
mod progress;
mod prune;
mod reclaim;
mod status;
mod style;
mod summary;
mod table;
pub mod text;
mod verify;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod terminal;

pub use doctor::{check, diagnosis};
pub use explain::{Explanation, Finding, explanation};
pub use github::{GithubError, Outputs, outputs_of_plan, outputs_of_report, publish};
pub use history::{HistoryRow, history, record};
pub use json::{EVENT_SCHEMA, JsonLines};
pub use live::Live;
pub use markdown::markdown;
pub use message::{error, warning};
pub use moves::moves;
pub use output::Output;
pub use plain::{Plain, PlainStyle};
pub use plan::{PlanView, plan};
pub use progress::{Clock, ProgressMode, Reporter, Settings, Tee, Verbosity, reporter};
pub use prune::{deletion, prune};
pub use reclaim::{reclaimable, reclaimed};
pub use status::{Status, StatusAlias, StatusNow, StatusRelease, status};
pub use style::ColorMode;
pub use summary::{failures, summary};
pub use verify::{verified, verify};
