//! A Dockerfile as instructions with line numbers: directives, comments, continuations and heredocs as BuildKit's parser has them. Total: any
//! text gives a [`Dockerfile`], in time proportional to it; what is no Dockerfile is told by [`Dockerfile::odd`].

use super::expand::{expand_with, raw_words};
use super::words::{env_pairs, flags, quoted_words};

/// A Dockerfile, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The image of the frontend, from `# syntax=`.
    pub syntax: Option<String>,
    /// The line of that, from 1.
    pub syntax_line: usize,
    /// The character that escapes: `\`, or what `# escape=` says.
    pub escape: char,
    /// Its instructions in order.
    pub instructions: Vec<Instruction>,
    /// What the text has that is no Dockerfile: lines, from 1, and what is there. BuildKit refuses most of it.
    pub odd: Vec<(usize, String)>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Line of its keyword, from 1.
    pub line: usize,
    /// In capitals: `FROM`, `COPY`.
    pub keyword: String,
    /// `--name=value`, in order, without the dashes; the value is empty for a bare `--name`.
    pub flags: Vec<(String, String)>,
    /// What comes behind the flags, continuations joined, heredocs left out.
    pub text: String,
    /// The heredocs that belong to it.
    pub heredocs: Vec<Heredoc>,
    /// The character that escapes.
    pub escape: char,
    /// Whether it stands in the Dockerfile of the family's base, as an `ONBUILD`, and not in this one.
    pub of_base: bool,
    /// At which byte of `text` which line begins.
    starts: Vec<(usize, usize)>,
}

/// A heredoc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heredoc {
    /// What ends it, without quotes.
    pub name: String,
    /// Line of its first line, from 1.
    pub line: usize,
    /// Its lines, each with its line feed.
    pub body: String,
    /// Whether tabs at the beginning of its lines are dropped.
    chomp: bool,
}

impl Dockerfile {
    /// Reads a Dockerfile. What is no Dockerfile gives instructions that nothing knows: BuildKit will say so.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = Lines {
            rest: Some(text),
            number: 0,
        };
        let mut file = Self {
            syntax: None,
            syntax_line: 1,
            escape: '\\',
            instructions: Vec::new(),
            odd: Vec::new(),
        };
        file.directives(text, &mut lines);
        while let Some((number, line)) = lines.next() {
            if is_blank(line) {
                continue;
            }
            let mut whole = String::new();
            let mut starts = vec![(0, number)];
            let mut current = line.trim_start();
            while let Some(part) = continued(current, file.escape) {
                whole.push_str(part);
                // Comments and empty lines between the lines of an instruction are passed over.
                let Some((next, line)) = lines.by_ref().find(|(_, line)| !is_blank(line)) else {
                    current = "";
                    break;
                };
                starts.push((whole.len(), next));
                current = line;
            }
            whole.push_str(current);
            let whole = whole.trim_end();
            if whole.is_empty() {
                continue;
            }
            let mut instruction = instruction(whole, starts, file.escape);
            file.heredocs(&mut instruction, whole, &mut lines);
            file.instructions.push(instruction);
        }
        file
    }

    /// Reads `# name=value`, as only the first lines may have it.
    fn directives(&mut self, text: &str, lines: &mut Lines<'_>) {
        let mut seen = Vec::new();
        // `#!` may come before `# syntax=`; it ends the directives of the parser all the same.
        let shebang = text.starts_with("#!");
        let mut ahead = lines.clone();
        if shebang {
            ahead.next();
        }
        for (number, line) in ahead {
            let Some((name, value)) = directive(line) else {
                break;
            };
            if seen.contains(&name) {
                self.odd.push((number, format!("a second directive `{name}`")));
            }
            match name.as_str() {
                "escape" if shebang => {}
                "escape" if matches!(value, "`" | "\\") => {
                    self.escape = if value == "`" { '`' } else { '\\' }
                }
                "escape" => self.odd.push((number, format!("`{value}` as escape character"))),
                "syntax" => {
                    let image = value.split(' ').next().unwrap_or(value);
                    if self.syntax.is_none() {
                        (self.syntax, self.syntax_line) = (Some(image.to_owned()), number);
                    }
                }
                _ => {}
            }
            seen.push(name);
            if !shebang {
                lines.next();
            }
        }
    }

    /// Takes the heredocs of an instruction from the lines behind it.
    fn heredocs(&mut self, instruction: &mut Instruction, whole: &str, lines: &mut Lines<'_>) {
        let inner = instruction.trigger();
        let holder = inner.as_ref().unwrap_or(instruction);
        let may = matches!(holder.keyword.as_str(), "RUN" | "COPY" | "ADD") && holder.json().is_none();
        if !may || !whole.contains("<<") {
            return;
        }
        for word in raw_words(whole).unwrap_or_default() {
            let Some((name, chomp)) = heredoc_name(&word) else {
                continue;
            };
            let (mut body, line, mut ended) = (String::new(), lines.number + 1, false);
            for (_, text) in lines.by_ref() {
                let end = if chomp {
                    text.trim_start_matches('\t')
                } else {
                    text
                };
                if end == name {
                    ended = true;
                    break;
                }
                body.push_str(text);
                body.push('\n');
            }
            if !ended {
                let at = instruction.line;
                self.odd.push((at, format!("a heredoc that `{name}` never ends")));
            }
            instruction.heredocs.push(Heredoc {
                name,
                line,
                body,
                chomp,
            });
        }
    }
}

