//! The commands of a shell script, as far as they stand in its text: words without quotes, what is not known yet as `${NAME}` or `$()`. No
//! shell: it is read to find what a build fetches, and whatever it cannot follow is passed over.

use super::expand::Variables;

/// How deep substitutions and scripts in scripts may go.
const DEPTH: usize = 8;

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    /// At which byte of the script it begins.
    pub(super) at: usize,
    /// Its words, without assignments, redirections, and what only runs it (`sudo`, `env`).
    pub(super) words: Vec<String>,
}

impl Command {
    /// The name of its program, without folders.
    pub(super) fn program(&self) -> &str {
        let word = self.words.first().map(String::as_str).unwrap_or_default();
        word.rsplit('/').next().unwrap_or(word)
    }
}

/// Whether a word holds something that is known only when it runs.
pub(super) fn is_open(word: &str) -> bool {
    word.contains('$')
}

/// The commands of a script, in order. `variables` are those that are set already.
pub(super) fn commands(script: &str, variables: &Variables) -> Vec<Command> {
    let mut found = Vec::new();
    read(script, 0, variables.clone(), DEPTH, &mut found);
    found
}

fn read(script: &str, offset: usize, variables: Variables, depth: usize, found: &mut Vec<Command>) {
    let mut reader = Reader {
        script,
        at: 0,
        offset,
        variables,
        depth,
        word: None,
        words: Vec::new(),
        begin: 0,
        skip: false,
        bodies: Vec::new(),
        found,
    };
    reader.run();
}

struct Reader<'s, 'f> {
    script: &'s str,
    at: usize,
    offset: usize,
    variables: Variables,
    depth: usize,
    /// The word that is being read.
    word: Option<String>,
    words: Vec<String>,
    /// Where the command begins.
    begin: usize,
    /// Whether the next word is where something is redirected to.
    skip: bool,
    /// Ends of the heredocs that begin behind this line.
    bodies: Vec<(String, bool)>,
    found: &'f mut Vec<Command>,
}

