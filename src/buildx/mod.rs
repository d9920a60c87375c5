//! Builds of platform images through `docker buildx`: the command line of a build step as a pure function, one attempt of running it, and
//! what its failure means. It neither retries nor talks to a registry: the executor does.

mod agents;
mod build;
mod builder;
mod classify;
mod command;
mod failure;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod progress;
mod rawjson;
mod secrets;
mod vertex_kind;

#[cfg(test)]
mod e2e;
#[cfg(test)]
mod recorded_tests;

pub use crate::environment::Redactor;
pub use agents::{AgentError, agents_are_there};
pub use build::{BuildOptions, Built, Limits, build};
pub use builder::{BuilderError, inspect};
pub use command::{BuildIo, LayoutIo, command, shell_line};
pub use failure::{BuildFailure, FailedRun, Retry};
pub use progress::{BuildUpdate, StepRun};
pub use secrets::{ResolvedSecret, ResolvedSource, SecretError, presume, redactor, resolve};
