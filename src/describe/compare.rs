//! Whether a page is what its template makes, without asking anybody: what only a release fills in may be anything of its form.

use super::page::{NO_RELEASE, NO_ROWS, value};
use super::template::{PageTemplate, Part};
use crate::config::Family;

/// Where a page is not what its template makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line of the page, from 1.
    pub line: usize,
    /// What should stand there, to the end of its line; `None` where the page should end.
    pub expected: Option<String>,
    /// What stands there.
    pub found: Option<String>,
}

/// A stretch of a page.
enum Piece {
    /// Exactly this.
    Fixed(String),
    /// Something of a release: a piece of a line, or a table.
    Open { table: bool },
}

/// The first difference between a page and what its template makes. What depends on a release is passed over: a table may have any rows, and a
/// piece of a line may be any, or each says that there is no release yet.
#[must_use]
pub fn difference(template: &PageTemplate, family: &Family, page: &str) -> Option<Difference> {
    let page = page.replace("\r\n", "\n");
    let pieces = pieces(template, family);
    let mut rest = page.as_str();
    for (index, piece) in pieces.iter().enumerate() {
        let table = match piece {
            Piece::Open { table } => *table,
            Piece::Fixed(text) => match rest.strip_prefix(text.as_str()) {
                Some(behind) => {
                    rest = behind;
                    continue;
                }
                None => return Some(unlike(&page, rest, text)),
            },
        };
        let behind = behind(rest, table);
        let next = match pieces.get(index + 1) {
            // A table ends where most lines of what follows fit, a piece of a line where most of it does, and as early as can be.
            Some(Piece::Fixed(next)) if table => behind.into_iter().max_by_key(|behind| {
                let same = alike(behind, next);
                (same == next.len(), lines(next.as_bytes().iter().take(same)))
            }),
            Some(Piece::Fixed(next)) => behind.into_iter().rev().max_by_key(|behind| alike(behind, next)),
            // Of two pieces of a line side by side the first takes nothing.
            Some(Piece::Open { .. }) if !table => None,
            _ => behind.last().copied(),
        };
        rest = next.unwrap_or(rest);
    }
    (!rest.is_empty()).then(|| Difference {
        line: line_of(&page, rest),
        expected: None,
        found: Some(first_line(rest)),
    })
}

/// Neighbours that are fixed become one.
fn pieces(template: &PageTemplate, family: &Family) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for part in &template.parts {
        let text = match part {
            Part::Text(text) => text.clone(),
            Part::Value(placeholder) if placeholder.is_fixed() => value(placeholder, family, None),
            Part::Value(placeholder) => {
                pieces.push(Piece::Open {
                    table: placeholder.is_table(),
                });
                continue;
            }
        };
        match pieces.last_mut() {
            Some(Piece::Fixed(before)) => before.push_str(&text),
            _ => pieces.push(Piece::Fixed(text)),
        }
    }
    pieces
}