impl<'s> Reader<'s, '_> {
    /// What was not read yet.
    fn rest(&self) -> &'s str {
        self.script.get(self.at..).unwrap_or_default()
    }

    /// Goes on behind these bytes.
    fn pass(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.script.len());
    }

    fn next(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next_if(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.at += wanted.len_utf8();
        }
        is
    }

    fn push(&mut self, text: &str) {
        if self.word.is_none() && self.words.is_empty() {
            self.begin = self.at.saturating_sub(text.len());
        }
        self.word.get_or_insert_default().push_str(text);
    }

    fn run(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '\n' => {
                    self.end_command();
                    self.skip_bodies();
                }
                ';' | '|' | '(' | ')' => self.end_command(),
                '&' if self.peek() != Some('>') => self.end_command(),
                '<' | '>' => self.redirection(char),
                ' ' | '\t' | '\r' | '&' => self.end_word(),
                '#' if self.word.is_none() => {
                    let rest = self.rest();
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                '\'' => {
                    let quoted = self.rest().split('\'').next().unwrap_or_default();
                    self.push(quoted);
                    self.pass(quoted.len() + 1);
                }
                '"' => self.double_quoted(),
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(next) => self.push(next.encode_utf8(&mut [0; 4])),
                },
                '$' => self.dollar(),
                '`' => self.backticks(),
                other => self.push(other.encode_utf8(&mut [0; 4])),
            }
        }
        self.end_command();
    }

    fn double_quoted(&mut self) {
        self.push("");
        while let Some(char) = self.next() {
            match char {
                '"' => return,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(next) => self.push(next.encode_utf8(&mut [0; 4])),
                },
                '$' => self.dollar(),
                '`' => self.backticks(),
                other => self.push(other.encode_utf8(&mut [0; 4])),
            }
        }
    }

    fn dollar(&mut self) {
        if self.next_if('(') {
            let inner = self.closed('(', ')');
            // `$((…))` is a number.
            if !inner.starts_with('(') {
                self.inner(inner);
            }
            self.pass(inner.len() + 1);
            self.push("$()");
            return;
        }
        if self.next_if('{') {
            let body = self.closed('{', '}');
            self.pass(body.len() + 1);
            let plain = body
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '_');
            self.variable(if plain { Some(body) } else { None }, body);
            return;
        }
        let name = self
            .rest()
            .split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
            .next()
            .unwrap_or_default();
        if name.is_empty() {
            let special = self.peek().is_some_and(|char| "@*#?-$!".contains(char));
            if special {
                self.next();
            }
            self.push("$");
            return;
        }
        self.pass(name.len());
        self.variable(Some(name), name);
    }

    fn variable(&mut self, name: Option<&str>, body: &str) {
        let value = name.and_then(|name| self.variables.get(name)).cloned();
        match value {
            Some(value) => self.push(&value),
            None => self.push(&format!("${{{body}}}")),
        }
    }

    fn backticks(&mut self) {
        let inner = self.rest().split('`').next().unwrap_or_default();
        self.inner(inner);
        self.pass(inner.len() + 1);
        self.push("$()");
    }

    /// The commands of a substitution, which is what comes next.
    fn inner(&mut self, script: &str) {
        if self.depth > 0 {
            read(
                script,
                self.offset + self.at,
                self.variables.clone(),
                self.depth - 1,
                self.found,
            );
        }
    }

    /// What stands before the place where what was opened is closed; quotes are passed over.
    fn closed(&self, open: char, close: char) -> &'s str {
        let rest = self.rest();
        let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
        for (at, char) in rest.char_indices() {
            match char {
                _ if escaped => escaped = false,
                '\\' if quote != Some('\'') => escaped = true,
                '\'' | '"' if quote.is_none() => quote = Some(char),
                char if quote == Some(char) => quote = None,
                _ if quote.is_some() => {}
                char if char == open => depth += 1,
                char if char == close && depth == 0 => return rest.get(..at).unwrap_or(rest),
                char if char == close => depth -= 1,
                _ => {}
            }
        }
        rest
    }

    fn redirection(&mut self, char: char) {
        // The number before it is no word.
        if self
            .word
            .as_ref()
            .is_some_and(|word| word.chars().all(|char| char.is_ascii_digit()))
        {
            self.word = None;
        }
        self.end_word();
        if char == '<' && self.next_if('<') && !self.next_if('<') {
            let tabs = self.next_if('-');
            while self.next_if(' ') {}
            let word = self
                .rest()
                .split(|char: char| char.is_whitespace() || ";|&<>()".contains(char))
                .next()
                .unwrap_or_default();
            let name = word.replace(['"', '\'', '\\'], "");
            self.pass(word.len());
            self.bodies.push((name, tabs));
            return;
        }
        while matches!(self.peek(), Some('>' | '&' | '|')) {
            self.next();
        }
        self.skip = !matches!(self.peek(), Some('('));
    }

    fn skip_bodies(&mut self) {
        for (name, tabs) in std::mem::take(&mut self.bodies) {
            while self.at < self.script.len() {
                let line = self.rest().split('\n').next().unwrap_or_default();
                self.pass(line.len() + 1);
                let line = line.trim_end_matches('\r');
                let line = if tabs { line.trim_start_matches('\t') } else { line };
                if line == name {
                    break;
                }
            }
        }
    }

    fn end_word(&mut self) {
        if let Some(word) = self.word.take() {
            if self.skip {
                self.skip = false;
            } else {
                self.words.push(word);
            }
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.skip = false;
        let words = std::mem::take(&mut self.words);
        let mut rest = words.as_slice();
        let mut assigned = Vec::new();
        while let Some((word, behind)) = rest.split_first() {
            if let Some(pair) = assignment(word) {
                assigned.push(pair);
            } else if !LEADING.contains(&word.as_str()) {
                break;
            }
            rest = behind;
        }
        let rest = without_runner(rest);
        let Some(first) = rest.first() else {
            let known = assigned.into_iter().filter(|(_, value)| !is_open(value));
            self.variables
                .extend(known.map(|(name, value)| (name.to_owned(), value.to_owned())));
            return;
        };
        let at = self.offset + self.begin;
        if let Some(script) = script_of(first, rest)
            && self.depth > 0
        {
            let mut inner = Vec::new();
            read(script, 0, self.variables.clone(), self.depth - 1, &mut inner);
            // Where in the word it stands is not known any more.
            self.found
                .extend(inner.into_iter().map(|command| Command { at, ..command }));
        }
        self.found.push(Command {
            at,
            words: rest.to_vec(),
        });
    }
}

/// Words before a command that are none.
const LEADING: [&str; 13] = [
    "if", "then", "elif", "else", "do", "while", "until", "!", "{", "}", "time", "export", "exec",
];

fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_');
    plain.then_some((name, value))
}

/// Without programs that run what follows them.
fn without_runner(words: &[String]) -> &[String] {
    let mut rest = words;
    while let Some((word, behind)) = rest.split_first() {
        if !matches!(word.as_str(), "sudo" | "env" | "command" | "nohup") {
            break;
        }
        rest = behind;
        while let Some((word, behind)) = rest.split_first() {
            if matches!(word.as_str(), "-u" | "--user" | "-g" | "--group") {
                rest = behind.get(1..).unwrap_or_default();
            } else if word.starts_with('-') || assignment(word).is_some() {
                rest = behind;
            } else {
                break;
            }
        }
    }
    rest
}

/// The script of `sh -c SCRIPT`.
fn script_of<'w>(first: &str, words: &'w [String]) -> Option<&'w str> {
    let program = first.rsplit('/').next().unwrap_or(first);
    if !is_shell(program) {
        return None;
    }
    let at = words
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'))?;
    words.get(at + 1).map(String::as_str)
}

/// Whether this program reads what is read here.
pub(super) fn is_shell(program: &str) -> bool {
    matches!(program, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh")
}
