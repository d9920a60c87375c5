//! What `doctor` found, for people.

use super::style::{BAD, FAINT, GOOD, HEADING, NAME, ODD, paint};
use super::text;
use crate::doctor::{Check, Diagnosis, Status};
use anstyle::Style;
use std::fmt::Write as _;

/// Columns of the status and of the name of a check, with the blanks behind them.
const STATUS: usize = 9;
const WORD: usize = 16;
/// Columns that a message gets at least, however narrow the terminal.
const NARROWEST: usize = 30;

const fn of(status: Status) -> (&'static str, Style) {
    match status {
        Status::Ok => ("ok", GOOD),
        Status::Warning => ("warning", ODD),
        Status::Error => ("error", BAD),
    }
}

/// One check as text: one line, or as many as a terminal of `columns` needs; `None` where nothing is to be wrapped.
#[must_use]
pub fn check(check: &Check, columns: Option<usize>) -> String {
    let (word, style) = of(check.status);
    let mut shown = format!(
        "{}{}{}",
        paint(style, word),
        " ".repeat(STATUS - word.len()),
        text::pad(check.check.word(), WORD)
    );
    let indent = " ".repeat(STATUS + WORD);
    let room = columns.map(|columns| columns.saturating_sub(STATUS + WORD).max(NARROWEST));
    let subject = check.subject.as_deref().map(text::clean);
    let message = text::clean(&check.message);
    let lines = match &subject {
        Some(subject) => wrap(&format!("{subject}  {message}"), room),
        None => wrap(&message, room),
    };
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            shown.push_str(&indent);
        }
        match subject
            .as_deref()
            .and_then(|subject| Some((subject, line.strip_prefix(subject)?)))
        {
            Some((subject, rest)) if index == 0 => {
                let _ = writeln!(shown, "{}{rest}", paint(NAME, subject));
            }
            _ => {
                let _ = writeln!(shown, "{line}");
            }
        }
    }
    if let Some(mend) = &check.mend {
        const LABEL: &str = "hint:";
        for (index, line) in wrap(&format!("{LABEL} {}", text::clean(mend)), room)
            .iter()
            .enumerate()
        {
            let line = match line.strip_prefix(LABEL) {
                Some(rest) if index == 0 => format!("{}{rest}", paint(NAME, LABEL)),
                _ => line.clone(),
            };
            let _ = writeln!(shown, "{indent}{line}");
        }
    }
    shown
}

/// The last line: how many of each.
#[must_use]
pub fn diagnosis(diagnosis: &Diagnosis) -> String {
    let count = |status, one, many| {
        let count = diagnosis.count(status);
        let (_, style) = of(status);
        let words = text::count(count, one, many);
        if count == 0 {
            paint(FAINT, &words)
        } else {
            paint(style, &words)
        }
    };
    let verdict = match diagnosis.worst() {
        Status::Ok => "ready",
        Status::Warning => "ready, with warnings",
        Status::Error => "not ready",
    };
    format!(
        "\n{}: {}, {}, {}\n",
        paint(HEADING, verdict),
        count(Status::Ok, "ok", "ok"),
        count(Status::Warning, "warning", "warnings"),
        count(Status::Error, "error", "errors"),
    )
}

/// The words of a line, in as many lines as it takes to keep each within `room` columns. A word that is longer is left whole, so that it can be copied.
fn wrap(line: &str, room: Option<usize>) -> Vec<String> {
    let Some(room) = room else {
        return vec![line.to_owned()];
    };
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if text::width(last) + 1 + text::width(word) <= room => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
