//! `.dockerignore`: what is kept out of the build context, exactly as BuildKit does it.
//!
//! The semantics are those of moby/patternmatcher, its `ignorefile`, and the walk of tonistiigi/fsutil: the last line that matches a path or a folder
//! above it decides, `!` lets through again, `**` spans folders. This is not git's: a pattern without a slash matches at the top of the context only.

use super::ignore_pattern::IgnorePattern;
use super::pattern::{clean, down_to, folders_of};

/// Bytes of the longest line that BuildKit reads.
const LONGEST_LINE: usize = 64 * 1024 - 1;

/// A line that BuildKit would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// Line, from 1.
    pub line: usize,
    /// Its text, cut where it is long.
    pub text: String,
}

/// The rules of one ignore file.
#[derive(Debug, Clone, Default)]
pub struct Dockerignore {
    rules: Vec<Rule>,
    /// Of each exception, where it lets through; `None` if one of them could anywhere, and no folder is passed over.
    stems: Option<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: IgnorePattern,
    exception: bool,
    line: usize,
}

/// Which rules matched a folder; what lies in it inherits that.
#[derive(Debug, Clone, Default)]
pub struct Inherited(Vec<bool>);

impl Dockerignore {
    /// Reads an ignore file. What is not UTF-8 stands for U+FFFD, as it does on its way through BuildKit.
    ///
    /// # Errors
    /// The first line whose pattern is malformed.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, BadPattern> {
        let text = text.as_ref();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut rules = Vec::new();
        for (index, raw) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = index + 1;
            let bad = |text: &str| BadPattern {
                line,
                text: text.trim().chars().take(80).collect(),
            };
            let text = utf8(raw);
            if raw.len() > LONGEST_LINE {
                return Err(bad(&text));
            }
            let Some(pattern) = listed(&text) else { continue };
            match rule(&pattern, line) {
                Ok(rule) => rules.extend(rule),
                Err(Malformed) => return Err(bad(&text)),
            }
        }
        let exceptions = rules.iter().filter(|rule| rule.exception);
        let stems = exceptions.map(|rule| rule.pattern.stem()).collect();
        Ok(Self { rules, stems })
    }

    /// Whether this path, relative to the context, is kept out; `above` are the results of its folder, those of the context being the default.
    ///
    /// What lies in a folder that is [passed over](Self::passes_over) is not to be asked for.
    #[must_use]
    pub fn check(&self, path: &str, above: &Inherited) -> (bool, Inherited) {
        let mut ignored = false;
        let mut matched = Vec::with_capacity(self.rules.len());
        for (index, rule) in self.rules.iter().enumerate() {
            let inherited = above.0.get(index).copied().unwrap_or(false);
            // A rule that would change nothing is not asked, as in moby: what is below must ask for itself.
            let matches = inherited || (rule.exception == ignored && rule.pattern.matches(path));
            matched.push(matches);
            if matches {
                ignored = !rule.exception;
            }
        }
        (ignored, Inherited(matched))
    }

    /// Whether BuildKit does not look into this folder, which is kept out: no exception seems to let through anything in it.
    #[must_use]
    pub fn passes_over(&self, folder: &str) -> bool {
        let Some(stems) = &self.stems else { return false };
        let folder = format!("{folder}/");
        !stems.iter().any(|stem| stem.starts_with(&folder))
    }

    /// Whether this path is kept out, by itself or by a folder above it.
    #[must_use]
    pub fn ignores(&self, path: &str) -> bool {
        self.above(path).is_none_or(|above| self.check(path, &above).0)
    }

    /// The results of the folder that this path lies in; `None` where it, or one above, is passed over.
    #[must_use]
    pub fn above(&self, path: &str) -> Option<Inherited> {
        let mut above = Inherited::default();
        for folder in folders_of(path) {
            let ignored;
            (ignored, above) = self.check(folder, &above);
            if ignored && self.passes_over(folder) {
                return None;
            }
        }
        Some(above)
    }

    /// Whether this folder is kept out, and nothing that could come to lie in it would be let through.
    #[must_use]
    pub fn ignores_all_of(&self, folder: &str) -> bool {
        let Some(above) = self.above(folder) else {
            return true;
        };
        let (ignored, matched) = self.check(folder, &above);
        // What keeps out the folder keeps out what lies in it, unless an exception comes later.
        let last_exception = self.rules.iter().rposition(|rule| rule.exception);
        let after = last_exception.map_or(0, |at| at + 1);
        let certain = |(rule, matched): (&Rule, &bool)| *matched || rule.pattern.matches_all_below(folder);
        ignored && (self.passes_over(folder) || self.rules.iter().zip(&matched.0).skip(after).any(certain))
    }

    /// The line for which BuildKit sends this file, which is let through, without its content.
    ///
    /// It opens a file only if the rules, gone through for this path alone, let it through; the walk goes through them folder by folder, and a line that
    /// was not asked for a folder, kept out already, is not inherited from it.
    #[must_use]
    pub fn empties(&self, file: &str) -> Option<usize> {
        let first_exception = self.rules.iter().position(|rule| rule.exception)?;
        if self.rules.iter().skip(first_exception).all(|rule| rule.exception) {
            return None;
        }
        let mut keeps_out = None;
        for rule in &self.rules {
            let matches = || {
                [file]
                    .into_iter()
                    .chain(folders_of(file))
                    .any(|path| rule.pattern.matches(path))
            };
            if rule.exception == keeps_out.is_some() && matches() {
                keeps_out = (!rule.exception).then_some(rule.line);
            }
        }
        keeps_out.filter(|_| !self.ignores(file))
    }

    /// The line that keeps this path out, or a folder above it, for messages.
    #[must_use]
    pub fn line_for(&self, path: &str) -> Option<usize> {
        let mut above = Inherited::default();
        for way in down_to(path) {
            let ignored;
            (ignored, above) = self.check(way, &above);
            if ignored && (way == path || self.passes_over(way)) {
                let mut matched = self.rules.iter().zip(&above.0).filter(|(_, matched)| **matched);
                return matched.next_back().map(|(rule, _)| rule.line);
            }
        }
        None
    }
}

