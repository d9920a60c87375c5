//! What `doctor` found, for people.

use super::style::{BAD, FAINT, GOOD, HEADING, NAME, ODD, paint};
use super::text;
use crate::doctor::{Check, Diagnosis, Status};
use anstyle::Style;
use std::fmt::Write as _;

/// Columns of the status and of the name of a check, with the blanks behind them.
const STATUS: usize = 9;
const WORD: usize = 13;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Kind;

    fn sick() -> Check {
        Check {
            check: Kind::Platform,
            subject: Some("linux/s390x".to_owned()),
            status: Status::Error,
            message: "does not run here,\x1b[31m and is not emulated: builds for it fail".to_owned(),
            mend: Some(
                "install an emulator, or name a builder that has such a machine (`--builder`)".to_owned(),
            ),
        }
    }

    fn bare(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_check_fits_the_terminal() {
        insta::assert_snapshot!(bare(&check(&sick(), Some(60))), @r"
        error    platform     linux/s390x  does not run here, and is
                              not emulated: builds for it fail
                              hint: install an emulator, or name a
                              builder that has such a machine
                              (`--builder`)
        ");
        for line in bare(&check(&sick(), Some(60))).lines() {
            assert!(text::width(line) <= 60, "{line}");
        }
        // Nothing is wrapped in a file, and not to nothing on a terminal that is too narrow.
        assert_eq!(bare(&check(&sick(), None)).lines().count(), 2);
        assert!(bare(&check(&sick(), Some(1))).lines().count() < 9);
    }

    #[test]
    fn the_verdict_counts() {
        let ok = || Check::of_family("x", Status::Ok, None);
        let odd = || Check::of_family("x", Status::Warning, None);
        let said = |checks| bare(&diagnosis(&Diagnosis::new(checks)));
        assert_eq!(said(vec![ok(), ok()]), "\nready: 2 ok, 0 warnings, 0 errors\n");
        assert_eq!(
            said(vec![ok(), odd()]),
            "\nready, with warnings: 1 ok, 1 warning, 0 errors\n"
        );
        assert_eq!(
            said(vec![sick(), odd()]),
            "\nnot ready: 0 ok, 1 warning, 1 error\n"
        );
    }
}
