//! Deleting what the plan says, one after the other, asking again before each.

use super::{Deletion, HubAccount, Plan};
use crate::domain::{Digest, ExitCode, Repository, Tag};
use crate::target::upkeep::{Deletes, Found, Upkeep};
use crate::target::{FailureClass, RawManifest, TargetError};
use serde::Serialize;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// How things are deleted.
#[derive(Debug)]
pub enum Way {
    /// As the target does it.
    Target,
    /// Through Docker Hub's own API.
    Hub(Box<HubAccount>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// These tags are gone.
    Deleted {
        /// The tags.
        tags: Vec<Tag>,
        /// What they pointed at.
        digest: Digest,
    },
    /// These tags were left as they are.
    Skipped {
        /// The tags.
        tags: Vec<Tag>,
        /// What they pointed at when it was planned.
        digest: Digest,
        /// What is another way now.
        why: String,
    },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// Tags that are gone.
    pub deleted: usize,
    /// Tags that were left because something was another way than planned.
    pub skipped: usize,
    /// Tags that it did not come to.
    pub left: usize,
    /// Bytes that a layout gave back.
    pub freed: u64,
    /// Why it ended before its end.
    pub failure: Option<(ExitCode, String, Vec<String>)>,
}

/// Deletes. What happened is told as it happens; an interrupt or a failure leaves what was not deleted yet as it was.
pub async fn run<T: Upkeep>(
    target: &T,
    way: &Way,
    repository: &Repository,
    plan: &Plan,
    cancel: &CancellationToken,
    mut tell: impl FnMut(&Event),
) -> Ended {
    let mut ended = Ended::default();
    let mut pruner = Pruner {
        target,
        way,
        repository,
        plan,
        proven: plan.deletes == Deletes::Digests,
        gone: BTreeSet::new(),
    };
    let mut open = plan.deletions.iter();
    for deletion in open.by_ref() {
        if cancel.is_cancelled() {
            ended.left += deletion.tags.len();
            ended.failure = Some((ExitCode::Interrupted, "interrupted".to_owned(), Vec::new()));
            break;
        }
        match pruner.one(deletion).await {
            Ok(event) => {
                match &event {
                    Event::Deleted { tags, .. } => ended.deleted += tags.len(),
                    Event::Skipped { tags, .. } => ended.skipped += tags.len(),
                }
                tell(&event);
            }
            Err((code, error)) => {
                ended.left += deletion.tags.len();
                ended.failure = Some((code, error.to_string(), error.hints));
                break;
            }
        }
    }
    ended.left += open.map(|deletion| deletion.tags.len()).sum::<usize>();
    if ended.failure.is_none() {
        match target.sweep().await {
            Ok(freed) => ended.freed = freed,
            Err(error) => ended.failure = Some((error.exit_code(), error.to_string(), error.hints)),
        }
    }
    ended
}

struct Pruner<'a, T> {
    target: &'a T,
    way: &'a Way,
    repository: &'a Repository,
    plan: &'a Plan,
    /// Whether it was seen that deleting a tag leaves what it pointed at.
    proven: bool,
    gone: BTreeSet<Tag>,
}

type Failed = (ExitCode, TargetError);

