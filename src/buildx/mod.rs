//! Builds of platform images through `docker buildx`: the command line of a build step as a pure function, one attempt of running it, and
//! what its failure means. It neither retries nor talks to a registry: the executor does.

mod build;
mod builder;
mod classify;
mod command;
mod progress;
mod rawjson;
mod redact;
mod secrets;

#[cfg(test)]
mod e2e;

pub use build::{BuildOptions, Built, Limits, build};
pub use builder::{BuilderError, inspect};
pub use classify::{BuildFailure, FailureClass, Retry};
pub use command::{BuildIo, command, shell_line};
pub use progress::{BuildUpdate, StepRun};
pub use redact::Redactor;
pub use secrets::{ResolvedSecret, ResolvedSource, SecretError, redactor, resolve};
