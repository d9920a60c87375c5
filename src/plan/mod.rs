//! The plan: the versioned document that says what will be done and why. `release` runs exactly what `plan` prints.
//!
//! Planning is pure: no file, network, clock, environment or process. See [`crate::facts`] for where its knowledge comes from.

mod build_step;
mod compare;
mod copy;
mod document;
mod error;
mod images;
mod options;
mod planner;
mod promote;
pub(crate) mod publish;
pub(crate) mod render;
mod smoke_step;
mod step;
mod validation;

pub(crate) use build_step::{arguments, values as publish_values};
pub use compare::differences;
pub use copy::{no_record, plan_copy, record_in};
pub use document::{Plan, PlanImage, PlanPlatform, PresenceWord, SCHEMA};
pub use error::PlanError;
pub use options::{Goal, Options, Rebuild};
pub use planner::plan;
pub use promote::plan_promotion;
pub use step::{
    Action, AliasStep, AssembleStep, BaseUse, BuildStep, DescribeStep, RecordStep, SignStep, SmokeStep, Step,
    StepId, TagStep,
};

pub use validation::{Validation, on_base, validated, validation};

#[cfg(test)]
mod tests;
