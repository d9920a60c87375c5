//! The exit codes, which scripts rely on.

/// What the process ends with. The numbers are part of the interface and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Done = 0,
    /// A build failed, or anything that has no code of its own.
    Failed = 1,
    /// Usage or configuration.
    Usage = 2,
    /// A smoke test failed.
    SmokeFailed = 3,
    /// `plan --exit-code`: there is something to do.
    SomethingToDo = 4,
    /// The registry or a version source could not be read: unknown is not absent.
    Unknown = 5,
    /// A push failed after its retries.
    PushFailed = 6,
    /// Refused: write-once tag, alias going backwards, moved by somebody else, another release unfinished.
    Refused = 7,
    /// Cut off between the first release tag and the last alias: run again, or `recover`.
    CutOff = 8,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl ExitCode {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}
