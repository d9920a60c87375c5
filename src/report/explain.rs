//! What changed of an image since what its alias points at, for people.

use super::style::{FAINT, GOOD, HEADING, NAME, ODD, paint};
use super::table::{Cell, Table};
use super::text;
use crate::domain::{ImageId, Tag};
use std::fmt::Write as _;

/// What is said of an image as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Its inputs are the same.
    Same(String),
    /// Something is different, or new.
    Different(String),
    /// It cannot be told.
    Unknown(String),
}

/// One image, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Which image.
    pub image: ImageId,
    /// Its identity tag, where it has one.
    pub tag: Option<Tag>,
    /// What came of comparing, in one line.
    pub finding: Finding,
    /// What changed: what it is, and what became of it.
    pub changes: Vec<(String, String)>,
}

/// The explanations as text.
#[must_use]
pub fn explanation(images: &[Explanation]) -> String {
    let mut text = String::new();
    for (at, image) in images.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let name = paint(HEADING, &image.image.to_string());
        let tag = image.tag.as_ref().map_or_else(
            || paint(ODD, "without an identity"),
            |tag| paint(FAINT, tag.as_str()),
        );
        let (style, finding) = match &image.finding {
            Finding::Same(finding) => (GOOD, finding),
            Finding::Different(finding) | Finding::Unknown(finding) => (ODD, finding),
        };
        // Writing to a `String` does not fail.
        let _ = writeln!(text, "{name}  {tag}\n  {}", paint(style, &text::clean(finding)));
        let mut table = Table::default();
        for (subject, account) in &image.changes {
            table.row([
                Cell::new(text::clean(subject)).style(NAME),
                text::clean(account).into(),
            ]);
        }
        text.push_str(&table.render("  "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, bare};
    use super::*;

    #[test]
    fn what_changed_stands_in_columns() {
        let images = [
            Explanation {
                image: fixture::image("base"),
                tag: Some("base-0123456789ab".parse().unwrap()),
                finding: Finding::Same("unchanged since `base-latest`".to_owned()),
                changes: Vec::new(),
            },
            Explanation {
                image: fixture::image("variant/omos"),
                tag: Some("variant-omos-0123456789ab".parse().unwrap()),
                finding: Finding::Different("changed since `latest-omos`, v1.2.3".to_owned()),
                changes: vec![
                    ("rootfs/\u{1b}[31mprofile".to_owned(), "changed".to_owned()),
                    ("oh-my-opencode-slim".to_owned(), "2.2.23 → 2.2.24".to_owned()),
                ],
            },
            Explanation {
                image: fixture::image("variant/pi"),
                tag: None,
                finding: Finding::Unknown("open: PI_VERSION".to_owned()),
                changes: Vec::new(),
            },
        ];
        insta::assert_snapshot!(bare(&explanation(&images)), @r"
        base  base-0123456789ab
          unchanged since `base-latest`

        variant/omos  variant-omos-0123456789ab
          changed since `latest-omos`, v1.2.3
          rootfs/profile       changed
          oh-my-opencode-slim  2.2.23 → 2.2.24

        variant/pi  without an identity
          open: PI_VERSION
        ");
    }
}
