//! What is wrong with a Dockerfile in view of what is declared for its image.

use super::parse::{Dockerfile, Instruction};
use super::references::{References, Scope, declared, references};
use super::secrets::secrets;
use super::sources::{Context, Source, is_below, is_remote, local_words, sources};
use super::stages::mounts;
use crate::inputs::pattern::clean;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Something in a Dockerfile that would let a change go unseen, or fail late or never.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[error("{file}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Problem {
    /// The Dockerfile, as it is named in `variants.toml`.
    pub file: Utf8PathBuf,
    /// Line, from 1; `None` for something that is nowhere in it.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How it is mended.
    pub hint: String,
}

impl Problem {
    /// It with its mend, on one line: as a warning.
    #[must_use]
    pub fn warning(&self) -> String {
        format!("{self}; {}", self.hint)
    }
}

/// A Dockerfile, and what it is held against.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// The Dockerfile's name for messages.
    pub name: &'a Utf8Path,
    /// The Dockerfile.
    pub file: &'a Dockerfile,
    /// The name of the base's Dockerfile, whose `ONBUILD` instructions are carried out here.
    pub base: Option<&'a Utf8Path>,
    /// Arguments, platforms, contexts, base.
    pub scope: Scope<'a>,
    /// Names of build arguments that get a resolved version, even where the version is not known yet.
    pub versions: &'a [String],
    /// Declared inputs, relative to the context; `None`: everything counts.
    pub inputs: Option<&'a [Utf8PathBuf]>,
    /// What the context has, from [`context_listing`](crate::inputs::context_listing).
    pub context: Context<'a>,
}

/// Values that mean something else tomorrow.
const FLOATING: [&str; 9] = [
    "latest", "main", "master", "head", "stable", "next", "edge", "nightly", "*",
];

/// Whether a build argument's value means something else tomorrow.
#[must_use]
pub fn floats(value: &str) -> bool {
    FLOATING
        .iter()
        .any(|floating| value.eq_ignore_ascii_case(floating))
}

/// All that is wrong, sorted by line.
#[must_use]
pub fn check(checks: &Checks<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    floating_defaults(checks, &mut problems);
    let found = references(checks.file, &checks.scope);
    base_and_contexts(checks, &found, &mut problems);
    secrets(checks, &mut problems);
    for source in sources(checks.file, &checks.scope) {
        one_source(checks, &source, &mut problems);
    }
    sorted(problems)
}

/// By line, each once.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let key = |problem: &Problem| {
        let line = problem.line.unwrap_or(usize::MAX);
        (line, problem.message.clone(), problem.file.clone())
    };
    problems.sort_by_cached_key(key);
    problems.dedup();
    problems
}

impl Checks<'_> {
    pub(super) fn problem(&self, at: impl Into<At>, message: String, hint: String) -> Problem {
        let At { line, of_base } = at.into();
        let (file, message) = match self.base.filter(|_| of_base) {
            Some(base) => (
                base,
                format!(
                    "{message} (`ONBUILD`, which the build of `{}` carries out)",
                    self.name
                ),
            ),
            None => (self.name, message),
        };
        Problem {
            file: file.to_owned(),
            line,
            message,
            hint,
        }
    }
}

/// Where in a Dockerfile, and whether that is the base's.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    line: Option<usize>,
    of_base: bool,
}

impl From<Option<usize>> for At {
    fn from(line: Option<usize>) -> Self {
        Self { line, of_base: false }
    }
}

impl From<(usize, bool)> for At {
    fn from((line, of_base): (usize, bool)) -> Self {
        Self {
            line: Some(line),
            of_base,
        }
    }
}

impl From<&Instruction> for At {
    fn from(instruction: &Instruction) -> Self {
        (instruction.line, instruction.of_base).into()
    }
}

fn floating_defaults(checks: &Checks<'_>, problems: &mut Vec<Problem>) {
    for instruction in checks
        .file
        .instructions
        .iter()
        .filter(|instruction| instruction.keyword == "ARG")
    {
        for word in instruction.words() {
            let (name, Some(default)) = declared(&word) else {
                continue;
            };
            let value = default.trim_matches(['"', '\'']);
            let covered = checks.scope.args.is_some_and(|args| args.contains_key(name))
                || checks.versions.iter().any(|version| version == name)
                || checks.scope.base_arg == Some(name);
            if covered || !floats(value) {
                continue;
            }
            problems.push(checks.problem(
                instruction,
                format!("`ARG {name}` floats: its default is `{value}`, and nothing resolves it"),
                format!("add `{name}` to `versions` of the image, or set `build.args.{name}`"),
            ));
        }
    }
}

