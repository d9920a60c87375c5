//! Release tags and aliases: nothing is written before all of them were looked at once more.

use super::super::effects::Effects;
use super::super::failure::StepFailure;
use super::super::run::{Done, Run};
use crate::domain::{Digest, ExitCode, ImageId, PublicTag, Repository, Tag};
use crate::plan::{Action, AliasStep, TagStep};
use crate::target::images::required;
use crate::target::{Presence, Reference, Target};
use std::collections::BTreeSet;

/// Writes one release tag.
pub(in super::super) async fn tag<E: Effects>(run: &Run<E>, step: &TagStep) -> Result<Done, StepFailure> {
    run.tags_checked.get_or_init(|| check_tags(run)).await.clone()?;
    put(
        run,
        &step.image,
        &step.repository,
        step.source.as_ref(),
        &step.tag,
        step.replaces,
    )
    .await
}

/// Moves one alias.
pub(in super::super) async fn alias<E: Effects>(run: &Run<E>, step: &AliasStep) -> Result<Done, StepFailure> {
    run.aliases_checked
        .get_or_init(|| check_aliases(run))
        .await
        .clone()?;
    put(
        run,
        &step.image,
        &step.repository,
        step.source.as_ref(),
        &step.alias,
        step.from,
    )
    .await
}

/// Brings all that tags will point at to the repositories of those tags, where it is not there yet. This is done before the first tag is
/// written: it may take long, and between the first and the last tag nothing should.
pub(super) async fn bring<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
    let mut wanted = BTreeSet::new();
    for step in &run.plan.steps {
        let (image, repository, source) = match &step.action {
            Action::Tag(tag) => (&tag.image, &tag.repository, &tag.source),
            Action::Alias(alias) => (&alias.image, &alias.repository, &alias.source),
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
async fn check_tags<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
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
                "release tag `{}` stands at {found} since the plan was made",
                step.tag
            );
            Err(StepFailure::new(ExitCode::Refused, message)
                .hint("release tags are written once: give this release a new version"))
        }
        _ => Ok(()),
    }
}

/// An alias only moves from where the plan saw it.
async fn check_aliases<E: Effects>(run: &Run<E>) -> Result<(), StepFailure> {
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
    let shown =
        |digest: Option<Digest>| digest.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
    let message = format!(
        "alias `{}` points at {} now, the plan saw {}: somebody else moved it, and no alias was moved",
        step.alias,
        shown(found),
        shown(step.from)
    );
    Err(StepFailure::new(ExitCode::Refused, message).hint("look who did, then run this again"))
}

async fn current<E: Effects>(
    run: &Run<E>,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, StepFailure> {
    match run
        .effects
        .target()
        .resolve(repository, &Reference::from(tag))
        .await
    {
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
    let target = run.effects.target();
    let digest = run.state.index(image).ok_or_else(|| {
        StepFailure::new(
            ExitCode::Failed,
            format!("write tag `{tag}`: the index of {image} is not known"),
        )
    })?;
    let known = run.state.lock().bytes.get(&digest).cloned();
    let raw = match known {
        Some(raw) => raw,
        None => required(target, source.unwrap_or(repository), digest).await?,
    };
    run.state.lock().published = true;
    target.put_manifest_if(repository, tag.tag(), &raw, seen).await?;
    run.state.lock().standing.insert(tag.clone());
    Ok(Done::of(digest.to_string()))
}
