//! Which tags there are.

use super::Registry;
use super::auth::Access;
use super::delete::is_absent;
use super::exchange::Request;
use super::failure::Operation;
use crate::domain::{Repository, Tag};
use crate::target::TargetError;
use reqwest::Method;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Tags that are asked for at once: what most registries give at most. A registry may give fewer, or all.
const PAGE: usize = 1000;
/// Longest page that is read, in bytes.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

#[derive(Deserialize)]
pub(super) struct Page {
    /// `null` where there is none, on some registries.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// Some answer so with 200.
    #[serde(default)]
    errors: Option<serde::de::IgnoredAny>,
}

impl Registry {
    /// All tags of a repository, in order; none where there is no repository yet.
    pub(super) async fn list_tags(&self, repository: &Repository) -> Result<Vec<Tag>, TargetError> {
        match self.list_from(repository, format!("tags/list?n={PAGE}")).await {
            // A registry that gives fewer at once may refuse to be asked for so many.
            Err(error) if error.status == Some(400) => {
                self.list_from(repository, "tags/list".to_owned()).await
            }
            listed => listed,
        }
    }

    async fn list_from(&self, repository: &Repository, path: String) -> Result<Vec<Tag>, TargetError> {
        let operation = Operation::read(repository, "the tags");
        let first = Request::new(Method::GET, repository, Access::Pull, path);
        let mut tags = BTreeSet::new();
        let read = self.pages(&operation, first, PAGE_LIMIT, |page| {
            let is_object = page.trim_ascii_start().starts_with(b"{");
            let page: Page = serde_json::from_slice(page)
                .map_err(|error| operation.permanent(format!("the answer is no list of tags: {error}")))?;
            if !is_object || page.errors.is_some() {
                return Err(operation.permanent("the answer is no list of tags"));
            }
            // What is no tag by the specification cannot be asked for either.
            tags.extend(page.tags.into_iter().flatten().filter_map(|tag| tag.parse().ok()));
            Ok(())
        });
        match read.await {
            Ok(()) => Ok(tags.into_iter().collect()),
            Err(error) if is_absent(&error) && tags.is_empty() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}
