//! The live part of the screen as text: a pure function of what runs, the time and the size of the terminal.

use super::style::{BAD, FAINT, GOOD, NAME, PLAIN, paint};
use super::text;
use crate::execute::StepOutcome;
use crate::plan::StepId;
use anstyle::Style;
use indexmap::IndexMap;
use std::time::{Duration, Instant};

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// How long one picture of the spinner stands.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// Columns below which a stage says nothing any more.
const STAGE_LEAST: usize = 12;
/// Columns of the bar.
const BAR: usize = 20;

/// A step that runs.
#[derive(Debug, Clone)]
struct Running {
    since: Instant,
    stage: String,
    cached: u32,
    run: u32,
}

impl Running {
    /// `3 cached, 2 run`; nothing as long as there is nothing to count.
    fn counts(&self) -> String {
        if self.cached + self.run > 0 {
            format!("{} cached, {} run", self.cached, self.run)
        } else {
            String::new()
        }
    }
}

/// Columns of the lines of running steps, the same for all of them.
#[derive(Debug, Clone, Copy)]
struct Columns {
    name: usize,
    counts: usize,
    all: usize,
}

/// What of a run is shown live.
#[derive(Debug)]
pub(super) struct Screen {
    since: Instant,
    running: IndexMap<StepId, Running>,
    total: usize,
    done: usize,
    failed: usize,
    skipped: usize,
    stopped: usize,
}

impl Screen {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            running: IndexMap::new(),
            total: 0,
            done: 0,
            failed: 0,
            skipped: 0,
            stopped: 0,
        }
    }

    pub(super) fn planned(&mut self, steps: usize) {
        self.total = steps;
    }

    pub(super) fn started(&mut self, step: &StepId, now: Instant) {
        let running = Running {
            since: now,
            stage: String::new(),
            cached: 0,
            run: 0,
        };
        self.running.insert(step.clone(), running);
    }

    pub(super) fn progress(&mut self, step: &StepId, stage: &str, cached: u32, run: u32) {
        if let Some(running) = self.running.get_mut(step) {
            running.stage = text::clean(stage);
            running.cached = cached;
            running.run = run;
        }
    }

    pub(super) fn finished(&mut self, step: &StepId, outcome: &StepOutcome) {
        let was_running = self.running.shift_remove(step).is_some();
        match outcome {
            StepOutcome::Done | StepOutcome::Adopted => self.done += 1,
            StepOutcome::Failed => self.failed += 1,
            StepOutcome::Interrupted if !was_running => self.skipped += 1,
            StepOutcome::Interrupted => self.stopped += 1,
            StepOutcome::Skipped => self.skipped += 1,
        }
    }

    /// Steps that were not started.
    pub(super) const fn skipped(&self) -> usize {
        self.skipped
    }

    /// Whether a step runs.
    pub(super) fn runs(&self, step: &StepId) -> bool {
        self.running.contains_key(step)
    }

    /// The lines, each narrower than the terminal, in all less than its height.
    pub(super) fn frame(&self, now: Instant, width: usize, height: usize) -> String {
        // A terminal that cannot tell its size says 0.
        let width = if width == 0 { 80 } else { width.max(20) } - 1;
        let room = height.saturating_sub(4).max(1);
        let shown = if self.running.len() > room {
            room - 1
        } else {
            self.running.len()
        };
        let tick = now.saturating_duration_since(self.since).as_millis() / TICK.as_millis();
        let spinner = SPINNER.get(usize::try_from(tick).unwrap_or(0) % SPINNER.len());
        let spinner = spinner.copied().unwrap_or_default();
        let names = self.running.keys().take(shown);
        let name_width = names
            .map(|step| text::width(step.as_str()))
            .max()
            .unwrap_or(0)
            .min(width.saturating_sub(2) * 9 / 20);
        let counts = self
            .running
            .values()
            .take(shown)
            .map(|running| running.counts().len());
        let counts_width = counts.max().unwrap_or(0);
        let mut lines: Vec<String> = self
            .running
            .iter()
            .take(shown)
            .map(|(step, running)| {
                let columns = Columns {
                    name: name_width,
                    counts: counts_width,
                    all: width,
                };
                running_line(spinner, step, running, now, columns)
            })
            .collect();
        let hidden = self.running.len() - shown;
        if hidden > 0 {
            let more = text::count(hidden, "more runs", "more run");
            lines.push(paint(FAINT, &text::cut(&format!("  … {more}"), width)));
        }
        if self.total > 0 {
            lines.push(self.bottom_line(now, width));
        }
        lines.join("\n")
    }

    fn bottom_line(&self, now: Instant, width: usize) -> String {
        let ended = self.done + self.failed + self.skipped + self.stopped;
        let mut line = Line::new(width);
        if width >= 60 {
            let filled = (BAR * ended.min(self.total)) / self.total;
            line.push(if self.failed > 0 { BAD } else { GOOD }, &"━".repeat(filled));
            line.push(FAINT, &"─".repeat(BAR - filled));
            line.push(PLAIN, "  ");
        }
        let (done, total) = (text::number(self.done), text::number(self.total));
        line.push(PLAIN, &format!("{done}/{total} done"));
        if !self.running.is_empty() {
            line.push(PLAIN, &format!(", {} running", self.running.len()));
        }
        if self.failed > 0 {
            line.push(PLAIN, ", ");
            line.push(BAD, &format!("{} failed", self.failed));
        }
        if self.skipped > 0 {
            line.push(PLAIN, &format!(", {} not started", text::number(self.skipped)));
        }
        let elapsed = text::whole_seconds(now.saturating_duration_since(self.since));
        line.push(FAINT, &format!("  {elapsed}"));
        line.text
    }
}

