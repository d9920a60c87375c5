//! Writing the record, and with it the barrier.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, LAST_WORD, Run};
use super::super::scheduler::Ended;
use super::super::state::{Foreign, Inner, Known};
use crate::domain::{Digest, ExitCode, ImageId, Tag};
use crate::gather::record_at;
use crate::plan::{Action, PlanImage, RecordStep};
use crate::record::{
    ARTIFACT_TYPE, AliasPoint, Attempt, Record, RecordAlias, RecordMove, RecordPlatform, RecordState,
};
use crate::target::{Presence, Reference, Target};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Instant;

/// Writes the record in the state of `step`. *Publishing* is the barrier: it passes only when all is whole and tested.
pub(in super::super) async fn record<E: Effects>(
    run: &Run<E>,
    step: &RecordStep,
) -> Result<Done, StepFailure> {
    match step.state {
        RecordState::Publishing => {
            barrier(run).await?;
            let began = Instant::now();
            let seen = super::claim::look(run).await?;
            write(run, step.state, Ended::Well, Newest::InPlaceOf(seen)).await?;
            run.effects.pause(began.elapsed()).await;
            tokio::try_join!(super::claim::hold(run), super::claim::whole(run))?;
        }
        RecordState::NotPromoted => {
            super::again::tags_stand(run).await?;
            write(run, step.state, Ended::Well, Newest::Anyhow).await?;
        }
        RecordState::Done => {
            super::publish::settled(run).await?;
            write(run, step.state, Ended::Well, Newest::Anyhow).await?;
        }
        state => write(run, state, Ended::Well, Newest::Anyhow).await?,
    }
    Ok(Done::of(String::new()))
}

/// Whether a record becomes the newest, too.
#[derive(Debug, Clone, Copy)]
enum Newest {
    /// Whatever stands there.
    Anyhow,
    /// In place of this, where the target compares.
    InPlaceOf(Option<Digest>),
    /// It does not.
    Not,
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
    let newest = match theirs(run, ours).await? {
        None => Newest::Anyhow,
        // Another run of this release goes on with it.
        Some(newest) if newest.version == *version => return Ok(()),
        Some(_) => Newest::Not,
    };
    let earlier = run.plan.record.as_ref().map(|record| record.state);
    let state = match earlier {
        None | Some(RecordState::Planned | RecordState::Failed) => RecordState::Failed,
        Some(state) => state,
    };
    write(run, state, Ended::Badly, newest).await
}

/// The newest record, where somebody else has written it since.
async fn theirs<E: Effects>(run: &Run<E>, ours: Digest) -> Result<Option<Record>, StepFailure> {
    let tag = run.plan.mark.newest_record();
    let (target, repository) = (run.effects.target(), run.plan.work());
    match target.resolve(repository, &Reference::from(&tag)).await {
        Presence::Present(digest) if digest == ours => Ok(None),
        Presence::Absent => Ok(None),
        _ => Ok(record_at(target, repository, &tag).await?),
    }
}

/// The last word of a run that published something and not all: where somebody else moved an alias in the same moment, those that this run moved are put back, and
/// the release waits to be promoted; else the record says that this run has ended, so that the next one need not wait for it.
pub(in super::super) async fn cut_off<E: Effects>(run: &Run<E>) {
    let foreign = run.state.lock().foreign;
    if let Some(foreign) = foreign
        && super::withdraw::withdraw(run).await.is_ok()
    {
        run.state.lock().withdrawn = true;
        let state = match foreign {
            Foreign::Alias => RecordState::NotPromoted,
            // What does not stand cannot be promoted.
            Foreign::ReleaseTag => RecordState::Publishing,
        };
        let _ = end(run, state).await;
        return;
    }
    let _ = tokio::time::timeout(LAST_WORD, end(run, RecordState::Publishing)).await;
}

