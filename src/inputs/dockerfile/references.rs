//! Which images from outside a Dockerfile builds on.

use super::expand::{Variables, expand_with};
use super::parse::{Dockerfile, Instruction};
use super::stages::{Stage, mounts, stage_name, stages};
use crate::domain::Platform;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeSet;

/// What a Dockerfile's references mean depends on this.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Build arguments that are given, resolved versions among them.
    pub args: Option<&'a Variables>,
    /// Names of build arguments that are given too, whose values are not known yet: never their defaults.
    pub open: &'a [String],
    /// Platforms that are built; `TARGETARCH` and the like follow from them.
    pub platforms: &'a [Platform],
    /// Names of the configured named contexts.
    pub contexts: &'a [&'a str],
    /// The build argument that gets the base.
    pub base_arg: Option<&'a str>,
    /// What the base has those do that are built on it: its `ONBUILD` instructions.
    pub triggers: &'a [Instruction],
    /// The stage that is built; the last one when `None`.
    pub target: Option<&'a str>,
}

/// Where a reference stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// `FROM`.
    From,
    /// `COPY --from=`.
    Copy,
    /// `RUN --mount=…,from=`.
    Mount,
}

/// An image from outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// As BuildKit reads it, variables filled in.
    pub image: String,
    /// Line of the instruction, from 1.
    pub line: usize,
    /// Whether that is a line of the base's Dockerfile: of an `ONBUILD` that is carried out here.
    #[serde(default)]
    pub of_base: bool,
    /// Whether the build of the target carries it out.
    #[serde(default)]
    pub reached: bool,
    /// Where it stands.
    pub role: Role,
    /// Whether `FROM --platform=` asks for a platform of its own: that of the machine that builds, mostly.
    #[serde(default)]
    pub other_platform: bool,
}

impl Reference {
    /// Whether it names a digest.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.image.contains('@')
    }
}

/// What a Dockerfile refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Images from outside: neither stages nor `scratch`, nor the base, nor named contexts. Sorted, each once.
    pub external: BTreeSet<Reference>,
    /// Lines of the `FROM` instructions that name the base's build argument.
    pub base: BTreeSet<usize>,
    /// Named contexts that something refers to, as configured.
    pub contexts: BTreeSet<String>,
    /// References that do not follow from the file and its arguments: line, whether that is one of the base's Dockerfile, and text.
    pub unclear: BTreeSet<(usize, bool, String)>,
    /// References that wait for the value of an argument, as written: what they name is not known yet.
    pub open: BTreeSet<String>,
    /// Whether an `ARG` before the first `FROM` declares the base's build argument.
    pub declares_base: bool,
}

/// Finds what a Dockerfile refers to, for all platforms together.
#[must_use]
pub fn references(file: &Dockerfile, scope: &Scope<'_>) -> References {
    let mut found = References::default();
    let native = [Platform::native()];
    let platforms = if scope.platforms.is_empty() {
        &native
    } else {
        scope.platforms
    };
    for platform in platforms {
        Finder {
            file,
            scope,
            globals: globals(file, scope, Some(platform)),
            open: open_globals(file, scope),
            all: stages(file, scope, Some(platform)),
            stages: Vec::new(),
            found: &mut found,
        }
        .run();
    }
    let name = scope.base_arg;
    found.declares_base = before_first_from(file).any(|instruction| {
        instruction
            .words()
            .iter()
            .any(|word| Some(declared(word).0) == name)
    });
    found
}

/// `NAME` and `default` of `NAME=default`.
pub(super) fn declared(word: &str) -> (&str, Option<&str>) {
    word.split_once('=')
        .map_or((word, None), |(name, value)| (name, Some(value)))
}

fn before_first_from(file: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    let before = file
        .instructions
        .iter()
        .take_while(|instruction| instruction.keyword != "FROM");
    before.filter(|instruction| instruction.keyword == "ARG")
}

/// The arguments that `FROM` sees: those of the platform, if there is one, and those declared before the first `FROM`.
pub(super) fn globals(file: &Dockerfile, scope: &Scope<'_>, platform: Option<&Platform>) -> Variables {
    let mut globals = Variables::new();
    let native = Platform::native();
    for (side, platform) in platform
        .into_iter()
        .flat_map(|target| [("TARGET", target), ("BUILD", &native)])
    {
        globals.insert(format!("{side}PLATFORM"), platform.to_string());
        globals.insert(format!("{side}OS"), platform.os().to_owned());
        globals.insert(format!("{side}ARCH"), platform.architecture().to_owned());
        globals.insert(
            format!("{side}VARIANT"),
            platform.variant().unwrap_or_default().to_owned(),
        );
    }
    for instruction in before_first_from(file) {
        declare(instruction, scope, &Variables::new(), &mut globals);
    }
    globals
}

/// Names that an `ARG` before the first `FROM` declares, and whose values are not known yet, or are made of such.
fn open_globals(file: &Dockerfile, scope: &Scope<'_>) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for word in before_first_from(file).flat_map(Instruction::words) {
        let (name, default) = declared(&word);
        let given = scope.args.is_some_and(|args| args.contains_key(name));
        let waits = scope.open.iter().any(|open| open == name)
            || !given && default.is_some_and(|default| names_one_of(default, file.escape, &open));
        if waits {
            open.insert(name.to_owned());
        } else if default.is_some() {
            open.remove(name);
        }
    }
    open
}

