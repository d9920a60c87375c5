//! Docker Hub's own API, as far as a repository's page and deletions need it: a token for an account, a change of the descriptions, and the deletion of a tag
//! (docs.docker.com/reference/api/hub, "Authentication" and "Repositories").

use super::failure::Operation;
use super::http::Http;
use super::retry::{self, Observer};
use super::{Options, http};
use crate::config::Retry;
use crate::credentials::Secret;
use crate::domain::{Repository, Tag};
use crate::environment::Redactor;
use crate::pace::Counts;
use crate::target::{FailureClass, TargetError};
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// Where the API is.
pub const HUB: &str = "https://hub.docker.com";
/// Longest answer that is read, in bytes.
const LIMIT: usize = 64 * 1024;

/// A client of the API.
pub struct Hub {
    http: Http,
    base: Url,
    retry: Retry,
    observer: Observer,
    options: Options,
}

/// What a repository says of itself. What is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptions<'a> {
    /// The page, at most 25,000 bytes of Markdown.
    pub page: &'a str,
    /// The short description, at most 100 bytes.
    pub short: Option<&'a str>,
}

impl Hub {
    /// A client that retries by `retry`, and tells `observer` of each retry. Does no I/O yet.
    ///
    /// # Errors
    /// Why this is no address that a password may be sent to.
    pub fn new(base: &str, retry: Retry, observer: Observer, options: Options) -> Result<Self, String> {
        let base = Url::parse(base).map_err(|_| "it is not a URL".to_owned())?;
        if base.scheme() != "https" && !(base.scheme() == "http" && http::is_loopback(&base)) {
            return Err("a password is sent with `https://` only".to_owned());
        }
        Ok(Self {
            http: Http::new(options.clone()),
            base,
            retry,
            observer,
            options,
        })
    }

    /// Changes the descriptions of a repository. Its path must be `NAMESPACE/NAME`.
    ///
    /// # Errors
    /// The account or its password is not accepted, may not do this, or there is no such repository; or the API could not be reached.
    pub async fn describe(
        &self,
        repository: &Repository,
        username: &str,
        password: &Secret,
        descriptions: &Descriptions<'_>,
    ) -> Result<(), TargetError> {
        let token = self
            .token(repository, username, password, "change the page")
            .await?;
        let operation = Operation::on(repository, format!("change the page of `{repository}`"), true);
        let page = descriptions.page;
        let body = match descriptions.short {
            Some(short) => json!({"full_description": page, "description": short}),
            None => json!({"full_description": page}),
        };
        let path = format!("v2/repositories/{}", repository.path());
        let changed = retry::retrying(&self.options.pace, &self.retry, &self.observer, || {
            self.send(&operation, Method::PATCH, &path, &body, Some(&token))
        });
        changed.await.map(drop).map_err(|mut error| {
            let path = repository.path();
            error.hints = match error.status {
                Some(401 | 403) => vec![format!(
                    "the account `{username}` is known, but it or its token may not change `{path}`: a token needs the scope Read, Write, Delete, and the account must be one that administers the repository"
                )],
                Some(404) => vec![format!(
                    "there is no repository `{path}`, or the account `{username}` cannot see it: push to it first"
                )],
                _ => std::mem::take(&mut error.hints),
            };
            without(error, &[&token, password])
        })
    }

    /// Logs in to delete tags of a repository.
    ///
    /// # Errors
    /// The account or its password is not accepted, or the API could not be reached.
    pub async fn log_in(
        &self,
        repository: &Repository,
        username: &str,
        password: &Secret,
    ) -> Result<Secret, TargetError> {
        self.token(repository, username, password, "delete tags").await
    }

    /// Deletes a tag. Its registry deletes none, but the API does. That it is gone already is fine.
    ///
    /// # Errors
    /// The account may not do this, or the API could not be reached.
    pub async fn delete_tag(
        &self,
        repository: &Repository,
        tag: &Tag,
        token: &Secret,
    ) -> Result<(), TargetError> {
        let operation = Operation::on(repository, format!("delete `{tag}` of `{repository}`"), true);
        let path = format!("v2/repositories/{}/tags/{tag}/", repository.path());
        let deleted = retry::retrying(&self.options.pace, &self.retry, &self.observer, || {
            self.send(&operation, Method::DELETE, &path, &Value::Null, Some(token))
        });
        match deleted.await {
            Err(error) if error.status == Some(404) => Ok(()),
            Err(mut error) => {
                if matches!(error.status, Some(401 | 403)) {
                    error.hints = vec![format!(
                        "the account may not delete from `{}`: a token needs the scope Read, Write, Delete",
                        repository.path()
                    )];
                }
                Err(without(error, &[token]))
            }
            Ok(_) => Ok(()),
        }
    }

    async fn token(
        &self,
        repository: &Repository,
        username: &str,
        password: &Secret,
        purpose: &str,
    ) -> Result<Secret, TargetError> {
        let attempted = format!("log in as `{username}` to {purpose} of `{repository}`");
        let operation = Operation::on(repository, attempted, true);
        let body = json!({"identifier": username, "secret": password.expose()});
        let answer = retry::retrying(&self.options.pace, &self.retry, &self.observer, || {
            self.send(&operation, Method::POST, "v2/auth/token", &body, None)
        });
        let answer = answer.await.map_err(|mut error| {
            if matches!(error.status, Some(400 | 401 | 403 | 404)) {
                error.hints = vec![format!(
                    "the password or token of `{username}` is not the right one, or has run out: `docker login`, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`"
                )];
            }
            without(error, &[password])
        })?;
        let token = answer.get("access_token").and_then(Value::as_str);
        token
            .map(Secret::new)
            .ok_or_else(|| operation.permanent("the answer holds no token"))
    }

    /// One try; an answer that is no success is an error.
    async fn send(
        &self,
        operation: &Operation,
        method: Method,
        path: &str,
        body: &Value,
        token: Option<&Secret>,
    ) -> Result<Value, TargetError> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| operation.permanent(error.to_string()))?;
        let failed = |error: reqwest::Error| {
            let mut failed = operation.transport(&error);
            failed.hints.clear();
            failed
        };
        let client = self.http.client(&url, false).map_err(failed)?;
        let _permit = self.http.enter(operation, &url, Counts::AsAny).await?;
        let mut request = client
            .request(method, url.clone())
            .timeout(self.options.request_timeout);
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        let mut response = request.send().await.map_err(failed)?;
        self.http.heard(&url, &response);
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > LIMIT {
                break;
            }
        }
        if !status.is_success() {
            let mut error = operation.status(None, status, &headers, &bytes);
            error.hints.clear();
            return Err(error);
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

/// Takes out of an error whatever secret a server may have put into it.
fn without(mut error: TargetError, secrets: &[&Secret]) -> TargetError {
    let redactor = Redactor::new(secrets.iter().map(|secret| secret.expose().to_owned()));
    error.reason = redactor.masked(error.reason);
    if error.class == FailureClass::Unknown && error.status.is_some_and(|status| status < 400) {
        error
            .hints
            .push("the address answers, but not as Docker Hub does".to_owned());
    }
    error
}