async fn end<E: Effects>(run: &Run<E>, state: RecordState) -> Result<(), StepFailure> {
    let recorded = run.state.lock().recorded;
    if let (Some(ours), Some(version)) = (recorded, &run.plan.version) {
        let tag = run.plan.mark.record(version);
        let there = super::publish::current(run, run.plan.work(), &tag).await?;
        // Another run of this release has written its own: what becomes of the release is its matter.
        if there.is_some() && there != Some(ours) {
            return Ok(());
        }
    }
    let theirs = match recorded {
        Some(ours) => theirs(run, ours).await?,
        None => None,
    };
    let newest = if theirs.is_some() {
        Newest::Not
    } else {
        Newest::Anyhow
    };
    write(run, state, Ended::Badly, newest).await
}

/// Fills in what has come to be known, and writes the record under its own tag and as the newest.
async fn write<E: Effects>(
    run: &Run<E>,
    state: RecordState,
    ended: Ended,
    newest: Newest,
) -> Result<(), StepFailure> {
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
        record.holder = None;
        record.ended = state.is_unfinished() && ended == Ended::Badly;
        if state.is_unfinished() && ended == Ended::Well {
            record.holder = run.effects.holder();
        }
        for image in &run.plan.images {
            fill(
                &mut record,
                image,
                &inner.platforms,
                &inner.known,
                inner.indexes.get(&image.image).copied(),
            );
        }
        if ended == Ended::Well && state != RecordState::Planned {
            // All of it stands: what a later run finds in the build cache is of this period, and of these salts.
            let planned = |id: &ImageId| run.plan.images.iter().any(|image| image.image == *id);
            record.fresh.retain(|id, _| !planned(id));
            record.fresh.extend(run.plan.fresh.clone());
        }
        if ended == Ended::Well && state == RecordState::Publishing {
            decide(run, &mut record, &inner.indexes);
        } else if ended == Ended::Well && state != RecordState::Planned {
            stands_for(run, &mut record, &inner.indexes, state);
        } else if state.stands() {
            undecide(run, &mut record, &inner);
            // Images were to be added to a release that stands: it goes on standing without them.
            let missing: Vec<_> = record
                .images
                .extract_if(.., |image| image.digest.is_none())
                .collect();
            record
                .left_out
                .extend(missing.into_iter().map(|image| image.image));
        }
        if state != RecordState::Publishing {
            record.attempt = None;
        }
        inner.record = Some(record.clone());
        record
    };
    let bytes = serde_json::to_vec(&record)
        .map_err(|error| StepFailure::new(ExitCode::Failed, format!("write the record: {error}")))?;
    put(run, &run.plan.mark.record(&record.version), bytes.into(), newest).await
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

type Indexes = BTreeMap<crate::domain::ImageId, Digest>;

/// Old and new digest of every release tag and alias, before one is written. What an earlier run decided and has done already is kept.
fn decide<E>(run: &Run<E>, record: &mut Record, indexes: &Indexes) {
    let planned = run.plan.record.as_ref().map(|record| record.state);
    let goal = run.plan.steps.iter().rev().find_map(|step| match &step.action {
        Action::Record(last) => Some(last.state),
        _ => None,
    });
    let mut attempt = record.attempt.take().unwrap_or(Attempt {
        before: planned.unwrap_or(RecordState::Planned),
        goal: RecordState::Done,
        tags: Vec::new(),
        aliases: Vec::new(),
    });
    for step in &run.plan.steps {
        match &step.action {
            Action::Tag(step) => {
                let moved = RecordMove {
                    tag: step.tag.clone(),
                    old: step.replaces,
                    new: indexes.get(&step.image).copied(),
                    old_version: None,
                    new_version: None,
                };
                attempt.goal = goal.unwrap_or(attempt.goal);
                again(&mut attempt.tags, moved);
            }
            Action::Alias(step) => {
                let new = indexes.get(&step.image).copied();
                let point = record.points.get(&step.alias);
                let from = point.filter(|point| Some(point.digest) == step.from);
                let from = from.map(|point| point.version.clone());
                attempt.goal = goal.unwrap_or(attempt.goal);
                again(
                    &mut attempt.aliases,
                    RecordMove {
                        tag: step.alias.clone(),
                        old: step.from,
                        new,
                        old_version: from.clone(),
                        new_version: Some(record.version.clone()),
                    },
                );
                record.aliases.retain(|moved| moved.alias != step.alias);
                record.aliases.push(RecordAlias {
                    alias: step.alias.clone(),
                    old: step.from,
                    from,
                    new,
                });
            }
            _ => {}
        }
    }
    in_place(run, record);
    if attempt.tags.is_empty() && attempt.aliases.is_empty() {
        attempt.goal = goal.unwrap_or(attempt.goal);
    }
    record.attempt = Some(attempt);
}

