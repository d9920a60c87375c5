//! Problems as text for people, in the manner of rustc.

use super::{Place, Problem, Severity};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthChar as _;

const TAB: usize = 4;

/// One problem: what is wrong, the line with the place underlined, and how to mend it.
#[must_use]
pub fn render(problem: &Problem, color: bool) -> String {
    let paint = Paint { color };
    let (word, style) = match problem.severity {
        Severity::Error => ("error", AnsiColor::Red.on_default().bold()),
        Severity::Warning => ("warning", AnsiColor::Yellow.on_default().bold()),
    };
    let frame = AnsiColor::Blue.on_default().bold();
    let mut text = String::new();
    let message = paint.styled(Style::new().bold(), &format!(": {}", printable(&problem.message)));
    let _ = writeln!(text, "{}{message}", paint.styled(style, word));
    let file = printable(problem.file.as_str());
    let margin = problem
        .place
        .as_ref()
        .map_or(1, |place| place.line.to_string().len());
    let blank = " ".repeat(margin);
    match &problem.place {
        None => {
            let _ = writeln!(text, "{blank}{} {file}", paint.styled(frame, "-->"));
        }
        Some(place) => {
            let (line, column) = (place.line, place.column);
            let bar = paint.styled(frame, "|");
            let (shown, before, width) = layout(place);
            let carets = paint.styled(style, &"^".repeat(width));
            let _ = writeln!(
                text,
                "{blank}{} {file}:{line}:{column}",
                paint.styled(frame, "-->")
            );
            let _ = writeln!(text, "{blank} {bar}");
            let number = paint.styled(frame, &line.to_string());
            let _ = writeln!(text, "{}", format!("{number} {bar} {shown}").trim_end());
            let _ = writeln!(text, "{blank} {bar} {}{carets}", " ".repeat(before));
        }
    }
    if let Some(hint) = &problem.hint {
        let (sign, word) = (
            paint.styled(frame, "="),
            paint.styled(Style::new().bold(), "hint"),
        );
        let _ = writeln!(text, "{blank} {sign} {word}: {}", printable(hint));
    }
    text
}

/// All problems with a blank line between them, and at the end how many there are. Empty for none.
#[must_use]
pub fn render_all(problems: &[Problem], color: bool) -> String {
    let Some(first) = problems.first() else {
        return String::new();
    };
    let mut text = String::new();
    for problem in problems {
        text.push_str(&render(problem, color));
        text.push('\n');
    }
    let count = |severity| {
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count()
    };
    let counts = [
        (count(Severity::Error), "problem"),
        (count(Severity::Warning), "warning"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
    .collect::<Vec<_>>();
    let _ = writeln!(
        text,
        "{} in {}",
        counts.join(", "),
        printable(first.file.as_str())
    );
    text
}

/// The line as it is shown, the columns on the screen before the place, and the place's width there.
fn layout(place: &Place) -> (String, usize, usize) {
    let (from, to) = (place.column - 1, place.column - 1 + place.length);
    let (mut shown, mut before, mut width, mut column) = (String::new(), 0, 0, 0);
    let mut at = 0;
    for character in place.text.chars() {
        let cells = match character {
            '\t' => TAB - column % TAB,
            // Zero-width characters go unseen, and unseen characters are what people look for in vain.
            _ => character.width().filter(|width| *width > 0).unwrap_or(1),
        };
        match character {
            '\t' => shown.push_str(&" ".repeat(cells)),
            _ if character.width().is_none_or(|width| width == 0) => shown.push('\u{fffd}'),
            _ => shown.push(character),
        }
        if at < from {
            before += cells;
        } else if at < to {
            width += cells;
        }
        column += cells;
        at += 1;
    }
    // A place behind the end of the line, such as a missing quote.
    before += from.saturating_sub(at);
    (shown.trim_end().to_owned(), before, width.max(1))
}

/// Text from the file without the control characters that would steer a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn styled(self, style: Style, text: &str) -> String {
        if self.color {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str, column: usize, length: usize) -> Problem {
        Problem {
            file: "variants.toml".into(),
            place: Some(Place {
                line: 31,
                column,
                length,
                text: text.to_owned(),
            }),
            severity: Severity::Error,
            message: "`[variants.omos] tags`: `x` is taken".to_owned(),
            hint: Some("rename it".to_owned()),
        }
    }

    #[test]
    fn the_caret_is_under_its_place() {
        insta::assert_snapshot!(render(&problem("tags = [\"x\"]", 9, 3), false), @r#"
        error: `[variants.omos] tags`: `x` is taken
          --> variants.toml:31:9
           |
        31 | tags = ["x"]
           |         ^^^
           = hint: rename it
        "#);
    }

    #[test]
    fn wide_characters_and_tabs_take_their_room() {
        insta::assert_snapshot!(render(&problem("a\t= \"漢字é\" # \u{200b}\u{1b}[31m", 5, 5), false), @r#"
        error: `[variants.omos] tags`: `x` is taken
          --> variants.toml:31:5
           |
        31 | a   = "漢字é" # ��[31m
           |       ^^^^^^^
           = hint: rename it
        "#);
    }

    #[test]
    fn beyond_the_end_of_the_line() {
        insta::assert_snapshot!(render(&problem("a =", 4, 1), false), @"
        error: `[variants.omos] tags`: `x` is taken
          --> variants.toml:31:4
           |
        31 | a =
           |    ^
           = hint: rename it
        ");
    }

    #[test]
    fn counted_at_the_end() {
        let mut whole = problem("x", 1, 1);
        whole.place = None;
        whole.hint = None;
        whole.severity = Severity::Warning;
        whole.message = "odd\u{1b}[31m".to_owned();
        insta::assert_snapshot!(render_all(&[problem("x = 1", 1, 1), whole], false), @r"
        error: `[variants.omos] tags`: `x` is taken
          --> variants.toml:31:1
           |
        31 | x = 1
           | ^
           = hint: rename it

        warning: odd\u{1b}[31m
         --> variants.toml

        1 problem, 1 warning in variants.toml
        ");
        assert_eq!(render_all(&[], false), "");
    }

    #[test]
    fn colored_when_asked() {
        let colored = render(&problem("x = 1", 1, 1), true);
        assert!(
            colored.starts_with("\u{1b}[1m\u{1b}[31merror\u{1b}[0m"),
            "{colored:?}"
        );
    }
}
