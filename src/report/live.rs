//! Progress on a terminal: what ended stands above, what runs moves below.
//!
//! All of the moving part is the message of one indicatif bar, drawn at once from one thread: nothing flickers, and a hundred steps cost as
//! much as one.

use super::frame::{Screen, TICK};
use super::phase;
use super::plain;
use super::progress::{Reporter, Verbosity};
use super::style::{BAD, FAINT, GOOD, ODD, paint};
use super::text;
use crate::execute::{Event, Sink, StepOutcome};
use crate::plan::StepId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// The reporter behind `--progress tty`.
#[derive(Debug)]
pub struct Live {
    shared: Arc<Shared>,
    verbosity: Verbosity,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    bar: ProgressBar,
    color: bool,
    size: fn() -> (usize, usize),
    state: Mutex<State>,
    stop: Condvar,
}

#[derive(Debug)]
struct State {
    screen: Screen,
    finished: bool,
}

/// Columns and lines of the terminal behind standard error.
fn stderr_size() -> (usize, usize) {
    terminal_size::terminal_size_of(std::io::stderr()).map_or((80, 24), |(width, height)| {
        (usize::from(width.0), usize::from(height.0))
    })
}

impl Live {
    /// On standard error, which must be a terminal.
    #[must_use]
    pub fn stderr(color: bool, verbosity: Verbosity) -> Self {
        Self::new(ProgressDrawTarget::stderr(), color, verbosity, stderr_size)
    }

    fn new(
        target: ProgressDrawTarget,
        color: bool,
        verbosity: Verbosity,
        size: fn() -> (usize, usize),
    ) -> Self {
        let style =
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::with_draw_target(None, target).with_style(style);
        let shared = Arc::new(Shared {
            bar,
            color,
            size,
            state: Mutex::new(State {
                screen: Screen::new(Instant::now()),
                finished: false,
            }),
            stop: Condvar::new(),
        });
        let ticking = Arc::clone(&shared);
        // Without the thread the screen is drawn at each event only.
        let ticker = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || ticking.tick())
            .ok();
        Self {
            shared,
            verbosity,
            ticker: Mutex::new(ticker),
        }
    }

    /// A line above the moving part, behind the step's name.
    fn above(&self, state: &State, line: &str) {
        self.shared.above(state, line);
    }

    fn finished(&self, state: &mut State, step: &StepId, outcome: &StepOutcome, ending: &str) {
        let ran = state.screen.runs(step);
        state.screen.finished(step, outcome);
        let name = paint(super::style::NAME, step.as_str());
        match outcome {
            StepOutcome::Done | StepOutcome::Adopted => {
                // What came of it is cut: it must be on one line. Why something failed is not.
                let room = (self.shared.size)()
                    .0
                    .saturating_sub(5 + text::width(step.as_str()));
                let ending = text::cut(ending, room);
                self.above(state, &format!("{} {name}  {ending}", paint(GOOD, "✓")));
            }
            StepOutcome::Failed => {
                self.above(
                    state,
                    &format!("{} {name}  {}", paint(BAD, "✗"), paint(BAD, ending)),
                );
            }
            StepOutcome::Interrupted if ran => {
                self.above(
                    state,
                    &format!("{} {name}  {}", paint(ODD, "■"), paint(ODD, ending)),
                );
            }
            StepOutcome::Skipped | StepOutcome::Interrupted if self.verbosity == Verbosity::Verbose => {
                self.above(state, &paint(FAINT, &format!("- {step}  {ending}")));
            }
            StepOutcome::Skipped | StepOutcome::Interrupted => {}
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let mut state = self.state();
        while !state.finished {
            self.draw(&state);
            let (next, _) = self
                .stop
                .wait_timeout(state, TICK)
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
        }
    }

    fn draw(&self, state: &State) {
        let (width, height) = (self.size)();
        let frame = state.screen.frame(Instant::now(), width, height);
        self.bar.set_message(self.styled(&frame));
    }

    fn above(&self, state: &State, line: &str) {
        if !state.finished {
            self.draw(state);
        }
        self.bar.println(self.styled(line));
    }

    fn styled(&self, text: &str) -> String {
        if self.color {
            text.to_owned()
        } else {
            anstream::adapter::strip_str(text).to_string()
        }
    }
}

