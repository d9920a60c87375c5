//! Docker Hub's API of a test's own.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What it was asked: method, path, the header `Authorization`, the body.
pub type Asked = (String, String, String, Value);

/// Docker Hub's API of a test's own; it ends with the test's process.
pub struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// What it answers to a change of a page.
    status: Arc<Mutex<u16>>,
}

impl Hub {
    /// Starts one that takes the password `right`, and every page.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let hub = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            status: Arc::new(Mutex::new(200)),
        };
        let (asked, status) = (hub.asked.clone(), hub.status.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let answer = move |request: axum::extract::Request| {
                    let (asked, status) = (asked.clone(), status.clone());
                    async move { answer(request, &asked, &status).await }
                };
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = axum::Router::new().fallback(answer);
                axum::serve(listener, router).await.unwrap();
            });
        });
        hub
    }

    /// Its address, for `SPLITBASE_HUB_URL`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on it answers a change of a page so.
    pub fn answers(&self, status: u16) -> &Self {
        *self.status.lock().unwrap() = status;
        self
    }

    /// What it was asked since this was called last.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn answer(
    request: axum::extract::Request,
    asked: &Mutex<Vec<Asked>>,
    status: &Mutex<u16>,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let authorization = parts.headers.get("authorization");
    let authorization = authorization
        .map_or("", |value| value.to_str().unwrap())
        .to_owned();
    let (status, text) = if path == "/v2/auth/token" {
        let right = body == json!({"identifier": "user", "secret": "right-word"});
        if right {
            (200, json!({"access_token": "the-token"}))
        } else {
            (401, json!({"detail": "no"}))
        }
    } else {
        (*status.lock().unwrap(), json!({"message": "said the hub"}))
    };
    let method = parts.method.to_string();
    asked.lock().unwrap().push((method, path, authorization, body));
    let mut response = axum::response::Response::new(axum::body::Body::from(text.to_string()));
    *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap();
    response
}
