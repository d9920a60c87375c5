//! Release tags and aliases: which there are, which are written, and which must not be.

use super::images::ImageState;
use super::{Action, AliasStep, DescribeStep, Goal, Options, PlanError, Step, StepId, TagStep};
use crate::config::{Family, Image, Template, render_tag};
use crate::domain::{Digest, ImageId, PublicTag, Repository, TargetRef, Version, Versioning};
use crate::facts::Facts;
use crate::record::{AliasPoint, Record, RecordAlias, RecordState};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The release tags and aliases of the selected images.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Release tags, with their images, in the order of the family.
    pub(crate) tags: Vec<(PublicTag, ImageId)>,
    /// Aliases, with their images, in the order of the family.
    pub(crate) aliases: Vec<(PublicTag, ImageId)>,
}

impl Names {
    pub(crate) fn tags_of(&self, id: &ImageId) -> Vec<PublicTag> {
        self.tags
            .iter()
            .filter(|(_, image)| image == id)
            .map(|(tag, _)| tag.clone())
            .collect()
    }

    pub(crate) fn aliases_of(&self, id: &ImageId) -> Vec<PublicTag> {
        self.aliases
            .iter()
            .filter(|(_, image)| image == id)
            .map(|(tag, _)| tag.clone())
            .collect()
    }
}

/// Renders the release tags and aliases; none where there is no version.
pub(crate) fn names(family: &Family, selected: &[&Image], options: &Options) -> Result<Names, PlanError> {
    let mut names = Names::default();
    let (Goal::Release, Some(version)) = (options.goal, &options.version) else {
        return Ok(names);
    };
    for image in selected {
        for template in &image.tags {
            names
                .tags
                .push((tag(family, image, template, version)?, image.id.clone()));
        }
        for template in &image.aliases {
            names
                .aliases
                .push((tag(family, image, template, version)?, image.id.clone()));
        }
    }
    // A layout stands for all repositories, and each of its tags is there once.
    let place = |tag: &PublicTag| match options.target {
        TargetRef::Registry => tag.clone(),
        TargetRef::Layout(_) => PublicTag::new(&family.repository, &family.repository, tag.tag().clone()),
    };
    let mut seen: BTreeMap<PublicTag, &ImageId> = BTreeMap::new();
    for (tag, id) in names.tags.iter().chain(&names.aliases) {
        if let Some(first) = seen.insert(place(tag), id) {
            return Err(PlanError::SharedTag {
                tag: tag.clone(),
                first: first.clone(),
                second: id.clone(),
            });
        }
    }
    Ok(names)
}

fn tag(
    family: &Family,
    image: &Image,
    template: &Template,
    version: &Version,
) -> Result<PublicTag, PlanError> {
    match render_tag(template, &family.name, &image.id, version, family.versioning) {
        Ok(tag) => Ok(family.public_tag(image, tag)),
        Err(error) => Err(PlanError::BadTag {
            image: image.id.clone(),
            template: template.to_string(),
            error,
        }),
    }
}

/// Whether aliases move in this release.
pub(super) fn promotes(family: &Family, options: &Options, warnings: &mut Vec<String>) -> bool {
    let prerelease = options
        .version
        .as_ref()
        .and_then(|version| family.versioning.parse(version).ok())
        .is_some_and(|version| version.is_prerelease());
    if options.no_promote || !family.release.promote {
        return false;
    }
    if prerelease && !family.release.prereleases_take_aliases {
        warnings.push("a pre-release: aliases stay where they are".to_owned());
        return false;
    }
    true
}

/// The release tags that are to be written.
pub(super) fn tags(
    family: &Family,
    states: &BTreeMap<ImageId, ImageState<'_>>,
    names: &Names,
    facts: &Facts,
    options: &Options,
) -> Result<Vec<(TagStep, String)>, PlanError> {
    let mut steps = Vec::new();
    for (tag, id) in &names.tags {
        let planned = states.get(id).and_then(ImageState::digest);
        let existing = facts.tags.get(tag).copied();
        match existing {
            Some(existing) if Some(existing) == planned => continue,
            Some(existing) if !options.force => {
                let planned = planned.map_or_else(
                    || "would be built or completed anew".to_owned(),
                    |digest| format!("is at {digest}"),
                );
                return Err(PlanError::WriteOnce {
                    tag: tag.clone(),
                    image: id.clone(),
                    existing,
                    planned,
                });
            }
            _ => {}
        }
        let why = match existing {
            Some(existing) => format!("`--force`: replaces {existing}"),
            None => "new release tag".to_owned(),
        };
        let step = TagStep {
            image: id.clone(),
            repository: tag.repository(&family.repository).clone(),
            source: source(family, tag),
            tag: tag.clone(),
            replaces: existing,
        };
        steps.push((step, why));
    }
    Ok(steps)
}

/// Where the index of a tag is, when not where the tag goes: machine tags are in one place, whatever the tags are that users pull.
pub(super) fn source(family: &Family, tag: &PublicTag) -> Option<Repository> {
    let work = family.work();
    (tag.repository(&family.repository) != work).then(|| work.clone())
}

/// The aliases that are to be moved.
pub(super) fn aliases(
    family: &Family,
    states: &BTreeMap<ImageId, ImageState<'_>>,
    names: &Names,
    facts: &Facts,
    options: &Options,
    warnings: &mut Vec<String>,
) -> Result<Vec<(AliasStep, String)>, PlanError> {
    let mut steps = Vec::new();
    for (alias, id) in &names.aliases {
        let planned = states.get(id).and_then(ImageState::digest);
        if let Some(step) = alias_step(family, facts, options, (alias, id), planned, warnings)? {
            steps.push(step);
        }
    }
    Ok(steps)
}

