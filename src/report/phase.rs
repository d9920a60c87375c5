//! The phases that steps belong to, and how a step's end reads.

use super::text;
use crate::execute::StepOutcome;
use crate::plan::{Action, StepId};
use std::fmt::Write as _;
use std::time::Duration;

/// What kind of step it is, in the order in which a release goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Build,
    Smoke,
    Assemble,
    Sign,
    Tag,
    Alias,
    Move,
    Record,
    Describe,
}

impl Phase {
    pub(crate) const ALL: [Self; 9] = [
        Self::Build,
        Self::Smoke,
        Self::Assemble,
        Self::Sign,
        Self::Tag,
        Self::Alias,
        Self::Move,
        Self::Record,
        Self::Describe,
    ];

    pub(crate) const fn of(action: &Action) -> Self {
        match action {
            Action::Build(_) => Self::Build,
            Action::Smoke(_) => Self::Smoke,
            Action::Assemble(_) => Self::Assemble,
            Action::Sign(_) => Self::Sign,
            Action::Tag(_) => Self::Tag,
            Action::Alias(_) => Self::Alias,
            Action::Move(_) => Self::Move,
            Action::Record(_) => Self::Record,
            Action::Describe(_) => Self::Describe,
        }
    }

    /// The phase that a step's id tells.
    fn of_id(step: &StepId) -> Option<Self> {
        let (kind, _) = step.as_str().split_once('/')?;
        Self::ALL.into_iter().find(|phase| phase.word() == kind)
    }

    /// The word that step ids begin with.
    const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Smoke => "smoke",
            Self::Assemble => "assemble",
            Self::Sign => "sign",
            Self::Tag => "tag",
            Self::Alias => "alias",
            Self::Move => "move",
            Self::Record => "record",
            Self::Describe => "describe",
        }
    }

    /// The heading of its steps in a plan.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Smoke => "smoke",
            Self::Assemble => "assemble",
            Self::Sign => "signatures",
            Self::Tag => "tags",
            Self::Alias => "aliases",
            Self::Move => "moves",
            Self::Record => "record",
            Self::Describe => "page",
        }
    }

    /// `3 builds`.
    pub(crate) fn count(self, number: usize) -> String {
        let (one, many) = match self {
            Self::Build => ("build", "builds"),
            Self::Smoke => ("smoke test", "smoke tests"),
            Self::Assemble => ("index", "indexes"),
            Self::Sign => ("signature", "signatures"),
            Self::Tag => ("tag", "tags"),
            Self::Alias => ("alias", "aliases"),
            Self::Move => ("move", "moves"),
            Self::Record => ("record", "records"),
            Self::Describe => ("page", "pages"),
        };
        text::count(number, one, many)
    }
}

/// How a step's end reads, without its id: `built in 3.2s (2 cached, 5 run)`, `failed after 3.2s: why`.
pub(crate) fn ending(
    step: &StepId,
    outcome: &StepOutcome,
    message: &str,
    took: Duration,
    cached: u32,
    run: u32,
) -> String {
    let phase = Phase::of_id(step);
    let time = text::seconds(took);
    let mut ending = match outcome {
        StepOutcome::Done => {
            let verb = match phase {
                Some(Phase::Build) => "built",
                Some(Phase::Smoke) => "passed",
                Some(Phase::Assemble) => "assembled",
                Some(Phase::Sign) => "signed",
                Some(Phase::Tag) => "tagged",
                Some(Phase::Alias | Phase::Move) => "moved",
                Some(Phase::Record) => "written",
                Some(Phase::Describe) => "ended",
                None => "done",
            };
            format!("{verb} in {time}")
        }
        StepOutcome::Adopted => format!("adopted in {time}"),
        StepOutcome::Failed => format!("failed after {time}"),
        StepOutcome::Skipped => "skipped".to_owned(),
        StepOutcome::Interrupted if took.is_zero() => "not started".to_owned(),
        StepOutcome::Interrupted => format!("stopped after {time}"),
    };
    if cached + run > 0 {
        let _ = write!(ending, " ({cached} cached, {run} run)");
    }
    let mut message = text::clean(message);
    if matches!(outcome, StepOutcome::Done | StepOutcome::Adopted) {
        message = text::short_digests(&message);
    }
    if !message.is_empty() {
        ending.push_str(": ");
        ending.push_str(&message);
    }
    ending
}

/// How a retry reads, without the step's id: `attempt 1 of 3 failed: push: 503; again in 15s`.
pub(crate) fn retry(attempted: &str, attempt: u32, of: u32, reason: &str, pause: Duration) -> String {
    format!(
        "{}: attempt {attempt} of {of} failed: {}; again in {}",
        text::clean(attempted),
        text::clean(reason),
        if pause.subsec_millis() == 0 {
            text::whole_seconds(pause)
        } else {
            text::seconds(pause)
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        let step = StepId::build(&"base".parse().unwrap(), &"linux/amd64".parse().unwrap());
        let read =
            |outcome, message, seconds| ending(&step, &outcome, message, Duration::from_secs(seconds), 2, 5);
        assert_eq!(read(StepOutcome::Done, "", 3), "built in 3.0s (2 cached, 5 run)");
        assert_eq!(
            read(StepOutcome::Failed, "`RUN false` failed\nbadly", 3),
            "failed after 3.0s (2 cached, 5 run): `RUN false` failed badly"
        );
        let tag = StepId::tag(&"v1".parse().unwrap());
        assert_eq!(
            ending(&tag, &StepOutcome::Interrupted, "", Duration::ZERO, 0, 0),
            "not started"
        );
        assert_eq!(
            ending(&tag, &StepOutcome::Done, "", Duration::from_millis(120), 0, 0),
            "tagged in 0.1s"
        );
    }
}
