//! The client against a scripted registry on this machine, and against a real one.

mod auth;
mod carry;
mod copy;
mod hub;
mod limits;
mod live;
mod patience;
mod presence;
mod push;
mod recorded;
mod retry;
mod tags;
mod transfer;
mod upkeep;
mod wild;

use super::{Options, Registry, RetryNotice};
use crate::config::Retry;
use crate::credentials::{Credential, Credentials};
use crate::domain::{Digest, Duration, Repository, Tag};
use crate::pace::{Limits, Pace};
use crate::target::{Presence, Reference, TargetError, oci};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// A request as the scripted registry saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    query: String,
    headers: reqwest::header::HeaderMap,
    body: Bytes,
    /// How many requests with the same method and path came before.
    before: usize,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }
}

/// A server on this machine that answers as its script says, and keeps what it was asked.
struct Fake {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    async fn start(script: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, kept) = (Arc::new(script), Arc::clone(&log));
        let router = axum::Router::new().fallback(move |request: Request| {
            let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let seen = {
                    let mut kept = kept.lock().unwrap();
                    let path = parts.uri.path().to_owned();
                    let before = kept
                        .iter()
                        .filter(|seen| seen.is(parts.method.as_str(), &path))
                        .count();
                    let seen = Seen {
                        method: parts.method.to_string(),
                        path,
                        query: parts.uri.query().unwrap_or_default().to_owned(),
                        headers: parts.headers,
                        body,
                        before,
                    };
                    kept.push(seen.clone());
                    seen
                };
                script(&seen)
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, log }
    }

    fn host(&self) -> String {
        self.address.to_string()
    }

    fn repository(&self) -> Repository {
        format!("{}/acme/devbox", self.address).parse().unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    /// The requests so far, without `/v2/acme/devbox/`: `HEAD manifests/v1`.
    fn lines(&self) -> Vec<String> {
        let line = |seen: &Seen| {
            format!(
                "{} {}",
                seen.method,
                seen.path.trim_start_matches("/v2/acme/devbox/")
            )
        };
        self.seen().iter().map(line).collect()
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// An error as the distribution specification shapes it.
fn refuse(status: u16, code: &str) -> Response {
    answer(
        status,
        &[],
        format!(r#"{{"errors":[{{"code":"{code}","message":"text"}}]}}"#),
    )
}

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn digest() -> Digest {
    Digest::of(MANIFEST.as_bytes())
}

/// The manifest, with its digest in the header.
fn manifest() -> Response {
    answer(200, &[("Docker-Content-Digest", &digest().to_string())], MANIFEST)
}

fn tag() -> Tag {
    "v1".parse().unwrap()
}

fn by_tag() -> Reference {
    Reference::from(&tag())
}

type Notices = Arc<Mutex<Vec<RetryNotice>>>;

fn client_of(credentials: Credentials) -> (Registry, Notices) {
    client_with(credentials, |_| {})
}

/// Generous limits, for machines that are busy; `change` makes one of them short.
fn client_with(credentials: Credentials, change: impl FnOnce(&mut Options)) -> (Registry, Notices) {
    let notices = Notices::default();
    let kept = Arc::clone(&notices);
    let retry = Retry {
        attempts: 3,
        delays: vec![Duration(std::time::Duration::from_millis(1))],
        ..Retry::default()
    };
    let mut options = Options {
        pace: pace(60),
        ..Options::default()
    };
    change(&mut options);
    let observer = Arc::new(move |notice| kept.lock().unwrap().push(notice));
    (
        Registry::with_options(retry, credentials, observer, options),
        notices,
    )
}

/// Pauses of so many seconds in all, none of them longer than planned.
fn pace(budget: u64) -> Pace {
    Pace::new(Limits {
        budget: std::time::Duration::from_secs(budget),
        jitter: || 0.0,
        ..Limits::default()
    })
}

fn client() -> Registry {
    client_of(Credentials::anonymous()).0
}

fn alice(fake: &Fake) -> Registry {
    client_of(Credentials::fixed(
        &fake.host(),
        Credential::new("alice", "hunter2"),
    ))
    .0
}

#[track_caller]
fn unknown<T: std::fmt::Debug>(presence: Presence<T>) -> TargetError {
    match presence {
        Presence::Unknown(error) => error,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn present<T: std::fmt::Debug>(presence: Presence<T>) -> T {
    match presence {
        Presence::Present(value) => value,
        other => panic!("{other:?}"),
    }
}

fn layer(body: &[u8], media_type: &str) -> oci::Descriptor {
    oci::Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(body),
        size: body.len() as u64,
        platform: None,
        annotations: std::collections::BTreeMap::new(),
    }
}
