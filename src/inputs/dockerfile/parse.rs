//! A Dockerfile as instructions with line numbers: directives, comments, continuations and heredocs as BuildKit's parser has them.

/// A Dockerfile, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// The image of the frontend, from `# syntax=`.
    pub syntax: Option<String>,
    /// The character that escapes: `\`, or what `# escape=` says.
    pub escape: char,
    /// Its instructions in order.
    pub instructions: Vec<Instruction>,
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
    /// Names of the heredocs that belong to it.
    pub heredocs: Vec<String>,
}

impl Dockerfile {
    /// Reads a Dockerfile. What is no Dockerfile gives instructions that nothing knows: BuildKit will say so.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate().peekable();
        let mut file = Self {
            syntax: None,
            escape: '\\',
            instructions: Vec::new(),
        };
        while let Some((_, line)) = lines.peek() {
            let Some((name, value)) = directive(line) else {
                break;
            };
            match name.as_str() {
                "escape" if value == "`" => file.escape = '`',
                "syntax" => file.syntax = Some(value.to_owned()),
                _ => {}
            }
            lines.next();
        }
        while let Some((index, line)) = lines.next() {
            if is_blank(line) {
                continue;
            }
            let mut whole = String::new();
            let mut current = line;
            while let Some(part) = continued(current, file.escape) {
                whole.push_str(part);
                // Comments and empty lines between the lines of an instruction are passed over.
                match lines.by_ref().find(|(_, line)| !is_blank(line)) {
                    Some((_, next)) => current = next,
                    None => current = "",
                }
            }
            whole.push_str(current);
            let mut instruction = instruction(index + 1, whole.trim());
            if matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD") {
                for (name, tabs) in heredocs(&instruction.text) {
                    let ends = |line: &str| {
                        if tabs {
                            line.trim_start_matches('\t') == name
                        } else {
                            line == name
                        }
                    };
                    let _ = lines.by_ref().find(|(_, line)| ends(line));
                    instruction.heredocs.push(name);
                }
            }
            file.instructions.push(instruction);
        }
        file
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

    /// Its words: a JSON array, or what blanks set apart; quotes keep blanks together and stay where they are.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        if self.text.starts_with('[')
            && let Ok(words) = serde_json::from_str::<Vec<String>>(&self.text)
        {
            return words;
        }
        split(&self.text)
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// `# name=value`, as only the first lines may have it.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = line.trim_start().strip_prefix('#')?.split_once('=')?;
    let name = name.trim().to_ascii_lowercase();
    let known = matches!(name.as_str(), "syntax" | "escape" | "check");
    known.then(|| (name, value.trim()))
}

/// The line without the escape character at its end, if one is there that is not itself escaped.
fn continued(line: &str, escape: char) -> Option<&str> {
    let part = line.trim_end_matches([' ', '\t']).strip_suffix(escape)?;
    (!part.ends_with(escape)).then_some(part)
}

fn instruction(line: usize, text: &str) -> Instruction {
    let (keyword, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let mut flags = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(flag) = rest.strip_prefix("--") else {
            break;
        };
        let (flag, behind) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        rest = behind;
        if flag.is_empty() {
            break;
        }
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push((name.to_owned(), value.trim_matches('"').to_owned()));
    }
    Instruction {
        line,
        keyword: keyword.to_ascii_uppercase(),
        flags,
        text: rest.to_owned(),
        heredocs: Vec::new(),
    }
}

/// The heredocs that words of this text begin: name, and whether tabs before the end mark are dropped.
fn heredocs(text: &str) -> Vec<(String, bool)> {
    let heredoc = |word: String| {
        let rest = word
            .trim_start_matches(|char: char| char.is_ascii_digit())
            .strip_prefix("<<")?;
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        // What follows a closing quote or a blank-free `>` is no part of the name.
        let name: String = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest[1..].split(quote).next()?.to_owned(),
            _ => rest.split(['>', '|', ';', '&', ')', '<']).next()?.to_owned(),
        };
        (!name.is_empty()).then_some((name, tabs))
    };
    split(text).into_iter().filter_map(heredoc).collect()
}

/// Text at its blanks, but for those in quotes.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match quote {
            None if char.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if matches!(char, '"' | '\'') => quote = Some(char),
            Some(open) if open == char => quote = None,
            _ => {}
        }
        word.push(char);
        if char == '\\' && quote != Some('\'') {
            word.extend(chars.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