/// Moves one alias to `target` (not known when the image is still to be built), never backwards.
pub(super) fn alias_step(
    family: &Family,
    facts: &Facts,
    options: &Options,
    (alias, id): (&PublicTag, &ImageId),
    target: Option<Digest>,
    warnings: &mut Vec<String>,
) -> Result<Option<(AliasStep, String)>, PlanError> {
    let current = facts.tags.get(alias).copied();
    let version = options.version.as_ref().ok_or(PlanError::NoVersion)?;
    if current.is_some() && current == target {
        return Ok(None);
    }
    let there = current.and_then(|current| release_at(facts, alias, current));
    let order = there.map(|there| family.versioning.compare(version, there));
    let unordered = order == Some(None) && family.versioning != Versioning::None;
    let older = order == Some(Some(Ordering::Less));
    let why = match (current, there) {
        (None, _) => "new alias".to_owned(),
        (Some(_), Some(there)) if older && options.allow_older => {
            format!("`--allow-older`: back from {there}")
        }
        (Some(_), Some(there)) if older => {
            warnings.push(format!(
                "alias `{alias}` stays at {there}, which is newer than {version}"
            ));
            return Ok(None);
        }
        (Some(_), Some(there)) if !unordered => format!("from {there}"),
        (Some(current), _) if options.adopt => format!("`--adopt`: takes it over from {current}"),
        (Some(_), Some(there)) => {
            return Err(PlanError::Unordered {
                alias: alias.clone(),
                there: there.clone(),
                version: version.clone(),
            });
        }
        (Some(current), None) if was_decided(facts, alias, current) => {
            "goes on with what was begun".to_owned()
        }
        (Some(digest), None) => {
            return Err(PlanError::UnknownAlias {
                alias: alias.clone(),
                digest,
            });
        }
    };
    let step = AliasStep {
        image: id.clone(),
        repository: alias.repository(&family.repository).clone(),
        source: source(family, alias),
        alias: alias.clone(),
        from: current,
    };
    Ok(Some((step, why)))
}

/// The release that put `current` under `alias`, as records know it: the newest one's account, or a release that was cut off.
pub(super) fn release_at<'a>(facts: &'a Facts, alias: &PublicTag, current: Digest) -> Option<&'a Version> {
    let point = facts.newest.as_ref().and_then(|newest| newest.points.get(alias));
    let point = point.filter(|point| point.digest == current);
    let moved = |record: &&Record| {
        // One that stayed where it was says nothing of whose it is.
        let here = |moved: &RecordAlias| {
            moved.alias == *alias && moved.new == Some(current) && moved.old != moved.new
        };
        record.aliases.iter().any(here)
    };
    let records = [facts.record.as_ref(), facts.newest.as_ref()];
    let cut_off = || records.into_iter().flatten().find(moved);
    point
        .map(|point| &point.version)
        .or_else(|| cut_off().map(|record| &record.version))
        .or_else(|| facts.named.get(alias))
}

/// Whether no record knows which release `alias` stands for.
pub(crate) fn is_unknown(facts: &Facts, alias: &PublicTag) -> bool {
    let current = facts.tags.get(alias);
    current.is_some_and(|current| release_at(facts, alias, *current).is_none())
}

/// Whether an unfinished run of this very release decided to move the alias from where it is.
fn was_decided(facts: &Facts, alias: &PublicTag, current: Digest) -> bool {
    let begun = facts
        .record
        .as_ref()
        .filter(|record| record.state == RecordState::Publishing);
    let aliases = begun.map(|record| record.aliases.as_slice()).unwrap_or_default();
    aliases
        .iter()
        .any(|moved| moved.alias == *alias && moved.old == Some(current))
}

/// The aliases that are where they should be already: they stand for this version too, unless they stand for a newer one, or the release leaves aliases alone.
pub(super) fn points(
    family: &Family,
    facts: &Facts,
    options: &Options,
    version: &Version,
    names: &Names,
    states: &BTreeMap<ImageId, ImageState<'_>>,
) -> BTreeMap<PublicTag, AliasPoint> {
    if !promotes(family, options, &mut Vec::new()) {
        return BTreeMap::new();
    }
    let planned = |id| states.get(id).and_then(ImageState::digest);
    let aliases = names.aliases.iter();
    aliases
        .filter_map(|(alias, id)| {
            let point = point(family, facts, options, version, alias, planned(id)?)?;
            Some((alias.clone(), point))
        })
        .collect()
}

/// The step that makes the repository's page, where the family has one. It comes after everything else, the last record included.
pub(super) fn describe(family: &Family, last: RecordState) -> Option<Step> {
    let describe = family.describe.clone()?;
    Some(Step {
        id: StepId::describe(),
        needs: vec![StepId::record(last)],
        why: format!("`{}` as the release has it", describe.output),
        action: Action::Describe(DescribeStep {
            repository: family.repository.clone(),
            describe,
        }),
    })
}

/// That `alias` stands for `version`, if it is at `digest` already and does not stand for a newer one.
pub(super) fn point(
    family: &Family,
    facts: &Facts,
    options: &Options,
    version: &Version,
    alias: &PublicTag,
    digest: Digest,
) -> Option<AliasPoint> {
    let newer = !options.allow_older
        && release_at(facts, alias, digest)
            .is_some_and(|there| family.versioning.compare(version, there) == Some(Ordering::Less));
    (facts.tags.get(alias) == Some(&digest) && !newer).then(|| AliasPoint {
        digest,
        version: version.clone(),
    })
}