/// What may stand behind something open that begins this text: from where it may end, the nearest first.
fn behind(text: &str, table: bool) -> Vec<&str> {
    if !table {
        let line = text.split('\n').next().unwrap_or(text);
        let (mut behind, mut rest) = (vec![text], text.chars());
        for _ in line.chars() {
            rest.next();
            behind.push(rest.as_str());
        }
        return behind;
    }
    let said = [NO_RELEASE, NO_ROWS];
    if let Some(behind) = said.iter().find_map(|said| text.strip_prefix(*said)) {
        return vec![behind];
    }
    let (mut behind, mut rest) = (Vec::new(), text);
    while rest.starts_with('|') {
        let (_, after) = rest.split_at(rest.find('\n').unwrap_or(rest.len()));
        behind.push(after);
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    behind
}

/// The first place at which the page, from `rest` on, is not this text.
fn unlike(page: &str, rest: &str, text: &str) -> Difference {
    let same = text.as_bytes().iter().take(alike(rest, text));
    // Both begin alike up to the start of that line.
    let start = same
        .clone()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let (before, expected) = text.split_at(start);
    let found = rest.strip_prefix(before).filter(|found| !found.is_empty());
    Difference {
        line: line_of(page, rest) + lines(same),
        expected: Some(first_line(expected)),
        found: found.map(first_line),
    }
}

/// How many bytes both begin with alike.
fn alike(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    pairs.take_while(|(one, other)| one == other).count()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The line of the page that `rest`, its end, begins in.
fn line_of(page: &str, rest: &str) -> usize {
    lines(page.as_bytes().iter().take(page.len() - rest.len())) + 1
}

/// How many lines end in these bytes.
fn lines<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::given::{DEVBOX, family};

    const TEMPLATE: &str = "# {splitbase.family}\n\nRelease {splitbase.version} of {splitbase.date}.\n\n{splitbase.tags}\n| own | row |\n\nfor {splitbase.platforms}\n{splitbase.sizes}";
    const PAGE: &str = "# devbox\n\nRelease v1.0.0 of of 2026.\n\n| image | tags |\n| --- | --- |\n| core | x |\n| own | row |\n\nfor linux/amd64, linux/arm64\n| image |\n| a |";

    fn compared(template: &str, page: &str) -> Option<(usize, Option<String>, Option<String>)> {
        let template = PageTemplate::parse(template, &[]).unwrap();
        let found = difference(&template, &family(DEVBOX), page)?;
        Some((found.line, found.expected, found.found))
    }

    #[test]
    fn what_a_release_fills_in_is_passed_over() {
        assert_eq!(compared(TEMPLATE, PAGE), None);
        assert_eq!(compared(TEMPLATE, &PAGE.replace('\n', "\r\n")), None);
        let before = "# devbox\n\nRelease (none yet) of (none yet).\n\nNo release yet.\n| own | row |\n\nfor linux/amd64, linux/arm64\nNo release yet.";
        assert_eq!(compared(TEMPLATE, before), None);
        assert_eq!(compared("", ""), None);
        assert_eq!(
            compared("{splitbase.tags}{splitbase.version}{splitbase.date}\n", "| a |\n"),
            None
        );
    }

    #[test]
    fn everything_else_is_told_with_its_line() {
        let text = |text: &str| Some(text.to_owned());
        for (from, to, line, expected, found) in [
            ("# devbox", "# other", 1, text("# devbox"), text("# other")),
            (
                "Release v1",
                "Releases v1",
                3,
                text("Release "),
                text("Releases v1.0.0 of of 2026."),
            ),
            ("2026.\n", "2026\n", 3, text("."), None),
            ("| own | row |\n", "", 8, text("| own | row |"), text("")),
            (
                "linux/arm64",
                "linux/arm/v7",
                10,
                text("for linux/amd64, linux/arm64"),
                text("for linux/amd64, linux/arm/v7"),
            ),
            ("| a |", "| a |\n\nmore", 12, None, text("")),
            ("\n| a |", "\na", 11, None, text("")),
        ] {
            assert!(PAGE.contains(from));
            let got = compared(TEMPLATE, &PAGE.replacen(from, to, 1)).unwrap_or_else(|| panic!("{from}"));
            assert_eq!((got.0, got.1), (line, expected), "{from}");
            if let Some(found) = found {
                assert_eq!(got.2.unwrap_or_default(), found, "{from}");
            }
        }
        assert_eq!(compared("a\nb\n", "a\n"), Some((2, text("b"), None)));
    }

    #[test]
    fn any_page_can_be_compared() {
        for page in ["", "ä", "# devbox\n\nRelease ä", "\n\n\n", "| |\n| |"] {
            for template in [
                TEMPLATE,
                "ö{splitbase.version}ü",
                "{splitbase.tags}ä",
                "{splitbase.tags}",
            ] {
                let _ = compared(template, page);
            }
        }
    }
}
