//! Publishing the lists of inputs: beside the steps, so that nothing waits for it. What `explain` compares with later is worth no failed release.

use super::super::effects::Effects;
use super::super::run::{Run, Teller, lock};
use crate::domain::{ImageId, Tag};
use crate::inputs::{LIST_LIMIT, LIST_TYPE};
use crate::target::{Presence, Reference, Target, TargetError, artifact};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// How long the lists that are still on their way are waited for when all else has ended.
const LAST_LISTS: Duration = Duration::from_secs(10);

/// Begins to publish the list of `image`, unless that was begun before or there is none to publish.
pub(in super::super) fn begin<E: Effects>(run: &Arc<Run<E>>, image: &ImageId, teller: &Teller<E>) {
    let planned = run.plan.images.iter().find(|planned| planned.image == *image);
    let Some(tag) = planned.and_then(|planned| planned.inputs.clone()) else {
        return;
    };
    let mut lists = lock(&run.lists);
    if lists.contains_key(image) {
        return;
    }
    let Some(list) = run.effects.input_list(image) else {
        return;
    };
    let (own, teller) = (run.clone(), teller.clone());
    let publishing = tokio::spawn(async move {
        let written = tokio::select! {
            written = publish(&own, &tag, list) => written,
            () = own.cancel.cancelled() => return,
        };
        if let Err(error) = written {
            teller.warn(format!(
                "the list of its inputs is not published, `explain` will miss it: {error}"
            ));
        }
    });
    lists.insert(image.clone(), publishing);
}

/// The same inputs have the same list: what is there already is not written again.
async fn publish<E: Effects>(run: &Run<E>, tag: &Tag, list: Bytes) -> Result<(), TargetError> {
    let (target, repository) = (run.effects.target(), run.plan.work());
    if list.len() > LIST_LIMIT {
        let reason = format!("it has {} bytes, and {LIST_LIMIT} is the most", list.len());
        return Err(artifact::failure(format!("write `{tag}`"), reason));
    }
    match target.resolve(repository, &Reference::from(tag)).await {
        Presence::Present(_) => return Ok(()),
        Presence::Unknown(error) => return Err(error),
        Presence::Absent => {}
    }
    run.artifacts
        .put(target, repository, tag, LIST_TYPE, list)
        .await
        .map(drop)
}

/// Waits for the lists that are still on their way, but not for long; an interrupt ends them at once.
pub(in super::super) async fn end<E: Effects>(run: &Run<E>) {
    let lists = std::mem::take(&mut *lock(&run.lists));
    let stop: Vec<_> = lists
        .values()
        .map(tokio::task::JoinHandle::abort_handle)
        .collect();
    let (images, tasks): (Vec<_>, Vec<_>) = lists.into_iter().unzip();
    if tokio::time::timeout(LAST_LISTS, futures_util::future::join_all(tasks))
        .await
        .is_ok()
    {
        return;
    }
    for (image, task) in images.iter().zip(stop) {
        if !task.is_finished() {
            task.abort();
            run.warn(format!(
                "the list of inputs of {image} is not published in time, `explain` will miss it"
            ));
        }
    }
}
