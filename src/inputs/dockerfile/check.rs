//! What is wrong with a Dockerfile in view of what is declared for its image.

use super::expand::{Variables, expand_with};
use super::parse::{Dockerfile, Instruction};
use super::references::{References, Scope, declare, declared, globals, mounts, references};
use crate::domain::Platform;
use crate::inputs::pattern::{Pattern, clean};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;

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

/// A Dockerfile, and what it is held against.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// The Dockerfile's name for messages.
    pub name: &'a Utf8Path,
    /// The Dockerfile.
    pub file: &'a Dockerfile,
    /// Arguments, platforms, contexts, base.
    pub scope: Scope<'a>,
    /// Names of build arguments that get a resolved version, even where the version is not known yet.
    pub versions: &'a [String],
    /// Declared inputs, relative to the context; `None`: everything counts.
    pub inputs: Option<&'a [Utf8PathBuf]>,
    /// The context's paths, from [`context_paths`](crate::inputs::context_paths).
    pub paths: &'a [String],
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
    sources(checks, &mut problems);
    problems.sort_by(|a, b| {
        (a.line.unwrap_or(usize::MAX), &a.message).cmp(&(b.line.unwrap_or(usize::MAX), &b.message))
    });
    problems.dedup();
    problems
}

impl Checks<'_> {
    fn problem(&self, line: impl Into<Option<usize>>, message: String, hint: String) -> Problem {
        Problem {
            file: self.name.to_owned(),
            line: line.into(),
            message,
            hint,
        }
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
                instruction.line,
                format!("`ARG {name}` floats: its default is `{value}`, and nothing resolves it"),
                format!("add `{name}` to `versions` of the image, or set `build.args.{name}`"),
            ));
        }
    }
}