/// `⠋ build/base/linux-amd64  [2/3] RUN apt-get …  3 cached, 2 run   12s`: the counts and the time flush right.
fn running_line(spinner: &str, step: &StepId, running: &Running, now: Instant, columns: Columns) -> String {
    let elapsed = text::whole_seconds(now.saturating_duration_since(running.since));
    let elapsed = format!("{elapsed:>7}");
    let counts = running.counts();
    let mut line = Line::new(columns.all);
    line.push(NAME, spinner);
    line.push(PLAIN, " ");
    line.push(
        PLAIN,
        &text::pad(&text::cut_middle(step.as_str(), columns.name), columns.name),
    );
    line.push(PLAIN, "  ");
    let left = columns.all.saturating_sub(line.used);
    // The counts go first where it is narrow.
    let right = if !counts.is_empty() && left >= STAGE_LEAST + 2 + columns.counts + elapsed.len() {
        format!(" {counts:>counts_width$}{elapsed}", counts_width = columns.counts)
    } else {
        elapsed
    };
    let stage_width = left.saturating_sub(text::width(&right) + 1);
    line.push(
        FAINT,
        &text::pad(&text::cut(&running.stage, stage_width), stage_width),
    );
    line.push(PLAIN, " ");
    line.push(PLAIN, &right);
    line.text
}

/// A line that never grows beyond its width.
struct Line {
    text: String,
    used: usize,
    width: usize,
}

impl Line {
    const fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            used: 0,
            width,
        }
    }

    fn push(&mut self, style: Style, part: &str) {
        let part = text::cut(part, self.width.saturating_sub(self.used));
        self.used += text::width(&part);
        if !part.is_empty() {
            self.text.push_str(&paint(style, &part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{bare, build, smoke};
    use super::*;

    fn screen() -> (Screen, Instant) {
        let start = Instant::now();
        let mut screen = Screen::new(start);
        screen.planned(1_234);
        let base = build("base", "linux/amd64");
        screen.started(&base, start);
        screen.finished(&base, &StepOutcome::Done);
        let variants = [
            (
                "variant/omos",
                "[2/3] RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git",
            ),
            (
                "variant/with-pi",
                "[3/3] RUN echo 日本語のテキストがここにあります日本語のテキストがここにあります",
            ),
            (
                "variant/a-variant-with-a-very-long-name-that-goes-on-and-on",
                "exporting to image",
            ),
        ];
        for (name, stage) in variants {
            let step = build(name, "linux/arm64");
            screen.started(&step, start);
            screen.progress(&step, stage, 3, 12);
        }
        screen.started(
            &smoke("variant/omos", "linux/amd64"),
            start + Duration::from_secs(50),
        );
        (screen, start)
    }

    #[test]
    fn at_80_columns() {
        let (screen, start) = screen();
        let frame = bare(&screen.frame(start + Duration::from_secs(65), 80, 24));
        insta::assert_snapshot!(frame, @r"
        ⠋ build/variant/omos/linux-arm64      [2/3] RUN apt-g…  3 cached, 12 run  1m05s
        ⠋ build/variant/with-pi/linux-arm64   [3/3] RUN echo…   3 cached, 12 run  1m05s
        ⠋ build/varia…-on-and-on/linux-arm64  exporting to im…  3 cached, 12 run  1m05s
        ⠋ smoke/variant/omos/linux-amd64                                            15s
        ────────────────────  1/1,234 done, 4 running  1m05s
        ");
    }

    #[test]
    fn at_140_columns() {
        let (screen, start) = screen();
        let frame = bare(&screen.frame(start + Duration::from_secs(65), 140, 24));
        insta::assert_snapshot!(frame, @r"
        ⠋ build/variant/omos/linux-arm64                                 [2/3] RUN apt-get update && apt-get install -y -…  3 cached, 12 run  1m05s
        ⠋ build/variant/with-pi/linux-arm64                              [3/3] RUN echo 日本語のテキストがここにあります…   3 cached, 12 run  1m05s
        ⠋ build/variant/a-vari…ong-name-that-goes-on-and-on/linux-arm64  exporting to image                                 3 cached, 12 run  1m05s
        ⠋ smoke/variant/omos/linux-amd64                                                                                                        15s
        ────────────────────  1/1,234 done, 4 running  1m05s
        ");
    }

    #[test]
    fn never_wider_nor_higher_than_the_terminal() {
        let (mut screen, start) = screen();
        for number in 0..50 {
            screen.started(&build(&format!("variant/v{number}"), "linux/arm64"), start);
        }
        screen.finished(&build("variant/v1", "linux/arm64"), &StepOutcome::Failed);
        screen.finished(&build("variant/v2", "linux/arm64"), &StepOutcome::Skipped);
        for width in [0, 1, 20, 33, 60, 80, 140, 250] {
            for height in [0, 1, 5, 24, 100] {
                let frame = bare(&screen.frame(start + Duration::from_secs(4_000), width, height));
                assert!(frame.lines().count() < height.max(6), "{width}×{height}\n{frame}");
                for line in frame.lines() {
                    let limit = if width == 0 { 80 } else { width.max(20) };
                    assert!(text::width(line) < limit, "{width}: {line}");
                }
            }
        }
    }
}
