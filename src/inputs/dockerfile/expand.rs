//! Words as BuildKit's own lexer reads them: quotes, escapes, and variables in all the forms that it knows (`$NAME`, `${NAME:-default}`,
//! `${NAME#prefix}`, `${NAME/from/to}`). One pass over the text; what is nested deeper than [`DEPTH`] is not understood.

use super::glob;
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// Values of variables by name.
pub type Variables = BTreeMap<String, String>;

/// How deep `${A:-${B:-…}}` may go.
const DEPTH: usize = 32;

/// The word with variables filled in and quotes taken away; what is not set is empty. `None` for a form that BuildKit refuses, or that is not understood.
#[must_use]
pub fn expand(word: &str, escape: char, variables: &Variables) -> Option<String> {
    expand_with(word, escape, &|name| variables.get(name).cloned())
}

/// As [`expand`], with the values from a function.
pub(super) fn expand_with(
    word: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut lexer = Lexer {
        rest: word.chars().peekable(),
        escape,
        raw: false,
        lookup,
        depth: 0,
    };
    Some(lexer.until(None, false)?.text)
}

/// The text's words with their quotes and escapes, as BuildKit looks for heredocs in them; `<<` joins with what follows it. `None` where a
/// quote or a brace is left open, or a form is not known: BuildKit then sees no heredoc at all.
pub(super) fn raw_words(text: &str) -> Option<Vec<String>> {
    let mut lexer = Lexer {
        rest: text.chars().peekable(),
        escape: '\\',
        raw: true,
        lookup: &|_| None,
        depth: 0,
    };
    Some(lexer.until(None, true)?.words())
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    escape: char,
    /// Keeps quotes, and variables that are not set.
    raw: bool,
    lookup: &'a dyn Fn(&str) -> Option<String>,
    depth: usize,
}

/// Text as it is read, whole and in words.
#[derive(Default)]
struct Read {
    text: String,
    words: Vec<String>,
    word: String,
}

impl Read {
    fn plain(&mut self, char: char) {
        self.text.push(char);
        self.split(char);
    }

    fn split(&mut self, char: char) {
        if !char.is_whitespace() {
            self.word.push(char);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn kept(&mut self, char: char) {
        self.text.push(char);
        self.word.push(char);
    }

    fn kept_text(&mut self, text: &str) {
        self.text.push_str(text);
        self.word.push_str(text);
    }

    fn words(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

impl Lexer<'_> {
    /// Reads up to `stop`, or to the end.
    fn until(&mut self, stop: Option<char>, raw_escapes: bool) -> Option<Read> {
        let mut read = Read::default();
        while let Some(char) = self.rest.next() {
            match char {
                char if Some(char) == stop => return Some(read),
                '\'' => {
                    let text = self.single_quoted()?;
                    read.kept_text(&text);
                }
                '"' => {
                    let text = self.double_quoted(raw_escapes)?;
                    read.kept_text(&text);
                }
                '$' => {
                    let value = self.variable()?;
                    read.text.push_str(&value);
                    value.chars().for_each(|char| read.split(char));
                }
                '<' if self.rest.next_if_eq(&'<').is_some() => {
                    read.kept_text("<<");
                    while let Some(blank) = self.rest.next_if(|char| matches!(char, ' ' | '\t' | '\r')) {
                        read.kept(blank);
                    }
                }
                '<' => read.kept('<'),
                char if char == self.escape => {
                    if raw_escapes {
                        read.kept(char);
                    }
                    read.kept(match self.rest.next() {
                        Some(next) => next,
                        None => break,
                    });
                }
                other => read.plain(other),
            }
        }
        stop.is_none().then_some(read)
    }

    fn single_quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '\'' => break,
                other => text.push(other),
            }
        }
        Some(if self.raw { format!("'{text}'") } else { text })
    }

    fn double_quoted(&mut self, raw_escapes: bool) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => break,
                '$' => text.push_str(&self.variable()?),
                char if char == self.escape => {
                    let escape = self.escape;
                    if raw_escapes {
                        text.push(char);
                    }
                    match self
                        .rest
                        .next_if(|next| matches!(next, '"' | '$') || *next == escape)
                    {
                        Some(next) => text.push(next),
                        // At the end of the word it is dropped, and the quote is then left open.
                        None => text.push(char),
                    }
                }
                other => text.push(other),
            }
        }
        Some(if self.raw { format!("\"{text}\"") } else { text })
    }

    /// What stands for the variable behind a `$`.
    fn variable(&mut self) -> Option<String> {
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            if name.is_empty() {
                return Some("$".to_owned());
            }
            return Some(match (self.lookup)(&name) {
                None if self.raw => format!("${name}"),
                value => value.unwrap_or_default(),
            });
        }
        if matches!(self.rest.peek()?, '{' | '}' | ':') {
            return None;
        }
        let name = self.name();
        let value = (self.lookup)(&name);
        let (colon, operator) = match self.rest.next()? {
            ':' => (true, self.rest.next()?),
            other => (false, other),
        };
        if operator == '}' && !colon {
            return Some(match value {
                None if self.raw => format!("${{{name}}}"),
                value => value.unwrap_or_default(),
            });
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let text = self.modified(value, colon, operator);
        self.depth -= 1;
        text
    }

    fn modified(&mut self, value: Option<String>, colon: bool, operator: char) -> Option<String> {
        let set = value.as_deref().is_some_and(|value| !colon || !value.is_empty());
        match operator {
            '-' | '+' | '?' => {
                let word = self.until(Some('}'), false)?.text;
                match operator {
                    '-' if !set => Some(word),
                    '+' => Some(if set { word } else { String::new() }),
                    // Where it is not set the build ends, but a text with raw words is not filled in yet.
                    '?' if !set && !self.raw => None,
                    _ => Some(value.unwrap_or_default()),
                }
            }
            '#' | '%' if !colon => {
                let pattern = self.until(Some('}'), true)?.text;
                let value = value.unwrap_or_default();
                let (greedy, pattern) = match pattern.strip_prefix(operator) {
                    Some(rest) => (true, rest),
                    None => (false, pattern.as_str()),
                };
                if operator == '#' {
                    glob::without_prefix(&value, pattern, greedy)
                } else {
                    glob::without_suffix(&value, pattern, greedy)
                }
            }
            '/' if !colon => {
                let all = self.rest.next_if_eq(&'/').is_some();
                let pattern = self.until(Some('/'), true)?.text;
                let replacement = self.until(Some('}'), true)?.text;
                glob::replaced(&value.unwrap_or_default(), &pattern, &replacement, all)
            }
            _ => None,
        }
    }

    /// A name of letters, digits and `_`; or digits; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if let Some(special) = self
            .rest
            .next_if(|char| matches!(char, '@' | '*' | '#' | '?' | '-' | '$' | '!'))
        {
            return special.to_string();
        }
        let digits = self.rest.peek().is_some_and(|char| char.is_numeric());
        let belongs = |char: &char| {
            if digits {
                char.is_numeric()
            } else {
                char.is_alphanumeric() || *char == '_'
            }
        };
        while let Some(char) = self.rest.next_if(belongs) {
            name.push(char);
        }
        name
    }
}
