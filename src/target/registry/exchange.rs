//! One request and its answer: authenticated, redirects followed, bounded in number and size.

use super::auth::{Access, Authorization};
use super::challenge;
use super::failure::Operation;
use super::http::same_origin;
use super::pipe::Pipe;
use super::{Registry, retry};
use crate::domain::Repository;
use crate::pace::Counts;
use crate::target::transfer::ByteStream;
use crate::target::{FailureClass, TargetError};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, WWW_AUTHENTICATE,
};
use reqwest::{Method, StatusCode, Url};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Redirects that are followed in a row.
const MOST_REDIRECTS: usize = 5;
/// Longest piece of an error's body that is read, in bytes.
const ERROR_LIMIT: usize = 64 * 1024;

/// Bytes in a second below which a request is given up.
const SLOWEST: u64 = 50_000;

/// A request to a repository.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) repository: &'a Repository,
    pub(super) access: Access,
    pub(super) place: Place,
    pub(super) accept: Option<&'static str>,
    /// Whether an answer that a cache holds will not do.
    pub(super) fresh: bool,
    pub(super) content_type: Option<String>,
    pub(super) body: Option<Bytes>,
    /// The body, where it is read from elsewhere while it is sent.
    pub(super) piped: Option<&'a Pipe>,
    /// Path of the repository from which a blob is mounted.
    pub(super) mounted_from: Option<&'a str>,
    /// How many bytes go one way or the other, beyond a few: they take time.
    pub(super) weight: u64,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// Behind `/v2/PATH/` of the repository.
    Path(String),
    /// Where the registry said.
    Url(Url),
}

impl<'a> Request<'a> {
    pub(super) fn new(
        method: Method,
        repository: &'a Repository,
        access: Access,
        path: impl Into<String>,
    ) -> Self {
        Self {
            method,
            repository,
            access,
            place: Place::Path(path.into()),
            accept: None,
            fresh: false,
            content_type: None,
            body: None,
            piped: None,
            mounted_from: None,
            weight: 0,
        }
    }

    /// Docker Hub counts the GETs of manifests as pulls, and nothing else.
    fn counts(&self) -> Counts {
        match &self.place {
            Place::Path(path) if self.method == Method::GET && path.starts_with("manifests/") => {
                Counts::AsPull
            }
            _ => Counts::AsAny,
        }
    }
}

