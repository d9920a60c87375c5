//! A registry in this process, for scale alone: what it holds is in memory, and how many requests it answers at once is counted.

use super::gauge::Gauge;
use crate::support::sha256;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a registry holds of its only repository.
#[derive(Default)]
pub struct Held {
    /// Type and bytes by digest.
    manifests: HashMap<String, (String, Bytes)>,
    pub tags: HashMap<String, String>,
    blobs: HashMap<String, Bytes>,
}

/// A registry of one repository.
#[derive(Default)]
pub struct Store {
    pub held: Mutex<Held>,
    /// Requests in progress.
    pub requests: Gauge,
}

impl Store {
    /// Starts to answer; gives `localhost:PORT`.
    pub fn serve(self: &Arc<Self>) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let store = Arc::clone(self);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = axum::Router::new().fallback(answer).with_state(store);
                axum::serve(listener, router).await.unwrap();
            });
        });
        address
    }

    /// Puts a blob; its digest.
    pub fn blob(&self, bytes: Vec<u8>) -> String {
        let digest = sha256(&bytes);
        self.held
            .lock()
            .unwrap()
            .blobs
            .insert(digest.clone(), bytes.into());
        digest
    }

    /// Puts a manifest under a tag; its digest.
    pub fn tag(&self, tag: &str, kind: &str, bytes: Vec<u8>) -> String {
        let digest = sha256(&bytes);
        let mut held = self.held.lock().unwrap();
        held.manifests
            .insert(digest.clone(), (kind.to_owned(), bytes.into()));
        held.tags.insert(tag.to_owned(), digest.clone());
        digest
    }
}

async fn answer(State(store): State<Arc<Store>>, request: Request) -> Response {
    let _counted = store.requests.enter();
    // Long enough that requests which are made at once are here at once.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let mut held = store.held.lock().unwrap();
    match (
        parts.method.as_str(),
        path.rsplit_once("/manifests/"),
        path.rsplit_once("/blobs/"),
    ) {
        (_, Some((_, name)), _) if parts.method == "PUT" => {
            let digest = sha256(&body);
            held.manifests.insert(digest.clone(), (kind.to_owned(), body));
            if !name.starts_with("sha256:") {
                held.tags.insert(name.to_owned(), digest.clone());
            }
            told(201, &[("docker-content-digest", &digest)], Bytes::new())
        }
        (_, Some((_, name)), _) => {
            let digest = held.tags.get(name).map_or(name, String::as_str);
            match held.manifests.get(digest) {
                Some((kind, bytes)) => told(
                    200,
                    &[("content-type", kind), ("docker-content-digest", digest)],
                    bytes.clone(),
                ),
                None => told(404, &[], r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.into()),
            }
        }
        ("POST", _, Some(_)) => told(202, &[("location", &format!("{path}1"))], Bytes::new()),
        ("PUT", _, Some(_)) => {
            let digest = query
                .rsplit_once("digest=")
                .map(|(_, digest)| digest.replace("%3A", ":"));
            let digest = digest.filter(|digest| *digest == sha256(&body));
            let Some(digest) = digest else {
                return told(400, &[], r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#.into());
            };
            held.blobs.insert(digest.clone(), body);
            told(201, &[("docker-content-digest", &digest)], Bytes::new())
        }
        ("DELETE", _, Some(_)) => told(204, &[], Bytes::new()),
        (_, _, Some((_, digest))) => match held.blobs.get(digest) {
            Some(bytes) => told(200, &[], bytes.clone()),
            None => told(404, &[], r#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#.into()),
        },
        _ if path.ends_with("/tags/list") => {
            let tags: Vec<_> = held.tags.keys().collect();
            told(
                200,
                &[],
                serde_json::json!({"name": "x", "tags": tags}).to_string().into(),
            )
        }
        _ => told(404, &[], r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#.into()),
    }
}

fn told(status: u16, headers: &[(&str, &str)], body: Bytes) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}
