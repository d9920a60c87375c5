//! What was added, removed or changed from one list of inputs to another, and how that is said. Pure.

use super::entry::InputEntry;
use super::list::InputList;
use super::values::{NamedValue, ValueKind};
use crate::domain::Digest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The hash that the identity is.
    Format,
    /// Which file is the Dockerfile.
    Dockerfile,
    /// A file, symlink or empty folder.
    File,
    /// A value, by its kind.
    #[serde(untagged)]
    Value(ValueKind),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeWord {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another one.
    Changed,
}

/// What changed of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// File, symlink or directory.
    Type,
    /// Its bytes, or the target of a symlink.
    Content,
    /// Whether its owner may execute it.
    ExecBit,
}

/// One input that was added, removed or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is.
    pub kind: Subject,
    /// Path of a file, name of a value; empty where there is but one of the kind.
    pub name: String,
    /// What became of it.
    pub change: ChangeWord,
    /// Digest of a file, or the value, as it was.
    pub before: Option<String>,
    /// Digest of a file, or the value, as it is.
    pub after: Option<String>,
    /// Of a file that changed: what of it.
    pub aspects: Vec<Aspect>,
    /// Of a version: what it is a version of, the npm package or the git repository.
    pub source: Option<String>,
    /// Of a base that changed: what changed in it. Empty where that is not known.
    pub because: Vec<Change>,
}

/// What changed from `before` to `after`: what the hash is, files by path, values by kind and name. `sources` tells what a version is one
/// of, by its build argument.
#[must_use]
pub fn changes(before: &InputList, after: &InputList, sources: &BTreeMap<String, String>) -> Vec<Change> {
    let mut found = Vec::new();
    for (kind, old, new) in [
        (Subject::Format, &before.format, &after.format),
        (Subject::Dockerfile, &before.dockerfile, &after.dockerfile),
    ] {
        found.extend(change(kind, "", Some(old.clone()), Some(new.clone())));
    }
    found.extend(files(&before.files, &after.files));
    found.extend(values(&before.values, &after.values));
    for change in &mut found {
        if change.kind == Subject::Value(ValueKind::Version) {
            change.source = sources.get(&change.name).cloned();
        }
    }
    found
}

fn change(kind: Subject, name: &str, before: Option<String>, after: Option<String>) -> Option<Change> {
    let word = match (&before, &after) {
        (None, None) => return None,
        (Some(before), Some(after)) if before == after => return None,
        (Some(_), Some(_)) => ChangeWord::Changed,
        (Some(_), None) => ChangeWord::Removed,
        (None, Some(_)) => ChangeWord::Added,
    };
    Some(Change {
        kind,
        name: name.to_owned(),
        change: word,
        before,
        after,
        aspects: Vec::new(),
        source: None,
        because: Vec::new(),
    })
}

fn files(before: &[InputEntry], after: &[InputEntry]) -> Vec<Change> {
    fn by_path(files: &[InputEntry]) -> BTreeMap<&str, &InputEntry> {
        files.iter().map(|file| (file.path.as_str(), file)).collect()
    }
    let (before, after) = (by_path(before), by_path(after));
    let paths: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let mut found = Vec::new();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        let digest = |file: &&InputEntry| file.digest.to_string();
        let (Some(old), Some(new)) = (old, new) else {
            found.extend(change(Subject::File, path, old.map(digest), new.map(digest)));
            continue;
        };
        let aspects: Vec<Aspect> = [
            (old.kind != new.kind, Aspect::Type),
            ((old.digest, old.size) != (new.digest, new.size), Aspect::Content),
            (old.executable != new.executable, Aspect::ExecBit),
        ]
        .into_iter()
        .filter_map(|(differs, aspect)| differs.then_some(aspect))
        .collect();
        if !aspects.is_empty() {
            found.push(Change {
                kind: Subject::File,
                name: path.to_owned(),
                change: ChangeWord::Changed,
                before: Some(old.digest.to_string()),
                after: Some(new.digest.to_string()),
                aspects,
                source: None,
                because: Vec::new(),
            });
        }
    }
    found
}

fn values(before: &[NamedValue], after: &[NamedValue]) -> Vec<Change> {
    let kinds: BTreeSet<ValueKind> = before.iter().chain(after).map(|value| value.kind).collect();
    let mut found = Vec::new();
    for kind in kinds {
        let (old, new) = (of_kind(before, kind), of_kind(after, kind));
        // Those that have no name but their place: one that is put in before others moves them.
        if matches!(kind, ValueKind::Extra | ValueKind::Flag) && old.len() != new.len() {
            found.extend(unplaced(kind, &old, &new));
            continue;
        }
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for name in names {
            let text = |values: &BTreeMap<&str, &str>| values.get(name).map(|&value| value.to_owned());
            found.extend(change(Subject::Value(kind), name, text(&old), text(&new)));
        }
    }
    found
}