impl<T: Upkeep> Pruner<'_, T> {
    async fn one(&mut self, deletion: &Deletion) -> Result<Event, Failed> {
        let digest = deletion.digest;
        let skipped = |why: String| {
            Ok(Event::Skipped {
                tags: deletion.tags.clone(),
                digest,
                why,
            })
        };
        self.nobody_releases().await?;
        let mut there = Vec::new();
        for tag in &deletion.tags {
            match self.pointed(tag).await? {
                Some(now) if now == digest => there.push(tag.clone()),
                Some(now) => return skipped(format!("`{tag}` is at {now} now")),
                None => {}
            }
        }
        if there.is_empty() {
            return skipped("it is gone already".to_owned());
        }
        if self.plan.deletes == Deletes::Digests {
            if let Some(tag) = self.newcomer(digest).await? {
                return skipped(format!("`{tag}` is at this digest since the plan was made"));
            }
            self.target
                .remove_digest(self.repository, digest)
                .await
                .map_err(failed)?;
        } else {
            for tag in &there {
                self.delete_tag(tag, digest).await?;
            }
        }
        self.gone.extend(deletion.tags.iter().cloned());
        Ok(Event::Deleted { tags: there, digest })
    }

    /// A release writes its record before anything else.
    async fn nobody_releases(&self) -> Result<(), Failed> {
        for (tag, digest) in &self.plan.watch {
            if self.pointed(tag).await? != *digest {
                let reason = format!("`{tag}` is another one since the plan was made: somebody releases");
                let mut error = self.error(reason);
                error.hints = vec!["wait for that release to end, then run this again".to_owned()];
                return Err((ExitCode::Refused, error));
            }
        }
        Ok(())
    }

    /// A tag that was put on this digest since the plan was made.
    async fn newcomer(&self, digest: Digest) -> Result<Option<Tag>, Failed> {
        let tags = self.target.tags(self.repository).await.map_err(failed)?;
        for tag in tags {
            if !self.plan.known.contains_key(&tag) && self.pointed(&tag).await? == Some(digest) {
                return Ok(Some(tag));
            }
        }
        Ok(None)
    }

    /// Deletes one tag. The first time that another tag is on the same digest, it is looked whether that survived: a registry that takes the digest
    /// along gets it back, and nothing more is deleted.
    async fn delete_tag(&mut self, tag: &Tag, digest: Digest) -> Result<(), Failed> {
        let other = (!self.proven)
            .then(|| {
                let mut others = self.plan.known.iter();
                others.find(|(other, at)| **at == digest && *other != tag && !self.gone.contains(*other))
            })
            .flatten();
        let kept: Option<(Tag, RawManifest)> = match other {
            Some((other, _)) => match self.target.stored(self.repository, digest).await {
                Found::Whole(raw) => Some((other.clone(), raw)),
                Found::Unknown(error) => return Err(failed(error)),
                Found::Missing | Found::Damaged(_) => None,
            },
            None => None,
        };
        match self.way {
            Way::Target => self.target.remove(self.repository, tag).await,
            Way::Hub(account) => account.delete(tag).await,
        }
        .map_err(failed)?;
        let Some((other, raw)) = kept else { return Ok(()) };
        if self.pointed(&other).await?.is_some() {
            self.proven = true;
            return Ok(());
        }
        let lost = self.plan.known.iter();
        let lost = lost.filter(|(name, at)| **at == digest && *name != tag && !self.gone.contains(*name));
        for (name, _) in lost {
            self.target
                .put_manifest(self.repository, name, &raw)
                .await
                .map_err(failed)?;
        }
        let reason =
            format!("deleting `{tag}` took `{other}` along, which is the same digest; it was put back");
        let mut error = self.error(reason);
        error.hints = vec!["this registry does not delete as it says: nothing more was deleted".to_owned()];
        Err((ExitCode::Failed, error))
    }

    async fn pointed(&self, tag: &Tag) -> Result<Option<Digest>, Failed> {
        match self.target.pointed(self.repository, tag).await {
            Found::Whole(digest) => Ok(Some(digest)),
            Found::Missing => Ok(None),
            Found::Unknown(error) => Err(failed(error)),
            Found::Damaged(reason) => Err(failed(self.error(reason))),
        }
    }

    fn error(&self, reason: String) -> TargetError {
        TargetError {
            attempted: format!("prune `{}`", self.repository),
            reason,
            status: None,
            codes: Vec::new(),
            class: FailureClass::Permanent,
            retry_after: None,
            hints: Vec::new(),
            write: true,
        }
    }
}

fn failed(error: TargetError) -> Failed {
    (error.exit_code(), error)
}
