//! One wildcard pattern of `COPY`: Go's `filepath.Match`, plus `**` as moby/patternmatcher reads it.

use std::iter::Peekable;
use std::str::Chars;

/// A compiled pattern. Matching takes time proportional to path × pattern, whatever the pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: String,
    kind: Kind,
}

/// moby's matcher has shortcuts for simple patterns, and they differ from its regular expressions in corner cases; hence they are kept.
#[derive(Debug, Clone)]
enum Kind {
    Exact,
    Prefix(String),
    Suffix(String),
    Tokens(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`: one character but `/`.
    One,
    /// `*`: any characters but `/`.
    Star,
    /// `**` at the end: anything.
    Rest,
    /// `**/`, entered: any number of whole folders, also none.
    Dirs,
    /// The inside of `Dirs`, left after a `/`.
    InDirs,
    /// `[a-z]`.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    /// Compiles a pattern that went through [`clean`]; `None` when its syntax is wrong.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut kind = 0_u8; // 0 exact, 1 prefix, 2 suffix, 3 tokens
        let mut chars = text.chars().peekable();
        let mut first = true;
        while let Some(char) = chars.next() {
            match char {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_none() {
                        kind = if kind == 0 { 1 } else { 3 };
                        tokens.push(Token::Rest);
                    } else {
                        kind = 3;
                        tokens.extend([Token::Dirs, Token::InDirs]);
                    }
                    if first {
                        kind = 2;
                    }
                }
                '*' => {
                    kind = 3;
                    tokens.push(Token::Star);
                }
                '?' => {
                    kind = 3;
                    tokens.push(Token::One);
                }
                '\\' => {
                    kind = 3;
                    tokens.push(Token::Char(chars.next()?));
                }
                '[' => {
                    kind = 3;
                    tokens.push(class(&mut chars)?);
                }
                ']' => {
                    kind = 3;
                    tokens.push(Token::Char(']'));
                }
                other => tokens.push(Token::Char(other)),
            }
            first = false;
        }
        let kind = match kind {
            0 => Kind::Exact,
            1 => Kind::Prefix(text.strip_suffix("**").unwrap_or(text).to_owned()),
            2 => Kind::Suffix(text.strip_prefix("**").unwrap_or(text).to_owned()),
            _ => Kind::Tokens(tokens),
        };
        let text = text.to_owned();
        Some(Self { text, kind })
    }

    /// Whether it matches this path, `/` between the names.
    pub(super) fn matches(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Exact => path == self.text,
            Kind::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Kind::Suffix(suffix) => {
                path.ends_with(suffix.as_str()) || suffix.strip_prefix('/').is_some_and(|name| path == name)
            }
            Kind::Tokens(tokens) => run(tokens, path),
        }
    }
}

/// The rest of `[…]`: at least one range.
fn class(chars: &mut Peekable<Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = edge(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() {
            edge(chars)?
        } else {
            low
        };
        if low > high {
            return None;
        }
        ranges.push((low, high));
    }
    Some(Token::Class { negated, ranges })
}

/// The edge of a range: `-` and `]` only behind `\`.
fn edge(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        other => Some(other),
    }
}

/// Walks all ways through the tokens at once.
fn run(tokens: &[Token], path: &str) -> bool {
    let mut active = vec![false; tokens.len() + 1];
    let mut next = active.clone();
    enter(tokens, &mut active, 0);
    for char in path.chars() {
        next.fill(false);
        for (at, (token, active)) in tokens.iter().zip(&active).enumerate() {
            if !active {
                continue;
            }
            match token {
                Token::Char(wanted) if *wanted == char => enter(tokens, &mut next, at + 1),
                Token::One if char != '/' => enter(tokens, &mut next, at + 1),
                Token::Star if char != '/' => enter(tokens, &mut next, at),
                // moby's regular expressions have `.` here, which does not match a line feed.
                Token::Rest if char != '\n' => enter(tokens, &mut next, at),
                Token::InDirs => {
                    if char != '\n' {
                        mark(&mut next, at);
                    }
                    if char == '/' {
                        enter(tokens, &mut next, at + 1);
                    }
                }
                Token::Class { negated, ranges }
                    if ranges.iter().any(|(low, high)| (low..=high).contains(&&char)) != *negated =>
                {
                    enter(tokens, &mut next, at + 1);
                }
                _ => {}
            }
        }
        std::mem::swap(&mut active, &mut next);
    }
    active.last() == Some(&true)
}

fn mark(active: &mut [bool], at: usize) {
    if let Some(place) = active.get_mut(at) {
        *place = true;
    }
}

/// Marks a place, and those that are reached from it without a character.
fn enter(tokens: &[Token], active: &mut [bool], mut at: usize) {
    loop {
        mark(active, at);
        match tokens.get(at) {
            Some(Token::Star | Token::Rest) => at += 1,
            Some(Token::Dirs) => {
                mark(active, at + 1);
                at += 2;
            }
            _ => return,
        }
    }
}

/// The folders that a path lies in, from the top down.
pub(super) fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at))
}

/// The same, and then the path itself.
pub(super) fn down_to(path: &str) -> impl Iterator<Item = &str> {
    folders_of(path).chain([path])
}

/// The shortest form of a path, by its text alone (Go's `path.Clean`): no `.`, no `//`, no `x/..`, no `/` at the end.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => match names.last() {
                Some(&last) if last != ".." => {
                    names.pop();
                }
                _ if rooted => {}
                _ => names.push(".."),
            },
            name => names.push(name),
        }
    }
    match (rooted, names.is_empty()) {
        (true, _) => format!("/{}", names.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => names.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        for (path, expected) in [
            ("", "."),
            ("./", "."),
            ("a//b/./c/", "a/b/c"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("/../a", "/a"),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }

    #[test]
    fn long_patterns_take_no_exponential_time() {
        let pattern = Pattern::new(&"a*".repeat(60)).unwrap();
        assert!(!pattern.matches(&("a".repeat(3000) + "/")));
        let pattern = Pattern::new(&"**/a".repeat(40)).unwrap();
        assert!(!pattern.matches(&"b/a/".repeat(300)));
    }
}
