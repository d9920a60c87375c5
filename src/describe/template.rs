//! The template of a page: text with placeholders `{splitbase.NAME}`. Every other brace is what it is, so that code, JSON and `${VARIABLE}` need no care.

use std::fmt;

/// How a placeholder begins.
const OPEN: &str = "{splitbase.";
/// How the same text is written where it is meant as it is.
const LITERAL: &str = "{{splitbase.";

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// The family's name.
    Family,
    /// The repository, as docker takes it.
    Repository,
    /// The platforms, with commas.
    Platforms,
    /// A table of the variants, their tags and platforms.
    Variants,
    /// A table of what floats, and where it comes from.
    Sources,
    /// The release.
    Version,
    /// The day of the release.
    Date,
    /// A table of what floating versions are in the release.
    Versions,
    /// One of them.
    VersionOf(String),
    /// A table of the tags of the release.
    Tags,
    /// A table of the platform digests.
    Digests,
    /// A table of how much there is to download.
    Sizes,
}

impl Placeholder {
    /// All but [`Self::VersionOf`], by their names.
    pub const ALL: [(&'static str, Self); 11] = [
        ("family", Self::Family),
        ("repository", Self::Repository),
        ("platforms", Self::Platforms),
        ("variants", Self::Variants),
        ("sources", Self::Sources),
        ("version", Self::Version),
        ("date", Self::Date),
        ("versions", Self::Versions),
        ("tags", Self::Tags),
        ("digests", Self::Digests),
        ("sizes", Self::Sizes),
    ];

    /// Whether it is known from the configuration alone, without a release.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        matches!(
            self,
            Self::Family | Self::Repository | Self::Platforms | Self::Variants | Self::Sources
        )
    }

    /// Whether it is lines and not a piece of one.
    #[must_use]
    pub const fn is_table(&self) -> bool {
        matches!(
            self,
            Self::Variants | Self::Sources | Self::Versions | Self::Tags | Self::Digests | Self::Sizes
        )
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Text as it is.
    Text(String),
    /// Something that is filled in.
    Value(Placeholder),
}

/// The template of a page, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageTemplate {
    pub(super) parts: Vec<Part>,
}

/// What is wrong with a template, and where; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TemplateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl PageTemplate {
    /// Takes a template apart; `versions` are the names in `[versions]`. Line ends become `\n`.
    ///
    /// # Errors
    /// Every placeholder that is not known, or not closed.
    pub fn parse(text: &str, versions: &[&str]) -> Result<Self, Vec<TemplateProblem>> {
        let text = text.replace("\r\n", "\n");
        let (mut parts, mut problems) = (Vec::new(), Vec::new());
        let mut literal = String::new();
        let mut rest = text.as_str();
        while let Some((before, inner)) = rest.split_once(OPEN) {
            // `{{splitbase.` without the first brace.
            if let Some(before) = before.strip_suffix('{') {
                literal.push_str(before);
                literal.push_str(OPEN);
                rest = inner;
                continue;
            }
            literal.push_str(before);
            let offset = text.len() - inner.len() - OPEN.len();
            let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')));
            let (name, after) = inner.split_at(end.unwrap_or(inner.len()));
            match (after.strip_prefix('}'), named(name, versions)) {
                (Some(after), Ok(placeholder)) => {
                    parts.extend((!literal.is_empty()).then(|| Part::Text(std::mem::take(&mut literal))));
                    parts.push(Part::Value(placeholder));
                    rest = after;
                }
                (closed, named) => {
                    let message = match named {
                        Err(message) if closed.is_some() => message,
                        _ => {
                            format!("`{OPEN}{name}` is not closed; as it is, it is written `{LITERAL}{name}`")
                        }
                    };
                    problems.push(problem(&text, offset, message));
                    rest = closed.unwrap_or(after);
                }
            }
        }
        literal.push_str(rest);
        parts.extend((!literal.is_empty()).then_some(Part::Text(literal)));
        if problems.is_empty() {
            Ok(Self { parts })
        } else {
            Err(problems)
        }
    }

    /// Its placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }
}

/// The placeholder of this name, or what is wrong with it.
fn named(name: &str, versions: &[&str]) -> Result<Placeholder, String> {
    if let Some(wanted) = name.strip_prefix("versions.") {
        if versions.contains(&wanted) {
            return Ok(Placeholder::VersionOf(wanted.to_owned()));
        }
        let known = if versions.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("it has {}", versions.join(", "))
        };
        return Err(format!(
            "`{OPEN}{name}}}`: there is no `{wanted}` in `[versions]`; {known}"
        ));
    }
    let found = Placeholder::ALL.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, placeholder)| placeholder).ok_or_else(|| {
        let known: Vec<_> = Placeholder::ALL.iter().map(|(known, _)| *known).collect();
        format!(
            "`{OPEN}{name}}}` is no placeholder; behind `{OPEN}` may stand {}, versions.NAME",
            known.join(", ")
        )
    })
}

fn problem(text: &str, offset: usize, message: String) -> TemplateProblem {
    let (before, _) = text.split_at(offset);
    let line = before.rsplit('\n').next().unwrap_or(before);
    TemplateProblem {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Part> {
        PageTemplate::parse(text, &["PI_VERSION"]).unwrap().parts
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn only_its_own_braces_are_placeholders() {
        for other in [
            "docker run -e A=${B} x {version} {{.ID}} {\"a\": {}} }{",
            "{splitbase} {Splitbase.version} ${{ env.X }} {",
        ] {
            assert_eq!(parts(other), [text(other)]);
        }
        assert_eq!(parts(""), []);
        assert_eq!(
            parts("a {splitbase.version}{splitbase.tags}\r\nb{splitbase.versions.PI_VERSION}"),
            [
                text("a "),
                Part::Value(Placeholder::Version),
                Part::Value(Placeholder::Tags),
                text("\nb"),
                Part::Value(Placeholder::VersionOf("PI_VERSION".to_owned())),
            ]
        );
        assert_eq!(
            parts("x {{splitbase.version} y"),
            [text("x {splitbase.version} y")]
        );
        for (name, placeholder) in Placeholder::ALL {
            assert_eq!(
                parts(&format!("{{splitbase.{name}}}")),
                [Part::Value(placeholder)]
            );
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_with_its_place() {
        let problems = PageTemplate::parse(
            "a {splitbase.tag}\nä {splitbase.versions.X} {splitbase.version }\n{splitbase.",
            &["PI_VERSION"],
        )
        .unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        1:3: `{splitbase.tag}` is no placeholder; behind `{splitbase.` may stand family, repository, platforms, variants, sources, version, date, versions, tags, digests, sizes, versions.NAME
        2:3: `{splitbase.versions.X}`: there is no `X` in `[versions]`; it has PI_VERSION
        2:26: `{splitbase.version` is not closed; as it is, it is written `{{splitbase.version`
        3:1: `{splitbase.` is not closed; as it is, it is written `{{splitbase.`
        "#);
        let problems = PageTemplate::parse("{splitbase.versions.X}", &[]).unwrap_err();
        assert!(problems[0].message.ends_with("it is empty"));
    }
}
