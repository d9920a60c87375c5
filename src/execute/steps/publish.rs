//! Release tags and aliases: nothing is written before all of them were looked at once more.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use super::super::state::Foreign;
use super::again::{before_aliases, before_tags, tags_stand};
use super::withdraw::is_foreign;
use crate::domain::{Digest, ExitCode, ImageId, PublicTag, Repository, Tag};
use crate::plan::{Action, AliasStep, MoveStep, TagStep};
use crate::target::images::required;
use crate::target::{Presence, Reference, Target};
use std::collections::BTreeSet;

/// Writes one release tag.
pub(in super::super) async fn tag<E: Effects>(run: &Run<E>, step: &TagStep) -> Result<Done, StepFailure> {
    run.tags_checked.get_or_init(|| check_tags(run)).await.clone()?;
    before_tags(run).await?;
    if let Some(to) = run.state.index(&step.image) {
        run.state.lock().written.push(Moved {
            tag: step.tag.clone(),
            repository: step.repository.clone(),
            from: step.replaces,
            to,
        });
    }
    let written = put(
        run,
        &step.image,
        &step.repository,
        step.source.as_ref(),
        &step.tag,
        step.replaces,
    )
    .await;
    // A registry took it, and somebody else's after it: whose it is, is decided when all are looked at, before aliases move.
    if run.plan.target.is_registry() && written.as_ref().is_err_and(is_foreign) {
        return Ok(Done::of("somebody else has written it, too"));
    }
    written
}

/// A release tag that this run wrote, or an alias that it moved.
#[derive(Debug, Clone)]
pub(in super::super) struct Moved {
    pub(in super::super) tag: PublicTag,
    pub(in super::super) repository: Repository,
    pub(in super::super) from: Option<Digest>,
    pub(in super::super) to: Digest,
}

/// Moves one alias.
pub(in super::super) async fn alias<E: Effects>(run: &Run<E>, step: &AliasStep) -> Result<Done, StepFailure> {
    let moved = async {
        before_aliases(run).await?;
        if let Some(to) = run.state.index(&step.image) {
            run.state.lock().moved.push(Moved {
                tag: step.alias.clone(),
                repository: step.repository.clone(),
                from: step.from,
                to,
            });
        }
        put(
            run,
            &step.image,
            &step.repository,
            step.source.as_ref(),
            &step.alias,
            step.from,
        )
        .await
    };
    noticed(run, moved.await)
}

/// Takes down that somebody else moved an alias.
pub(super) fn noticed<E, R>(run: &Run<E>, result: Result<R, StepFailure>) -> Result<R, StepFailure> {
    if result.as_ref().is_err_and(is_foreign) {
        run.state.lock().foreign.get_or_insert(Foreign::Alias);
    }
    result
}

/// Puts a release tag or alias where a record says, only from where the plan saw it.
pub(in super::super) async fn moving<E: Effects>(run: &Run<E>, step: &MoveStep) -> Result<Done, StepFailure> {
    before_tags(run).await?;
    let there = current(run, &step.repository, step.tag.tag()).await?;
    if there == step.to {
        return Ok(Done::of(shown(there)));
    }
    if there != step.from {
        let message = format!(
            "`{}` is at {} now, the plan saw {}: somebody else moved it, and it stays",
            step.tag,
            shown(there),
            shown(step.from)
        );
        return Err(StepFailure::new(ExitCode::Refused, message).hint("look who did, then run this again"));
    }
    let tag = &step.tag;
    match (step.to, step.from) {
        (Some(to), from) => {
            place(run, &step.repository, step.source.as_ref(), tag, to, from).await?;
            Ok(Done::of(to.to_string()))
        }
        (None, Some(from)) => {
            run.state.lock().published = true;
            run.account.asks(tag);
            let target = run.effects.target();
            let deleted = target.delete_tag(&step.repository, tag.tag(), from).await?;
            run.account.did(tag);
            if deleted {
                return Ok(Done::of("deleted"));
            }
            let message = format!("`{tag}` cannot be deleted there: it stays at {from}");
            run.state.lock().warnings.push(message.clone());
            run.sink
                .event(&crate::execute::Event::Warning { step: None, message });
            Ok(Done::of("it stays"))
        }
        (None, None) => Ok(Done::of("nothing")),
    }
}

/// Every alias that this run moved is where it left it: another writer may have come after one was read back. What reads as it was before may be
/// stale, and is asked for again for a while.
pub(super) async fn settled<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    tags_stand(run).await?;
    let moved = run.state.lock().moved.clone();
    let checks = moved.iter().map(|moved| async move {
        let mut left = SETTLE;
        loop {
            let there = current(run, &moved.repository, moved.tag.tag()).await?;
            if there == Some(moved.to) {
                return Ok(());
            }
            if there != moved.from || left.is_zero() {
                let message = format!(
                    "alias `{}` was moved to {}, and is at {}: somebody else moved it in the same moment",
                    moved.tag,
                    moved.to,
                    shown(there)
                );
                return Err(
                    StepFailure::new(ExitCode::Refused, message).hint("look who did, then run this again")
                );
            }
            run.effects.pause(PAUSE).await;
            left = left.saturating_sub(PAUSE);
        }
    });
    let checked = futures_util::future::try_join_all(checks).await.map(drop);
    noticed(run, checked)
}

/// How long an alias may go on to read as it was before.
pub(super) const SETTLE: std::time::Duration = std::time::Duration::from_secs(10);
pub(super) const PAUSE: std::time::Duration = std::time::Duration::from_millis(250);