impl Sink for Live {
    fn event(&self, event: &Event) {
        let mut state = self.shared.state();
        match event {
            Event::Planned { steps, .. } => state.screen.planned(*steps),
            Event::Started { step, .. } => state.screen.started(step, Instant::now()),
            Event::Progress {
                step,
                stage,
                cached,
                run,
            } => state.screen.progress(step, stage, *cached, *run),
            Event::Output { step, line } => {
                // A build tells its stage; of a test, the last line that it printed is all there is to see.
                if step.as_str().starts_with("smoke/") {
                    state.screen.progress(step, line, 0, 0);
                }
                if self.verbosity == Verbosity::Verbose {
                    let line = text::clean(line);
                    self.above(&state, &format!("{} {line}", paint(FAINT, &format!("{step} |"))));
                }
            }
            Event::Retry {
                step,
                attempted,
                attempt,
                of,
                reason,
                pause,
            } => {
                let retry = phase::retry(attempted, *attempt, *of, reason, *pause);
                let name = step.as_ref().map(|step| format!("{step}  ")).unwrap_or_default();
                self.above(&state, &format!("{} {name}{retry}", paint(ODD, "↻")));
            }
            Event::Warning { step, message } => {
                let name = step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
                let message = text::clean(message);
                self.above(&state, &format!("{} {name}{message}", paint(ODD, "warning:")));
            }
            Event::Finished {
                step,
                outcome,
                message,
                took,
                cached,
                run,
            } => {
                let ending = phase::ending(step, outcome, message, *took, *cached, *run);
                self.finished(&mut state, step, outcome, &ending);
            }
            Event::Interrupting { running } => {
                self.above(&state, &paint(ODD, &plain::interrupting(running)));
            }
        }
    }
}

impl Reporter for Live {
    fn finish(&self) -> Vec<String> {
        {
            let mut state = self.shared.state();
            if state.finished {
                return Vec::new();
            }
            if let Some(skipped) = plain::skipped(state.screen.skipped()) {
                self.above(&state, &paint(FAINT, &skipped));
            }
            state.finished = true;
        }
        self.shared.stop.notify_all();
        let ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ticker) = ticker {
            // It ends by itself; that it panicked would be no reason to fail a release.
            let _ = ticker.join();
        }
        self.shared.bar.finish_and_clear();
        Vec::new()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, build, output, progress, started};
    use super::super::terminal::{Terminal, WIDTH};
    use super::*;

    fn live(verbosity: Verbosity) -> (Live, Terminal) {
        let terminal = Terminal::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        (Live::new(target, false, verbosity, || (WIDTH, 24)), terminal)
    }

    #[test]
    fn a_run_leaves_what_ended_and_a_clean_screen() {
        let (live, terminal) = live(Verbosity::Normal);
        for event in fixture::run() {
            live.event(&event);
        }
        live.finish();
        insta::assert_snapshot!(terminal.text(), @r"
        ↻ build/base/linux-amd64  push `base-aaaaaaaaaaaa-amd64-staging`: attempt 1 of 3
         failed: 503 service unavailable; again in 15s
        ✓ build/base/linux-amd64  built in 3.2s (2 cached, 5 run)
        warning: build/base/linux-arm64: build cache was not exported: 100% full, retry
        later
        ✓ build/base/linux-arm64  adopted in 1m05s (0 cached, 7 run): somebody else wa…
        ✗ build/variant/omos/linux-amd64  failed after 12.3s (1 cached, 1 run): `RUN npm
         ci` ended with 1
        stopping 1 step: build/variant/omos/linux-arm64
        ■ build/variant/omos/linux-arm64  stopped after 0.5s
        2 steps were not started
        ");
    }

    #[test]
    fn what_runs_stands_below_what_was_printed() {
        let (live, terminal) = live(Verbosity::Verbose);
        let base = build("base", "linux/amd64");
        live.event(&started(base.clone(), "absent"));
        live.event(&progress(base.clone(), "[2/3] RUN make", 1, 2));
        for number in 0..3 {
            live.event(&output(base.clone(), &format!("\x1b[31mline {number}")));
        }
        let screen = terminal.text();
        let lines: Vec<&str> = screen.lines().collect();
        assert_eq!(lines.len(), 4, "{screen}");
        assert_eq!(lines[2], "build/base/linux-amd64 | line 2");
        assert!(lines[3].contains("[2/3] RUN make"), "{screen}");
        assert!(lines[3].ends_with("1 cached, 2 run     0s"), "{screen}");
        live.finish();
        live.finish();
        assert_eq!(terminal.text().lines().count(), 3);
    }

    #[test]
    fn a_reporter_that_is_dropped_cleans_up_too() {
        let (live, terminal) = live(Verbosity::Normal);
        live.event(&started(build("base", "linux/amd64"), "absent"));
        live.event(&fixture::warning("odd"));
        drop(live);
        assert_eq!(terminal.text(), "warning: odd");
    }
}
