//! What a build takes from its main context: sources of `COPY` and `ADD`, and bind mounts, with the variables that are known filled in.

use super::expand::{Variables, expand_with};
use super::parse::{Dockerfile, Instruction, heredoc_name};
use super::references::{Scope, declare, globals};
use super::stages::{Base, mounts, stages};
use crate::domain::Platform;
use crate::inputs::dockerignore::Dockerignore;
use crate::inputs::pattern::{Pattern, clean, down_to};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// How many symlinks a path may go through.
const LINKS: usize = 40;

/// What lies in a build context.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// Its files, symlinks and empty folders, sorted.
    pub paths: &'a [String],
    /// What its symlinks point at.
    pub links: Option<&'a BTreeMap<String, String>>,
}

/// One source in the main context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) line: usize,
    /// Whether that is a line of the base's Dockerfile.
    pub(super) of_base: bool,
    /// `COPY`, `ADD` or `RUN`.
    pub(super) keyword: String,
    /// From the context's top, without `/` at either end; empty for all of it.
    pub(super) path: String,
    /// What `--parents` takes of `path`.
    parents: Option<String>,
    /// What `--exclude` leaves out.
    exclude: Vec<String>,
    mount: bool,
}

/// The paths of the context that a build takes something of: a change of any other cannot change what is built. For all platforms together.
#[must_use]
pub fn taken(file: &Dockerfile, scope: &Scope<'_>, context: Context<'_>) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for source in sources(file, scope) {
        taken.extend(source.taken(context).into_iter().map(str::to_owned));
    }
    taken
}

/// All sources of what the build of the target carries out.
pub(super) fn sources(file: &Dockerfile, scope: &Scope<'_>) -> BTreeSet<Source> {
    let native = [Platform::native()];
    let platforms = if scope.platforms.is_empty() {
        &native
    } else {
        scope.platforms
    };
    let mut found = BTreeSet::new();
    for platform in platforms {
        of_platform(file, scope, platform, &mut found);
    }
    found
}

fn of_platform(file: &Dockerfile, scope: &Scope<'_>, platform: &Platform, found: &mut BTreeSet<Source>) {
    let globals = globals(file, scope, Some(platform));
    let stages = stages(file, scope, Some(platform));
    let mut ends: Vec<Environment> = Vec::new();
    for stage in &stages {
        let handed_on = match stage.base {
            Base::Stage(at) => ends.get(at).cloned(),
            _ => None,
        };
        let mut environment = handed_on.unwrap_or_else(|| Environment {
            variables: Variables::new(),
            outside: stage.base != Base::Scratch,
        });
        for command in stage.commands.iter().filter(|_| stage.reached) {
            match command.keyword.as_str() {
                "ARG" => declare(command, scope, &globals, &mut environment.variables),
                "ENV" => environment.set(command),
                _ => environment.sources(command, found),
            }
        }
        ends.push(environment);
    }
}

/// The variables of a stage.
#[derive(Clone)]
struct Environment {
    variables: Variables,
    /// Whether an image from elsewhere may have set others.
    outside: bool,
}

impl Environment {
    fn set(&mut self, instruction: &Instruction) {
        // All values are filled in before any is set.
        let expand = |text: &str| {
            expand_with(text, instruction.escape, &|name| {
                self.variables.get(name).cloned()
            })
        };
        let pairs: Vec<_> = instruction
            .pairs()
            .iter()
            .filter_map(|(name, value)| Some((expand(name)?, expand(value)?)))
            .collect();
        self.variables.extend(pairs);
    }

    /// The word with its variables; those that an image from elsewhere may have set can be anything.
    fn expand(&self, word: &str, escape: char) -> Option<String> {
        let unknown = Cell::new(false);
        let known = |name: &str| {
            let value = self.variables.get(name).cloned();
            unknown.set(unknown.get() || (value.is_none() && self.outside));
            value
        };
        let expanded = expand_with(word, escape, &known);
        if !unknown.get() {
            return expanded;
        }
        let anything = |name: &str| {
            Some(
                self.variables
                    .get(name)
                    .cloned()
                    .unwrap_or_else(|| "*".to_owned()),
            )
        };
        expand_with(word, escape, &anything)
    }

    fn sources(&self, instruction: &Instruction, found: &mut BTreeSet<Source>) {
        let source = |path: String, parents, mount| Source {
            line: instruction.line,
            of_base: instruction.of_base,
            keyword: instruction.keyword.clone(),
            path,
            parents,
            exclude: instruction
                .flags
                .iter()
                .filter(|(name, _)| name == "exclude")
                .map(|(_, pattern)| pattern.clone())
                .collect(),
            mount,
        };
        match instruction.keyword.as_str() {
            "COPY" | "ADD" if instruction.flag("from").is_none() => {
                let parents = instruction
                    .flag("parents")
                    .is_some_and(|value| !value.eq_ignore_ascii_case("false"));
                for word in local_words(instruction) {
                    let Some(path) = self.expand(&word, instruction.escape) else {
                        continue;
                    };
                    if is_remote(&path) {
                        continue;
                    }
                    if parents {
                        let (pivot, pattern) = path.split_once("/./").unwrap_or(("", &path));
                        found.insert(source(rooted(pivot), Some(rooted(pattern)), false));
                    } else {
                        found.insert(source(rooted(&path), None, false));
                    }
                }
            }
            "RUN" => {
                for mount in mounts(instruction) {
                    let path = mount
                        .source()
                        .and_then(|path| self.expand(path, instruction.escape));
                    found.extend(path.map(|path| source(rooted(&path), None, true)));
                }
            }
            _ => {}
        }
    }
}

