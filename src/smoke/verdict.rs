//! What the end of a smoke test says of its image.

use super::run::SmokeFailureKind;
use crate::plan::SmokeStep;
use crate::process::Ended;
use std::collections::{BTreeSet, VecDeque};

/// Lines of output that a failure carries.
const TAIL: usize = 20;

/// What a line of output can say of why a test did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    ExecFormat,
    WrongPlatform,
    EngineRefused,
    ContentLost,
}

impl Sign {
    const ALL: [Self; 4] = [
        Self::ExecFormat,
        Self::WrongPlatform,
        Self::EngineRefused,
        Self::ContentLost,
    ];

    /// Whether a line in lower case says so.
    fn is_in(self, line: &str) -> bool {
        let any = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
        match self {
            Self::ExecFormat => any(&["exec format error"]),
            Self::WrongPlatform => any(&[
                "does not match the specified platform",
                "does not provide the specified platform",
                "no matching manifest for",
                "cannot overwrite digest",
            ]),
            Self::EngineRefused => any(&[
                "error response from daemon:",
                "cannot connect to the docker daemon",
                "docker: cannot connect",
            ]),
            Self::ContentLost => any(&["content digest sha256:"]) && any(&["not found"]),
        }
    }
}

/// The last lines, and what was seen among all of them.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) lines: VecDeque<String>,
    seen: BTreeSet<Sign>,
}

impl Tail {
    pub(super) fn add(&mut self, line: String) {
        let low = line.to_lowercase();
        self.seen
            .extend(Sign::ALL.into_iter().filter(|sign| sign.is_in(&low)));
        if self.lines.len() == TAIL {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Whether docker could not start a container because the engine lost what it had just pulled. Seen where others
    /// removed images from the same engine meanwhile, which sets off its garbage collection; not brought about at will. It says nothing of the image.
    pub(super) fn lost_by_the_engine(&self, ended: Ended) -> bool {
        self.seen.contains(&Sign::ContentLost) && ended == Ended::Exited(125)
    }
}

/// What the end of a test means: how it did not pass, why, and what to do.
pub(super) fn verdict(
    step: &SmokeStep,
    ended: Ended,
    output: &Tail,
) -> (SmokeFailureKind, String, Vec<String>) {
    let of = format!("smoke test of {} for {}", step.image, step.platform);
    match ended {
        Ended::Cancelled => (SmokeFailureKind::Interrupted, interrupted(step), Vec::new()),
        Ended::TimedOut => (
            SmokeFailureKind::TimedOut(step.timeout.0),
            format!("{of} took longer than {}", step.timeout),
            vec!["raise `timeout` in `[smoke]` if it needs more time".to_owned()],
        ),
        Ended::Signalled(signal) => (
            SmokeFailureKind::Signalled(signal),
            format!("{of} was ended by signal {signal}"),
            Vec::new(),
        ),
        Ended::Exited(_) if output.seen.contains(&Sign::ExecFormat) => (
            SmokeFailureKind::EmulationMissing,
            format!(
                "{of} could not run: this machine cannot run programs of {}",
                step.platform
            ),
            vec![
                format!(
                    "register the emulation of {}: `docker run --privileged --rm tonistiigi/binfmt --install {}`, or the package `qemu-user-static`",
                    step.platform.architecture(),
                    step.platform.architecture()
                ),
                "or leave the platform out of `platforms` in `[smoke]`".to_owned(),
            ],
        ),
        Ended::Exited(_) if output.seen.contains(&Sign::WrongPlatform) => (
            SmokeFailureKind::CouldNotRun,
            format!("{of} could not run: the image is not for {}", step.platform),
            vec!["see whether the base image is for this platform".to_owned()],
        ),
        // docker's own code for "could not run"; scripts under `set -e` hand it on.
        Ended::Exited(125) => (
            SmokeFailureKind::CouldNotRun,
            format!("{of} could not run: docker ended with exit code 125"),
            vec!["see whether the engine can pull the image: the end of the output says why".to_owned()],
        ),
        Ended::Exited(code) if output.seen.contains(&Sign::EngineRefused) => (
            SmokeFailureKind::Failed(code),
            format!("{of} failed: exit code {code}"),
            vec!["the engine refused something: its error is in the output".to_owned()],
        ),
        Ended::Exited(code) => (
            SmokeFailureKind::Failed(code),
            format!("{of} failed: exit code {code}"),
            Vec::new(),
        ),
    }
}

pub(super) fn interrupted(step: &SmokeStep) -> String {
    format!(
        "smoke test of {} for {} was interrupted",
        step.image, step.platform
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ExitCode;
    use crate::smoke::SmokeFailure;
    use crate::testing::smoke_step;

    #[test]
    fn verdicts() {
        let step = smoke_step("localhost:5000/acme/tiny");
        for (line, code, kind, exit) in [
            (
                "assertion failed",
                1,
                SmokeFailureKind::Failed(1),
                ExitCode::SmokeFailed,
            ),
            (
                "exec /bin/sh: exec format error",
                1,
                SmokeFailureKind::EmulationMissing,
                ExitCode::Failed,
            ),
            (
                "docker: Error response from daemon: x",
                125,
                SmokeFailureKind::CouldNotRun,
                ExitCode::Failed,
            ),
            (
                "docker: image with reference x was found but does not provide the specified platform (linux/arm64)",
                1,
                SmokeFailureKind::CouldNotRun,
                ExitCode::Failed,
            ),
        ] {
            let mut output = Tail::default();
            output.add(line.to_owned());
            let (got, reason, hints) = verdict(&step, Ended::Exited(code), &output);
            assert_eq!(got, kind, "{line}: {reason}");
            let failure = SmokeFailure {
                kind: got,
                reason,
                output: vec![],
                log: None,
                look_inside: String::new(),
                hints,
            };
            assert_eq!(failure.exit_code(), exit);
        }
    }

    #[test]
    fn only_the_end_is_kept() {
        let mut output = Tail::default();
        for line in 0..100 {
            output.add(line.to_string());
        }
        assert_eq!((output.lines.len(), output.lines[19].as_str()), (TAIL, "99"));
    }
}