fn base_and_contexts(checks: &Checks<'_>, found: &References, problems: &mut Vec<Problem>) {
    for (line, of_base, text) in &found.unclear {
        problems.push(checks.problem(
            (*line, *of_base),
            format!("what `{text}` refers to does not follow from the Dockerfile and its build arguments"),
            "declare the variable with an `ARG` before the first `FROM`, and see to it that it has a value: by `args`, or by a `[base]`"
                .to_owned(),
        ));
    }
    if let Some(name) = checks.scope.base_arg {
        let first = found.base.first().copied();
        if first.is_none() {
            problems.push(checks.problem(
                None,
                format!("no stage is built `FROM ${{{name}}}`, so the image does not stand on the base"),
                format!("write `ARG {name}` and `FROM ${{{name}}}`, or set `base-arg` to the argument that is used"),
            ));
        } else if !found.declares_base {
            problems.push(checks.problem(
                first,
                format!("`{name}` is empty here: no `ARG {name}` comes before the first `FROM`"),
                format!("write `ARG {name}` before the first `FROM`"),
            ));
        }
    }
    for name in checks
        .scope
        .contexts
        .iter()
        .filter(|name| !found.contexts.contains(**name))
    {
        problems.push(checks.problem(
            None,
            format!(
                "nothing refers to the named context `{name}`, and BuildKit would pass over it in silence"
            ),
            format!("use it (`FROM {name}`, `COPY --from={name}`), or take it out of `build.contexts`"),
        ));
    }
}

/// Whether [`Checks::context`] counts at all: not where nothing is taken from the context, or all of it while all of it is an input.
#[must_use]
pub fn needs_paths(file: &Dockerfile, inputs: Option<&[Utf8PathBuf]>) -> bool {
    let everything = |source: &str| inputs.is_none() && matches!(source, "." | "./" | "/");
    file.instructions.iter().any(|instruction| {
        let trigger = instruction.trigger();
        let instruction = trigger.as_ref().unwrap_or(instruction);
        match instruction.keyword.as_str() {
            "COPY" | "ADD" if instruction.flag("from").is_none() => local_words(instruction)
                .iter()
                .any(|word| !is_remote(word) && !everything(word)),
            "RUN" => {
                mounts(instruction).any(|mount| mount.source().is_some_and(|source| !everything(source)))
            }
            _ => false,
        }
    })
}

fn one_source(checks: &Checks<'_>, source: &Source, problems: &mut Vec<Problem>) {
    let taken = source.taken(checks.context);
    let keyword = &source.keyword;
    let name = source.name();
    if taken.is_empty() && !source.is_everything() {
        let mend = "correct it, take it out, or see whether `.dockerignore` keeps its files out".to_owned();
        let message = if source.is_wildcard() {
            format!(
                "`{keyword}` wildcard `{name}` matches nothing in the build context, and BuildKit would go on without it"
            )
        } else {
            format!("`{keyword}` source `{name}` is not in the build context")
        };
        problems.push(checks.problem((source.line, source.of_base), message, mend));
        return;
    }
    let Some(inputs) = checks.inputs else { return };
    let covers = |input: &Utf8PathBuf, path: &str| {
        let input = clean(input.as_str());
        input == "." || is_below(path, &input)
    };
    let dockerfile = clean(checks.name.as_str());
    let uncovered = taken
        .iter()
        .find(|path| **path != dockerfile && !inputs.iter().any(|input| covers(input, path)));
    if let Some(path) = uncovered {
        // The source itself is named where none of it is covered by anything more narrow.
        let whole = !source.is_wildcard() && !name.is_empty() && is_below(path, &name);
        let add = if whole { name.as_str() } else { path };
        problems.push(checks.problem(
            (source.line, source.of_base),
            format!("`{keyword}` takes `{path}`, which no input covers: a change of it would go unseen"),
            format!("add `{add}` to `inputs`, or leave `inputs` out so that the whole context counts"),
        ));
    }
}
