//! npm registries that stall, and how often they are asked in all.

use super::super::{Http, Patience};
use super::World;
use super::npm::{document, serve};
use crate::config::Retry;
use crate::failure::FailureClass;
use crate::pace::{Limits, Pace};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A server that sends this, and then either nothing or a space again and again.
async fn stalling(head: &'static str, drips: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while drips && stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                std::future::pending::<()>().await;
            });
        }
    });
    address
}

fn impatient(scheme: &str, address: &str) -> World {
    let mut world = World::with_registry(&format!("{scheme}://{address}/"));
    let usual = Patience::default();
    let patience = match scheme {
        "https" => Patience {
            connect: Duration::from_millis(200),
            ..usual
        },
        _ => Patience {
            idle: Duration::from_millis(250),
            whole: Duration::from_millis(350),
            ..usual
        },
    };
    let http = Http::new(&world.context.environment).with_patience(patience);
    world.context = world.context.clone().with_http(http);
    world
}

#[tokio::test]
async fn a_registry_that_stalls_anywhere_is_given_up() {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{";
    let all = [
        ("http", "", false),
        ("http", "HTTP/1.1 200 OK\r\ncontent-", false),
        ("http", HEAD, false),
        ("http", HEAD, true),
        // It never says hello.
        ("https", "", false),
    ];
    let all = all.map(|(scheme, head, drips)| async move {
        let world = impatient(scheme, &stalling(head, drips).await);
        let asked = tokio::time::timeout(Duration::from_secs(30), world.npm("tool", "latest")).await;
        let error = asked.expect("it ends").unwrap_err();
        assert_eq!(
            (error.class, error.attempts),
            (FailureClass::Transient, 3),
            "{error}"
        );
        assert!(error.reason.ends_with("timed out"), "{error}");
        assert_eq!(
            error.reason.starts_with("connect to"),
            scheme == "https",
            "{error}"
        );
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test]
async fn a_request_that_fails_is_made_as_often_as_the_policy_says() {
    let asked = async |server: &MockServer, verb: &str| {
        let requests = server.received_requests().await.unwrap();
        requests
            .iter()
            .filter(|request| request.method.as_str() == verb)
            .count()
    };
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    World::with_registry(&server.uri())
        .npm("tool", "latest")
        .await
        .unwrap_err();
    assert_eq!(asked(&server, "GET").await, 3);
    // The second request of an attempt.
    let server = MockServer::start().await;
    let tool = document(&server.uri(), &json!({"latest": "1.5.2"}), &["1.5.2"]);
    serve(&server, "/tool", &tool).await;
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    World::with_registry(&server.uri())
        .npm("tool", "latest")
        .await
        .unwrap_err();
    assert_eq!(
        (asked(&server, "GET").await, asked(&server, "HEAD").await),
        (3, 3)
    );
}

#[tokio::test]
async fn pauses_come_out_of_the_budget_of_the_run() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    let mut world = World::with_registry(&server.uri());
    world.context.retry = Retry {
        delays: vec![crate::domain::Duration(Duration::from_millis(20))],
        ..Retry::default()
    };
    let shared = Pace::new(Limits {
        budget: Duration::from_millis(25),
        jitter: || 0.0,
        ..Limits::default()
    });
    world.context = world.context.clone().with_pace(shared.clone());
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!(error.attempts, 2);
    assert!(
        error
            .reason
            .ends_with("not tried again: the 25ms of pauses that a run may make are spent"),
        "{error}"
    );
    assert!(!shared.spend(Duration::from_millis(20)));
}
