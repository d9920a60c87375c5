//! Writing the record, and with it the barrier.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use super::super::scheduler::Ended;
use super::super::state::Known;
use crate::domain::{Digest, ExitCode, Tag};
use crate::plan::{Action, PlanImage, RecordStep};
use crate::record::{ARTIFACT_TYPE, AliasPoint, Record, RecordAlias, RecordPlatform, RecordState};
use crate::target::{Presence, Reference, Target};
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
                &inner.known,
                inner.indexes.get(&image.image).copied(),
            );
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

fn fill(
    record: &mut Record,
    image: &PlanImage,
    platforms: &Platforms,
    learnt: &BTreeMap<Digest, Known>,
    index: Option<Digest>,
) {
    let Some(known) = record.images.iter_mut().find(|known| known.image == image.image) else {
        return;
    };
    known.digest = index.or(known.digest);
    if image.platforms.is_empty() {
        return;
    }
    let platform = |platform: &crate::plan::PlanPlatform| {
        let used = platforms.get(&(image.image.clone(), platform.platform.clone()))?;
        let digest = used.digest();
        let before = known.platforms.iter().find(|known| known.digest == digest);
        let learnt = learnt.get(&digest).copied().unwrap_or_default();
        let account = RecordPlatform {
            size: learnt.size,
            uncompressed: learnt.uncompressed,
            steps: learnt.steps,
            ..RecordPlatform::new(platform.platform.clone(), digest, platform.receipt.clone())
        };
        Some(account.knowing(before.cloned()))
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
    // The record itself first: whoever reads the newest must find the one that it names.
    let newest = run.plan.mark.newest_record();
    let (target, repository) = (run.effects.target(), run.plan.work());
    let raw = run
        .artifacts
        .put(target, repository, tag, ARTIFACT_TYPE, bytes)
        .await?;
    target.put_manifest(repository, &newest, &raw).await?;
    Ok(raw.digest)
}
