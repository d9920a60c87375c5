//! `[cache]`, `[release]`, `[retry]` and `[prune]`.

use super::Resolver;
use super::placeholders::Scope;
use crate::config::document::Placed;
use crate::config::raw::Prereleases;
use crate::config::raw::Promote;
use crate::config::{Cache, CacheTo, Prune, Release, Retry, Template};
use crate::domain::{Digest, Repository, Tag};

impl Resolver<'_, '_> {
    pub(super) fn cache(&mut self) -> Cache {
        let Some(raw) = self.raw.cache.value() else {
            return Cache {
                from: Vec::new(),
                to: CacheTo::Registry,
            };
        };
        for reference in raw.from.value().into_iter().flatten() {
            if !reference.value.contains('=') && !is_reference(&reference.value) {
                let message = format!(
                    "{}: `{}` is not an image reference",
                    reference.label, reference.value
                );
                let hint = "write `[HOST[:PORT]/]PATH:TAG`, or a whole `--cache-from` value like `type=…`"
                    .to_owned();
                self.error(&reference.span, message, hint);
            }
        }
        let from = raw
            .from
            .value()
            .into_iter()
            .flatten()
            .map(|reference| reference.value.clone());
        Cache {
            from: from.collect(),
            to: raw.to.given().map_or(CacheTo::Registry, |to| self.cache_to(to)),
        }
    }

    fn cache_to(&mut self, to: &Placed<Template>) -> CacheTo {
        let text = to.value.to_string();
        match text.as_str() {
            "registry" => return CacheTo::Registry,
            "none" => return CacheTo::None,
            _ => {}
        }
        let good = self.check_placeholders(to, Scope::CacheTo);
        if !text.contains("type=") {
            let message = format!("{}: `{text}` is not a place for build cache", to.label);
            let hint = "write `registry`, `none`, or a whole `--cache-to` value like `type=…`".to_owned();
            self.error(&to.span, message, hint);
        } else if good {
            let absent = ["image", "arch"]
                .into_iter()
                .find(|wanted| to.value.placeholders().all(|name| name != *wanted));
            if let Some(absent) = absent {
                let message = format!(
                    "{}: without `{{{absent}}}` builds overwrite each other's cache",
                    to.label
                );
                let hint = "put `{image}` and `{arch}` into it".to_owned();
                self.reader.warning(&to.span, message, Some(hint));
            }
        }
        CacheTo::Custom(to.value.clone())
    }

    pub(super) fn release(&self) -> Release {
        let raw = self.raw.release.value();
        let promote = raw.and_then(|raw| raw.promote.value());
        let prereleases = raw.and_then(|raw| raw.prereleases.value());
        Release {
            promote: promote.is_none_or(|promote| *promote == Promote::Auto),
            prereleases_take_aliases: prereleases.is_some_and(|aliases| *aliases == Prereleases::Aliases),
            stamp_version: self.stamp_version,
        }
    }

    pub(super) fn prune(&mut self) -> Prune {
        let usual = Prune::default();
        let Some(raw) = self.raw.prune.value() else {
            return usual;
        };
        if let Some(releases) = raw.keep_releases.given().filter(|releases| releases.value == 0) {
            let hint = "the newest release is always kept: write 1 for that one alone".to_owned();
            self.error(&releases.span, format!("{} is less than 1", releases.label), hint);
        }
        Prune {
            keep_releases: raw.keep_releases.value().copied().unwrap_or(usual.keep_releases),
            keep_younger_than: raw
                .keep_younger_than
                .value()
                .copied()
                .unwrap_or(usual.keep_younger_than),
            keep: raw.keep.value().map_or(usual.keep, |patterns| {
                patterns.iter().map(|pattern| pattern.value.clone()).collect()
            }),
        }
    }

    pub(super) fn retry(&mut self) -> Retry {
        let usual = Retry::default();
        let Some(raw) = self.raw.retry.value() else {
            return usual;
        };
        if let Some(attempts) = raw.attempts.given().filter(|attempts| attempts.value == 0) {
            let hint = "1 is a single attempt".to_owned();
            self.error(&attempts.span, format!("{} is less than 1", attempts.label), hint);
        }
        let delays = raw.delays.value();
        Retry {
            attempts: raw.attempts.value().copied().unwrap_or(usual.attempts),
            delays: delays.map_or(usual.delays, |delays| {
                delays.iter().map(|delay| delay.value).collect()
            }),
            build: raw.build.value().copied().unwrap_or(usual.build),
            budget: raw.budget.value().copied().unwrap_or(usual.budget),
        }
    }
}

/// A reference as docker takes it: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
pub(super) fn is_reference(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, digest.parse::<Digest>().is_ok()),
        None => (text, true),
    };
    // A colon after the last slash begins a tag, before it a port.
    let (folders, name) = rest.split_at(rest.rfind('/').map_or(0, |at| at + 1));
    let (name, tag) = match name.split_once(':') {
        Some((name, tag)) => (name, tag.parse::<Tag>().is_ok()),
        None => (name, true),
    };
    digest && tag && format!("{folders}{name}").parse::<Repository>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for text in [
            "docker.io/acme/devbox:base-buildcache",
            "localhost:5000/x",
            "debian",
            "a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            assert!(is_reference(text), "{text}");
        }
        for text in ["", "Acme/x", "a/b:", "a/b@sha256:1", "a b"] {
            assert!(!is_reference(text), "{text}");
        }
    }
}
