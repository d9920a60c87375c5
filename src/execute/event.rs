//! The one event stream: everything that a person or a machine is told of a run.

use crate::domain::{Digest, ImageId, Platform, PublicTag};
use crate::plan::{Plan, StepId};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It was done.
    Done,
    /// What it was to make was there already, made by somebody else: that one is used.
    Adopted,
    /// It failed.
    Failed,
    /// It was not started, because something it needs failed.
    Skipped,
    /// It was stopped, or not started, because the run was interrupted.
    Interrupted,
}

/// Something that happened. Texts hold no secrets and no control characters.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The plan is made; execution begins.
    Planned {
        /// The plan.
        #[serde(skip)]
        plan: Arc<Plan>,
        /// How many steps it has.
        steps: usize,
    },
    /// A step starts.
    Started {
        /// Which.
        step: StepId,
        /// Why it is done.
        why: String,
    },
    /// How far a build has come.
    Progress {
        /// Which step.
        step: StepId,
        /// What BuildKit is doing: the name of the vertex that runs.
        stage: String,
        /// Vertices that came from the cache.
        cached: u32,
        /// Vertices that ran.
        run: u32,
    },
    /// A line of output of a step: of a `RUN`, of a smoke test.
    Output {
        /// Which step.
        step: StepId,
        /// The line.
        line: String,
    },
    /// Something is tried again.
    Retry {
        /// The step, where it belongs to one.
        step: Option<StepId>,
        /// What was attempted.
        attempted: String,
        /// Which attempt failed, from 1.
        attempt: u32,
        /// How many there are.
        of: u32,
        /// Why it failed.
        reason: String,
        /// The pause before the next attempt.
        #[serde(serialize_with = "seconds")]
        pause: Duration,
    },
    /// Something is odd, but no error: a cache export that failed.
    Warning {
        /// The step, where it belongs to one.
        step: Option<StepId>,
        /// What.
        message: String,
    },
    /// A step ended.
    Finished {
        /// Which.
        step: StepId,
        /// How.
        outcome: StepOutcome,
        /// What came of it, or why it failed: one line.
        message: String,
        /// How long it took.
        #[serde(serialize_with = "seconds")]
        took: Duration,
        /// Vertices that came from the cache, for builds.
        cached: u32,
        /// Vertices that ran, for builds.
        run: u32,
    },
    /// The run was asked to stop.
    Interrupting {
        /// Steps that are running and are being stopped.
        running: Vec<StepId>,
    },
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Where events go. Called from many tasks at once; must not block for long.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);
}

/// Outcome of a whole run, as `release -o json` spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunOutcome {
    /// All of it was done.
    Done,
    /// Something failed.
    Failed,
    /// It was refused before anything was done.
    Refused,
    /// It was interrupted.
    Interrupted,
}

/// What became of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageOutcome {
    /// All its platforms were built.
    Built,
    /// All of it was there.
    Reused,
    /// What was missing was built.
    Completed,
    /// Something of it failed.
    Failed,
    /// It was not reached.
    Skipped,
}

/// What became of a smoke test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SmokeOutcome {
    /// It passed in this run.
    #[serde(rename = "passed")]
    Passed,
    /// Today's test passed in an earlier run.
    #[serde(rename = "passed before")]
    PassedBefore,
    /// It failed.
    #[serde(rename = "failed")]
    Failed,
    /// It was not reached.
    #[serde(rename = "not run")]
    NotRun,
    /// The platform is not tested.
    #[serde(rename = "not tested")]
    NotTested,
}

/// What became of one platform image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlatformReport {
    /// Which platform.
    pub platform: Platform,
    /// Its platform digest, where it is known.
    pub digest: Option<Digest>,
    /// What became of it.
    pub outcome: ImageOutcome,
    /// What became of its test.
    pub smoke: SmokeOutcome,
    /// Seconds that its build and test took.
    pub seconds: f64,
}

/// What became of one image and its tags.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageReport {
    /// Which image.
    pub image: ImageId,
    /// Digest of its index, where it is known.
    pub digest: Option<Digest>,
    /// What became of it.
    pub outcome: ImageOutcome,
    /// Release tags that point at it now.
    pub tags: Vec<PublicTag>,
    /// Aliases that point at it now.
    pub aliases: Vec<PublicTag>,
    /// Its platforms.
    pub platforms: Vec<PlatformReport>,
}

/// A step that failed, with all that a person needs to act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which step.
    pub step: StepId,
    /// What was attempted and why it failed: one line.
    pub message: String,
    /// The end of its output.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The exit code that it asks for.
    #[serde(skip)]
    pub exit_code: crate::domain::ExitCode,
}

/// The report of a whole run: `release -o json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this format.
    pub schema: u32,
    /// The release, where it was one.
    pub version: Option<crate::domain::Version>,
    /// What its images are called; where it went, if the target is a registry.
    pub repository: crate::domain::Repository,
    /// Where it went: `registry`, or `oci:DIR`.
    pub target: crate::domain::TargetRef,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The exit code.
    pub exit_code: u8,
    /// What became of each image.
    pub images: Vec<ImageReport>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
    /// Seconds in all.
    pub seconds: f64,
}
