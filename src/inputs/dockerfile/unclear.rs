//! What a reader of a Dockerfile cannot know. Where there is any of it, the whole context counts for the image, so that its identity is safe.
//! It follows from the text and the names of the arguments, never from their values or from a platform: the same files always count.

use super::expand::expand_with;
use super::parse::{Dockerfile, Instruction};
use super::references::{Scope, declared, globals};
use super::sources::local_words;
use super::stages::{Base, mounts, stages};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// The instructions, and the flags of those that take from a context.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];
const FLAGS: [(&str, &[&str]); 4] = [
    (
        "ADD",
        &[
            "checksum",
            "chmod",
            "chown",
            "exclude",
            "keep-git-dir",
            "link",
            "unpack",
        ],
    ),
    ("COPY", &["chmod", "chown", "exclude", "from", "link", "parents"]),
    ("FROM", &["platform"]),
    ("RUN", &["device", "mount", "network", "security"]),
];
/// What BuildKit tells of a platform: behind `TARGET` and `BUILD`.
const PLATFORM: [&str; 4] = ["PLATFORM", "OS", "ARCH", "VARIANT"];
const MOUNTS: [&str; 5] = ["bind", "cache", "secret", "ssh", "tmpfs"];

/// What cannot be known of a Dockerfile: lines, from 1, and what is there; sorted. `given` are the names of the arguments that its build gets.
#[must_use]
pub fn unclear(file: &Dockerfile, given: &[&str]) -> Vec<(usize, String)> {
    let mut found: BTreeSet<(usize, String)> = file.odd.iter().cloned().collect();
    if let Some(syntax) = file.syntax.as_deref().filter(|syntax| !is_dockers(syntax)) {
        found.insert((
            file.syntax_line,
            format!("the frontend `{syntax}`, which may read it in its own way"),
        ));
    }
    for instruction in &file.instructions {
        let trigger = instruction.trigger();
        one(trigger.as_ref().unwrap_or(instruction), &mut found);
    }
    variables(file, given, &mut found);
    found.into_iter().collect()
}

/// Whether a frontend is Docker's own, in any of its versions.
fn is_dockers(syntax: &str) -> bool {
    let name = syntax.strip_prefix("docker.io/").unwrap_or(syntax);
    let name = name.split(['@', ':']).next().unwrap_or(name);
    matches!(name, "docker/dockerfile" | "docker/dockerfile-upstream")
}

fn one(instruction: &Instruction, found: &mut BTreeSet<(usize, String)>) {
    let keyword = instruction.keyword.as_str();
    if !INSTRUCTIONS.contains(&keyword) {
        found.insert((
            instruction.line,
            format!("the instruction `{}`", shortened(keyword)),
        ));
        return;
    }
    for (name, _) in &instruction.flags {
        let known = FLAGS.iter().find(|(of, _)| *of == keyword);
        if known.is_some_and(|(_, flags)| !flags.contains(&name.as_str())) {
            found.insert((instruction.line, format!("`{keyword} --{}`", shortened(name))));
        }
    }
    if keyword == "RUN" {
        for mount in mounts(instruction) {
            if let Some(kind) = mount.get("type")
                && !MOUNTS.iter().any(|known| kind.eq_ignore_ascii_case(known))
            {
                found.insert((instruction.line, format!("a mount of type `{}`", shortened(kind))));
            }
        }
    }
}

/// Variables in sources that only an image from elsewhere could have set.
fn variables(file: &Dockerfile, given: &[&str], found: &mut BTreeSet<(usize, String)>) {
    let scope = Scope::default();
    let globals = globals(file, &scope, None);
    // An `ARG` without any value leaves what the base may have set.
    let valued = |name: &str| {
        let of_platform = name.strip_prefix("TARGET").or_else(|| name.strip_prefix("BUILD"));
        of_platform.is_some_and(|part| PLATFORM.contains(&part))
            || globals.contains_key(name)
            || given.contains(&name)
    };
    let mut names: Vec<(BTreeSet<String>, bool)> = Vec::new();
    for stage in stages(file, &scope, None) {
        let handed_on = match stage.base {
            Base::Stage(at) => names.get(at).cloned(),
            _ => None,
        };
        let (mut known, outside) =
            handed_on.unwrap_or_else(|| (BTreeSet::new(), stage.base != Base::Scratch));
        for command in &stage.commands {
            match command.keyword.as_str() {
                "ARG" => known.extend(command.words().iter().filter_map(|word| {
                    let (name, default) = declared(word);
                    (default.is_some() || valued(name)).then(|| name.to_owned())
                })),
                "ENV" => known.extend(command.pairs().into_iter().map(|(name, _)| name)),
                _ => {}
            }
            for word in context_words(command) {
                let unknown = unknown(&word, command.escape, &known);
                match unknown {
                    None => {
                        let text = format!("`{}`, whose form is not known", shortened(&word));
                        found.insert((command.line, text));
                    }
                    Some(names) if outside => found.extend(names.into_iter().map(|name| {
                        let text = format!(
                            "`${name}` in `{}`, which only the base could have set",
                            shortened(&word)
                        );
                        (command.line, text)
                    })),
                    Some(_) => {}
                }
            }
        }
        names.push((known, outside));
    }
}

/// What an instruction takes from the main context, as written.
fn context_words(instruction: &Instruction) -> Vec<String> {
    match instruction.keyword.as_str() {
        "COPY" | "ADD" if instruction.flag("from").is_none() => local_words(instruction),
        "RUN" => mounts(instruction)
            .filter_map(|mount| mount.source().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// Names in the word that nothing declares; `None` where the word's form is not known.
fn unknown(word: &str, escape: char, known: &BTreeSet<String>) -> Option<Vec<String>> {
    let missing = RefCell::new(BTreeSet::new());
    // A value, so that `${NAME:?}` is no error.
    let expanded = expand_with(word, escape, &|name| {
        if !known.contains(name) {
            missing.borrow_mut().insert(name.to_owned());
        }
        Some("x".to_owned())
    });
    expanded.map(|_| missing.into_inner().into_iter().collect())
}

/// The beginning of a text that may be of any length.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
