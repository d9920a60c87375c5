//! Publishing a release once more, in another place that has its content already.

use super::publish::{self, Names};
use super::recorded::Recorded;
use super::{Action, Options, Plan, PlanError, RecordStep, Step, StepId, TagStep, sign_step};
use crate::config::Family;
use crate::domain::{ImageId, PublicTag, Tag, TargetRef, Version};
use crate::facts::Facts;
use crate::record::{Record, RecordState};
use std::collections::BTreeMap;

/// The record of a release that stands, as it would be in the place of `family`: its tags have their names there. Which aliases it moves and what
/// they point at is not taken over.
///
/// # Errors
/// The release does not stand whole.
pub fn record_in(family: &Family, source: &Record) -> Result<Record, PlanError> {
    let refused = |reason: &str| PlanError::NotPromotable {
        version: source.version.clone(),
        reason: reason.to_owned(),
    };
    if !matches!(source.state, RecordState::Done | RecordState::NotPromoted) {
        return Err(refused(
            "it is not finished where it is: run `splitbase release` with it again there",
        ));
    }
    let mut record = source.clone();
    for image in &mut record.images {
        if image.digest.is_none() {
            return Err(refused("its record lacks the digest of an image"));
        }
        for tag in image.tags.iter_mut().chain(&mut image.aliases) {
            *tag = there(family, &image.image, tag.tag());
        }
    }
    record.repository = family.repository.clone();
    record.aliases = Vec::new();
    record.points = BTreeMap::new();
    Ok(record)
}

/// A release tag or alias as it is called in the place of `family`.
fn there(family: &Family, image: &ImageId, tag: &Tag) -> PublicTag {
    family.image(image).map_or_else(
        || PublicTag::from(tag.clone()),
        |image| family.public_tag(image, tag.clone()),
    )
}

/// Plans publishing a release in the place of `family`, where its content and machine tags are brought before: record, release tags, aliases. `record`
/// is that of [`record_in`], `facts` are of that place. With [`Options::no_promote`] aliases stay. With `signs` its images are signed there first: they
/// come out of a folder, where nothing can be.
///
/// # Errors
/// A release tag holds something else there, or an alias must not move; see [`PlanError`].
pub fn plan_copy(
    family: &Family,
    facts: &Facts,
    record: &Record,
    options: &Options,
    signs: bool,
) -> Result<Plan, PlanError> {
    let version = &record.version;
    let options = Options {
        version: Some(version.clone()),
        ..options.clone()
    };
    super::planner::refuse_other_runs(family, facts, &options)?;
    let mut record = record.clone();
    go_on(&mut record, facts.record.as_ref())?;
    refuse_shared(family, &record, &options)?;
    let mut warnings = facts.warnings.clone();
    let (tags, missing) = release_tags(family, facts, &record)?;
    let (mut moves, mut points, mut names) = (Vec::new(), BTreeMap::new(), Names::default());
    for image in record.images.iter().filter(|_| !options.no_promote) {
        let Some(digest) = image.digest else { continue };
        for alias in &image.aliases {
            names.aliases.push((alias.clone(), image.image.clone()));
            let named = (alias, &image.image);
            moves.extend(publish::alias_step(
                family,
                facts,
                &options,
                named,
                Some(digest),
                &mut warnings,
            )?);
            if let Some(point) = publish::point(family, facts, &options, version, alias, digest) {
                points.insert(alias.clone(), point);
            }
        }
    }
    let has_aliases = record.images.iter().any(|image| !image.aliases.is_empty());
    let last = if options.no_promote && has_aliases {
        RecordState::NotPromoted
    } else {
        RecordState::Done
    };
    let recorded = facts.record.as_ref().map(|record| record.state);
    let stands = recorded == Some(last) || recorded == Some(RecordState::Done);
    let complete = facts
        .record
        .as_ref()
        .is_some_and(|there| there.images == record.images);
    record.points = facts
        .newest
        .as_ref()
        .map(|newest| newest.points.clone())
        .unwrap_or_default();
    let steps = if missing == 0 && moves.is_empty() && stands && complete {
        Vec::new()
    } else {
        let signing = if signs {
            sign_step::of_record(family, &options, &record, &mut warnings)
        } else {
            Vec::new()
        };
        steps(signing, tags, moves, last)
    };
    let what = Recorded {
        why: "it is copied",
        steps,
        points,
        warnings,
        // A copy is what mirrors are, and is not followed by others.
        mirrored: false,
    };
    let newest = facts.newest.as_ref();
    let fresh = newest.map(|newest| newest.fresh.clone()).unwrap_or_default();
    let plan = Plan::of_record(record, family, facts, &options, what);
    Ok(Plan { fresh, ..plan })
}

