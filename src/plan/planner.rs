//! The planner: from facts to a plan, without any I/O.

use super::draft::Draft;
use super::first_record::first_record;
use super::images::{Base, ImageState, decide};
use super::{Action, Goal, Options, Plan, PlanError, SCHEMA};
use super::{build_step, collision, freshness, publish};
use crate::config::{Family, Image};
use crate::domain::ImageId;
use crate::facts::{Facts, ImageFacts};
use std::collections::BTreeMap;

/// Plans what `options` ask for.
///
/// # Errors
/// What is asked for cannot or must not be done; see [`PlanError`].
pub fn plan(family: &Family, facts: &Facts, options: &Options) -> Result<Plan, PlanError> {
    let selected = select(family, options)?;
    check_rebuilds(family, options)?;
    if options.goal == Goal::Release {
        refuse_other_runs(family, facts, options)?;
    }
    let names = publish::names(family, &selected, options)?;
    let mut states: BTreeMap<ImageId, ImageState<'_>> = BTreeMap::new();
    let mut warnings = facts.warnings.clone();
    warnings.extend(facts.float_warnings());
    for image in &selected {
        let fact = fact_of(facts, image)?;
        warnings.extend(collision::check(image, fact, options)?);
        let base = match (&image.base_arg, &family.base_image) {
            (None, _) => Base::None,
            (Some(_), None) => Base::Built(states.get(&ImageId::Base)),
            (Some(_), Some(reference)) => Base::Elsewhere(reference, facts),
        };
        let stale = freshness::without_cache(family, image, facts, options);
        let state = decide(image, fact, &base, stale.as_deref(), options)?;
        states.insert(image.id.clone(), state);
    }
    let mut draft = Draft {
        family,
        facts,
        options,
        names: &names,
        selected: &selected,
        states: &states,
        steps: Vec::new(),
    };
    for platform in draft.platforms() {
        draft.builds(&platform)?;
        if options.goal != Goal::Build {
            draft.smokes(&platform)?;
        }
    }
    draft.pin_first();
    if options.goal != Goal::Smoke {
        draft.assembles();
    }
    if options.goal == Goal::Release {
        draft.publish(&mut warnings)?;
    }
    let steps = draft.steps;
    let builder = facts.builder.as_ref();
    warnings.extend(build_step::left_out(family, options, &steps));
    if builder.is_some_and(|builder| !builder.attests())
        && steps.iter().any(|step| matches!(step.action, Action::Build(_)))
    {
        warnings.push(
            "the builder keeps its images in the classic store: no provenance, no annotations and no registry cache are written"
                .to_owned(),
        );
    }
    Ok(Plan {
        schema: SCHEMA,
        version: options.version.clone(),
        family: family.name.clone(),
        repository: family.repository.clone(),
        target: options.target.clone(),
        work_repository: family.work_repository.clone(),
        mirrors: match options.goal {
            Goal::Release => Plan::mirrors_of(family, options),
            Goal::Test | Goal::Build | Goal::Smoke => Vec::new(),
        },
        mark: facts.mark.clone(),
        versions: facts.versions.clone(),
        upstream: facts.upstream.clone(),
        period: facts.period,
        fresh: freshness::fresh(family, &selected, facts),
        images: selected
            .iter()
            .filter_map(|image| states.get(&image.id).map(|state| state.document(image, &names)))
            .collect(),
        warnings,
        retry: family.retry.clone(),
        builder: builder.map(|builder| builder.name.clone()),
        attests: builder.is_none_or(crate::facts::BuilderFacts::attests),
        record: (options.goal == Goal::Release)
            .then(|| first_record(family, facts, options, &selected, &states, &names))
            .flatten(),
        newest: facts.newest_digest,
        points: match &options.version {
            Some(version) if options.goal == Goal::Release => {
                publish::points(family, facts, options, version, &names, &states)
            }
            _ => BTreeMap::new(),
        },
        steps,
    })
}

/// The images that the plan is about: the base, and all variants or those that were asked for.
fn select<'a>(family: &'a Family, options: &Options) -> Result<Vec<&'a Image>, PlanError> {
    let Some(wanted) = &options.variants else {
        return Ok(family.images.iter().collect());
    };
    let is = |image: &Image, name| matches!(&image.id, ImageId::Variant(own) if own == name);
    for name in wanted {
        if !family.images.iter().any(|image| is(image, name)) {
            let known: Vec<_> = family
                .images
                .iter()
                .filter(|i| i.id != ImageId::Base)
                .map(|i| i.id.name())
                .collect();
            return Err(PlanError::UnknownVariant {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let selected = |image: &&Image| image.id == ImageId::Base || wanted.iter().any(|name| is(image, name));
    Ok(family.images.iter().filter(selected).collect())
}

fn check_rebuilds(family: &Family, options: &Options) -> Result<(), PlanError> {
    for rebuild in &options.rebuild {
        let known = family.image(&rebuild.image).is_some_and(|image| {
            rebuild
                .platform
                .as_ref()
                .is_none_or(|platform| image.platforms.contains(platform))
        });
        if !known {
            let platform = rebuild
                .platform
                .as_ref()
                .map_or_else(String::new, |platform| format!("/{platform}"));
            return Err(PlanError::UnknownRebuild(format!("{}{platform}", rebuild.image)));
        }
    }
    Ok(())
}

/// Refuses a release while another one, or another run of it, is on its way.
pub(super) fn refuse_other_runs(family: &Family, facts: &Facts, options: &Options) -> Result<(), PlanError> {
    let version = options.version.as_ref().ok_or(PlanError::NoVersion)?;
    family.versioning.parse(version).map_err(PlanError::Version)?;
    let runs = [(facts.alive, &facts.record), (facts.other_alive, &facts.newest)];
    for (alive, record) in runs {
        if let (Some(process), Some(record)) = (alive, record) {
            return Err(PlanError::Alive {
                version: record.version.clone(),
                process,
            });
        }
    }
    if let Some(seconds) = facts.recent.filter(|_| !options.force) {
        return Err(PlanError::Recent {
            version: version.clone(),
            seconds,
        });
    }
    match &facts.newest {
        Some(newest) if newest.version != *version && newest.state.is_unfinished() && !options.force => {
            Err(PlanError::Unfinished {
                version: newest.version.clone(),
                state: newest.state.word(),
            })
        }
        _ => Ok(()),
    }
}

fn fact_of<'a>(facts: &'a Facts, image: &Image) -> Result<&'a ImageFacts, PlanError> {
    facts
        .images
        .iter()
        .find(|fact| fact.image == image.id)
        .ok_or_else(|| PlanError::MissingFact(format!("the image `{}`", image.id)))
}
