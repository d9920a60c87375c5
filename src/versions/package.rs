//! A package document of an npm registry, and which of its versions is meant.

use super::error::Failure;
use crate::failure::{Place, Trouble};
use nodejs_semver::{Range, Version};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is read of a package document, abbreviated or whole.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    #[serde(rename = "dist-tags", default)]
    pub(super) dist_tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) versions: BTreeMap<String, Release>,
}

/// One version in it.
#[derive(Debug, Deserialize)]
pub(super) struct Release {
    /// A text; some registries also write `false` or an empty text for "no".
    #[serde(default)]
    deprecated: Option<serde_json::Value>,
    #[serde(default)]
    dist: Option<Dist>,
}

#[derive(Debug, Deserialize)]
struct Dist {
    #[serde(default)]
    tarball: Option<String>,
}

impl Release {
    /// Why it should not be used any more, if it should not.
    pub(super) fn deprecated(&self) -> Option<&str> {
        match self.deprecated.as_ref()? {
            serde_json::Value::String(text) if !text.trim().is_empty() => Some(text),
            serde_json::Value::Bool(true) => Some("no reason is given"),
            _ => None,
        }
    }

    /// Where its archive lies.
    pub(super) fn tarball(&self) -> Option<&str> {
        self.dist.as_ref()?.tarball.as_deref()
    }
}

/// The version that was meant.
#[derive(Debug)]
pub(super) struct Picked<'a> {
    pub(super) version: &'a str,
    pub(super) release: &'a Release,
    /// Whether a dist-tag led to it.
    pub(super) by_tag: bool,
}

impl Package {
    /// The version that `wanted` means: a dist-tag, else an exact version, else the best one of a range, as npm chooses it.
    pub(super) fn pick(&self, wanted: &str) -> Result<Picked<'_>, Failure> {
        if self.versions.is_empty() {
            let reason = "the package document lists no versions";
            return Err(Failure::at(Place::NpmDocument, Trouble::Absent, reason)
                .hint("a package that was unpublished looks like this"));
        }
        let wanted = wanted.trim();
        if let Some(version) = self.dist_tags.get(wanted) {
            return self.tagged(wanted, version);
        }
        if let Some(version) = exact(wanted) {
            return self
                .at(&version, false)
                .ok_or_else(|| self.nothing(format!("there is no version {version}")));
        }
        match Range::parse(wanted) {
            Ok(range) => self.best(wanted, &range),
            Err(_) => Err(self.nothing(format!(
                "`{wanted}` is neither a dist-tag of the package nor a version or range"
            ))),
        }
    }

    fn at<'a>(&'a self, version: &str, by_tag: bool) -> Option<Picked<'a>> {
        let (version, release) = self.versions.get_key_value(version)?;
        Some(Picked {
            version,
            release,
            by_tag,
        })
    }

    /// The document is put together from parts: a tag may name a version that the other part does not have yet.
    fn tagged(&self, tag: &str, version: &str) -> Result<Picked<'_>, Failure> {
        self.at(version, true).ok_or_else(|| {
            let reason = format!(
                "the dist-tag `{tag}` has moved on to {version}, which the registry does not list yet"
            );
            Failure::at(Place::NpmDocument, Trouble::Behind, reason)
        })
    }

    /// `latest` if the range allows it, else the highest one, in both cases rather one that is not deprecated.
    fn best(&self, wanted: &str, range: &Range) -> Result<Picked<'_>, Failure> {
        let any = matches!(wanted, "" | "*");
        let latest = self
            .dist_tags
            .get("latest")
            .filter(|latest| {
                any || Version::parse(latest.as_str()).is_ok_and(|version| range.satisfies(&version))
            })
            .and_then(|latest| self.at(latest, false))
            .filter(|picked| picked.release.deprecated().is_none());
        if let Some(latest) = latest {
            return Ok(latest);
        }
        self.versions
            .iter()
            .filter_map(|(text, release)| Some((Version::parse(text).ok()?, text, release)))
            .filter(|(version, ..)| range.satisfies(version))
            .max_by(|(a, a_text, a_release), (b, b_text, b_release)| {
                let current = |release: &Release| release.deprecated().is_none();
                current(a_release)
                    .cmp(&current(b_release))
                    .then_with(|| a.cmp(b))
                    .then_with(|| a_text.cmp(b_text))
            })
            .map(|(_, version, release)| Picked {
                version,
                release,
                by_tag: false,
            })
            .ok_or_else(|| self.nothing(format!("no version of the package satisfies `{wanted}`")))
    }

    fn nothing(&self, reason: String) -> Failure {
        let tags: Vec<String> = self
            .dist_tags
            .iter()
            .take(8)
            .map(|(tag, version)| format!("{tag} = {version}"))
            .collect();
        let failure = Failure::at(Place::NpmDocument, Trouble::Absent, reason);
        if tags.is_empty() {
            return failure;
        }
        failure.hint(format!("its dist-tags are: {}", tags.join(", ")))
    }
}

/// An exact version as npm reads it: `=` and `v` may stand before it, and build metadata does not count.
fn exact(wanted: &str) -> Option<String> {
    let plain = wanted.trim_start_matches(['=', 'v', ' ']);
    let parsed = Version::parse(plain).ok()?;
    let text = parsed.to_string();
    (text == plain).then(|| text.split('+').next().unwrap_or_default().to_owned())
}
