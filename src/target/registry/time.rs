//! The registry's own clock, as its answers tell it.

use super::Registry;
use super::exchange::Answer;
use super::retry::http_date;
use crate::domain::Repository;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

impl Registry {
    /// Takes down what time the registry of `repository` has. Others that are asked, of upstream images or a mirror, may have another. An answer from a cache is as old as it says (`Age`: RFC 9111, section 5.1).
    pub(super) fn hear_time(&self, repository: &Repository, answer: &Answer) {
        let Some(date) = answer.header("date").and_then(http_date) else {
            return;
        };
        let age = answer
            .header("age")
            .and_then(|age| age.trim().parse::<u32>().ok());
        let Ok(date) = date.checked_add(Duration::from_secs(age.unwrap_or(0).into())) else {
            return;
        };
        let mut heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.insert(repository.host().to_owned(), (date, Instant::now()));
    }

    /// What time it is by the registry of `repository`, as it told it last.
    pub(super) fn told_time(&self, repository: &Repository) -> Option<jiff::Timestamp> {
        let heard = self.0.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, at) = heard.get(repository.host())?;
        date.checked_add(at.elapsed())
            .ok()
            .and_then(|now| jiff::Timestamp::from_second(now.as_second()).ok())
    }
}