/// Whether a word is made of the value of one of these.
fn names_one_of(word: &str, escape: char, names: &BTreeSet<String>) -> bool {
    let found = Cell::new(false);
    let _ = expand_with(word, escape, &|name| {
        found.set(found.get() || names.contains(name));
        None
    });
    found.get()
}

/// Carries out an `ARG`: the value that is given, or else the default, or else the one of `outer`.
pub(super) fn declare(
    instruction: &Instruction,
    scope: &Scope<'_>,
    outer: &Variables,
    variables: &mut Variables,
) {
    for word in instruction.words() {
        let (name, default) = declared(&word);
        let given = scope.args.and_then(|args| args.get(name)).cloned();
        let default = || match default {
            Some(default) => expand_with(default, instruction.escape, &|name| variables.get(name).cloned()),
            None => outer.get(name).cloned(),
        };
        if let Some(value) = given.or_else(default) {
            variables.insert(name.to_owned(), value);
        }
    }
}

/// A name as buildx writes it for a named context: without the default registry, `library/` and `:latest`.
pub(super) fn familiar(name: &str) -> &str {
    let name = ["docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|host| name.strip_prefix(host))
        .unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name)
}

struct Finder<'a> {
    file: &'a Dockerfile,
    scope: &'a Scope<'a>,
    globals: Variables,
    open: BTreeSet<String>,
    /// All stages, and of those that were come to, the names.
    all: Vec<Stage<'a>>,
    stages: Vec<Option<String>>,
    found: &'a mut References,
}

impl Finder<'_> {
    fn run(mut self) {
        let file = self.file;
        for instruction in &file.instructions {
            if instruction.keyword == "FROM" {
                self.from(instruction);
                // What the stage's base has it do comes before what it does itself.
                let stage = self.stages.len().checked_sub(1).and_then(|at| self.all.get(at));
                let inherited = stage.map_or(0, |stage| stage.inherited);
                let triggers = stage.map(|stage| stage.commands.clone()).unwrap_or_default();
                for trigger in triggers.iter().take(inherited) {
                    self.command(trigger);
                }
            } else {
                self.command(instruction);
            }
        }
    }

    fn command(&mut self, instruction: &Instruction) {
        match instruction.keyword.as_str() {
            "COPY" => {
                if let Some(name) = instruction.flag("from") {
                    self.refer(instruction, name, Role::Copy, false);
                }
            }
            "RUN" => {
                for mount in mounts(instruction) {
                    if let Some(name) = mount.get("from").filter(|name| !name.is_empty()) {
                        self.refer(instruction, name, Role::Mount, false);
                    }
                }
            }
            _ => {}
        }
    }

    fn from(&mut self, instruction: &Instruction) {
        let words = instruction.words();
        let name = stage_name(&words);
        // A named context with the name of a stage takes its place.
        let replaced = name.as_deref().is_some_and(|name| self.is_context(name));
        if let (Some(word), false) = (words.first(), replaced) {
            let asked = instruction.flag("platform");
            let other = asked.is_some_and(|platform| !platform.contains("TARGETPLATFORM"));
            self.refer(instruction, word, Role::From, other);
        }
        self.stages.push(name);
    }

    fn refer(&mut self, instruction: &Instruction, word: &str, role: Role, other_platform: bool) {
        let line = instruction.line;
        // The stage of a `FROM` is the next one.
        let stage = self.stages.len().checked_sub(usize::from(role != Role::From));
        let reached = stage
            .and_then(|stage| self.all.get(stage))
            .is_none_or(|stage| stage.reached);
        let (is_base, waits) = (Cell::new(false), Cell::new(false));
        let expanded = expand_with(word, self.file.escape, &|name| {
            is_base.set(is_base.get() || self.scope.base_arg == Some(name));
            waits.set(waits.get() || self.open.contains(name));
            self.globals.get(name).cloned()
        });
        if is_base.get() && role == Role::From {
            self.found.base.insert(line);
            return;
        }
        if waits.get() {
            self.found.open.insert(word.to_owned());
            return;
        }
        let Some(image) = expanded.filter(|image| !image.is_empty()) else {
            self.found
                .unclear
                .insert((line, instruction.of_base, word.to_owned()));
            return;
        };
        let is_stage = self
            .stages
            .iter()
            .flatten()
            .any(|stage| *stage == image.to_lowercase());
        // A mount goes by names only.
        let is_number = role == Role::Copy
            && image
                .parse::<usize>()
                .is_ok_and(|index| index < self.stages.len());
        if self.is_context(&image) || is_stage || is_number || image == "scratch" {
            return;
        }
        self.found.external.insert(Reference {
            image,
            line,
            of_base: instruction.of_base,
            reached,
            role,
            other_platform,
        });
    }

    /// Whether a named context has this name, which is then used.
    fn is_context(&mut self, name: &str) -> bool {
        let same = |context: &&&str| familiar(context).eq_ignore_ascii_case(familiar(name));
        let context = self.scope.contexts.iter().find(same);
        self.found
            .contexts
            .extend(context.map(|context| (*context).to_owned()));
        context.is_some()
    }
}
