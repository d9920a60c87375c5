//! Moving the aliases to a release that stands.

use super::publish::{self, Names};
use super::recorded::Recorded;
use super::{Action, Options, Plan, PlanError, RecordStep, Step, StepId, sign_step};
use crate::config::Family;
use crate::domain::Version;
use crate::facts::Facts;
use crate::record::RecordState;
use std::collections::BTreeMap;

/// Plans moving every alias of the family to `version`, whose record must say that it stands.
///
/// # Errors
/// The release does not stand, or an alias must not move; see [`PlanError`].
pub fn plan_promotion(
    family: &Family,
    facts: &Facts,
    version: &Version,
    options: &Options,
) -> Result<Plan, PlanError> {
    let refused = |reason: &str| PlanError::NotPromotable {
        version: version.clone(),
        reason: reason.to_owned(),
    };
    let record = facts
        .record
        .as_ref()
        .ok_or_else(|| refused("no record of it is there"))?;
    // Where only the aliases of a release that was cut off are missing, promoting it is what finishes it.
    if matches!(record.state, RecordState::Planned | RecordState::Failed) {
        return Err(refused(
            "it is not finished: run `splitbase release` with it again",
        ));
    }
    if record.state == RecordState::Undone {
        return Err(refused("it was undone: run `splitbase release` with it again"));
    }
    let options = Options {
        version: Some(version.clone()),
        ..options.clone()
    };
    let mut warnings = facts.warnings.clone();
    super::planner::refuse_other_runs(family, facts, &options)?;
    let mut record = record.clone();
    let mut names = Names::default();
    let (mut steps, mut moves) = (Vec::new(), Vec::new());
    let mut points = BTreeMap::new();
    for image in &record.images {
        let digest = image
            .digest
            .ok_or_else(|| refused("its record lacks the digest of an image"))?;
        for tag in &image.tags {
            if facts.tags.get(tag) != Some(&digest) {
                return Err(refused(&format!("its release tag `{tag}` is not at {digest}")));
            }
        }
        names.aliases.extend(
            image
                .aliases
                .iter()
                .map(|alias| (alias.clone(), image.image.clone())),
        );
        for alias in &image.aliases {
            moves.extend(publish::alias_step(
                family,
                facts,
                &options,
                (alias, &image.image),
                Some(digest),
                &mut warnings,
            )?);
            if let Some(point) = publish::point(family, facts, &options, version, alias, digest) {
                points.insert(alias.clone(), point);
            }
        }
    }
    let of_aliases = warnings.iter().skip(facts.warnings.len());
    let of_aliases: Vec<&str> = of_aliases.map(String::as_str).collect();
    let held_back = !of_aliases.is_empty();
    if moves.is_empty() && held_back {
        return Err(refused(&of_aliases.join("; ")));
    }
    // What other releases did since is carried on.
    let newest = facts.newest.as_ref();
    record.points = newest.map(|newest| newest.points.clone()).unwrap_or_default();
    record.fresh = newest.map(|newest| newest.fresh.clone()).unwrap_or_default();
    if !moves.is_empty()
        || facts
            .record
            .as_ref()
            .is_some_and(|record| record.state != RecordState::Done)
    {
        let push = |steps: &mut Vec<Step>, state, needs, why: &str| {
            let action = Action::Record(RecordStep { state });
            steps.push(Step {
                id: StepId::record(state),
                needs,
                why: why.to_owned(),
                action,
            });
        };
        push(
            &mut steps,
            RecordState::Publishing,
            Vec::new(),
            "old and new digest of every alias, before one moves",
        );
        let signing = sign_step::of_record(family, &options, &record, &mut warnings);
        let signed = sign_step::before_tags(&signing);
        steps.extend(signing);
        let mut needs = signed.clone();
        for (step, why) in moves {
            let id = StepId::alias(&step.alias);
            needs.push(id.clone());
            steps.push(Step {
                id,
                needs: signed.clone(),
                why,
                action: Action::Alias(step),
            });
        }
        push(&mut steps, RecordState::Done, needs, "the account of the release");
        if !held_back {
            steps.extend(publish::describe(family, RecordState::Done));
        }
    }
    let what = Recorded {
        why: "the release stands",
        steps,
        points,
        warnings,
        mirrored: true,
    };
    Ok(Plan::of_record(record, family, facts, &options, what))
}
