//! The effects that the executor needs of the world. Tests give it others.

use crate::domain::{Digest, ExitCode, ImageId};
use crate::plan::{BuildStep, SignStep, SmokeStep};
use crate::record::{Holder, Record};
use crate::target::Target;
use crate::target::registry::Observer;
use bytes::Bytes;
use std::future::Future;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One attempt at a build.
#[derive(Debug, Clone)]
pub struct BuildAttempt<'a> {
    /// What is built.
    pub step: &'a BuildStep,
    /// The base's platform image, `REPOSITORY@DIGEST`, for variants.
    pub base: Option<String>,
    /// Whether the `--cache-from` references are left out, because one of them broke the attempt before.
    pub without_cache_from: bool,
    /// Whether nothing may come from the build cache.
    pub no_cache: bool,
}

/// A build that was pushed to its staging tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Digest of what was pushed: a wrapper index, or a bare manifest.
    pub pushed: Digest,
    /// Vertices that came from the cache.
    pub cached: u32,
    /// Vertices that ran.
    pub run: u32,
    /// What is odd, but no error: a cache export that failed.
    pub warnings: Vec<String>,
}

/// Whether and how a failed attempt is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// After a pause, as the retry policy says: something that the build needs could not be read, in passing.
    Transient,
    /// The same, but all was built, and only its push failed: nothing need be built again.
    Push,
    /// At once, and once: a cache reference could not be read.
    WithoutCacheFrom,
    /// Only if the retry policy wants failed builds to be run again.
    FailedRun,
    /// Not.
    Never,
}

/// An attempt at a build that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFailure {
    /// Why, in one line.
    pub reason: String,
    /// The end of the output of what failed.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether another attempt can help.
    pub again: Again,
    /// The exit code that it asks for.
    pub exit_code: ExitCode,
}

/// A smoke test that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// Why, in one line.
    pub reason: String,
    /// The end of its output.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The exit code that it asks for.
    pub exit_code: ExitCode,
}

/// What a running build or test tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// How far a build has come.
    Progress {
        /// The vertex that runs.
        stage: String,
        /// Vertices that came from the cache.
        cached: u32,
        /// Vertices that ran.
        run: u32,
    },
    /// A line of output.
    Line(String),
}

/// The effects that the executor needs of the world.
pub trait Effects: Send + Sync + 'static {
    /// Where the release goes.
    type Target: Target;

    /// Where the release goes.
    fn target(&self) -> &Self::Target;

    /// Makes one attempt at a build.
    fn build(
        &self,
        attempt: BuildAttempt<'_>,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Told) + Send + Sync),
    ) -> impl Future<Output = Result<Built, AttemptFailure>> + Send;

    /// Runs a smoke test on the platform image of this digest.
    fn smoke(
        &self,
        step: &SmokeStep,
        digest: Digest,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Told) + Send + Sync),
    ) -> impl Future<Output = Result<(), TestFailure>> + Send;

    /// Hashes the inputs of an image again, and names what is not as it was when the plan was made.
    fn changed_inputs(&self, image: &ImageId) -> impl Future<Output = Result<Vec<String>, String>> + Send;

    /// The list of an image's inputs as it is kept beside the image, where it is to be published.
    fn input_list(&self, image: &ImageId) -> Option<Bytes>;

    /// Signs the index of this digest, unless it is signed already. Gives what came of it.
    fn sign(
        &self,
        step: &SignStep,
        digest: Digest,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<String, TestFailure>> + Send;

    /// Makes the repository's page from this record, and tells `observer` of what is tried again. Gives what came of it and what is odd, or why it
    /// failed with what to do about it.
    fn describe(
        &self,
        record: &Record,
        observer: &Observer,
    ) -> impl Future<Output = Result<(String, Vec<String>), (String, Vec<String>)>> + Send;

    /// Whether the run may make this pause before another attempt: all that it makes are bounded together.
    fn may_pause(&self, time: Duration) -> bool {
        let _ = time;
        true
    }

    /// This pause, and a little more that is another one each time: what failed at once is not to come back at once.
    fn varied(&self, time: Duration) -> Duration {
        time
    }

    /// Waits.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Now.
    fn now(&self) -> jiff::Timestamp;

    /// This process, for the record.
    fn holder(&self) -> Option<Holder>;
}
