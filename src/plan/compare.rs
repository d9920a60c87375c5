//! What differs between a plan that was saved and the plan that would be made now.

use super::{Action, Plan, PlanImage};
use crate::domain::{Digest, PublicTag};
use std::collections::BTreeMap;

/// What differs in what the plans rest on, by name: identities, tests, and what the registry holds (`tags`: what stands under release tags
/// and aliases now). Steps are not compared: those of the saved plan are run as they stand there.
#[must_use]
pub fn differences(saved: &Plan, now: &Plan, tags: &BTreeMap<PublicTag, Digest>) -> Vec<String> {
    let mut differences = Vec::new();
    if saved.mark != now.mark {
        let (then, now) = (saved.mark.newest_record(), now.mark.newest_record());
        differences.push(format!(
            "the records of the family were `{then}` then, are `{now}` now"
        ));
    }
    for step in &saved.steps {
        let (kind, tag, planned) = match &step.action {
            Action::Tag(step) => ("release tag", &step.tag, step.replaces),
            Action::Alias(step) => ("alias", &step.alias, step.from),
            _ => continue,
        };
        let found = tags.get(tag).copied();
        if found != planned {
            let shown = |digest: Option<Digest>| {
                digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
            };
            let (planned, found) = (shown(planned), shown(found));
            differences.push(format!(
                "{kind} `{tag}` pointed at {planned} then, at {found} now"
            ));
        }
    }
    for image in &saved.images {
        match now.images.iter().find(|other| other.image == image.image) {
            None => differences.push(format!("{} is no longer in the family", image.image)),
            Some(other) => of_image(image, other, &mut differences),
        }
    }
    for image in &now.images {
        if saved.images.iter().all(|other| other.image != image.image) {
            differences.push(format!("{} is new in the family", image.image));
        }
    }
    differences
}

fn of_image(saved: &PlanImage, now: &PlanImage, differences: &mut Vec<String>) {
    let image = &saved.image;
    if saved.identity != now.identity {
        let (saved, now) = (saved.identity.short(), now.identity.short());
        differences.push(format!(
            "the inputs of {image} changed: identity {saved} then, {now} now"
        ));
        return;
    }
    if saved.digest != now.digest {
        differences.push(format!("`{}` of {image} changed in the registry", saved.tag));
    }
    for platform in &saved.platforms {
        let other = now
            .platforms
            .iter()
            .find(|other| other.platform == platform.platform);
        match other {
            None => differences.push(format!("{image} is no longer for {}", platform.platform)),
            Some(other) if other.digest != platform.digest => {
                differences.push(format!(
                    "{image} for {} changed in the registry",
                    platform.platform
                ));
            }
            Some(other) if other.receipt != platform.receipt => {
                differences.push(format!("the test of {image} for {} changed", platform.platform));
            }
            Some(_) => {}
        }
    }
    let known = |platform| saved.platforms.iter().any(|other| other.platform == platform);
    for platform in now
        .platforms
        .iter()
        .filter(|platform| !known(platform.platform.clone()))
    {
        differences.push(format!("{image} is now for {} too", platform.platform));
    }
}
