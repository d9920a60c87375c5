//! The registry: whether it answers, whether this account may read and push there.

use super::check::{Check, Kind};
use crate::config::Retry;
use crate::credentials::{CredentialSource, Credentials};
use crate::domain::{Duration, Repository};
use crate::pace::Pace;
use crate::target::TargetError;
use crate::target::registry::{Options, Reached, Registry};
use std::sync::Arc;

/// A client that gives up sooner than that of a release: here, to wait is no use.
#[must_use]
pub fn client(credentials: Credentials, pace: Pace) -> Registry {
    let retry = Retry {
        attempts: 2,
        delays: vec![Duration::from_secs(1)],
        ..Retry::default()
    };
    let options = Options {
        connect_timeout: std::time::Duration::from_secs(5),
        request_timeout: std::time::Duration::from_secs(10),
        pace,
        ..Options::default()
    };
    Registry::with_options(retry, credentials, Arc::new(|_| ()), options)
}

/// What the registry let be known.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) repository: Repository,
    /// Where the credentials come from, as far as that is known.
    pub(super) source: Option<CredentialSource>,
    pub(super) reached: Result<Reached, TargetError>,
    /// What came of opening an upload; not tried on a registry that does not answer.
    pub(super) pushed: Option<Result<(), TargetError>>,
}

/// Asks.
pub(super) async fn ask(
    registry: &Registry,
    repository: &Repository,
    source: Option<CredentialSource>,
) -> Facts {
    let reached = registry.reach(repository).await;
    let pushed = match &reached {
        Ok(_) => Some(registry.try_push(repository).await),
        Err(_) => None,
    };
    Facts {
        repository: repository.clone(),
        source,
        reached,
        pushed,
    }
}

fn failed(kind: Kind, error: &TargetError, host: &str) -> Check {
    let hint = error.hints.first().cloned();
    let hint = hint.unwrap_or_else(|| {
        format!(
            "see whether {host} is well, and whether this machine reaches it (HTTPS_PROXY and NO_PROXY count)"
        )
    });
    Check::error(kind, error.to_string()).mend(hint)
}

/// The verdict on reading.
pub(super) fn judge(facts: &Facts) -> Check {
    let Facts { repository, .. } = facts;
    let reached = match &facts.reached {
        Ok(reached) => reached,
        Err(error) => return failed(Kind::Registry, error, repository.host()),
    };
    match &reached.readable {
        Ok(true) => Check::ok(Kind::Registry, format!("`{repository}` can be read")),
        Ok(false) => Check::ok(
            Kind::Registry,
            format!("answers; `{repository}` holds nothing yet"),
        ),
        // Some registries say so of what is not there yet.
        Err(_) if matches!(facts.pushed, Some(Ok(()))) => Check::ok(
            Kind::Registry,
            format!(
                "answers; `{repository}` can be pushed to, and cannot be read as long as it is not there"
            ),
        ),
        Err(error) => failed(Kind::Registry, error, repository.host()),
    }
}

/// The verdict on pushing.
pub(super) fn judge_push(facts: &Facts) -> Check {
    let repository = &facts.repository;
    let host = repository.host();
    let error = match &facts.pushed {
        None => return Check::skipped(Kind::Push, "the registry does not answer"),
        Some(Ok(())) => {
            return Check::ok(
                Kind::Push,
                format!("`{repository}` takes uploads (one was opened and cancelled)"),
            );
        }
        Some(Err(error)) => error,
    };
    let check = Check::error(Kind::Push, error.to_string());
    match (error.status, &facts.source) {
        (Some(401 | 403 | 404), None | Some(CredentialSource::Nowhere)) => check.mend(format!(
            "`docker login {host}` with an account that may push to `{repository}`, or set SPLITBASE_USERNAME and SPLITBASE_PASSWORD"
        )),
        (Some(401), Some(source)) => check.mend(format!(
            "the credentials {source} are refused: are they right, and still valid? `docker login {host}` sets new ones"
        )),
        (Some(403 | 404), Some(source)) => check.mend(format!(
            "the account of the credentials {source} may not push: give it the right to write to `{repository}`, or log in with another one"
        )),
        (Some(405), _) => check.mend(format!(
            "{host} is read-only: a mirror or cache, or in maintenance; name a registry that takes uploads (`--repository`)"
        )),
        _ => failed(Kind::Push, error, host),
    }
}
