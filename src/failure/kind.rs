//! What it is that failed.

/// What it is that failed. Whether it passes is said by [`super::FailureClass`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// A request of this program to a registry.
    Request,
    /// A push by the engine.
    Push,
    /// Reading a base image, or the image of a frontend.
    Base,
    /// A layer of a `--cache-from` image cannot be read.
    CacheBroken,
    /// The build cache could not be exported. It never fails a build.
    CacheExport,
    /// A `COPY` or `ADD` source does not exist, or cannot be fetched.
    MissingSource,
    /// What a build needed was collected as garbage while it ran: the disk is nearly full.
    CacheEvicted,
    /// The engine's build cache names a layer whose bytes its store does not have any more.
    CacheLost,
    /// A `RUN` ended with an error.
    RunFailed,
    /// No space is left.
    DiskFull,
    /// The engine or builder cannot be reached, or went away.
    EngineLost,
    /// The Dockerfile, or a flag, is wrong.
    Frontend,
    /// A secret or an SSH agent that the build needs is not there.
    MissingSecret,
    /// It took longer than the step's `timeout`.
    TimedOut,
    /// The run was interrupted.
    Cancelled,
    /// A source of versions.
    Version,
    /// Anything else.
    Unknown,
}
