//! Execution: interprets a plan through a small set of effects, and tells everything that happens as events. It never prints.

mod account;
mod effects;
mod event;
mod failure;
mod interrupt;
mod run;
mod scheduler;
mod state;
mod steps;
mod summary;

pub use account::Account;
pub use effects::{Again, AttemptFailure, BuildAttempt, Built, Effects, TestFailure, Told};
pub use event::{
    Event, Failure, ImageOutcome, ImageReport, PlatformReport, Report, RunOutcome, Sink, SmokeOutcome,
    StepOutcome,
};
pub use interrupt::Interrupt;
pub use run::{Settings, execute};

#[cfg(test)]
mod tests;