fn of_kind(values: &[NamedValue], kind: ValueKind) -> BTreeMap<&str, &str> {
    values
        .iter()
        .filter(|value| value.kind == kind)
        .map(|value| (value.name.as_str(), value.value.as_str()))
        .collect()
}

/// Values that are in one of two and not in the other, as often as they are.
fn unplaced(kind: ValueKind, old: &BTreeMap<&str, &str>, new: &BTreeMap<&str, &str>) -> Vec<Change> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for &value in old.values() {
        counts.entry(value).or_default().0 += 1;
    }
    for &value in new.values() {
        counts.entry(value).or_default().1 += 1;
    }
    let mut found = Vec::new();
    for (value, (old, new)) in counts {
        let text = || Some(value.to_owned());
        let removed = (new..old).filter_map(|_| change(Subject::Value(kind), "", text(), None));
        let added = (old..new).filter_map(|_| change(Subject::Value(kind), "", None, text()));
        found.extend(removed.chain(added));
    }
    found
}

impl Change {
    /// What it is about, as people call it: a path, a package, an argument.
    #[must_use]
    pub fn subject(&self) -> String {
        match self.kind {
            Subject::Format => "format".to_owned(),
            Subject::Dockerfile => "dockerfile".to_owned(),
            Subject::Value(ValueKind::Version) => self.source.clone().unwrap_or_else(|| self.name.clone()),
            Subject::File | Subject::Value(ValueKind::Arg | ValueKind::Upstream) => self.name.clone(),
            // Named by their place.
            Subject::Value(kind @ (ValueKind::Extra | ValueKind::Flag)) => kind.as_str().to_owned(),
            Subject::Value(kind) if self.name.is_empty() => kind.as_str().to_owned(),
            Subject::Value(kind) => format!("{} {}", kind.as_str(), self.name),
        }
    }

    /// What became of it: `changed`, `2.2.23 → 2.2.24`, `x86 removed`.
    #[must_use]
    pub fn account(&self) -> String {
        let word = match self.change {
            ChangeWord::Added => "added",
            ChangeWord::Removed => "removed",
            ChangeWord::Changed => "changed",
        };
        match self.kind {
            Subject::File => match self.aspects.as_slice() {
                [] | [Aspect::Content] => word.to_owned(),
                [Aspect::ExecBit] => "changed: exec bit".to_owned(),
                [Aspect::Type, ..] => "changed: type".to_owned(),
                _ => "changed: content and exec bit".to_owned(),
            },
            Subject::Value(ValueKind::Base) if self.change == ChangeWord::Changed => word.to_owned(),
            // They have no values here.
            Subject::Value(ValueKind::Secret | ValueKind::Ssh) => word.to_owned(),
            _ => match (&self.before, &self.after) {
                (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
                (Some(value), None) | (None, Some(value)) => format!("{} {word}", shown(value)),
                (None, None) => word.to_owned(),
            },
        }
    }

    /// It in one line, and what is behind it: `base: rootfs/etc/profile changed`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        if self.because.is_empty() {
            return vec![format!("{} {}", self.subject(), self.account())];
        }
        let subject = self.subject();
        let behind = self.because.iter().flat_map(Self::lines);
        behind.map(|line| format!("{subject}: {line}")).collect()
    }
}

/// All of it in one line: `rootfs/etc/profile changed, 1 more`. `None` where nothing changed.
#[must_use]
pub fn short(changes: &[Change]) -> Option<String> {
    let lines: Vec<String> = changes.iter().flat_map(Change::lines).collect();
    let first = lines.first()?;
    Some(match lines.len() {
        1 => first.clone(),
        count => format!("{first}, {} more", count - 1),
    })
}

/// A value as it is shown: digests and commits cut to 12 digits, long ones at 60 characters, nothing at all as `""`.
fn shown(value: &str) -> String {
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if let Ok(digest) = value.parse::<Digest>() {
        return format!("sha256:{}", digest.short());
    }
    if matches!(value.len(), 40 | 64) && hex(value) {
        return value.chars().take(12).collect();
    }
    if value.is_empty() {
        return "\"\"".to_owned();
    }
    let mut short: String = value.chars().take(60).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
