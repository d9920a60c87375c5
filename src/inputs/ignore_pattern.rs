//! The pattern of one line of an ignore file, as moby/patternmatcher reads it: to the letter, its accidents included.

use super::go_regexp;
use regex::bytes::Regex;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct IgnorePattern {
    text: String,
    kind: Kind,
}

/// moby's matcher has shortcuts for simple patterns, and they differ from its regular expressions in corner cases; hence they are kept.
#[derive(Debug, Clone)]
enum Kind {
    Exact,
    /// All but the `**` that it ends with.
    Prefix,
    /// All but the `**` that it begins with.
    Suffix,
    Regexp(Regex),
}

impl IgnorePattern {
    /// Compiles a pattern without `!`, tidied up; `None` where BuildKit refuses it.
    pub(super) fn new(text: &str) -> Option<Self> {
        is_glob(text).then_some(())?;
        let kind = match regexp(text) {
            (Shape::Exact, _) => Kind::Exact,
            (Shape::Prefix, _) => Kind::Prefix,
            (Shape::Suffix, _) => Kind::Suffix,
            (Shape::Regexp, regexp) => Kind::Regexp(go_regexp::compile(&regexp)?),
        };
        let text = text.to_owned();
        Some(Self { text, kind })
    }

    /// Whether it matches this path, `/` between the names.
    pub(super) fn matches(&self, path: &str) -> bool {
        let (text, path) = (self.text.as_bytes(), path.as_bytes());
        match &self.kind {
            Kind::Exact => path == text,
            Kind::Prefix => text
                .split_last_chunk::<2>()
                .is_some_and(|(prefix, _)| path.starts_with(prefix)),
            Kind::Suffix => text.split_first_chunk::<2>().is_some_and(|(_, suffix)| {
                path.ends_with(suffix) || suffix.strip_prefix(b"/").is_some_and(|name| path == name)
            }),
            Kind::Regexp(regex) => regex.is_match(path),
        }
    }

    /// Whether this is `x/**`, and the folder `x` or below it.
    pub(super) fn matches_all_below(&self, folder: &str) -> bool {
        let top = self
            .text
            .strip_suffix("/**")
            .filter(|_| matches!(self.kind, Kind::Prefix));
        top.and_then(|top| folder.strip_prefix(top))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Of an exception: the folder, with a `/` at its end, below which it lets through. `None` if that is not one folder.
    ///
    /// It decides which folders BuildKit passes over (`patternWithoutTrailingGlob` in tonistiigi/fsutil), and is not always right: of `a/*/**` it is `a/`.
    pub(super) fn stem(&self) -> Option<String> {
        let stem = self.text.strip_suffix("/**").unwrap_or(&self.text);
        let stem = stem.strip_suffix("/*").unwrap_or(stem);
        (!stem.contains(['*', '[', ']', '?', '^', '\\'])).then(|| format!("{stem}/"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Exact,
    Prefix,
    Suffix,
    Regexp,
}

/// What moby takes a pattern for, and the regular expression that it makes of it.
fn regexp(pattern: &str) -> (Shape, String) {
    let mut shape = Shape::Exact;
    let mut regexp = "^".to_owned();
    // Go's text scanner, which moby reads with, passes over this one.
    let mut chars = pattern
        .strip_prefix('\u{feff}')
        .unwrap_or(pattern)
        .chars()
        .peekable();
    let mut first = true;
    while let Some(char) = chars.next() {
        match char {
            '*' if chars.next_if_eq(&'*').is_some() => {
                chars.next_if_eq(&'/');
                if chars.peek().is_some() {
                    regexp.push_str("(.*/)?");
                    shape = Shape::Regexp;
                } else if shape == Shape::Exact {
                    shape = Shape::Prefix;
                } else {
                    regexp.push_str(".*");
                    shape = Shape::Regexp;
                }
                if first {
                    shape = Shape::Suffix;
                }
            }
            '*' => {
                regexp.push_str("[^/]*");
                shape = Shape::Regexp;
            }
            '?' => {
                regexp.push_str("[^/]");
                shape = Shape::Regexp;
            }
            // `{`, `|` and `}` are meant to be among them, but do not fit moby's table.
            '.' | '+' | '(' | ')' | '$' => regexp.extend(['\\', char]),
            '\\' => {
                regexp.push('\\');
                if let Some(escaped) = chars.next() {
                    regexp.push(escaped);
                    shape = Shape::Regexp;
                }
            }
            '[' | ']' => {
                regexp.push(char);
                shape = Shape::Regexp;
            }
            other => regexp.push(other),
        }
        first = false;
    }
    regexp.push('$');
    (shape, regexp)
}

/// Whether Go's `filepath.Match` takes this for a pattern: `\` stands before something, and `[…]` is closed and holds ranges only.
///
/// Go does not look beyond the first `*` at which its test text cannot match any more. A `\` at the end passes there, and the regular expression then has a
/// literal `$` instead of an end; whatever else is wrong there, `go_regexp` refuses.
fn is_glob(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    let (mut part, mut star_after_part) = (false, false);
    while let Some(char) = chars.next() {
        let good = match char {
            '\\' => chars.next().is_some() || star_after_part,
            '[' => class(&mut chars).is_some(),
            _ => true,
        };
        if !good {
            return false;
        }
        star_after_part |= char == '*' && part;
        part |= char != '*';
    }
    true
}

/// Takes the rest of `[…]`: at least one range.
fn class(chars: &mut std::str::Chars<'_>) -> Option<()> {
    let eat = |chars: &mut std::str::Chars<'_>, wanted: char| {
        let rest = chars.as_str().strip_prefix(wanted);
        if let Some(rest) = rest {
            *chars = rest.chars();
        }
        rest.is_some()
    };
    // `-` and `]` only behind `\`.
    let edge = |chars: &mut std::str::Chars<'_>| match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        other => Some(other),
    };
    eat(chars, '^');
    let mut first = true;
    while first || !eat(chars, ']') {
        first = false;
        edge(chars)?;
        if eat(chars, '-') {
            edge(chars)?;
        }
    }
    Some(())
}

/// What a pattern is taken for, and its regular expression.
#[cfg(test)]
pub(super) fn shape_and_regexp(pattern: &str) -> (&'static str, String) {
    let (shape, regexp) = regexp(&super::pattern::clean(pattern));
    let shape = match shape {
        Shape::Exact => "exact",
        Shape::Prefix => "prefix",
        Shape::Suffix => "suffix",
        Shape::Regexp => "regexp",
    };
    (shape, regexp)
}
