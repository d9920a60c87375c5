//! Which tags there are, taking one away, and the registry's own clock.

use super::Registry;
use super::auth::Access;
use super::exchange::{Answer, Place, Request};
use super::failure::Operation;
use super::retry::http_date;
use crate::domain::{Digest, Repository, Tag};
use crate::target::{FailureClass, Presence, Reference, TargetError};
use reqwest::Method;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// Tags that are asked for at once.
const PAGE: usize = 1000;
/// Longest page of tags that is read, in bytes.
const PAGE_LIMIT: usize = 4 * 1024 * 1024;
/// Pages that are read at most.
const PAGES: usize = 200;
/// First pause while a tag that was taken away is still read.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registry {
    /// All tags of a repository; none where there is no repository yet.
    pub(super) async fn list_tags(&self, repository: &Repository) -> Result<Vec<Tag>, TargetError> {
        let operation = Operation::read(repository, "the tags");
        let mut place = Place::Path(format!("tags/list?n={PAGE}"));
        let mut tags = Vec::new();
        for _ in 0..PAGES {
            let request = Request {
                place: place.clone(),
                ..Request::new(Method::GET, repository, Access::Pull, "")
            };
            let asked = self
                .retrying(|| async {
                    let answer = self.checked(&operation, &request).await?;
                    let next = next_page(&answer);
                    let body = answer.body(&operation, PAGE_LIMIT).await?;
                    Ok((next, body))
                })
                .await;
            let (next, body) = match asked {
                Ok(page) => page,
                Err(error) if error.status == Some(404) => return Ok(tags),
                Err(error) => return Err(error),
            };
            let page: Page = serde_json::from_slice(&body)
                .map_err(|error| operation.permanent(format!("the list of tags is none: {error}")))?;
            // What is no tag by the specification cannot be one of ours.
            tags.extend(page.tags.into_iter().flatten().filter_map(|tag| tag.parse().ok()));
            match next {
                Some(next) => place = next,
                None => return Ok(tags),
            }
        }
        Err(operation.permanent(format!("there are more than {} tags", PAGE * PAGES)))
    }

    /// Takes a tag away, if `seen` stands there, and nothing else with it: by its name, never by its digest. `false` where the registry does not do that,
    /// or does not let this account.
    pub(super) async fn remove_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        seen: Digest,
    ) -> Result<bool, TargetError> {
        let operation = Operation::on(repository, format!("delete `{tag}` of `{repository}`"), true);
        match self.standing(repository, tag).await {
            Presence::Present(digest) if digest == seen => {}
            Presence::Present(digest) => {
                return Err(operation.error(
                    FailureClass::Conflict,
                    format!("{digest} is there now, and {seen} was"),
                ));
            }
            Presence::Absent => return Ok(true),
            Presence::Unknown(error) => return Err(error),
        }
        let request = Request::new(
            Method::DELETE,
            repository,
            Access::Delete,
            format!("manifests/{tag}"),
        );
        let asked = self
            .retrying(|| async { self.checked(&operation, &request).await.map(drop) })
            .await;
        match asked {
            Ok(()) => {}
            // 405 and 400 `UNSUPPORTED` or `DIGEST_INVALID`: this registry deletes by digest only (distribution specification, "Deleting tags").
            Err(error) if matches!(error.status, Some(400 | 401 | 403 | 404 | 405 | 501)) => {
                let gone = self.standing(repository, tag).await;
                return Ok(matches!(gone, Presence::Absent));
            }
            Err(error) => return Err(error),
        }
        let deadline = Instant::now() + self.0.options.read_back;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.standing(repository, tag).await {
                Presence::Absent => return Ok(true),
                Presence::Unknown(error) => return Err(error),
                Presence::Present(_) if Instant::now() + pause > deadline => return Ok(false),
                Presence::Present(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What stands under a tag.
    async fn standing(&self, repository: &Repository, tag: &Tag) -> Presence<Digest> {
        let reference = Reference::from(tag);
        self.find_digest(repository, &reference).await
    }

    /// Takes down what time a registry has.
    pub(super) fn hear_time(&self, answer: &Answer) {
        if let Some(date) = answer.header("date").and_then(http_date) {
            let mut heard = self
                .0
                .heard
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *heard = Some((date, Instant::now()));
        }
    }

    /// What time it is by the registry that answered last.
    pub(super) fn told_time(&self) -> Option<jiff::Timestamp> {
        let heard = *self
            .0
            .heard
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (date, at) = heard?;
        date.checked_add(at.elapsed())
            .ok()
            .and_then(|now| jiff::Timestamp::from_second(now.as_second()).ok())
    }
}

/// Where the next page is: `Link: </v2/…?last=…>; rel="next"` (distribution specification, "Listing Tags").
fn next_page(answer: &Answer) -> Option<Place> {
    let link = answer.header("link")?;
    let (url, rest) = link.strip_prefix('<')?.split_once('>')?;
    rest.contains("next")
        .then(|| answer.url.join(url).ok().map(Place::Url))
        .flatten()
}
