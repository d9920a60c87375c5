//! Identities of all images, from their files and the values that are known.

use super::GatherError;
use super::period::period_of;
use crate::config::{Family, HashFormat, Image, Template};
use crate::domain::{Identity, ImageId};
use crate::facts::{Facts, ImageFacts};
use crate::inputs::{self, CanonicalList, Collected, IdentityInputs, NamedValue, ValueKind};
use crate::plan::{Options, PlanError, publish_values};
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// The canonical list of an image in `tree` format, with everything filled in.
///
/// # Errors
/// A version or another value is not known.
pub fn canonical_list(
    family: &Family,
    image: &Image,
    collected: &Collected,
    upstream: &[String],
    facts: &Facts,
    options: &Options,
    base: Option<&Identity>,
) -> Result<CanonicalList, GatherError> {
    let (mut args, labels) = publish_values(family, image, facts, options)?;
    for name in &image.versions {
        args.remove(name);
    }
    let versions: BTreeMap<String, String> = facts
        .versions
        .iter()
        .map(|(name, resolved)| (name.clone(), resolved.version.clone()))
        .collect();
    let digest = |reference: &String| Some((reference.clone(), facts.upstream.get(reference)?.to_string()));
    let resolved = inputs::Resolved {
        args: &args.into_iter().collect::<IndexMap<_, _>>(),
        labels: &labels.into_iter().collect::<IndexMap<_, _>>(),
        extra: &extra(image, &versions)?,
        versions: &versions,
        upstream: &upstream.iter().filter_map(digest).collect(),
        base: base.filter(|_| image.base_arg.is_some()),
        base_image: family
            .base_image
            .as_ref()
            .filter(|_| image.base_arg.is_some())
            .and_then(|reference| facts.upstream.get(reference)),
        period: period_of(image, facts.period),
    };
    let values = inputs::values_of(image, &resolved)
        .map_err(|unresolved| PlanError::MissingFact(unresolved.to_string()))?;
    let inputs = IdentityInputs {
        files: collected.entries.clone(),
        dockerfile: collected.dockerfile.clone(),
        values,
    };
    Ok(CanonicalList::new(&image.id, inputs))
}

/// The facts of each image as far as they are known without the registry. Variants hold the identity of their base.
///
/// # Errors
/// A value is not known, or a file of a `concat` base cannot be read.
pub fn image_facts(
    family: &Family,
    images: &[&Image],
    collected: &BTreeMap<ImageId, Collected>,
    upstream: &BTreeMap<ImageId, Vec<String>>,
    facts: &Facts,
    options: &Options,
) -> Result<(Vec<ImageFacts>, Vec<String>), GatherError> {
    let mut base = None;
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for image in images {
        let Some(files) = collected.get(&image.id) else {
            continue;
        };
        let upstream = upstream.get(&image.id).map(Vec::as_slice).unwrap_or_default();
        let (identity, values) = match image.hash {
            HashFormat::Tree => {
                let list = canonical_list(family, image, files, upstream, facts, options, base.as_ref())?;
                (list.identity(), list.into_values())
            }
            HashFormat::Concat => (
                concat(family, image, facts, &mut warnings)?,
                concat_values(image, facts)?,
            ),
        };
        if image.id == ImageId::Base {
            base = Some(identity);
        }
        found.push(ImageFacts {
            image: image.id.clone(),
            identity,
            files: files.entries.clone(),
            dockerfile: files.dockerfile.clone(),
            values,
            changes: Vec::new(),
            upstream: upstream.to_vec(),
            smoke: None,
            index: None,
            platforms: BTreeMap::new(),
            receipts: BTreeMap::new(),
        });
    }
    Ok((found, warnings))
}

pub(super) fn concat(
    family: &Family,
    image: &Image,
    facts: &Facts,
    warnings: &mut Vec<String>,
) -> Result<Identity, GatherError> {
    let versions: BTreeMap<String, String> = facts
        .versions
        .iter()
        .map(|(name, resolved)| (name.clone(), resolved.version.clone()))
        .collect();
    let inputs = image.inputs.as_deref().unwrap_or_default();
    let mut extra = extra(image, &versions)?;
    // The format knows nothing else that could hold them.
    extra.extend((!image.salt.is_empty()).then(|| image.salt.clone()));
    extra.extend(period_of(image, facts.period).map(|period| period.to_string()));
    let concat = inputs::concat(&family.root, &image.context, &image.dockerfile, inputs, &extra)
        .map_err(|error| GatherError::Input(image.id.clone(), error))?;
    warnings.extend(concat.blind.iter().map(ToString::to_string));
    Ok(concat.identity)
}

/// The values that count in a concat hash.
pub(super) fn concat_values(image: &Image, facts: &Facts) -> Result<Vec<NamedValue>, GatherError> {
    let versions: BTreeMap<String, String> = facts
        .versions
        .iter()
        .map(|(name, resolved)| (name.clone(), resolved.version.clone()))
        .collect();
    let extra = extra(image, &versions)?.into_iter().enumerate();
    let value = |(place, value): (usize, String)| NamedValue {
        kind: ValueKind::Extra,
        name: place.to_string(),
        value,
    };
    Ok(extra.map(value).collect())
}

fn extra(image: &Image, versions: &BTreeMap<String, String>) -> Result<Vec<String>, GatherError> {
    let render = |template: &Template| {
        let value = template.render(|name| versions.get(name.strip_prefix("versions.")?).cloned());
        value.map_err(|name| PlanError::MissingFact(format!("a value for `{{{name}}}` in `extra`")).into())
    };
    image.extra.iter().map(render).collect()
}