pub(super) fn shown(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string())
}

/// Brings all that tags will point at to the repositories of those tags, where it is not there yet. This is done before the first tag is
/// written: it may take long, and between the first and the last tag nothing should.
pub(super) async fn bring<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let mut wanted = BTreeSet::new();
    for step in &run.plan.steps {
        let (image, repository, source) = match &step.action {
            Action::Tag(tag) => (&tag.image, &tag.repository, &tag.source),
            Action::Alias(alias) => (&alias.image, &alias.repository, &alias.source),
            Action::Move(step) => {
                if let (Some(source), Some(digest)) = (&step.source, step.to) {
                    wanted.insert((digest, source, &step.repository));
                }
                continue;
            }
            _ => continue,
        };
        if let (Some(source), Some(digest)) = (source, run.state.index(image)) {
            wanted.insert((digest, source, repository));
        }
    }
    let target = run.effects.target();
    let copies = wanted.into_iter().map(|(digest, source, repository)| async move {
        let known = run.state.lock().bytes.get(&digest).cloned();
        let raw = match known {
            Some(raw) => raw,
            None => required(target, source, digest).await?,
        };
        target.copy_content(source, repository, &raw).await?;
        run.state.lock().bytes.insert(digest, raw);
        Ok::<_, StepFailure>(())
    });
    tokio::select! {
        copied = futures_util::future::try_join_all(copies) => copied.map(drop),
        () = run.cancel.cancelled() => Err(StepFailure::interrupted()),
    }
}

/// What somebody else did since the plan was made is found before the first tag is written, not between tags and aliases.
pub(super) async fn still_as_planned<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    run.tags_checked.get_or_init(|| check_tags(run)).await.clone()?;
    check_aliases(run).await
}

/// Release tags are written once: somebody may have written one since the plan was made.
pub(super) async fn check_tags<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let steps = run.plan.steps.iter().filter_map(|step| match &step.action {
        Action::Tag(tag) => Some(check_tag(run, tag)),
        _ => None,
    });
    futures_util::future::try_join_all(steps).await.map(drop)
}

async fn check_tag<E: Effects>(run: &Run<E>, step: &TagStep) -> Result<(), StepFailure> {
    let found = current(run, &step.repository, step.tag.tag()).await?;
    let target = run.state.index(&step.image);
    match found {
        Some(found) if Some(found) != target && Some(found) != step.replaces => {
            let message = format!(
                "release tag `{}` stands at {found} since the plan was made, and {} is at {}",
                step.tag,
                step.image,
                shown(target)
            );
            Err(StepFailure::new(ExitCode::Refused, message)
                .hint("release tags are written once: give this release a new version")
                .hint("`--force` overwrites the tag; who has pulled it will not notice"))
        }
        _ => Ok(()),
    }
}

/// An alias only moves from where the plan saw it.
pub(super) async fn check_aliases<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let steps = run.plan.steps.iter().filter_map(|step| match &step.action {
        Action::Alias(alias) => Some(check_alias(run, alias)),
        _ => None,
    });
    futures_util::future::try_join_all(steps).await.map(drop)
}

async fn check_alias<E: Effects>(run: &Run<E>, step: &AliasStep) -> Result<(), StepFailure> {
    let found = current(run, &step.repository, step.alias.tag()).await?;
    if found == step.from || found == run.state.index(&step.image) {
        return Ok(());
    }
    let message = format!(
        "alias `{}` points at {} now, the plan saw {}: somebody else moved it, and no alias was moved",
        step.alias,
        shown(found),
        shown(step.from)
    );
    Err(StepFailure::new(ExitCode::Refused, message).hint("look who did, then run this again"))
}

pub(super) async fn current<E: Effects>(
    run: &Run<E>,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, StepFailure> {
    let reference = Reference::from(tag);
    match run.effects.target().resolve(repository, &reference).await {
        Presence::Present(digest) => Ok(Some(digest)),
        Presence::Absent => Ok(None),
        Presence::Unknown(error) => Err(error.into()),
    }
}

/// Puts the index of `image` under `tag`, byte for byte; where the target can compare and set, only in place of `seen`.
async fn put<E: Effects>(
    run: &Run<E>,
    image: &ImageId,
    repository: &Repository,
    source: Option<&Repository>,
    tag: &PublicTag,
    seen: Option<Digest>,
) -> Result<Done, StepFailure> {
    let digest = run.state.index(image).ok_or_else(|| {
        StepFailure::new(
            ExitCode::Failed,
            format!("write tag `{tag}`: the index of {image} is not known"),
        )
    })?;
    place(run, repository, source, tag, digest, seen).await?;
    Ok(Done::of(digest.to_string()))
}

/// Puts what has `digest` under `tag`.
pub(super) async fn place<E: Effects>(
    run: &Run<E>,
    repository: &Repository,
    source: Option<&Repository>,
    tag: &PublicTag,
    digest: Digest,
    seen: Option<Digest>,
) -> Result<(), StepFailure> {
    let target = run.effects.target();
    let known = run.state.lock().bytes.get(&digest).cloned();
    let raw = match known {
        Some(raw) => raw,
        None => required(target, source.unwrap_or(repository), digest).await?,
    };
    run.state.lock().published = true;
    run.account.asks(tag);
    target.put_manifest_if(repository, tag.tag(), &raw, seen).await?;
    run.account.did(tag);
    run.state.lock().standing.insert(tag.clone());
    Ok(())
}
