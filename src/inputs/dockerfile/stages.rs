//! The stages of a Dockerfile, and which of them a build of its target carries out.

use super::expand::{Variables, expand_with};
use super::parse::{Dockerfile, Instruction};
use super::references::{Scope, familiar, globals};
use super::words::mount_fields;
use crate::domain::Platform;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What an image has those do that are built on it: the `ONBUILD` instructions of its last stage, or of `target`.
#[must_use]
pub fn triggers(file: &Dockerfile, target: Option<&str>) -> Vec<Instruction> {
    let scope = Scope {
        target,
        ..Scope::default()
    };
    let stages = stages(file, &scope, None);
    let named = |name: &&str| {
        let lower = name.to_lowercase();
        let number = || name.parse().ok().and_then(|at: usize| stages.get(at));
        let same = |stage: &&Stage<'_>| stage.name.as_ref() == Some(&lower);
        stages.iter().rfind(same).or_else(number)
    };
    let stage = target.as_ref().and_then(named).or(stages.last());
    let triggers = stage.map(Stage::triggers).unwrap_or_default();
    triggers
        .into_iter()
        .map(|trigger| {
            let mut trigger = trigger.into_owned();
            trigger.of_base = true;
            trigger
        })
        .collect()
}

/// What a stage is built on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Stage(usize),
    Scratch,
    /// The base of the family.
    Family,
    /// An image, or a named context, of which nothing is known here.
    Outside,
}

/// One stage.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) name: Option<String>,
    pub(super) base: Base,
    /// What it carries out: the triggers of its base, and then its own instructions.
    pub(super) commands: Vec<Cow<'a, Instruction>>,
    /// How many of them are triggers of its base.
    pub(super) inherited: usize,
    /// Whether the build of the target carries it out.
    pub(super) reached: bool,
}

/// The stages, in order, as they are for one platform; with none, whatever names a platform has no value.
pub(super) fn stages<'a>(
    file: &'a Dockerfile,
    scope: &Scope<'a>,
    platform: Option<&Platform>,
) -> Vec<Stage<'a>> {
    let globals = globals(file, scope, platform);
    let mut found: Vec<Stage<'a>> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    // Of a stage that a named context takes the place of, nothing is carried out.
    let mut replaced = false;
    for instruction in &file.instructions {
        if instruction.keyword == "FROM" {
            let words = instruction.words();
            let name = stage_name(&words);
            let word = words.first().map(String::as_str).unwrap_or_default();
            replaced = name.as_deref().is_some_and(|name| is_context(scope, name));
            let base = if replaced {
                Base::Outside
            } else {
                base(word, file.escape, scope, &globals, &names)
            };
            let triggers = match base {
                Base::Stage(at) => found.get(at).map(Stage::triggers).unwrap_or_default(),
                Base::Family => scope.triggers.iter().map(Cow::Borrowed).collect(),
                Base::Scratch | Base::Outside => Vec::new(),
            };
            names.extend(name.clone().map(|name| (name, found.len())));
            found.push(Stage {
                name,
                base,
                inherited: triggers.len(),
                commands: triggers,
                reached: false,
            });
        } else if let Some(stage) = found.last_mut()
            && !replaced
        {
            stage.commands.push(Cow::Borrowed(instruction));
        }
    }
    reach(&mut found, &names, scope);
    found
}

impl<'a> Stage<'a> {
    fn triggers(&self) -> Vec<Cow<'a, Instruction>> {
        let triggers = self.commands.iter().filter_map(|command| command.trigger());
        triggers.map(Cow::Owned).collect()
    }
}

/// The name that a `FROM` with these words gives its stage.
pub(super) fn stage_name(words: &[String]) -> Option<String> {
    match words {
        [_, word, name] if word.eq_ignore_ascii_case("as") => Some(name.to_lowercase()),
        _ => None,
    }
}

fn base(
    word: &str,
    escape: char,
    scope: &Scope<'_>,
    globals: &Variables,
    names: &BTreeMap<String, usize>,
) -> Base {
    let of_family = std::cell::Cell::new(false);
    let image = expand_with(word, escape, &|name| {
        of_family.set(of_family.get() || scope.base_arg == Some(name));
        globals.get(name).cloned()
    });
    if of_family.get() {
        return Base::Family;
    }
    let Some(image) = image else { return Base::Outside };
    match names.get(&image.to_lowercase()) {
        Some(at) => Base::Stage(*at),
        None if image == "scratch" => Base::Scratch,
        None => Base::Outside,
    }
}

fn is_context(scope: &Scope<'_>, name: &str) -> bool {
    let mut contexts = scope.contexts.iter();
    contexts.any(|context| familiar(context).eq_ignore_ascii_case(familiar(name)))
}

/// Marks the stages that the target needs: that of its name or number, or the last one.
fn reach(stages: &mut [Stage<'_>], names: &BTreeMap<String, usize>, scope: &Scope<'_>) {
    let named = |name: &str| names.get(&name.to_lowercase()).copied();
    let count = stages.len();
    let last = count.checked_sub(1);
    let target = scope.target.and_then(|target| {
        let number = || target.parse().ok().filter(|at| *at < count);
        named(target).or_else(number)
    });
    let mut waiting: Vec<usize> = target.or(last).into_iter().collect();
    while let Some(at) = waiting.pop() {
        let Some(stage) = stages.get_mut(at).filter(|stage| !stage.reached) else {
            continue;
        };
        stage.reached = true;
        if let Base::Stage(base) = stage.base {
            waiting.push(base);
        }
        for command in &stage.commands {
            match command.keyword.as_str() {
                "COPY" => {
                    let from = command.flag("from");
                    let number = from.and_then(|from| from.parse().ok());
                    waiting.extend(match number {
                        Some(number) => Some(number).filter(|at| *at < count),
                        None => from.and_then(named),
                    });
                }
                "RUN" => waiting.extend(mounts(command).filter_map(|mount| named(mount.get("from")?))),
                _ => {}
            }
        }
    }
}

/// One `--mount`.
pub(super) struct Mount(Vec<(String, String)>);

impl Mount {
    /// The last value of this key, as it counts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let mut fields = self.0.iter().rev();
        fields
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// What of the build context it shows, as written: the folder's or file's path. `None` where it shows none of it.
    pub(super) fn source(&self) -> Option<&str> {
        let binds = self
            .get("type")
            .is_none_or(|kind| kind.eq_ignore_ascii_case("bind"));
        let source = self.get("source").or_else(|| self.get("src"));
        (binds && self.get("from").is_none_or(str::is_empty)).then(|| source.unwrap_or("/"))
    }
}

/// The mounts of a `RUN`.
pub(super) fn mounts(instruction: &Instruction) -> impl Iterator<Item = Mount> {
    let mounts = instruction.flags.iter().filter(|(name, _)| name == "mount");
    mounts.map(|(_, value)| Mount(mount_fields(value)))
}
