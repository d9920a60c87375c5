//! The report of a run.

use super::effects::Effects;
use super::event::{
    Failure, ImageOutcome, ImageReport, PlatformReport, Report, RunOutcome, SmokeOutcome, StepOutcome,
};
use super::run::{Ending, Run, lock};
use crate::domain::{ExitCode, Platform, PublicTag};
use crate::plan::{Action, PlanImage, PlanPlatform, StepId};
use std::collections::BTreeMap;
use std::time::Duration;

/// Reports on a run that has ended.
pub(super) fn report<E: Effects>(run: &Run<E>, interrupted: bool, took: Duration) -> Report {
    let endings = lock(&run.endings).clone();
    let failures = lock(&run.failures).clone();
    let exit_code = exit_code(run, interrupted, &failures);
    let outcome = match exit_code {
        ExitCode::Done => RunOutcome::Done,
        ExitCode::Interrupted => RunOutcome::Interrupted,
        ExitCode::Refused => RunOutcome::Refused,
        _ => RunOutcome::Failed,
    };
    let warnings = run.state.lock().warnings.clone();
    Report {
        schema: 1,
        version: run.plan.version.clone(),
        repository: run.plan.repository.clone(),
        target: run.plan.target.clone(),
        outcome,
        exit_code: exit_code.code(),
        images: run
            .plan
            .images
            .iter()
            .map(|image| image_report(run, image, &endings, exit_code == ExitCode::Done))
            .collect(),
        failures,
        warnings,
        seconds: rounded(took),
    }
}

/// An interrupt is one, wherever it came; a release that was half published is cut off; otherwise the first failure says.
fn exit_code<E: Effects>(run: &Run<E>, interrupted: bool, failures: &[Failure]) -> ExitCode {
    if run.all_well() {
        return ExitCode::Done;
    }
    {
        let inner = run.state.lock();
        if inner.withdrawn {
            return ExitCode::Refused;
        }
        if inner.published {
            return ExitCode::CutOff;
        }
    }
    if interrupted {
        return ExitCode::Interrupted;
    }
    failures
        .first()
        .map_or(ExitCode::Failed, |failure| failure.exit_code)
}

fn image_report<E: Effects>(
    run: &Run<E>,
    image: &PlanImage,
    endings: &BTreeMap<StepId, Ending>,
    well: bool,
) -> ImageReport {
    let platforms: Vec<_> = image
        .platforms
        .iter()
        .map(|platform| platform_report(run, image, platform, endings))
        .collect();
    let of = |outcome| {
        platforms
            .iter()
            .filter(|platform| platform.outcome == outcome)
            .count()
    };
    let outcome = if of(ImageOutcome::Failed) > 0 {
        ImageOutcome::Failed
    } else if of(ImageOutcome::Skipped) > 0 {
        ImageOutcome::Skipped
    } else if of(ImageOutcome::Built) == 0 {
        ImageOutcome::Reused
    } else if of(ImageOutcome::Reused) == 0 {
        ImageOutcome::Built
    } else {
        ImageOutcome::Completed
    };
    // A tag stands when this run wrote it, or when the plan found it where it should be. An alias that was there before says nothing of a run that
    // failed.
    let stands = |id: StepId| match endings.get(&id) {
        Some(ending) => matches!(ending.outcome, StepOutcome::Done | StepOutcome::Adopted),
        None => true,
    };
    // What was put somewhere else stands for this image no more.
    let moved_away = |tag: &PublicTag| {
        run.plan.steps.iter().any(|step| match &step.action {
            Action::Move(step) => step.tag == *tag && step.to != run.state.index(&image.image),
            _ => false,
        }) || !stands(StepId::moving(tag))
    };
    let alias_planned = |alias: &PublicTag| {
        run.plan
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Alias(step) if step.alias == *alias))
    };
    let points_here = |alias: &PublicTag| {
        let digest = run.state.index(&image.image);
        let inner = run.state.lock();
        let point = inner.record.as_ref().and_then(|record| record.points.get(alias));
        digest.is_some() && point.map(|point| point.digest) == digest
    };
    ImageReport {
        image: image.image.clone(),
        digest: run.state.index(&image.image),
        outcome,
        tags: image
            .tags
            .iter()
            .filter(|tag| stands(StepId::tag(tag)) && !moved_away(tag))
            .cloned()
            .collect(),
        aliases: image
            .aliases
            .iter()
            .filter(|alias| {
                if moved_away(alias) {
                    false
                } else if alias_planned(alias) {
                    stands(StepId::alias(alias)) && !run.state.lock().withdrawn
                } else {
                    well && points_here(alias)
                }
            })
            .cloned()
            .collect(),
        platforms,
    }
}

fn platform_report<E: Effects>(
    run: &Run<E>,
    image: &PlanImage,
    platform: &PlanPlatform,
    endings: &BTreeMap<StepId, Ending>,
) -> PlatformReport {
    let build = endings.get(&StepId::build(&image.image, &platform.platform));
    let smoke = endings.get(&StepId::smoke(&image.image, &platform.platform));
    let took = [build, smoke]
        .into_iter()
        .flatten()
        .map(|ending| ending.took)
        .sum();
    PlatformReport {
        platform: platform.platform.clone(),
        digest: digest(run, image, &platform.platform),
        outcome: match build.map(|ending| &ending.outcome) {
            None | Some(StepOutcome::Adopted) => ImageOutcome::Reused,
            Some(StepOutcome::Done) => ImageOutcome::Built,
            Some(StepOutcome::Failed) => ImageOutcome::Failed,
            Some(StepOutcome::Skipped | StepOutcome::Interrupted) => ImageOutcome::Skipped,
        },
        smoke: match smoke.map(|ending| &ending.outcome) {
            _ if !platform.tested => SmokeOutcome::NotTested,
            None => SmokeOutcome::PassedBefore,
            Some(StepOutcome::Done | StepOutcome::Adopted) => SmokeOutcome::Passed,
            Some(StepOutcome::Failed) => SmokeOutcome::Failed,
            Some(StepOutcome::Skipped | StepOutcome::Interrupted) => SmokeOutcome::NotRun,
        },
        seconds: rounded(took),
    }
}

fn digest<E: Effects>(run: &Run<E>, image: &PlanImage, platform: &Platform) -> Option<crate::domain::Digest> {
    run.state
        .platform(&image.image, platform)
        .map(|image| image.digest())
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}
