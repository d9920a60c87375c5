//! The claim: of several runs that come to the barrier, one goes on.
//!
//! Registries have no compare-and-set. So each run writes itself into the newest record, waits as long as its own look and write took, and looks
//! who stands there: what was written last stays, and whoever does not find itself gives way. A writer that stalls between its look and its write for
//! longer than the other one waits is not seen; what it does then is found when aliases are read back.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::Run;
use super::publish::current;
use crate::domain::{Digest, ExitCode, Repository, Tag};
use crate::gather::record_at;
use crate::plan::Action;
use crate::record::{Record, RecordState};
use crate::target::images::required;
use crate::target::oci;
use crate::target::{Presence, Reference, Target};
use futures_util::future::try_join_all;
use std::collections::BTreeSet;

/// What stands under the newest record, if nobody has published since the plan was made.
pub(super) async fn look<E: Effects>(run: &Run<E>) -> Result<Option<Digest>, StepFailure> {
    let tag = run.plan.mark.newest_record();
    let there = current(run, run.plan.work(), &tag).await?;
    let known = run.state.lock().recorded.or(run.plan.newest);
    if there.is_none() || there == known {
        return Ok(there);
    }
    match newest(run, &tag).await? {
        Some(record) if has_published(run, &record) => Err(overtaken(&record)),
        _ => Ok(there),
    }
}

/// Whether another run is publishing, or has moved an alias since the plan was made.
fn has_published<E>(run: &Run<E>, newest: &Record) -> bool {
    let planned = run.plan.record.as_ref().map(|record| &record.points);
    newest.state == RecordState::Publishing || Some(&newest.points) != planned
}

async fn newest<E: Effects>(run: &Run<E>, tag: &Tag) -> Result<Option<Record>, StepFailure> {
    Ok(record_at(run.effects.target(), run.plan.work(), tag).await?)
}

fn overtaken(newest: &Record) -> StepFailure {
    let what = if newest.state == RecordState::Publishing {
        "is being published by another run"
    } else {
        "was published by another run since the plan was made"
    };
    let message = format!(
        "release `{}` {what}: nothing is published by this one",
        newest.version
    );
    StepFailure::new(ExitCode::Refused, message).hint("run this again: what is built is used as it is")
}

/// Whether this run still stands under the newest record.
pub(super) async fn hold<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let tag = run.plan.mark.newest_record();
    let there = current(run, run.plan.work(), &tag).await?;
    if there.is_some() && there == run.state.lock().recorded {
        return Ok(());
    }
    Err(match newest(run, &tag).await? {
        Some(record) => overtaken(&record),
        None => StepFailure::new(
            ExitCode::Refused,
            format!("the record `{tag}` is gone: somebody deleted it, and nothing is published"),
        ),
    })
}

/// Whether this run still is the one that publishes. Unlike at the barrier it gives way only to one that does publish: release tags of this one may stand
/// already, and a run that begins finds that out for itself.
pub(super) async fn goes_on<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let tag = run.plan.mark.newest_record();
    let there = current(run, run.plan.work(), &tag).await?;
    if there.is_none() || there == run.state.lock().recorded {
        return Ok(());
    }
    match newest(run, &tag).await? {
        Some(record) if has_published(run, &record) => {
            let message = format!(
                "release `{}` is being published by another run, and this one gives way",
                record.version
            );
            Err(StepFailure::new(ExitCode::Refused, message)
                .hint("run this again: what is built is used as it is"))
        }
        _ => Ok(()),
    }
}

/// All that will be published is there, and under the identity tags that this run built or used: somebody may have deleted it, or written over it, since it was
/// found.
pub(super) async fn whole<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    tokio::try_join!(identities(run), contents(run)).map(drop)
}

/// Two builders of one identity that both found nothing may both have written it, and each uses its own image. Whoever was overwritten gives way.
async fn identities<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let mut wanted: Vec<(Tag, Digest)> = {
        let inner = run.state.lock();
        inner
            .tagged
            .iter()
            .map(|(tag, digest)| (tag.clone(), *digest))
            .collect()
    };
    // A release that stands is promoted whatever has become of its identity tags.
    for image in run.plan.images.iter().filter(|image| !image.platforms.is_empty()) {
        if let Some(digest) = run.state.index(&image.image) {
            wanted.push((image.tag.clone(), digest));
        }
    }
    let checks = wanted.into_iter().map(|(tag, used)| async move {
        match current(run, run.plan.work(), &tag).await? {
            Some(there) if there == used => Ok(()),
            Some(there) => {
                let message = format!(
                    "another builder's image stands under `{tag}`: {there}, where this run used {used}; nothing is published"
                );
                Err(StepFailure::new(ExitCode::Refused, message)
                    .hint("run this again: it uses what stands there, tested"))
            }
            None => Err(gone(&format!("the identity tag `{tag}`"), run.plan.work())),
        }
    });
    try_join_all(checks).await.map(drop)
}

/// Every index that a tag will point at, and every child of it.
async fn contents<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let mut indexes = BTreeSet::new();
    for step in &run.plan.steps {
        match &step.action {
            Action::Tag(tag) => indexes.extend(run.state.index(&tag.image)),
            Action::Alias(alias) => indexes.extend(run.state.index(&alias.image)),
            Action::Move(step) => indexes.extend(step.to),
            _ => {}
        }
    }
    let repository = run.plan.work();
    let indexes = indexes.into_iter().map(|digest| async move {
        there(run, repository, digest, "the index").await?;
        let known = run.state.lock().bytes.get(&digest).cloned();
        let raw = match known {
            Some(raw) => raw,
            None => required(run.effects.target(), repository, digest).await?,
        };
        let children: BTreeSet<Digest> = if oci::is_index(&raw.media_type) {
            let index: oci::Index = serde_json::from_slice(&raw.bytes).map_err(|error| {
                StepFailure::new(ExitCode::Failed, format!("{digest} is no index: {error}"))
            })?;
            index.manifests.iter().map(|child| child.digest).collect()
        } else {
            BTreeSet::new()
        };
        run.state.lock().bytes.insert(digest, raw);
        Ok::<_, StepFailure>(children)
    });
    let children: BTreeSet<Digest> = try_join_all(indexes).await?.into_iter().flatten().collect();
    let children = children
        .into_iter()
        .map(|digest| there(run, repository, digest, "the platform image or attestation"));
    try_join_all(children).await.map(drop)
}

async fn there<E: Effects>(
    run: &Run<E>,
    repository: &Repository,
    digest: Digest,
    what: &str,
) -> Result<(), StepFailure> {
    let target = run.effects.target();
    let reference = Reference::from(digest);
    match target.resolve(repository, &reference).await {
        Presence::Present(_) => Ok(()),
        Presence::Absent => Err(gone(&format!("{what} {digest}"), repository)),
        Presence::Unknown(error) => Err(error.into()),
    }
}

fn gone(what: &str, repository: &Repository) -> StepFailure {
    let message =
        format!("{what} is gone from `{repository}`: somebody deleted it, and nothing is published");
    StepFailure::new(ExitCode::Failed, message).hint("run this again: what is missing is built anew")
}
