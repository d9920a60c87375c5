//! An npm registry of a test's own.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Held {
    /// Documents by package.
    packages: BTreeMap<String, Value>,
    /// Where clients find archives, if not at the address itself.
    outside: Option<String>,
    /// Archives that are not there though their versions are.
    lost: Vec<String>,
    /// What was asked for.
    asked: Vec<String>,
}

/// An npm registry of a test's own; it ends with the test's process.
pub struct Npm {
    address: String,
    held: Arc<Mutex<Held>>,
}

impl Npm {
    /// Starts one that has no packages.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = held.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let answer = move |request: axum::extract::Request| {
                    let response = answer(&mut shared.lock().unwrap(), request.uri().path());
                    async { response }
                };
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = axum::Router::new().fallback(answer);
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { address, held }
    }

    /// Its address, for `NPM_CONFIG_REGISTRY`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What is published from now on has its archive here (`http://HOST:PORT`).
    pub fn seen_at(&self, address: &str) -> &Self {
        self.held.lock().unwrap().outside = Some(address.to_owned());
        self
    }

    /// Publishes a version, which becomes `latest`; `deprecated` says why it should not be used.
    pub fn publish(&self, package: &str, version: &str, deprecated: Option<&str>) -> &Self {
        let mut held = self.held.lock().unwrap();
        let place = held.outside.as_ref().unwrap_or(&self.address);
        let mut release = json!({
            "version": version,
            "dist": {"tarball": format!("{place}/{package}/-/{package}-{version}.tgz")},
        });
        if let Some(why) = deprecated {
            release["deprecated"] = why.into();
        }
        let document = held
            .packages
            .entry(package.to_owned())
            .or_insert_with(|| json!({"name": package, "dist-tags": {}, "versions": {}}));
        document["dist-tags"]["latest"] = version.into();
        document["versions"][version] = release;
        drop(held);
        self
    }

    /// Loses the archive of a version.
    pub fn lose(&self, package: &str, version: &str) -> &Self {
        self.held
            .lock()
            .unwrap()
            .lost
            .push(format!("/{package}/-/{package}-{version}.tgz"));
        self
    }

    /// The paths that were asked for since this was called last.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.held.lock().unwrap().asked)
    }
}

fn answer(held: &mut Held, path: &str) -> axum::response::Response {
    use axum::http::StatusCode;
    held.asked.push(path.to_owned());
    let archive = path.contains("/-/");
    let document = held.packages.get(path.trim_start_matches('/'));
    let (status, body) = match document {
        _ if archive && !held.lost.iter().any(|lost| lost == path) => {
            (StatusCode::OK, "an archive".to_owned())
        }
        Some(document) => (StatusCode::OK, document.to_string()),
        None => (StatusCode::NOT_FOUND, r#"{"error": "Not found"}"#.to_owned()),
    };
    let mut response = axum::response::Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    let kind = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", kind);
    response
}