impl Instruction {
    /// The value of a flag.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags
            .iter()
            .find(|(flag, _)| flag == name)
            .map(|(_, value)| value.as_str())
    }

    /// Its words: a JSON array where one may stand, and else what blanks set apart. In `ARG`, `ENV` and `LABEL` quotes keep blanks together;
    /// quotes stay where they are.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self.keyword.as_str() {
            "ARG" | "ENV" | "LABEL" => quoted_words(&self.text, self.escape),
            _ => self
                .json()
                .unwrap_or_else(|| blanks(&self.text).map(str::to_owned).collect()),
        }
    }

    /// Its words, where they are a JSON array.
    #[must_use]
    pub fn json(&self) -> Option<Vec<String>> {
        let may = matches!(
            self.keyword.as_str(),
            "ADD" | "COPY" | "RUN" | "CMD" | "ENTRYPOINT" | "SHELL" | "VOLUME"
        );
        let may = may && self.text.starts_with('[');
        may.then(|| serde_json::from_str(&self.text).ok())?
    }

    /// The pairs of an `ENV`, values as written.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        env_pairs(&self.text, self.escape)
    }

    /// What an `ONBUILD` has another build do.
    #[must_use]
    pub fn trigger(&self) -> Option<Self> {
        if self.keyword != "ONBUILD" {
            return None;
        }
        let mut inner = instruction(&self.text, self.starts.clone(), self.escape);
        inner.heredocs.clone_from(&self.heredocs);
        Some(inner)
    }

    /// The line on which this byte of the text is, from 1.
    #[must_use]
    pub fn line_at(&self, at: usize) -> usize {
        let before = self.starts.partition_point(|(start, _)| *start <= at);
        before
            .checked_sub(1)
            .and_then(|index| self.starts.get(index))
            .map_or(self.line, |(_, line)| *line)
    }
}

impl Heredoc {
    /// Its text as whatever reads it gets it.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.chomp {
            return self.body.clone();
        }
        let lines = self.body.split_inclusive('\n');
        lines.map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// Lines with their numbers, from 1, without what ends them.
#[derive(Clone)]
struct Lines<'a> {
    rest: Option<&'a str>,
    /// Of the line that was given last.
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.filter(|rest| !rest.is_empty())?;
        let (line, rest) = match rest.split_once('\n') {
            Some((line, rest)) => (line, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        self.number += 1;
        Some((self.number, line.trim_end_matches('\r')))
    }
}

/// What BuildKit takes for blanks between words.
fn is_blank_char(char: char) -> bool {
    matches!(char, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// Text at its blanks, whatever quotes it has.
pub(super) fn blanks(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_blank_char).filter(|word| !word.is_empty())
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    let known = matches!(name.as_str(), "syntax" | "escape" | "check") && !value.is_empty();
    known.then_some((name, value))
}

/// The line without the escape character at its end, if one is there that is not itself escaped.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

/// Takes an instruction apart. `starts`: at which byte of `whole` which line begins.
fn instruction(whole: &str, mut starts: Vec<(usize, usize)>, escape: char) -> Instruction {
    let line = starts.first().map_or(1, |(_, line)| *line);
    let begin = whole.trim_start();
    let (keyword, rest) = begin.split_once(is_blank_char).unwrap_or((begin, ""));
    let (flags, rest) = flags(rest.trim_start_matches(is_blank_char), escape);
    let text = rest.trim_start();
    let cut = whole.len() - text.len();
    let last_before = starts.iter().rposition(|(at, _)| *at <= cut).unwrap_or(0);
    starts.drain(..last_before);
    for (at, _) in &mut starts {
        *at = at.saturating_sub(cut);
    }
    Instruction {
        line,
        keyword: keyword.to_ascii_uppercase(),
        flags,
        text: text.trim_end().to_owned(),
        heredocs: Vec::new(),
        escape,
        of_base: false,
        starts,
    }
}

/// The name of the heredoc that this word begins, and whether tabs are dropped.
pub(super) fn heredoc_name(word: &str) -> Option<(String, bool)> {
    let rest = word
        .trim_start_matches(|char: char| char.is_ascii_digit())
        .strip_prefix("<<")?;
    let (chomp, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let name = expand_with(rest, '\\', &|name| Some(format!("${name}")))?;
    (!name.is_empty()).then_some((name, chomp))
}
