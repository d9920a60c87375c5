//! `.dockerignore`: what is kept out of the build context, exactly as BuildKit does it.
//!
//! The semantics are those of moby/patternmatcher and its `ignorefile`: the last line that matches a path or a folder above it decides, `!` lets
//! through again, `**` spans folders. This is not git's: a pattern without a slash matches at the top of the context only.

use super::pattern::{Pattern, clean};

/// A line that BuildKit would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// Line, from 1.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// The rules of one ignore file.
#[derive(Debug, Clone, Default)]
pub struct Dockerignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    pattern: Pattern,
    exception: bool,
    line: usize,
}

/// Which rules matched a folder; what lies in it inherits that.
#[derive(Debug, Clone, Default)]
pub struct Inherited(Vec<bool>);

impl Dockerignore {
    /// Reads an ignore file.
    ///
    /// # Errors
    /// The first line whose pattern is malformed.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (index, raw) in text.split('\n').enumerate() {
            let line = index + 1;
            let bad = || BadPattern {
                line,
                text: raw.trim().to_owned(),
            };
            // A comment begins in the first column; ` # x` is a pattern.
            if raw.starts_with('#') || raw.trim().is_empty() {
                continue;
            }
            let trimmed = raw.trim();
            let (exception, path) = match trimmed.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, trimmed),
            };
            if path.is_empty() {
                return Err(bad());
            }
            let cleaned = clean(path);
            let relative = match cleaned.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => rest,
                _ => &cleaned,
            };
            rules.push(Rule {
                pattern: Pattern::new(relative).ok_or_else(bad)?,
                exception,
                line,
            });
        }
        Ok(Self { rules })
    }

    /// Whether this path, relative to the context, is kept out; `above` are the results of its folder, those of the context being the default.
    #[must_use]
    pub fn check(&self, path: &str, above: &Inherited) -> (bool, Inherited) {
        let mut ignored = false;
        let mut matched = vec![false; self.rules.len()];
        for (index, rule) in self.rules.iter().enumerate() {
            let mut matches = above.0.get(index).copied().unwrap_or(false);
            if !matches {
                // A rule that would change nothing is not asked, as in moby: what is below must ask for itself.
                if rule.exception != ignored {
                    continue;
                }
                matches = rule.pattern.matches(path);
            }
            matched[index] = matches;
            if matches {
                ignored = !rule.exception;
            }
        }
        (ignored, Inherited(matched))
    }

    /// Whether this path is kept out, by itself or by a folder above it.
    #[must_use]
    pub fn ignores(&self, path: &str) -> bool {
        let above = self.above(path);
        self.check(path, &above).0
    }

    /// The results of the folder that this path lies in.
    #[must_use]
    pub fn above(&self, path: &str) -> Inherited {
        path.match_indices('/')
            .fold(Inherited::default(), |above, (at, _)| {
                self.check(&path[..at], &above).1
            })
    }

    /// Whether an exception could let something through below a folder that is kept out.
    #[must_use]
    pub fn may_reinclude_below(&self, folder: &str) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.exception && rule.pattern.reaches_below(folder))
    }

    /// The line of the last rule that keeps this path out, for messages.
    #[must_use]
    pub fn line_for(&self, path: &str) -> Option<usize> {
        let rule = self
            .rules
            .iter()
            .rfind(|rule| rule.pattern.matches_or_parent(path))?;
        (!rule.exception).then_some(rule.line)
    }
}

#[cfg(test)]
#[path = "dockerignore_tests.rs"]
mod tests;
