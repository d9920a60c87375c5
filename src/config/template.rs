//! Text with placeholders: `{version}-{variant}`.

use std::fmt;

/// Text with placeholders `{name}` or `{table.key}`; `{{` and `}}` are literal braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Placeholder(String),
}

impl Part {
    fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Placeholder(text) => text,
        }
    }
}

/// What is wrong with a template, and at which byte of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where in the template's text it begins, in bytes.
    pub offset: usize,
    /// How many bytes it is long.
    pub length: usize,
}

impl Template {
    /// Takes text apart.
    ///
    /// # Errors
    /// A brace is not closed or not opened, or a placeholder is not `name` or `table.key`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let offset = text.len() - rest.len() + at;
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            let (brace, behind) = from.split_at(1);
            rest = behind;
            if let Some(tail) = rest.strip_prefix(brace) {
                literal.push_str(brace);
                rest = tail;
                continue;
            }
            if brace == "}" {
                let message = "`}` without `{` before it; a literal brace is written `}}`".to_owned();
                return Err(TemplateError {
                    message,
                    offset,
                    length: 1,
                });
            }
            let Some((name, behind)) = rest.split_once('}') else {
                let message = "`{` is not closed; a literal brace is written `{{`".to_owned();
                return Err(TemplateError {
                    message,
                    offset,
                    length: 1,
                });
            };
            if !is_placeholder(name) {
                let message = format!("`{{{name}}}` is not a placeholder: `{{name}}` or `{{table.key}}`");
                return Err(TemplateError {
                    message,
                    offset,
                    length: name.len() + 2,
                });
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = behind;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self {
            source: text.to_owned(),
            parts,
        })
    }

    /// A template without placeholders.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        let source = text.replace('{', "{{").replace('}', "}}");
        let parts = if text.is_empty() {
            Vec::new()
        } else {
            vec![Part::Literal(text.to_owned())]
        };
        Self { source, parts }
    }

    /// The names of the placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Placeholder(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// The text between the placeholders, in order, with literal braces as they are meant.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(text) => Some(text.as_str()),
            Part::Placeholder(_) => None,
        })
    }

    /// The template with those placeholders filled in that `lookup` knows; the others stay.
    #[must_use]
    pub fn fill(&self, lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut source = String::with_capacity(self.source.len());
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let known = match part {
                Part::Literal(text) => Some(text.clone()),
                Part::Placeholder(name) => lookup(name),
            };
            let Some(text) = known else {
                source.extend(["{", part.text(), "}"]);
                parts.push(part.clone());
                continue;
            };
            source.push_str(&text.replace('{', "{{").replace('}', "}}"));
            parts.push(Part::Literal(text));
        }
        Self { source, parts }
    }

    /// The text with every placeholder filled in.
    ///
    /// # Errors
    /// The name of the first placeholder that `lookup` does not know.
    pub fn render(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut text = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Placeholder(name) => text.push_str(&lookup(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl serde::Serialize for Template {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> serde::Deserialize<'de> for Template {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn is_placeholder(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    match name.split_once('.') {
        Some((table, key)) => word(table) && word(key),
        None => word(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rendered() {
        let template = Template::parse("{version}-{env.X}{{b}}").unwrap();
        assert_eq!(template.placeholders().collect::<Vec<_>>(), ["version", "env.X"]);
        let lookup = |name: &str| Some(format!("<{name}>"));
        assert_eq!(template.render(lookup).unwrap(), "<version>-<env.X>{b}");
        assert_eq!(template.render(|_| None), Err("version".to_owned()));
    }

    #[test]
    fn misuse_has_a_place() {
        for (text, offset, length) in [
            ("ab{c", 2, 1),
            ("a}b", 1, 1),
            ("x{a b}", 1, 5),
            ("{}", 0, 2),
            ("{a.b.c}", 0, 7),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!((error.offset, error.length), (offset, length), "{text}");
        }
    }
}