fn base_and_contexts(checks: &Checks<'_>, found: &References, problems: &mut Vec<Problem>) {
    for (line, text) in &found.unclear {
        problems.push(checks.problem(
            *line,
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

/// `COPY`, `ADD` and `RUN --mount=type=bind` that take something from the context.
fn sources(checks: &Checks<'_>, problems: &mut Vec<Problem>) {
    let native = [Platform::native()];
    let platforms = if checks.scope.platforms.is_empty() {
        &native
    } else {
        checks.scope.platforms
    };
    for platform in platforms {
        let globals = globals(checks.file, &checks.scope, platform);
        let mut stages: BTreeMap<String, Variables> = BTreeMap::new();
        let mut stage = String::new();
        let mut variables = Variables::new();
        for instruction in &checks.file.instructions {
            match instruction.keyword.as_str() {
                "FROM" => {
                    stages.insert(std::mem::take(&mut stage), std::mem::take(&mut variables));
                    let words = instruction.words();
                    let parent = words.first().map(|word| word.to_lowercase());
                    variables = parent
                        .and_then(|parent| stages.get(&parent))
                        .cloned()
                        .unwrap_or_default();
                    stage = words.get(2).map(|word| word.to_lowercase()).unwrap_or_default();
                }
                // `ARG` before the first `FROM` is in `globals`.
                "ARG" => declare(
                    instruction,
                    checks.file.escape,
                    &checks.scope,
                    &globals,
                    &mut variables,
                ),
                "ENV" => environment(instruction, checks.file.escape, &mut variables),
                _ => {
                    for source in local_sources(instruction) {
                        one_source(checks, instruction, &source, &variables, problems);
                    }
                }
            }
        }
    }
}

fn environment(instruction: &Instruction, escape: char, variables: &mut Variables) {
    let words = instruction.words();
    let old_form = words.first().is_some_and(|word| !word.contains('='));
    let pairs: Vec<(String, String)> = if old_form {
        words
            .first()
            .map(|name| (name.clone(), words[1..].join(" ")))
            .into_iter()
            .collect()
    } else {
        words
            .iter()
            .map(|word| {
                (
                    declared(word).0.to_owned(),
                    declared(word).1.unwrap_or_default().to_owned(),
                )
            })
            .collect()
    };
    for (name, value) in pairs {
        if let Some(value) = expand_with(&value, escape, &|name| variables.get(name).cloned()) {
            variables.insert(name, value);
        }
    }
}

/// Whether [`Checks::paths`] count at all: not where nothing is taken from the context, or all of it while all of it is an input.
#[must_use]
pub fn needs_paths(file: &Dockerfile, inputs: Option<&[Utf8PathBuf]>) -> bool {
    let everything = |source: &String| inputs.is_none() && matches!(source.as_str(), "." | "./" | "/");
    let mut sources = file.instructions.iter().flat_map(local_sources);
    sources.any(|source| !everything(&source))
}

/// What an instruction takes from the main context, as written.
fn local_sources(instruction: &Instruction) -> Vec<String> {
    match instruction.keyword.as_str() {
        "COPY" | "ADD" if instruction.flag("from").is_none() => {
            let mut words = instruction.words();
            words.pop();
            words.retain(|word| !(word.starts_with("<<") || is_remote(word)));
            words
        }
        "RUN" => {
            let local = |mount: Vec<(&str, &str)>| {
                let value = |keys: &[&str]| {
                    mount
                        .iter()
                        .find(|(key, _)| keys.contains(key))
                        .map(|(_, value)| *value)
                };
                let binds = matches!(value(&["type"]), None | Some("bind"));
                (binds && value(&["from"]).is_none())
                    .then(|| value(&["source", "src"]).unwrap_or(".").to_owned())
            };
            mounts(instruction).filter_map(local).collect()
        }
        _ => Vec::new(),
    }
}

fn is_remote(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'']);
    word.contains("://") || word.starts_with("git@")
}

fn one_source(
    checks: &Checks<'_>,
    instruction: &Instruction,
    word: &str,
    variables: &Variables,
    problems: &mut Vec<Problem>,
) {
    let unknown = Cell::new(false);
    let escape = checks.file.escape;
    let known = |name: &str| {
        let value = variables.get(name).cloned();
        unknown.set(unknown.get() || value.is_none());
        value
    };
    let expanded = expand_with(word, escape, &known);
    // A variable that the base may set can be anything.
    let anything = |name: &str| Some(variables.get(name).cloned().unwrap_or_else(|| "*".to_owned()));
    let expanded = if unknown.get() {
        expand_with(word, escape, &anything)
    } else {
        expanded
    };
    let Some(expanded) = expanded else { return };
    // BuildKit takes a source from the context's root, and `..` does not leave it.
    let source = clean(&format!("/{expanded}"))[1..].to_owned();
    let keyword = &instruction.keyword;
    let wildcard = source.contains(['*', '?', '[', '\\']);
    let pattern = if wildcard { Pattern::new(&source) } else { None };
    let takes = |path: &str| match &pattern {
        Some(pattern) => pattern.matches_or_parent(path),
        None => is_below(path, &source),
    };
    let mut taken = checks.paths.iter().filter(|path| takes(path)).peekable();
    if taken.peek().is_none() && !source.is_empty() {
        let mend = "correct it, take it out, or see whether `.dockerignore` keeps its files out".to_owned();
        let message = if wildcard {
            format!(
                "`{keyword}` wildcard `{source}` matches nothing in the build context, and BuildKit would go on without it"
            )
        } else {
            format!("`{keyword}` source `{source}` is not in the build context")
        };
        problems.push(checks.problem(instruction.line, message, mend));
        return;
    }
    let Some(inputs) = checks.inputs else { return };
    let covers = |input: &Utf8PathBuf, path: &str| {
        let input = clean(input.as_str());
        input == "." || is_below(path, &input)
    };
    let dockerfile = clean(checks.name.as_str());
    let uncovered =
        taken.find(|path| **path != dockerfile && !inputs.iter().any(|input| covers(input, path)));
    if let Some(path) = uncovered {
        // The source itself is named where none of it is covered by anything more narrow.
        let name = if wildcard || source.is_empty() || *path == source {
            path.as_str()
        } else {
            source.as_str()
        };
        problems.push(checks.problem(
            instruction.line,
            format!("`{keyword}` takes `{path}`, which no input covers: a change of it would go unseen"),
            format!("add `{name}` to `inputs`, or leave `inputs` out so that the whole context counts"),
        ));
    }
}

/// Whether this is the path, or lies in the folder, that `top` names; everything does if it is empty.
fn is_below(path: &str, top: &str) -> bool {
    top.is_empty()
        || path
            .strip_prefix(top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
