//! `[versions]`, and what refers to it.

use super::Resolver;
use crate::config::VersionSource;
use crate::config::document::{Field, Map, Placed, did_you_mean};
use crate::config::raw::RawVersion;
use indexmap::IndexMap;

impl Resolver<'_, '_> {
    fn version_names(&self) -> impl Iterator<Item = &str> {
        self.raw.versions.value().into_iter().flat_map(Map::names)
    }

    /// Notes that something refers to a version; `Some` with message and hint when there is none of that name.
    pub(super) fn refer_to_version(&mut self, name: &str) -> Option<(String, String)> {
        if matches!(self.raw.versions, Field::Bad) || self.version_names().any(|known| known == name) {
            self.used_versions.insert(name.to_owned());
            return None;
        }
        let near = did_you_mean(name, self.version_names());
        let hint = near.unwrap_or_else(|| format!("add `{name} = {{ … }}` to `[versions]`"));
        Some((format!("there is no `{name}` in `[versions]`"), hint))
    }

    /// The names that an image's build gets as arguments.
    pub(super) fn versions_of_image(&mut self, names: Option<&Placed<Vec<Placed<String>>>>) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for name in names.into_iter().flat_map(|names| &names.value) {
            if let Some((message, hint)) = self.refer_to_version(&name.value) {
                self.error(&name.span, format!("{}: {message}", name.label), hint);
            } else if kept.contains(&name.value) {
                let message = format!("{}: `{}` is listed twice", name.label, name.value);
                self.error(&name.span, message, "keep one of them".to_owned());
            } else {
                kept.push(name.value.clone());
            }
        }
        kept
    }

    /// The sources in `[versions]`, each checked.
    pub(super) fn version_sources(&mut self) -> IndexMap<String, VersionSource> {
        let entries = self.raw.versions.value().map_or(&[][..], |versions| &versions.0);
        let mut sources = IndexMap::new();
        for entry in entries {
            if let Some(source) = entry.value.value().and_then(|raw| self.version_source(raw)) {
                sources.insert(entry.name.clone(), source);
            }
        }
        sources
    }

    /// Warns of versions that nothing uses. To be called when everything else was seen.
    pub(super) fn warn_of_unused_versions(&mut self) {
        for entry in self.raw.versions.value().map_or(&[][..], |versions| &versions.0) {
            if !self.used_versions.contains(&entry.name) && entry.value.given().is_some() {
                let message = format!("no image uses `{}` of `[versions]`", entry.name);
                let hint = "list it in an image's `versions`, or leave it out".to_owned();
                self.reader.warning(&entry.key, message, Some(hint));
            }
        }
    }

    fn version_source(&mut self, raw: &RawVersion) -> Option<VersionSource> {
        let subject = raw.subject()?;
        if subject.value.trim().is_empty() {
            self.error(&subject.span, format!("{} is empty", subject.label), None);
            return None;
        }
        let text = subject.value.clone();
        match raw {
            RawVersion::Npm(npm) => {
                if !is_npm_name(&text) {
                    let message = format!("{}: `{text}` is not the name of an npm package", subject.label);
                    let hint = "write `name` or `@scope/name`, without a version".to_owned();
                    self.error(&subject.span, message, hint);
                }
                let range = npm.range.given();
                if let Some(range) = range.filter(|range| range.value.trim().is_empty()) {
                    let hint = "write a dist-tag, a version or a range, or leave it out for `latest`";
                    self.error(&range.span, format!("{} is empty", range.label), hint.to_owned());
                }
                Some(VersionSource::Npm {
                    package: text,
                    range: range.map_or_else(|| "latest".to_owned(), |range| range.value.clone()),
                })
            }
            RawVersion::Git(git) => {
                self.check_git_url(subject);
                let reference = git.reference.given();
                if let Some(reference) = reference.filter(|reference| !is_git_reference(&reference.value)) {
                    let message = format!(
                        "{}: `{}` is not a branch, tag or ref",
                        reference.label, reference.value
                    );
                    self.error(&reference.span, message, None);
                }
                Some(VersionSource::Git {
                    url: text,
                    reference: reference
                        .map_or_else(|| "HEAD".to_owned(), |reference| reference.value.clone()),
                })
            }
            RawVersion::Command(command) => {
                let words = command.command.given()?;
                if words.value.first().is_none_or(|program| program.value.is_empty()) {
                    let hint = "write the program and its arguments, one string each".to_owned();
                    self.error(&words.span, format!("{} is empty", words.label), hint);
                }
                Some(VersionSource::Command {
                    command: words.value.iter().map(|word| word.value.clone()).collect(),
                    pattern: text,
                })
            }
            RawVersion::Value(_) => Some(VersionSource::Value { value: text }),
        }
    }

    fn check_git_url(&mut self, url: &Placed<String>) {
        let text = &url.value;
        let user = text
            .split_once("://")
            .and_then(|(_, rest)| rest.split('/').next())
            .and_then(|authority| authority.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) {
            self.reader.hide(&url.span);
            let hint = "leave it out, and let git's credential helper or ssh give it".to_owned();
            self.error(&url.span, format!("{} holds a password", url.label), hint);
        } else if text.starts_with('-') || text.contains(char::is_whitespace) {
            self.error(
                &url.span,
                format!("{}: `{text}` is not the URL of a repository", url.label),
                None,
            );
        }
    }
}

/// A branch, tag or full ref, by the rules of `git check-ref-format` that matter on a command line.
fn is_git_reference(text: &str) -> bool {
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\')
    };
    !text.is_empty() && !text.starts_with('-') && !text.contains(odd) && !text.contains("..")
}

/// An npm package name: `name` or `@scope/name`.
fn is_npm_name(text: &str) -> bool {
    let word = |word: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
        !word.is_empty() && !word.starts_with('.') && word.bytes().all(known)
    };
    match text.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| word(scope) && word(name)),
        None => word(text),
    }
}
