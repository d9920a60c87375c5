//! Writing the record, and with it the barrier.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use super::super::scheduler::Ended;
use crate::domain::{Digest, ExitCode, ImageId, Tag};
use crate::plan::{Action, PlanImage, RecordStep};
use crate::record::{ARTIFACT_TYPE, AliasPoint, Record, RecordAlias, RecordPlatform, RecordState};
use crate::target::{Presence, Reference, Target, artifact};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Writes the record in the state of `step`. *Publishing* is the barrier: it passes only when all is whole and tested.
pub(in super::super) async fn record<E: Effects>(
    run: &Run<E>,
    step: &RecordStep,
) -> Result<Done, StepFailure> {
    if step.state == RecordState::Publishing {
        barrier(run).await?;
    }
    write(run, step.state, Ended::Well).await?;
    Ok(Done::of(String::new()))
}

/// Every image has its index, every tested platform has the receipt of today's test on the very digest that is in it, and release tags and
/// aliases are where the plan saw them.
async fn barrier<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let checks = run
        .plan
        .images
        .iter()
        .flat_map(|image| image.platforms.iter().map(move |platform| (image, platform)));
    let checks =
        checks.filter_map(|(image, platform)| Some((image, &platform.platform, platform.receipt.as_ref()?)));
    let checks = checks.map(|(image, platform, receipt)| async move {
        let used = run
            .state
            .platform(&image.image, platform)
            .map(|used| used.digest());
        let repository = run.plan.work();
        match run
            .effects
            .target()
            .resolve(repository, &Reference::from(receipt))
            .await
        {
            Presence::Present(digest) if Some(digest) == used => Ok(()),
            Presence::Unknown(error) => Err(StepFailure::from(error)),
            Presence::Present(_) | Presence::Absent => {
                let message = format!(
                    "{} for {platform} has no receipt of today's test: nothing is published",
                    image.image
                );
                Err(StepFailure::new(ExitCode::SmokeFailed, message)
                    .hint("run this again: what has passed is not tested again"))
            }
        }
    });
    futures_util::future::try_join_all(checks).await?;
    for image in &run.plan.images {
        if run.state.index(&image.image).is_none() {
            let message = format!("{} has no index: nothing is published", image.image);
            return Err(StepFailure::new(ExitCode::Failed, message));
        }
    }
    super::publish::bring(run).await?;
    super::publish::still_as_planned(run).await
}

/// The last word of a run that published nothing: what an earlier run of this release published goes on standing; where there is nothing,
/// it stands in nobody's way, and its pins stay for the next run. Nothing is said where this run wrote no record, or somebody else has
/// written it since: then it is theirs.
pub(in super::super) async fn give_up<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let recorded = run.state.lock().recorded;
    let (Some(ours), Some(version)) = (recorded, &run.plan.version) else {
        return Ok(());
    };
    let tag = Reference::from(&run.plan.mark.record(version));
    match run.effects.target().resolve(run.plan.work(), &tag).await {
        Presence::Present(digest) if digest == ours => {}
        _ => return Ok(()),
    }
    let earlier = run.plan.record.as_ref().map(|record| record.state);
    let state = match earlier {
        None | Some(RecordState::Planned | RecordState::Failed) => RecordState::Failed,
        Some(state @ (RecordState::Publishing | RecordState::Done | RecordState::NotPromoted)) => state,
    };
    write(run, state, Ended::Badly).await
}

/// Fills in what has come to be known, and writes the record under its own tag and as the newest.
async fn write<E: Effects>(run: &Run<E>, state: RecordState, ended: Ended) -> Result<(), StepFailure> {
    let record = {
        let mut inner = run.state.lock();
        let Some(mut record) = inner.record.clone() else {
            return Err(StepFailure::new(
                ExitCode::Failed,
                "write the record: the plan has none",
            ));
        };
        let now = run.effects.now();
        if record.started == jiff::Timestamp::UNIX_EPOCH {
            record.started = now;
        }
        record.updated = now;
        record.state = state;
        record.holder = if state.is_unfinished() {
            run.effects.holder()
        } else {
            None
        };
        for image in &run.plan.images {
            fill(
                &mut record,
                image,
                &inner.platforms,
                inner.indexes.get(&image.image).copied(),
            );
        }
        if ended == Ended::Well && state != RecordState::Planned {
            // All of it stands: what a later run finds in the build cache is of this period, and of these salts.
            let planned = |id: &ImageId| run.plan.images.iter().any(|image| image.image == *id);
            record.fresh.retain(|id, _| !planned(id));
            record.fresh.extend(run.plan.fresh.clone());
        }
        if ended == Ended::Well {
            aliases(run, &mut record, &inner.indexes, state);
        } else if matches!(state, RecordState::Done | RecordState::NotPromoted) {
            // Images were to be added to a release that stands: it goes on standing without them.
            let missing: Vec<_> = record
                .images
                .extract_if(.., |image| image.digest.is_none())
                .collect();
            record
                .left_out
                .extend(missing.into_iter().map(|image| image.image));
        }
        inner.record = Some(record.clone());
        record
    };
    let bytes = serde_json::to_vec(&record)
        .map_err(|error| StepFailure::new(ExitCode::Failed, format!("write the record: {error}")))?;
    let written = put(run, &run.plan.mark.record(&record.version), bytes.into()).await?;
    run.state.lock().recorded = Some(written);
    Ok(())
}

type Platforms = BTreeMap<(crate::domain::ImageId, crate::domain::Platform), crate::facts::PlatformImage>;

fn fill(record: &mut Record, image: &PlanImage, platforms: &Platforms, index: Option<Digest>) {
    let Some(known) = record.images.iter_mut().find(|known| known.image == image.image) else {
        return;
    };
    known.digest = index.or(known.digest);
    if image.platforms.is_empty() {
        return;
    }
    let platform = |platform: &crate::plan::PlanPlatform| {
        let used = platforms.get(&(image.image.clone(), platform.platform.clone()))?;
        Some(RecordPlatform {
            platform: platform.platform.clone(),
            digest: used.digest(),
            receipt: platform.receipt.clone(),
        })
    };
    known.platforms = image.platforms.iter().filter_map(platform).collect();
}

/// Old and new digest of each alias that moves; once they have moved, which release they point at.
fn aliases<E: Effects>(
    run: &Run<E>,
    record: &mut Record,
    indexes: &BTreeMap<crate::domain::ImageId, Digest>,
    state: RecordState,
) {
    if state == RecordState::Done {
        record.points.extend(run.plan.points.clone());
    }
    for step in &run.plan.steps {
        let Action::Alias(step) = &step.action else {
            continue;
        };
        let new = indexes.get(&step.image).copied();
        if state == RecordState::Publishing {
            record.aliases.retain(|moved| moved.alias != step.alias);
            record.aliases.push(RecordAlias {
                alias: step.alias.clone(),
                old: step.from,
                new,
            });
        }
        if let (RecordState::Done, Some(digest)) = (state, new) {
            let point = AliasPoint {
                digest,
                version: record.version.clone(),
            };
            record.points.insert(step.alias.clone(), point);
        }
    }
}

async fn put<E: Effects>(run: &Run<E>, tag: &Tag, bytes: Bytes) -> Result<Digest, StepFailure> {
    let (target, repository) = (run.effects.target(), run.plan.work());
    let raw = artifact::store(target, repository, ARTIFACT_TYPE, bytes).await?;
    // The record itself first: whoever reads the newest must find the one that it names.
    target.put_manifest(repository, tag, &raw).await?;
    target
        .put_manifest(repository, &run.plan.mark.newest_record(), &raw)
        .await?;
    Ok(raw.digest)
}
