//! Execution: interprets a plan through a small set of effects, and tells everything that happens as events. It never prints.

mod event;

pub use event::{
    Event, Failure, ImageOutcome, ImageReport, PlatformReport, Report, RunOutcome, Sink, SmokeOutcome,
    StepOutcome,
};