/// The sources of a `COPY` or `ADD` that are no heredocs, as written.
pub(super) fn local_words(instruction: &Instruction) -> Vec<String> {
    let mut words = instruction.words();
    words.pop();
    words.retain(|word| heredoc_name(word).is_none());
    words
}

/// What is not in the context: URLs, and git repositories as `git` takes them (`user@host:path`).
pub(super) fn is_remote(source: &str) -> bool {
    let lower = source.to_ascii_lowercase();
    let scheme = ["http://", "https://", "git://", "ssh://"];
    if scheme.iter().any(|scheme| lower.starts_with(scheme)) {
        return true;
    }
    let Some((host, path)) = source.split_once(':') else {
        return false;
    };
    let Some((user, host)) = host.split_once('@') else {
        return false;
    };
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    plain(user, "_-") && plain(host, "._-") && !path.is_empty()
}

/// `BuildKit` takes a source from the context's root, and `..` does not leave it.
fn rooted(path: &str) -> String {
    let path = clean(&format!("/{path}"));
    path.trim_start_matches('/').to_owned()
}

impl Source {
    /// Whether it may match nothing without an error.
    pub(super) fn is_wildcard(&self) -> bool {
        let pattern = self.parents.as_ref().unwrap_or(&self.path);
        !self.mount && pattern.contains(['*', '?', '['])
    }

    /// Whether it is the whole context.
    pub(super) fn is_everything(&self) -> bool {
        self.path.is_empty() && self.parents.is_none()
    }

    /// As it is named in messages.
    pub(super) fn name(&self) -> String {
        match &self.parents {
            Some(pattern) if self.path.is_empty() => pattern.clone(),
            Some(pattern) => format!("{}/./{pattern}", self.path),
            None => self.path.clone(),
        }
    }

    /// What it takes of the context.
    pub(super) fn taken<'c>(&self, context: Context<'c>) -> BTreeSet<&'c str> {
        let mut taken = BTreeSet::new();
        for top in self.tops(context, &mut taken) {
            let exclude = Dockerignore::parse(self.exclude.join("\n")).unwrap_or_default();
            let include = self
                .parents
                .as_ref()
                .map(|pattern| Dockerignore::parse(pattern).ok());
            let first = context.paths.partition_point(|path| path.as_str() < top.as_str());
            let all = context.paths.get(first..).unwrap_or_default();
            // Sorted bytewise, `a-b` stands between `a` and `a/b`.
            let near = all.iter().take_while(|path| path.starts_with(&top));
            for path in near.filter(|path| is_below(path, &top)) {
                let inside = path.get(top.len()..).unwrap_or_default().trim_start_matches('/');
                let wanted = match &include {
                    Some(Some(pattern)) => !inside.is_empty() && pattern.ignores(inside),
                    Some(None) => false,
                    None => true,
                };
                if wanted && (inside.is_empty() || !exclude.ignores(inside)) {
                    taken.insert(path.as_str());
                }
            }
        }
        taken
    }

    /// Files and folders that it names, symlinks followed; the symlinks on the way are `taken`.
    fn tops<'c>(&self, context: Context<'c>, taken: &mut BTreeSet<&'c str>) -> BTreeSet<String> {
        let mut tops = BTreeSet::new();
        let wildcard = !self.mount && self.path.contains(['*', '?', '[', '\\']);
        let pattern = wildcard
            .then(|| Pattern::new(&without_spans(&self.path)))
            .flatten();
        let Some(pattern) = pattern else {
            tops.insert(follow(&self.path, context, taken));
            return tops;
        };
        let mut seen = BTreeSet::new();
        for path in context.paths {
            for top in down_to(path) {
                if pattern.matches(top) {
                    if seen.insert(top) {
                        tops.insert(follow(top, context, taken));
                    }
                    break;
                }
            }
        }
        tops
    }
}

/// `**` is no more than `*` here: only `.dockerignore` and `--parents` know it.
fn without_spans(pattern: &str) -> String {
    let mut text = String::new();
    let mut before = None;
    for char in pattern.chars() {
        if !(char == '*' && before == Some('*')) {
            text.push(char);
        }
        before = if before == Some('\\') { None } else { Some(char) };
    }
    text
}

/// Where a path leads to when symlinks in the context are followed, which are then taken too.
fn follow<'c>(path: &str, context: Context<'c>, taken: &mut BTreeSet<&'c str>) -> String {
    let mut path = path.to_owned();
    let Some(links) = context.links else { return path };
    for _ in 0..LINKS {
        let followed = down_to(&path).find_map(|way| {
            let (link, target) = links.get_key_value(way)?;
            let behind = path.strip_prefix(way)?;
            taken.insert(link.as_str());
            let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
            Some(if target.starts_with('/') {
                rooted(&format!("{target}{behind}"))
            } else {
                rooted(&format!("{folder}/{target}{behind}"))
            })
        });
        let Some(followed) = followed else { break };
        path = followed;
    }
    path
}

/// Whether this is the path, or lies in the folder, that `top` names; everything does if it is empty.
pub(super) fn is_below(path: &str, top: &str) -> bool {
    top.is_empty()
        || path
            .strip_prefix(top)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