/// An answer whose body was not read yet. Counts as a request in progress until it is dropped.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What answered in the end.
    pub(super) url: Url,
    response: reqwest::Response,
    redirected: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; `None` at its end.
    pub(super) async fn chunk(&mut self, operation: &Operation) -> Result<Option<Bytes>, TargetError> {
        self.response.chunk().await.map_err(|error| {
            let mut failed = operation.transport(&error.without_url());
            failed.class = FailureClass::Transient;
            failed
        })
    }

    /// The body as it comes. It no longer counts as a request in progress: it waits for whoever takes it.
    pub(super) fn stream(self) -> ByteStream {
        let pieces = self.response.bytes_stream();
        pieces
            .map_err(|error| std::io::Error::other(error.without_url()))
            .boxed()
    }

    /// The whole body, of at most `limit` bytes.
    pub(super) async fn body(mut self, operation: &Operation, limit: usize) -> Result<Bytes, TargetError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk(operation).await? {
            if body.len() + chunk.len() > limit {
                return Err(operation.permanent(format!("it is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The error that this answer is.
    pub(super) async fn into_error(self, operation: &Operation) -> TargetError {
        let (body, broken) = beginning(self.response).await;
        let server = self
            .redirected
            .then(|| format!("redirected to `{}`", self.url.host_str().unwrap_or_default()));
        let mut error = operation.status(server.as_deref(), self.status, &self.headers, &body);
        // Which code it would have had decides much: whether something is absent, for instance.
        if broken && error.codes.is_empty() {
            error.class = FailureClass::Transient;
            error.reason = format!("{}, and the rest of the answer did not come", error.reason);
        }
        if self.redirected {
            error.hints.clear();
        }
        error
    }
}

impl Registry {
    /// Does `attempt` as often as the retry policy allows, and keeps secrets out of what comes of it.
    pub(super) async fn retrying<T: Send, F: Future<Output = Result<T, TargetError>> + Send>(
        &self,
        attempt: impl Fn() -> F + Send + Sync,
    ) -> Result<T, TargetError> {
        let redacted = || async { attempt().await.map_err(|error| self.redact(error)) };
        let options = &self.0.options;
        retry::retrying(&options.pace, &self.0.retry, &self.0.observer, redacted).await
    }

    /// Keeps secrets that a server may have repeated out of an error, and lets its hints name where the credential comes from.
    pub(super) fn redact(&self, mut error: TargetError) -> TargetError {
        for hint in &mut error.hints {
            if let Some(better) = self.0.auth.variables_instead(hint) {
                *hint = better;
            }
        }
        if let Some(redacted) = self.0.auth.redact(&error.reason) {
            error.reason = redacted;
        }
        error
    }

    /// One try; an answer that is no success is an error.
    pub(super) async fn checked(
        &self,
        operation: &Operation,
        request: &Request<'_>,
    ) -> Result<Answer, TargetError> {
        let answer = self.exchange(operation, request).await?;
        self.hear_time(request.repository, &answer);
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(answer.into_error(operation).await)
        }
    }

    /// One try with any outcome. Authenticates as the registry asks for it, and gets a fresh token once where one is refused.
    pub(super) async fn exchange(
        &self,
        operation: &Operation,
        request: &Request<'_>,
    ) -> Result<Answer, TargetError> {
        let (host, path) = (request.repository.host(), request.repository.path());
        let (http, auth) = (&self.0.http, &self.0.auth);
        let mut authenticated = false;
        let mut tried_tls = false;
        loop {
            let base = http
                .base(host, path)
                .map_err(|error| operation.permanent(format!("`{host}` cannot be asked: {error}")))?;
            let url = match &request.place {
                Place::Url(url) => url.clone(),
                Place::Path(rest) => base
                    .join(rest)
                    .map_err(|error| operation.permanent(format!("`{host}` cannot be asked: {error}")))?,
            };
            let ours = same_origin(&base, &url);
            let authorization = if ours {
                auth.authorization(http, operation, path, request.access, request.mounted_from)
                    .await?
            } else {
                None
            };
            let sent = self
                .follow(operation, request, url.clone(), authorization.as_ref())
                .await;
            if !tried_tls && http.may_want_tls(host) {
                tried_tls = true;
                if self.wants_tls(&base, &sent).await {
                    http.speaks_tls(host);
                    continue;
                }
                if sent.is_ok() {
                    http.speaks_plain(host);
                }
            }
            let mut answer = sent.map_err(|failure| failure.error)?;
            if answer.status != StatusCode::UNAUTHORIZED || authenticated || answer.redirected || !ours {
                if answer.status.is_success() && authorization.as_ref().is_some_and(|sent| !sent.is_token()) {
                    auth.accept(host);
                }
                return Ok(answer);
            }
            authenticated = true;
            // The token server is asked now: whoever is authenticated must not keep it from being asked.
            answer.permit = None;
            let challenges = answer.headers.get_all(WWW_AUTHENTICATE);
            let challenges = challenge::parse(challenges.iter().filter_map(|value| value.to_str().ok()));
            let learnt = auth.learn(http, operation, &url, &challenges)?;
            match &authorization {
                Some(rejected) if rejected.is_token() => auth.reject(rejected).await,
                // The same password was accepted before: whatever the registry looks that up in may have failed.
                Some(_) if auth.has_accepted(host) => {}
                Some(_) => return Ok(answer),
                None if !learnt => return Ok(answer),
                None => {
                    // Without credentials a second request would be the same as the first.
                    let known = auth
                        .authorization(http, operation, path, request.access, request.mounted_from)
                        .await?;
                    if known.is_none() {
                        return Ok(answer);
                    }
                }
            }
        }
    }

    /// Sends a request and follows where a GET or HEAD is sent on to. Credentials stay with the server that they are for.
    async fn follow(
        &self,
        operation: &Operation,
        request: &Request<'_>,
        mut url: Url,
        authorization: Option<&Authorization>,
    ) -> Result<Answer, Failure> {
        let http = &self.0.http;
        let permit = http.enter(operation, &url, request.counts()).await?;
        let mut authorization = authorization;
        let mut redirects = 0;
        loop {
            let client = http
                .client(&url, request.piped.is_some())
                .map_err(|error| Failure::of(operation, &error))?;
            let mut builder = client.request(request.method.clone(), url.clone());
            if let Some(accept) = request.accept {
                builder = builder.header(ACCEPT, accept);
            }
            if request.fresh {
                builder = builder.header(CACHE_CONTROL, "no-cache");
            }
            if let Some(authorization) = authorization {
                builder = builder.header(AUTHORIZATION, authorization.header.clone());
            }
            if let Some(content_type) = &request.content_type {
                builder = builder.header(CONTENT_TYPE, content_type);
            }
            if let Some(pipe) = request.piped {
                let Some(body) = pipe.take() else {
                    let error = operation.error(FailureClass::Transient, "the upload has to begin anew");
                    return Err(error.into());
                };
                builder = builder.header(CONTENT_LENGTH, pipe.size).body(body);
            } else if let Some(body) = &request.body {
                builder = builder.body(body.clone());
            } else if matches!(request.method, Method::POST | Method::PUT) {
                builder = builder.header("Content-Length", "0");
            }
            let weight = request.piped.map_or(request.weight, |pipe| pipe.size);
            let whole = self.0.options.request_timeout + Duration::from_secs(weight / SLOWEST);
            let sending = builder.timeout(whole).send();
            let response = match request.piped {
                Some(pipe) => {
                    pipe.watch(operation, self.0.options.idle_timeout, sending)
                        .await?
                }
                None => sending.await.map_err(|error| Failure::of(operation, &error))?,
            };
            http.heard(&url, &response);
            let status = response.status();
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok());
            let target = match (status.as_u16(), location) {
                (301 | 302 | 303 | 307 | 308, Some(location))
                    if matches!(request.method, Method::GET | Method::HEAD) =>
                {
                    url.join(location).ok()
                }
                _ => None,
            };
            let Some(target) = target else {
                return Ok(Answer {
                    status,
                    headers: response.headers().clone(),
                    redirected: redirects > 0,
                    url,
                    response,
                    permit: Some(permit),
                });
            };
            redirects += 1;
            if redirects > MOST_REDIRECTS {
                return Err(operation.permanent("redirected more than 5 times").into());
            }
            if !matches!(target.scheme(), "http" | "https") {
                return Err(operation
                    .permanent(format!("redirected to a URL of the scheme `{}`", target.scheme()))
                    .into());
            }
            if !same_origin(&url, &target) {
                authorization = None;
            }
            url = target;
            http.ready(operation, &url, request.counts()).await?;
        }
    }

    /// Whether a server that was spoken to without TLS wants it: it breaks off, or says so in words (Go: `Client sent an HTTP request to
    /// an HTTPS server`; nginx: `The plain HTTP request was sent to HTTPS port`).
    async fn wants_tls(&self, base: &Url, sent: &Result<Answer, Failure>) -> bool {
        match sent {
            Err(failure) => failure.not_http,
            Ok(answer) if matches!(answer.status.as_u16(), 400 | 497) => {
                // The answer to a HEAD has no text: ask for it.
                let Ok(client) = self.0.http.client(base, false) else {
                    return false;
                };
                let Ok(root) = base.join("/v2/") else {
                    return false;
                };
                let Ok(response) = client
                    .get(root)
                    .timeout(self.0.options.request_timeout)
                    .send()
                    .await
                else {
                    return false;
                };
                if !matches!(response.status().as_u16(), 400 | 497) {
                    return false;
                }
                let (text, _) = beginning(response).await;
                let text = String::from_utf8_lossy(&text).to_lowercase();
                text.contains("https server") || text.contains("https port")
            }
            Ok(_) => false,
        }
    }
}

/// The beginning of a body that is an error, and whether it broke off: it still says something.
async fn beginning(mut response: reqwest::Response) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while body.len() < ERROR_LIMIT {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => return (body, true),
        }
    }
    (body, false)
}

/// A request that got no answer.
pub(super) struct Failure {
    error: TargetError,
    /// What came back was not HTTP.
    not_http: bool,
}

impl Failure {
    pub(super) fn of(operation: &Operation, error: &reqwest::Error) -> Self {
        let text = format!("{error:?}");
        Self {
            not_http: text.contains("Parse(") && !error.is_connect(),
            error: operation.transport(error),
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self {
            error,
            not_http: false,
        }
    }
}