/// An alias that is where it should be already stands for this release from now on. Which one it stood for is kept, so that a rollback can say so again.
fn in_place<E>(run: &Run<E>, record: &mut Record) {
    for (alias, point) in &run.plan.points {
        let at = Some(point.digest);
        let known = record
            .aliases
            .iter()
            .any(|moved| moved.alias == *alias && moved.new == at);
        if point.version != record.version || known {
            continue;
        }
        let before = record
            .points
            .get(alias)
            .filter(|before| Some(before.digest) == at);
        let from = before.map(|before| before.version.clone());
        if from.as_ref() == Some(&record.version) {
            continue;
        }
        record.aliases.retain(|moved| moved.alias != *alias);
        record.aliases.push(RecordAlias {
            alias: alias.clone(),
            old: at,
            from,
            new: at,
        });
    }
}

/// One move in place of an earlier one of the same tag.
fn again(moves: &mut Vec<RecordMove>, moved: RecordMove) {
    moves.retain(|earlier| earlier.tag != moved.tag);
    moves.push(moved);
}

/// Which release each alias stands for, once all is written.
fn stands_for<E>(run: &Run<E>, record: &mut Record, indexes: &Indexes, state: RecordState) {
    record.points.extend(run.plan.points.clone());
    for step in &run.plan.steps {
        let Action::Alias(step) = &step.action else {
            continue;
        };
        if let (RecordState::Done, Some(digest)) = (state, indexes.get(&step.image).copied()) {
            let version = record.version.clone();
            record
                .points
                .insert(step.alias.clone(), AliasPoint { digest, version });
        }
    }
}

/// The aliases were put back: the record says of none that it moved, but of those that could only stay.
fn undecide<E>(run: &Run<E>, record: &mut Record, inner: &Inner) {
    let planned = run.plan.record.as_ref();
    record.aliases = planned.map(|record| record.aliases.clone()).unwrap_or_default();
    for moved in inner
        .moved
        .iter()
        .filter(|moved| inner.standing.contains(&moved.tag))
    {
        let version = record.version.clone();
        record.aliases.retain(|known| known.alias != moved.tag);
        record.aliases.push(RecordAlias {
            alias: moved.tag.clone(),
            old: moved.from,
            from: None,
            new: Some(moved.to),
        });
        let digest = moved.to;
        record
            .points
            .insert(moved.tag.clone(), AliasPoint { digest, version });
    }
}

async fn put<E: Effects>(run: &Run<E>, tag: &Tag, bytes: Bytes, newest: Newest) -> Result<(), StepFailure> {
    let (target, repository) = (run.effects.target(), run.plan.work());
    // The record itself first: whoever reads the newest must find the one that it names.
    let raw = run
        .artifacts
        .put(target, repository, tag, ARTIFACT_TYPE, bytes)
        .await?;
    run.state.lock().recorded = Some(raw.digest);
    let tag = run.plan.mark.newest_record();
    match newest {
        Newest::Anyhow => target.put_manifest(repository, &tag, &raw).await?,
        Newest::InPlaceOf(seen) => target.put_manifest_if(repository, &tag, &raw, seen).await?,
        Newest::Not => {}
    }
    Ok(())
}
