//! Which reporter a run gets.

use super::json::JsonLines;
use super::live::Live;
use super::output::Output;
use super::plain::{Plain, PlainStyle};
use super::style::ColorMode;
use crate::environment::Environment;
use crate::execute::{Event, Sink};
use std::sync::Arc;

/// How progress is shown: `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ProgressMode {
    /// Live on a terminal, else plain lines; `BUILDKIT_PROGRESS` has a say.
    #[default]
    Auto,
    /// A line per running step, on a terminal. Where there is none: plain lines.
    Tty,
    /// Lines with the time of day; in Actions, groups and annotations too.
    Plain,
    /// One JSON object per event and line.
    Json,
    /// Failures and warnings.
    Quiet,
}

/// How much is told: `-q`, `-v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Failures and warnings.
    Quiet,
    /// What happens.
    #[default]
    Normal,
    /// Also each line of output on a terminal, and each step that is skipped.
    Verbose,
}

/// Where times come from: a function of `clock`.
pub type Clock = fn() -> jiff::Timestamp;

/// What a reporter is made for, beside the mode.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How much is told.
    pub verbosity: Verbosity,
    /// When colours are used.
    pub color: ColorMode,
    /// Whether standard error is a terminal.
    pub terminal: bool,
    /// Where times come from.
    pub clock: Clock,
}

/// A sink that shows a run while it goes on.
pub trait Reporter: Sink {
    /// Leaves the screen clean and writes what was held back. Afterwards events are ignored or shown as plain lines. Tells what could not be
    /// written, as warnings.
    fn finish(&self) -> Vec<String>;
}

/// What `mode` comes to here: anything but [`ProgressMode::Auto`].
fn resolve(mode: ProgressMode, environment: &Environment, settings: &Settings) -> ProgressMode {
    let screen = settings.terminal && environment.get("TERM") != Some("dumb");
    let mode = match (mode, environment.get("BUILDKIT_PROGRESS")) {
        (ProgressMode::Auto, Some("plain")) => ProgressMode::Plain,
        (ProgressMode::Auto, Some("quiet")) => ProgressMode::Quiet,
        (ProgressMode::Auto, _) if environment.flag("CI") => ProgressMode::Plain,
        (ProgressMode::Auto, _) => ProgressMode::Tty,
        (mode, _) => mode,
    };
    match mode {
        ProgressMode::Tty | ProgressMode::Plain if settings.verbosity == Verbosity::Quiet => {
            ProgressMode::Quiet
        }
        ProgressMode::Tty if !screen => ProgressMode::Plain,
        mode => mode,
    }
}

/// The reporter for standard error.
#[must_use]
pub fn reporter(mode: ProgressMode, environment: &Environment, settings: &Settings) -> Arc<dyn Reporter> {
    let color = settings.color.wants(environment, settings.terminal);
    let output = Output::new(Box::new(std::io::stderr()), color);
    match resolve(mode, environment, settings) {
        ProgressMode::Tty => Arc::new(Live::stderr(color, settings.verbosity)),
        ProgressMode::Json => Arc::new(JsonLines::new(output, settings.clock)),
        mode => {
            let style = PlainStyle::of(environment);
            let verbosity = if mode == ProgressMode::Quiet {
                Verbosity::Quiet
            } else {
                settings.verbosity
            };
            let output = output.guarded(style != PlainStyle::Lines);
            Arc::new(Plain::new(output, style, verbosity, settings.clock))
        }
    }
}

/// Several reporters as one: the screen and `--log-file`.
#[derive(Clone)]
pub struct Tee(Vec<Arc<dyn Reporter>>);

impl Tee {
    /// Each of `reporters` gets each event, in this order.
    #[must_use]
    pub fn new(reporters: Vec<Arc<dyn Reporter>>) -> Self {
        Self(reporters)
    }
}

impl std::fmt::Debug for Tee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tee").field(&self.0.len()).finish()
    }
}

impl Sink for Tee {
    fn event(&self, event: &Event) {
        for reporter in &self.0 {
            reporter.event(event);
        }
    }
}

impl Reporter for Tee {
    fn finish(&self) -> Vec<String> {
        self.0.iter().flat_map(|reporter| reporter.finish()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn modes_come_to_what_can_be_shown() {
        let resolve = |mode, variables: &[(&str, &str)], terminal, verbosity| {
            let settings = Settings {
                verbosity,
                color: ColorMode::Auto,
                terminal,
                clock: fixture::clock,
            };
            super::resolve(mode, &Environment::of(variables.iter().copied()), &settings)
        };
        let normal = Verbosity::Normal;
        for (mode, variables, terminal, verbosity, expected) in [
            (ProgressMode::Auto, vec![], true, normal, ProgressMode::Tty),
            (ProgressMode::Auto, vec![], false, normal, ProgressMode::Plain),
            (
                ProgressMode::Auto,
                vec![("CI", "true")],
                true,
                normal,
                ProgressMode::Plain,
            ),
            (
                ProgressMode::Auto,
                vec![("TERM", "dumb")],
                true,
                normal,
                ProgressMode::Plain,
            ),
            (
                ProgressMode::Auto,
                vec![("BUILDKIT_PROGRESS", "plain")],
                true,
                normal,
                ProgressMode::Plain,
            ),
            (
                ProgressMode::Auto,
                vec![("BUILDKIT_PROGRESS", "quiet")],
                true,
                normal,
                ProgressMode::Quiet,
            ),
            (
                ProgressMode::Tty,
                vec![("BUILDKIT_PROGRESS", "plain")],
                true,
                normal,
                ProgressMode::Tty,
            ),
            (ProgressMode::Tty, vec![], false, normal, ProgressMode::Plain),
            (
                ProgressMode::Auto,
                vec![],
                true,
                Verbosity::Quiet,
                ProgressMode::Quiet,
            ),
            (
                ProgressMode::Json,
                vec![],
                true,
                Verbosity::Quiet,
                ProgressMode::Json,
            ),
        ] {
            assert_eq!(
                resolve(mode, &variables, terminal, verbosity),
                expected,
                "{mode:?} {variables:?} {terminal}"
            );
        }
    }

    #[test]
    fn a_tee_passes_everything_on() {
        let (first, second) = (fixture::Buffer::default(), fixture::Buffer::default());
        let lines = |buffer: &fixture::Buffer| -> Arc<dyn Reporter> {
            Arc::new(JsonLines::new(
                Output::new(buffer.writer(), false),
                fixture::clock,
            ))
        };
        let tee = Tee::new(vec![lines(&first), lines(&second)]);
        tee.event(&fixture::warning("odd"));
        assert!(tee.finish().is_empty());
        assert!(first.text().contains("odd"));
        assert_eq!(first.text(), second.text());
    }
}