/// A pattern that BuildKit refuses.
struct Malformed;

/// The text of a line. Each byte that is none is one U+FFFD.
fn utf8(raw: &[u8]) -> String {
    let mut text = String::new();
    for chunk in raw.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// What a line lists, tidied up and with its `!`; `None` for a comment or nothing. First of two steps: `ignorefile.ReadAll`.
fn listed(line: &str) -> Option<String> {
    // A comment begins in the first column; ` # x` is a pattern.
    if line.starts_with('#') || line.trim().is_empty() {
        return None;
    }
    let line = line.trim();
    let (mark, path) = match line.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", line),
    };
    if path.is_empty() {
        return Some(mark.to_owned());
    }
    let path = clean(path);
    let relative = path.strip_prefix('/').filter(|rest| !rest.is_empty());
    Some(format!("{mark}{}", relative.unwrap_or(&path)))
}

/// The rule of what a line lists. Second of two steps: `patternmatcher.New`, which tidies up once more, so that `./!x` is an exception, and `!/` nothing
/// but a `!`.
fn rule(listed: &str, line: usize) -> Result<Option<Rule>, Malformed> {
    if listed.trim().is_empty() {
        return Ok(None);
    }
    let listed = clean(listed.trim());
    let (exception, pattern) = match listed.strip_prefix('!') {
        Some("") => return Err(Malformed),
        Some(pattern) => (true, pattern),
        None => (false, listed.as_str()),
    };
    let pattern = IgnorePattern::new(pattern).ok_or(Malformed)?;
    Ok(Some(Rule {
        pattern,
        exception,
        line,
    }))
}

#[cfg(test)]
#[path = "dockerignore_tests.rs"]
mod tests;
