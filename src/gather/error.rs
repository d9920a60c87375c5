//! Why facts could not be gathered.

use crate::buildx::BuilderError;
use crate::domain::{ExitCode, ImageId, Platform};
use crate::inputs::{InputError, Junk};
use crate::plan::PlanError;
use crate::target::TargetError;
use crate::versions::{LockError, VersionError};

/// Why facts could not be gathered. Several of a kind are told at once.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// Inputs are missing, or cannot be read.
    #[error("read the inputs of {0}: {1}")]
    Input(ImageId, InputError),
    /// What the Dockerfiles say does not fit the configuration.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Dockerfile(Vec<DockerfileProblem>),
    /// Junk would reach a build.
    #[error("junk lies where the build of {image} would take it: {}", junk.paths.join(", "))]
    Junk {
        /// Of which image.
        image: ImageId,
        /// The junk, and what keeps it out.
        junk: Junk,
    },
    /// Versions could not be resolved.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Versions(Vec<VersionError>),
    /// The lock file is missing, damaged, or does not fit.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The registry could not be read.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The builder could not be asked.
    #[error(transparent)]
    Builder(#[from] BuilderError),
    /// What is asked for does not fit the family.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// `--set` names something that is not in `[versions]`.
    #[error("`--set {name}`: there is no `{name}` in [versions]; there are: {known}")]
    UnknownSet {
        /// What was named.
        name: String,
        /// What there is.
        known: String,
    },
    /// A reference that is no image reference.
    #[error("`{reference}` of {image} cannot be pinned: {reason}")]
    Reference {
        /// Of which image.
        image: ImageId,
        /// The reference as written.
        reference: String,
        /// What is wrong.
        reason: String,
    },
    /// The base from elsewhere is not there.
    #[error("read the base `{reference}`: {reason}")]
    NoBaseImage {
        /// As configured.
        reference: String,
        /// What is wrong.
        reason: String,
    },
    /// A base image from outside is not there for a platform that is to be built on it.
    #[error("{image} is for {platform}, and its base `{reference}` is only for {has}")]
    BasePlatform {
        /// Which image.
        image: ImageId,
        /// The base as written, with the digest that it was pinned to.
        reference: String,
        /// The platform that it lacks.
        platform: Platform,
        /// The platforms that it has.
        has: String,
    },
    /// A thread of this program failed.
    #[error("a worker of splitbase failed: {0}")]
    Worker(String),
}

/// Something in a Dockerfile that does not fit the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DockerfileProblem {
    /// With file and line.
    pub message: String,
    /// How it is mended.
    pub hint: String,
}

impl GatherError {
    /// The exit code of a run that this ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_, error) => error.exit_code(),
            Self::Versions(errors) => errors.first().map_or(ExitCode::Unknown, |error| error.exit_code),
            Self::Lock(error) => error.exit_code(),
            Self::Target(error) => error.exit_code(),
            Self::Builder(BuilderError::Cancelled) => ExitCode::Interrupted,
            Self::Builder(_) | Self::BasePlatform { .. } | Self::Worker(_) => ExitCode::Failed,
            Self::Plan(error) => error.exit_code(),
            Self::NoBaseImage { .. } => ExitCode::Unknown,
            Self::Dockerfile(_) | Self::Junk { .. } | Self::UnknownSet { .. } | Self::Reference { .. } => {
                ExitCode::Usage
            }
        }
    }

    /// Each message with its hints.
    #[must_use]
    pub fn messages(&self) -> Vec<(String, Vec<String>)> {
        match self {
            Self::Versions(errors) => errors
                .iter()
                .map(|error| (error.to_string(), error.hints.clone()))
                .collect(),
            Self::Dockerfile(problems) => problems
                .iter()
                .map(|problem| (problem.message.clone(), vec![problem.hint.clone()]))
                .collect(),
            _ => vec![(self.to_string(), self.hints())],
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Input(_, error) => vec![error.hint()],
            Self::Junk { junk, .. } => junk
                .lines
                .iter()
                .map(|line| format!("add the line `{}` to `{}`", line.line, line.file))
                .collect(),
            Self::Lock(error) => error.hints(),
            Self::Target(error) => error.hints.clone(),
            Self::Builder(error) => error.hints(),
            Self::Plan(error) => error.hints(),
            Self::BasePlatform { .. } => vec![
                "take a base that is there for this platform, or leave the platform out".to_owned(),
                "`FROM --platform=$BUILDPLATFORM` says that a stage is for the machine that builds"
                    .to_owned(),
            ],
            Self::NoBaseImage { .. } => {
                vec![
                    "see `[base] image`: is its tag right, and does whoever releases it still have it?"
                        .to_owned(),
                ]
            }
            Self::Reference { .. } => vec!["`upstream = \"float\"` leaves it as it is".to_owned()],
            _ => Vec::new(),
        }
    }
}
