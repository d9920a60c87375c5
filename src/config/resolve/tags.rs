//! Tags and aliases: each is right on its own, and no two images want the same.

use super::Resolver;
use super::placeholders::Scope;
use crate::config::document::Placed;
use crate::config::{TagError, Template, render_tag};
use crate::domain::{ImageId, Repository, Tag, Version, Versioning};
use std::collections::BTreeMap;

/// Whether a tag is written once or moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Release,
    Alias,
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Release => "a release tag",
            Self::Alias => "an alias",
        }
    }
}

/// A tag that an image wants, good on its own.
pub(super) struct Claim {
    image: ImageId,
    /// Where, when not in the family's repository.
    repository: Option<Repository>,
    kind: Kind,
    template: Placed<Template>,
}

/// Versions to try templates with: with and without a `v`, as both are the same number, and with numbers that nobody writes by hand.
fn samples(versioning: Versioning) -> Vec<Version> {
    let texts: &[&str] = match versioning {
        Versioning::Semver | Versioning::SemverLetter => &["v7919.7927.7933", "7919.7927.7933"],
        Versioning::Calver => &["v7919.7927.7933", "7919.7927"],
        Versioning::None => &["v7919"],
    };
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

impl Resolver<'_, '_> {
    /// The tags of one kind of one image; the good ones are added to `claims`.
    pub(super) fn tags(
        &mut self,
        image: &ImageId,
        repository: Option<&Repository>,
        kind: Kind,
        templates: &[Placed<Template>],
        claims: &mut Vec<Claim>,
    ) -> Vec<Template> {
        for template in templates {
            if self.check_tag(image, kind, template) {
                claims.push(Claim {
                    image: image.clone(),
                    repository: repository.cloned(),
                    kind,
                    template: template.clone(),
                });
            }
        }
        templates.iter().map(|template| template.value.clone()).collect()
    }

    fn check_tag(&mut self, image: &ImageId, kind: Kind, template: &Placed<Template>) -> bool {
        if !self.check_placeholders(template, Scope::Tag) {
            return false;
        }
        let names = || template.value.placeholders();
        let number = names().find(|name| matches!(*name, "major" | "minor" | "patch"));
        if let Some(name) = number.filter(|_| self.versioning == Versioning::None) {
            let message = format!("{}: `versioning = \"none\"` has no `{{{name}}}`", template.label);
            self.error(&template.span, message, "set `[family] versioning`".to_owned());
            return false;
        }
        let mut good = true;
        if kind == Kind::Release && !names().any(|name| name == "version") {
            let message = format!(
                "{}: `{}` is the same for every version",
                template.label, template.value
            );
            let hint = "release tags are written once: put `{version}` into it, or list it under `aliases`";
            self.error(&template.span, message, hint.to_owned());
            good = false;
        }
        let literal = template
            .value
            .literals()
            .find_map(|text| text.parse::<Tag>().ok().filter(Tag::has_machine_form));
        let outcome = samples(self.versioning).first().map_or(Ok(None), |version| {
            render_tag(
                &template.value,
                &self.family_name(),
                image,
                version,
                self.versioning,
            )
            .map(Some)
        });
        let problem = match (outcome, literal) {
            (Err(TagError::MachineForm(_)), _) | (Ok(_), Some(_)) => Some((
                format!("`{}` has the form of a machine tag", template.value),
                "rename it: `base-<12 hex>`, `variant-…-<12 hex>`, `cache-…` and `_release…` are splitbase's own"
                    .to_owned(),
            )),
            (Err(TagError::Grammar(error)), _) => Some((
                format!("`{}` does not make a tag: `{}`", template.value, error.text),
                "a tag is 1 to 128 characters of `A-Z a-z 0-9 _ . -`, the first a letter, digit or `_`".to_owned(),
            )),
            (Err(error), _) => Some((error.to_string(), "use `{version}`".to_owned())),
            (Ok(_), None) => None,
        };
        if let Some((message, hint)) = problem {
            self.error(&template.span, format!("{}: {message}", template.label), hint);
            return false;
        }
        good
    }

    /// Notes tags that two images want, or one image twice, or that are both written once and moved.
    pub(super) fn check_claims(&mut self, claims: &[Claim]) {
        for version in samples(self.versioning) {
            let mut taken: BTreeMap<(Option<&Repository>, Tag), &Claim> = BTreeMap::new();
            for claim in claims {
                let (template, family) = (&claim.template, self.family_name());
                let Ok(tag) = render_tag(&template.value, &family, &claim.image, &version, self.versioning)
                else {
                    continue;
                };
                let place = (claim.repository.as_ref(), tag);
                let Some(first) = taken.get(&place) else {
                    taken.insert(place, claim);
                    continue;
                };
                let (message, hint) = if first.image == claim.image && first.kind == claim.kind {
                    let message = format!("`{}` is listed twice for `{}`", template.value, claim.image);
                    (message, "keep one of them")
                } else {
                    let (image, own) = (&first.image, &claim.image);
                    let message = format!(
                        "`{}` of `{own}` is also {} of `{image}`: `{}`",
                        template.value,
                        first.kind.noun(),
                        first.template.value
                    );
                    (message, "a tag points at one image only: rename one of them")
                };
                self.error(
                    &template.span,
                    format!("{}: {message}", template.label),
                    hint.to_owned(),
                );
            }
        }
    }

    /// The family's name, or something of its form when it has none.
    pub(super) fn family_name(&self) -> String {
        let name = self.raw.family.value().and_then(|family| family.name.value());
        name.cloned().unwrap_or_else(|| "family".to_owned())
    }
}
