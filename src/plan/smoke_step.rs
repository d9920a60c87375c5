//! A smoke step: what is run, with which environment.

use super::images::ImageState;
use super::render::Scope;
use super::{Options, PlanError, SmokeStep};
use crate::config::{Family, Image};
use crate::domain::{IdentityTags, Platform};
use crate::facts::{Facts, PlatformImage};
use std::collections::BTreeMap;

/// The smoke test of `image` for `platform`.
pub(super) fn smoke_step(
    family: &Family,
    image: &Image,
    platform: &Platform,
    state: &ImageState<'_>,
    facts: &Facts,
    options: &Options,
) -> Result<SmokeStep, PlanError> {
    let missing = |what: String| PlanError::MissingFact(what);
    let smoke = image
        .smoke
        .as_ref()
        .ok_or_else(|| missing(format!("the smoke test of {}", image.id)))?;
    let identity = state
        .fact
        .smoke
        .ok_or_else(|| missing(format!("the smoke identity of {}", image.id)))?;
    let scope = Scope {
        family,
        image,
        version: options.version.as_ref(),
        revision: facts.revision.as_deref(),
        platform: Some(platform),
        versions: &facts.versions,
    };
    let render = |template| {
        scope
            .render(template)
            .map_err(|name| missing(format!("a value for `{{{name}}}` of {}", image.id)))
    };
    let (mut env, mut env_open) = (expected(image, facts), BTreeMap::new());
    for (name, template) in &smoke.env {
        if template.placeholders().any(|name| name.starts_with("env.")) {
            env_open.insert(name.clone(), template.fill(|name| scope.lookup(name)));
        } else {
            env.insert(name.clone(), render(template)?);
        }
    }
    Ok(SmokeStep {
        image: image.id.clone(),
        platform: platform.clone(),
        repository: family.work().clone(),
        digest: state
            .platforms
            .get(platform)
            .and_then(super::images::Decision::used)
            .map(PlatformImage::digest),
        receipt: IdentityTags::new(&image.id, &state.fact.identity).receipt(platform, &identity),
        command: smoke.command.iter().map(render).collect::<Result<_, _>>()?,
        env,
        env_open,
        timeout: smoke.timeout,
        max_size: smoke.max_size,
    })
}

/// `EXPECTED_<NAME>` for each version that the image is built with.
pub(crate) fn expected(image: &Image, facts: &Facts) -> BTreeMap<String, String> {
    let value = |name: &String| {
        let resolved = facts.versions.get(name)?;
        Some((format!("EXPECTED_{name}"), resolved.version.clone()))
    };
    image.versions.iter().filter_map(value).collect()
}
