//! The plan: the versioned document that says what will be done and why. `release` runs exactly what `plan` prints.
//!
//! Planning is pure: no file, network, clock, environment or process. See [`crate::facts`] for where its knowledge comes from.

mod document;
mod step;

pub use document::{Plan, PlanImage, PlanPlatform, PresenceWord, SCHEMA};
pub use step::{
    Action, AliasStep, AssembleStep, BaseUse, BuildStep, RecordStep, SmokeStep, Step, StepId, TagStep,
};
