//! Workflow commands of GitHub and Gitea Actions, and what a step printed, held back until it ends: steps run side by side, and a group
//! cannot be written around lines that are mixed with others.

use std::collections::VecDeque;

/// A property of a command: `%`, line breaks, `:` and `,` escaped.
pub(super) fn property(value: &str) -> String {
    data(value).replace(':', "%3A").replace(',', "%2C")
}

/// The message of a command: `%` and line breaks escaped.
pub(super) fn data(value: &str) -> String {
    value
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// `::error title=…::message`, or `::warning …`.
pub(super) fn annotation(kind: &str, title: Option<&str>, message: &str) -> String {
    match title {
        Some(title) => format!("::{kind} title={}::{}\n", property(title), data(message)),
        None => format!("::{kind}::{}\n", data(message)),
    }
}

/// Lines in a group that can be folded. Each line must begin with something that is no command: a time of day.
pub(super) fn group(title: &str, held: &Held) -> String {
    let mut text = format!("::group::{}\n", data(title));
    for line in held.lines() {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("::endgroup::\n");
    text
}

/// Bytes of a step's first lines that are kept, and again of its last ones.
const KEPT: usize = 512 * 1024;

/// The lines of one step. Of very many, the first and the last are kept.
#[derive(Debug, Default)]
pub(super) struct Held {
    first: Vec<String>,
    first_bytes: usize,
    last: VecDeque<String>,
    last_bytes: usize,
    dropped: usize,
}

impl Held {
    pub(super) fn push(&mut self, line: String) {
        if self.last.is_empty() && self.first_bytes + line.len() <= KEPT {
            self.first_bytes += line.len();
            self.first.push(line);
            return;
        }
        self.last_bytes += line.len();
        self.last.push_back(line);
        while self.last_bytes > KEPT && self.last.len() > 1 {
            self.last_bytes -= self.last.pop_front().map_or(0, |line| line.len());
            self.dropped += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.last.is_empty()
    }

    fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let gap = (self.dropped > 0).then(|| {
            let lines = super::text::count(self.dropped, "line", "lines");
            format!("… {lines} left out")
        });
        let (first, last) = (self.first.iter().cloned(), self.last.iter().cloned());
        first.chain(gap).chain(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_are_made_of_is_escaped() {
        assert_eq!(
            annotation("error", Some("build/x: a, b"), "100%\r\n::set-output name=x::y"),
            "::error title=build/x%3A a%2C b::100%25%0D%0A::set-output name=x::y\n"
        );
        assert_eq!(annotation("warning", None, "a: b, c"), "::warning::a: b, c\n");
        // Escaping twice would show `%250A`; the percent sign goes first for that reason.
        assert_eq!(data("%0A\n"), "%250A%0A");
    }

    #[test]
    fn of_very_much_output_both_ends_are_kept() {
        let mut held = Held::default();
        for number in 0..100_000 {
            held.push(format!("line {number} {}", "x".repeat(50)));
        }
        let lines: Vec<String> = held.lines().collect();
        assert!(lines[0].starts_with("line 0 "));
        assert!(lines.last().unwrap().starts_with("line 99999 "));
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.ends_with("lines left out"))
                .count(),
            1
        );
        assert!(lines.iter().map(String::len).sum::<usize>() < 2 * KEPT + 100);
        assert_eq!(held.dropped + lines.len() - 1, 100_000);
    }
}
