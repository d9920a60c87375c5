//! The plan: the versioned document that says what will be done and why. `release` runs exactly what `plan` prints.
//!
//! Planning is pure: no file, network, clock, environment or process. See [`crate::facts`] for where its knowledge comes from.

mod build_step;
mod collision;
mod compare;
mod copy;
mod document;
mod draft;
mod error;
mod first_record;
mod freshness;
mod images;
mod options;
mod planner;
mod promote;
pub(crate) mod publish;
mod recorded;
mod recover;
pub(crate) mod render;
mod sign_step;
mod smoke_step;
mod step;
mod validation;

/// Seconds after which an unfinished record counts as given up.
pub const GIVEN_UP: u64 = 600;

pub(crate) use build_step::{arguments, values as publish_values};
pub use collision::check_identity;
pub use compare::differences;
pub use copy::{no_record, plan_copy, record_in};
pub use document::{Plan, PlanImage, PlanPlatform, PresenceWord, SCHEMA};
pub use error::PlanError;
pub use options::{Goal, Options, Rebuild};
pub use planner::plan;
pub use promote::plan_promotion;
pub use recover::{Way, plan_recovery, plan_rollback};
pub use step::{
    Action, AliasStep, AssembleStep, BaseUse, BuildStep, DescribeStep, MoveStep, RecordStep, SignStep,
    SmokeStep, Step, StepId, TagStep,
};

pub use validation::{Validation, on_base, validated, validation};

#[cfg(test)]
mod tests;
