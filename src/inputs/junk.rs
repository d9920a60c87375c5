//! Leftovers that are no input and must not reach a build: byte code, metadata of file systems, editors' files.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whether a file name is of a kind of junk. Names are compared as bytes: `.PYC` is no byte code.
type Test = fn(&str) -> bool;

/// All of them: the `.dockerignore` line, and whether a file name is of it.
const KINDS: [(&str, Test); 9] = [
    ("**/__pycache__", |name| name == "__pycache__"),
    ("**/*.pyc", |name| name.as_bytes().ends_with(b".pyc")),
    ("**/*.pyo", |name| name.as_bytes().ends_with(b".pyo")),
    ("**/.DS_Store", |name| name == ".DS_Store"),
    ("**/._*", |name| name.starts_with("._")),
    ("**/*~", |name| name.ends_with('~')),
    ("**/.*.sw?", is_swap),
    ("**/#*#", |name| {
        name.len() > 1 && name.starts_with('#') && name.ends_with('#')
    }),
    ("**/.#*", |name| name.starts_with(".#")),
];

fn is_swap(name: &str) -> bool {
    let Some(rest) = name.strip_prefix('.') else {
        return false;
    };
    let mut end = rest.chars();
    end.next_back().is_some() && end.as_str().as_bytes().ends_with(b".sw")
}

/// The `.dockerignore` line that is for a file or folder of this name; `None` if it is no junk.
pub(super) fn line_for_name(name: &str) -> Option<&'static str> {
    KINDS
        .iter()
        .find(|(_, is_kind)| is_kind(name))
        .map(|(line, _)| *line)
}

/// The line for a path that is junk, or lies in a folder that is.
pub(super) fn line_for_path(path: &str) -> Option<&'static str> {
    path.split('/').find_map(line_for_name)
}

/// Junk that would reach a build: it lies in the context where a build can take it from, and `.dockerignore` lets it through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Junk {
    /// Where it lies, as entries are written; of a junk folder only the folder. Sorted.
    pub paths: Vec<String>,
    /// The lines that keep it out, to be added at the end of the ignore file of their context. Sorted.
    pub lines: Vec<JunkLine>,
}

/// A line to add to an ignore file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JunkLine {
    /// The ignore file, as paths are written that start at the family's root.
    pub file: String,
    /// The line.
    pub line: String,
}

impl Junk {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Takes in what was found for one context.
    pub(super) fn extend(&mut self, file: &str, found: impl IntoIterator<Item = (String, &'static str)>) {
        let mut lines: BTreeSet<JunkLine> = self.lines.drain(..).collect();
        for (path, line) in found {
            self.paths.push(path);
            lines.insert(JunkLine {
                file: file.to_owned(),
                line: line.to_owned(),
            });
        }
        self.paths.sort_unstable();
        self.paths.dedup();
        self.lines = lines.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::dockerignore::Dockerignore;

    const JUNK: [&str; 14] = [
        "__pycache__",
        "a.pyc",
        ".pyc",
        "b.pyo",
        ".DS_Store",
        "._x",
        "._",
        "x~",
        "~",
        ".x.swp",
        ".x.y.swo",
        "#x#",
        "##",
        ".#x",
    ];
    const NO_JUNK: [&str; 12] = [
        "pycache", "a.py", "DS_Store", ".x", "x._", "~x", ".swp", "x.swp", ".x.sw", "#x", "#", "x#",
    ];

    #[test]
    fn names() {
        for name in JUNK {
            assert!(line_for_name(name).is_some(), "{name}");
            assert!(line_for_path(&format!("a/{name}/b")).is_some(), "{name}");
        }
        for name in NO_JUNK {
            assert_eq!(line_for_name(name), None, "{name}");
        }
    }

    #[test]
    fn the_lines_match_what_they_are_for_and_nothing_else() {
        let lines: Vec<_> = KINDS.iter().map(|(line, _)| *line).collect();
        let ignore = Dockerignore::parse(lines.join("\n")).unwrap();
        for name in JUNK {
            let line = line_for_name(name).unwrap();
            let alone = Dockerignore::parse(line).unwrap();
            for path in [name.to_owned(), format!("a/b/{name}"), format!("a/{name}/b")] {
                assert!(alone.ignores(&path), "{line} {path}");
            }
        }
        for name in NO_JUNK {
            assert!(!ignore.ignores(name), "{name}");
        }
    }
}
