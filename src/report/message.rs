//! Errors and warnings of a command as lines for people.

use super::style::{BAD, NAME, ODD, paint};
use super::text;
use std::fmt::Write as _;

/// `error: …`, and a `hint: …` line for each way to mend it. Lines of the message after the first are indented.
#[must_use]
pub fn error(message: &str, hints: &[String]) -> String {
    let lines: Vec<String> = message.lines().map(text::clean).collect();
    let mut text = format!("{} {}\n", paint(BAD, "error:"), lines.join("\n       "));
    for hint in hints {
        let _ = writeln!(text, "{} {}", paint(NAME, "hint:"), text::clean(hint));
    }
    text
}

/// `warning: …`.
#[must_use]
pub fn warning(message: &str) -> String {
    format!("{} {}\n", paint(ODD, "warning:"), text::clean(message))
}
