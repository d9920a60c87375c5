//! Plain lines with the time of day (UTC): for pipes, logs and CI.

use super::actions::{self, Held};
use super::output::Output;
use super::phase::{self, Phase};
use super::progress::{Clock, Reporter, Verbosity};
use super::style::{BAD, FAINT, GOOD, ODD, paint};
use super::text;
use crate::environment::Environment;
use crate::execute::{Event, Sink, StepOutcome};
use crate::plan::{Plan, StepId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the lines are read by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainStyle {
    /// People and programs.
    Lines,
    /// GitHub Actions: groups and annotations.
    Github,
    /// Gitea Actions: groups; it would print annotations as they are.
    Gitea,
}

impl PlainStyle {
    pub(super) fn of(environment: &Environment) -> Self {
        if environment.flag("GITEA_ACTIONS") {
            Self::Gitea
        } else if environment.flag("GITHUB_ACTIONS") {
            Self::Github
        } else {
            Self::Lines
        }
    }

    const fn groups(self) -> bool {
        matches!(self, Self::Github | Self::Gitea)
    }
}

/// The reporter behind `--progress plain` and `quiet`.
#[derive(Debug)]
pub struct Plain {
    output: Output,
    style: PlainStyle,
    verbosity: Verbosity,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The steps that run, each with its stages that were shown.
    running: HashMap<StepId, HashSet<String>>,
    /// What each running step printed, where groups are written.
    held: BTreeMap<StepId, Held>,
    skipped: usize,
}

impl Plain {
    /// Lines to `output`.
    #[must_use]
    pub fn new(output: Output, style: PlainStyle, verbosity: Verbosity, clock: Clock) -> Self {
        Self {
            output,
            style,
            verbosity,
            clock,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self) -> String {
        (self.clock)().strftime("%H:%M:%S").to_string()
    }

    fn line(&self, step: Option<&StepId>, text: &str) {
        let time = paint(FAINT, &self.time());
        match step {
            Some(step) => self.output.line(&format!("{time} {step}: {text}")),
            None => self.output.line(&format!("{time} {text}")),
        }
    }

    fn tells(&self) -> bool {
        self.verbosity > Verbosity::Quiet
    }

    /// A line that a step printed: at once, or with the others of its group when it ends.
    fn printed(&self, state: &mut State, step: &StepId, line: &str) {
        if self.style.groups() {
            let line = format!("{} {line}", self.time());
            state.held.entry(step.clone()).or_default().push(line);
        } else {
            self.line(Some(step), line);
        }
    }

    fn progress(&self, step: &StepId, stage: &str) {
        let stage = text::clean(stage);
        let mut state = self.state();
        let stages = state.running.entry(step.clone()).or_default();
        if !stage.is_empty() && stages.insert(stage.clone()) {
            self.printed(&mut state, step, &stage);
        }
    }

    fn finished(&self, step: &StepId, outcome: &StepOutcome, ending: &str, message: &str, took: Duration) {
        let mut state = self.state();
        let ran = state.running.remove(step).is_some();
        if let Some(held) = state.held.remove(step).filter(|held| !held.is_empty()) {
            let title = format!("{step} ({})", text::seconds(took));
            self.output.write(&actions::group(&title, &held));
        }
        match outcome {
            StepOutcome::Failed => {
                self.line(Some(step), &paint(BAD, ending));
                if self.style == PlainStyle::Github {
                    let annotation = actions::annotation("error", Some(step.as_str()), &text::clean(message));
                    self.output.write(&annotation);
                }
            }
            StepOutcome::Skipped | StepOutcome::Interrupted if !ran => {
                state.skipped += 1;
                if self.verbosity == Verbosity::Verbose {
                    self.line(Some(step), &paint(FAINT, ending));
                }
            }
            StepOutcome::Skipped | StepOutcome::Interrupted => self.line(Some(step), &paint(ODD, ending)),
            StepOutcome::Done | StepOutcome::Adopted if self.tells() => {
                self.line(Some(step), &paint(GOOD, ending));
            }
            StepOutcome::Done | StepOutcome::Adopted => {}
        }
    }

    fn warning(&self, step: Option<&StepId>, message: &str) {
        let message = text::clean(message);
        if self.style == PlainStyle::Github {
            let annotation = actions::annotation("warning", step.map(StepId::as_str), &message);
            self.output.write(&annotation);
        } else {
            self.line(step, &paint(ODD, &format!("warning: {message}")));
        }
    }
}

/// `12 steps: 3 builds, 3 smoke tests, …`; of nothing: `nothing to do`.
pub(super) fn planned(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return "nothing to do".to_owned();
    }
    let phases: Vec<String> = Phase::ALL
        .into_iter()
        .filter_map(|phase| {
            let steps = plan.steps.iter().filter(|step| Phase::of(&step.action) == phase);
            let number = steps.count();
            (number > 0).then(|| phase.count(number))
        })
        .collect();
    let steps = text::count(plan.steps.len(), "step", "steps");
    format!("{steps}: {}", phases.join(", "))
}

/// `stopping 2 steps: build/…, smoke/…`.
pub(super) fn interrupting(running: &[StepId]) -> String {
    if running.is_empty() {
        return "stopping".to_owned();
    }
    let names: Vec<&str> = running.iter().map(StepId::as_str).collect();
    let steps = text::count(running.len(), "step", "steps");
    format!("stopping {steps}: {}", names.join(", "))
}

/// `3 steps were not started`: something they need failed, or the run was interrupted.
pub(super) fn skipped(number: usize) -> Option<String> {
    let steps = text::count(number, "step was", "steps were");
    (number > 0).then(|| format!("{steps} not started"))
}

impl Sink for Plain {
    fn event(&self, event: &Event) {
        match event {
            Event::Planned { plan, .. } if self.tells() => self.line(None, &planned(plan)),
            Event::Started { step, why } => {
                self.state().running.insert(step.clone(), HashSet::new());
                if self.tells() {
                    self.line(Some(step), &format!("started: {}", text::clean(why)));
                }
            }
            Event::Progress { step, stage, .. } if self.tells() => self.progress(step, stage),
            Event::Output { step, line } if self.tells() => {
                let line = text::clean(line);
                self.printed(&mut self.state(), step, format!("| {line}").trim_end());
            }
            Event::Retry {
                step,
                attempted,
                attempt,
                of,
                reason,
                pause,
            } if self.tells() => {
                let retry = phase::retry(attempted, *attempt, *of, reason, *pause);
                self.line(step.as_ref(), &paint(ODD, &retry));
            }
            Event::Warning { step, message } => self.warning(step.as_ref(), message),
            Event::Finished {
                step,
                outcome,
                message,
                took,
                cached,
                run,
            } => {
                let ending = phase::ending(step, outcome, message, *took, *cached, *run);
                self.finished(step, outcome, &ending, message, *took);
            }
            Event::Interrupting { running } => self.line(None, &paint(ODD, &interrupting(running))),
            Event::Planned { .. } | Event::Progress { .. } | Event::Output { .. } | Event::Retry { .. } => {}
        }
    }
}

impl Reporter for Plain {
    fn finish(&self) -> Vec<String> {
        let mut state = self.state();
        // Steps that never ended: the run was given up. What they printed is all that is known of them.
        for (step, held) in std::mem::take(&mut state.held) {
            if !held.is_empty() {
                self.output.write(&actions::group(step.as_str(), &held));
            }
        }
        if let Some(skipped) = skipped(std::mem::take(&mut state.skipped)) {
            self.line(None, &skipped);
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn log(style: PlainStyle, verbosity: Verbosity) -> String {
        let buffer = fixture::Buffer::default();
        let output = Output::new(buffer.writer(), false).guarded(style.groups());
        let plain = Plain::new(output, style, verbosity, fixture::clock);
        for event in fixture::run() {
            plain.event(&event);
        }
        plain.finish();
        buffer.text()
    }

    #[test]
    fn lines() {
        insta::assert_snapshot!(log(PlainStyle::Lines, Verbosity::Normal), @r"
        12:00:01 6 steps: 1 build, 1 smoke test, 1 index, 1 tag, 1 alias, 1 record
        12:00:01 build/base/linux-amd64: started: absent
        12:00:01 build/base/linux-arm64: started: absent
        12:00:01 build/base/linux-amd64: [1/3] FROM debian:13
        12:00:01 build/base/linux-arm64: [1/3] FROM debian:13
        12:00:01 build/base/linux-amd64: [2/3] RUN apt-get update
        12:00:01 build/base/linux-amd64: | Get:1 http://deb.example.org
        12:00:01 build/base/linux-amd64: | ::set-output name=x::y ##[add-mask]z
        12:00:01 build/base/linux-amd64: push `base-aaaaaaaaaaaa-amd64-staging`: attempt 1 of 3 failed: 503 service unavailable; again in 15s
        12:00:01 build/base/linux-amd64: built in 3.2s (2 cached, 5 run)
        12:00:01 build/base/linux-arm64: warning: build cache was not exported: 100% full, retry later
        12:00:01 build/variant/omos/linux-amd64: started: a build argument changed
        12:00:01 build/base/linux-arm64: adopted in 1m05s (0 cached, 7 run): somebody else was first
        12:00:01 build/variant/omos/linux-amd64: | npm error 404
        12:00:01 build/variant/omos/linux-amd64: failed after 12.3s (1 cached, 1 run): `RUN npm ci` ended with 1
        12:00:01 build/variant/omos/linux-arm64: started: absent
        12:00:01 stopping 1 step: build/variant/omos/linux-arm64
        12:00:01 build/variant/omos/linux-arm64: stopped after 0.5s
        12:00:01 2 steps were not started
        ");
    }

    #[test]
    fn quiet() {
        insta::assert_snapshot!(log(PlainStyle::Lines, Verbosity::Quiet), @r"
        12:00:01 build/base/linux-arm64: warning: build cache was not exported: 100% full, retry later
        12:00:01 build/variant/omos/linux-amd64: failed after 12.3s (1 cached, 1 run): `RUN npm ci` ended with 1
        12:00:01 stopping 1 step: build/variant/omos/linux-arm64
        12:00:01 build/variant/omos/linux-arm64: stopped after 0.5s
        12:00:01 2 steps were not started
        ");
    }

    #[test]
    fn groups_and_annotations_on_github() {
        insta::assert_snapshot!(log(PlainStyle::Github, Verbosity::Verbose), @r"
        12:00:01 6 steps: 1 build, 1 smoke test, 1 index, 1 tag, 1 alias, 1 record
        12:00:01 build/base/linux-amd64: started: absent
        12:00:01 build/base/linux-arm64: started: absent
        12:00:01 build/base/linux-amd64: push `base-aaaaaaaaaaaa-amd64-staging`: attempt 1 of 3 failed: 503 service unavailable; again in 15s
        ::group::build/base/linux-amd64 (3.2s)
        12:00:01 [1/3] FROM debian:13
        12:00:01 [2/3] RUN apt-get update
        12:00:01 | Get:1 http://deb.example.org
        12:00:01 | ::set-output name=x::y ## [add-mask]z
        ::endgroup::
        12:00:01 build/base/linux-amd64: built in 3.2s (2 cached, 5 run)
        ::warning title=build/base/linux-arm64::build cache was not exported: 100%25 full, retry later
        12:00:01 build/variant/omos/linux-amd64: started: a build argument changed
        ::group::build/base/linux-arm64 (1m05s)
        12:00:01 [1/3] FROM debian:13
        ::endgroup::
        12:00:01 build/base/linux-arm64: adopted in 1m05s (0 cached, 7 run): somebody else was first
        ::group::build/variant/omos/linux-amd64 (12.3s)
        12:00:01 | npm error 404
        ::endgroup::
        12:00:01 build/variant/omos/linux-amd64: failed after 12.3s (1 cached, 1 run): `RUN npm ci` ended with 1
        ::error title=build/variant/omos/linux-amd64::`RUN npm ci` ended with 1
        12:00:01 smoke/variant/omos/linux-amd64: skipped: build/variant/omos/linux-amd64 failed
        12:00:01 tag/v1.2.3-omos: skipped
        12:00:01 build/variant/omos/linux-arm64: started: absent
        12:00:01 stopping 1 step: build/variant/omos/linux-arm64
        12:00:01 build/variant/omos/linux-arm64: stopped after 0.5s
        12:00:01 2 steps were not started
        ");
    }

    #[test]
    fn gitea_gets_groups_but_no_annotations() {
        let log = log(PlainStyle::Gitea, Verbosity::Normal);
        assert!(log.contains("::group::build/base/linux-amd64 (3.2s)"));
        assert!(!log.contains("::error") && !log.contains("::warning"), "{log}");
        let environment = Environment::of([("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")]);
        assert_eq!(PlainStyle::of(&environment), PlainStyle::Gitea);
    }

    #[test]
    fn what_a_build_prints_is_no_command() {
        for style in [PlainStyle::Github, PlainStyle::Gitea] {
            for line in log(style, Verbosity::Verbose).lines() {
                let command = line.trim_start().starts_with("::");
                let ours = ["::group::", "::endgroup::", "::error ", "::warning "];
                assert!(
                    !command || ours.iter().any(|start| line.starts_with(start)),
                    "{line}"
                );
                assert!(!line.contains("##["), "{line}");
            }
        }
    }
}