/// A release of this version that is there already: it is gone on with where it is the same one, and images that it has beside stay in it.
fn go_on(record: &mut Record, there: Option<&Record>) -> Result<(), PlanError> {
    let Some(there) = there else { return Ok(()) };
    let refused = |reason: String| {
        Err(PlanError::NotPromotable {
            version: there.version.clone(),
            reason,
        })
    };
    match there.state {
        // Nothing of it is published: it stands in nobody's way.
        RecordState::Failed => return Ok(()),
        RecordState::Planned => {
            let reason = format!(
                "a release of the same version has begun in `{}`: run it again there",
                there.repository
            );
            return refused(reason);
        }
        _ => {}
    }
    for image in &there.images {
        match record.images.iter().find(|ours| ours.image == image.image) {
            Some(ours) if image.digest.is_none_or(|digest| ours.digest == Some(digest)) => {}
            Some(ours) => {
                let shown = |digest: Option<crate::domain::Digest>| {
                    digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
                };
                let reason = format!(
                    "`{}` has another release of this version: {} is at {} there, and at {} here",
                    there.repository,
                    image.image,
                    shown(image.digest),
                    shown(ours.digest)
                );
                return refused(reason);
            }
            None if image.digest.is_some() => record.images.push(image.clone()),
            None => {}
        }
    }
    let has = |id: &ImageId| record.images.iter().any(|image| image.image == *id);
    let left_out: Vec<_> = record.left_out.iter().filter(|id| !has(id)).cloned().collect();
    record.left_out = left_out;
    // What its aliases pointed at before is known to nobody else.
    record.aliases.clone_from(&there.aliases);
    record.started = there.started;
    Ok(())
}

/// Tags of several repositories may meet in one.
fn refuse_shared(family: &Family, record: &Record, options: &Options) -> Result<(), PlanError> {
    let mut seen: BTreeMap<PublicTag, &ImageId> = BTreeMap::new();
    for image in &record.images {
        for tag in image.tags.iter().chain(&image.aliases) {
            let place = match options.target {
                TargetRef::Registry => tag.clone(),
                TargetRef::Layout(_) => tag.tag().clone().into(),
            };
            if let Some(first) = seen
                .insert(place, &image.image)
                .filter(|first| **first != image.image)
            {
                return Err(PlanError::SharedTag {
                    tag: PublicTag::new(
                        &family.repository,
                        tag.repository(&family.repository),
                        tag.tag().clone(),
                    ),
                    first: first.clone(),
                    second: image.image.clone(),
                });
            }
        }
    }
    Ok(())
}

/// The release tags that are missing, and how many.
fn release_tags(family: &Family, facts: &Facts, record: &Record) -> Result<(Vec<TagStep>, usize), PlanError> {
    let mut steps = Vec::new();
    for image in &record.images {
        let Some(digest) = image.digest else { continue };
        for tag in &image.tags {
            match facts.tags.get(tag) {
                Some(there) if *there == digest => {}
                Some(there) => {
                    return Err(PlanError::WriteOnce {
                        tag: tag.clone(),
                        image: image.image.clone(),
                        existing: *there,
                        planned: format!("is at {digest}"),
                    });
                }
                None => steps.push(TagStep {
                    image: image.image.clone(),
                    repository: tag.repository(&family.repository).clone(),
                    // All of it was brought there before.
                    source: None,
                    tag: tag.clone(),
                    replaces: None,
                }),
            }
        }
    }
    let missing = steps.len();
    Ok((steps, missing))
}

fn steps(
    signing: Vec<Step>,
    tags: Vec<TagStep>,
    moves: Vec<(super::AliasStep, String)>,
    last: RecordState,
) -> Vec<Step> {
    let record = |state, needs, why: &str| Step {
        id: StepId::record(state),
        needs,
        why: why.to_owned(),
        action: Action::Record(RecordStep { state }),
    };
    let first = sign_step::before_tags(&signing);
    let mut steps = vec![record(
        RecordState::Publishing,
        Vec::new(),
        "all that it is made of is there: old and new digest of every alias, before a tag is written",
    )];
    steps.extend(signing);
    let mut written = first.clone();
    for tag in tags {
        let id = StepId::tag(&tag.tag);
        written.push(id.clone());
        steps.push(Step {
            id,
            needs: first.clone(),
            why: "new release tag".to_owned(),
            action: Action::Tag(tag),
        });
    }
    let mut moved = written.clone();
    for (alias, why) in moves {
        let id = StepId::alias(&alias.alias);
        moved.push(id.clone());
        steps.push(Step {
            id,
            needs: written.clone(),
            why,
            action: Action::Alias(alias),
        });
    }
    let why = match last {
        RecordState::NotPromoted => "release tags stand; aliases wait for `promote`",
        _ => "the account of the release",
    };
    steps.push(record(last, moved, why));
    steps
}

/// The release that is asked for, for what has no record.
#[must_use]
pub fn no_record(version: &Version) -> PlanError {
    PlanError::NotPromotable {
        version: version.clone(),
        reason: "no record of it is there".to_owned(),
    }
}
