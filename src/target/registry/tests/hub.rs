//! Docker Hub's API, played by a script.

use super::{Fake, answer};
use crate::config::Retry;
use crate::credentials::Secret;
use crate::domain::Duration;
use crate::target::registry::{Descriptions, Hub, Observer, Options, RetryNotice};
use crate::target::{FailureClass, TargetError};
use std::sync::{Arc, Mutex};

const DESCRIPTIONS: Descriptions<'_> = Descriptions {
    page: "# A \"page\"\n",
    short: Some("short ä"),
};

/// What becomes of it, and the retries that were told.
async fn describe(
    fake: &Fake,
    descriptions: &Descriptions<'_>,
    change: impl FnOnce(&mut Options),
) -> (Result<(), TargetError>, Vec<RetryNotice>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notices);
    let observer: Observer = Arc::new(move |notice| told.lock().unwrap().push(notice));
    let retry = Retry {
        attempts: 2,
        delays: vec![Duration(std::time::Duration::from_millis(1))],
        ..Retry::default()
    };
    let mut options = Options::default();
    change(&mut options);
    let hub = Hub::new(&format!("http://{}", fake.host()), retry, observer, options).unwrap();
    let repository = "docker.io/acme/devbox".parse().unwrap();
    let password = Secret::new("hunter2-word");
    let outcome = hub.describe(&repository, "alice", &password, descriptions).await;
    let notices = notices.lock().unwrap().clone();
    (outcome, notices)
}

fn token() -> axum::response::Response {
    answer(200, &[], r#"{"access_token":"the-token"}"#)
}

#[tokio::test]
async fn hub_gets_a_token_and_then_the_page() {
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/v2/auth/token" => token(),
        _ => answer(200, &[], "{}"),
    })
    .await;
    let (outcome, _) = describe(&fake, &DESCRIPTIONS, |_| ()).await;
    outcome.unwrap();
    let seen = fake.seen();
    let lines: Vec<_> = seen
        .iter()
        .map(|seen| format!("{} {}", seen.method, seen.path))
        .collect();
    assert_eq!(
        lines,
        ["POST /v2/auth/token", "PATCH /v2/repositories/acme/devbox"]
    );
    let body = |index: usize| serde_json::from_slice::<serde_json::Value>(&seen[index].body).unwrap();
    assert_eq!(
        body(0),
        serde_json::json!({"identifier": "alice", "secret": "hunter2-word"})
    );
    assert_eq!(
        body(1),
        serde_json::json!({"full_description": "# A \"page\"\n", "description": "short ä"})
    );
    assert_eq!(seen[0].header("authorization"), "");
    assert_eq!(seen[1].header("authorization"), "Bearer the-token");
    assert_eq!(seen[1].header("content-type"), "application/json");

    let (outcome, _) = describe(
        &fake,
        &Descriptions {
            short: None,
            ..DESCRIPTIONS
        },
        |_| (),
    )
    .await;
    outcome.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&fake.seen().last().unwrap().body).unwrap();
    assert_eq!(
        body.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["full_description"]
    );
}

#[tokio::test]
async fn hub_refusals_are_told_apart() {
    for (login, change, attempted, hint) in [
        (
            401,
            200,
            "log in as `alice` to change the page of `docker.io/acme/devbox`: 401",
            "the password or token of `alice` is not the right one",
        ),
        (
            200,
            401,
            "change the page of `docker.io/acme/devbox`: 401",
            "a token needs the scope Read, Write, Delete",
        ),
        (
            200,
            403,
            "change the page of `docker.io/acme/devbox`: 403",
            "a token needs the scope Read, Write, Delete",
        ),
        (
            200,
            404,
            "change the page of `docker.io/acme/devbox`: 404",
            "there is no repository `acme/devbox`",
        ),
    ] {
        let fake = Fake::start(move |seen| match seen.path.as_str() {
            "/v2/auth/token" if login == 200 => token(),
            "/v2/auth/token" => answer(login, &[], r#"{"detail":"wrong: hunter2-word"}"#),
            _ => answer(change, &[], r#"{"message":"not with the-token"}"#),
        })
        .await;
        let (outcome, notices) = describe(&fake, &DESCRIPTIONS, |_| ()).await;
        let error = outcome.unwrap_err();
        assert!(error.to_string().starts_with(attempted), "{error}");
        assert!(
            error.hints[0].contains(hint) && error.hints.len() == 1,
            "{error:?}"
        );
        assert!(notices.is_empty(), "tried again: {notices:?}");
        for secret in ["hunter2-word", "the-token"] {
            assert!(!format!("{error:?}").contains(secret), "{error:?}");
        }
    }
}

#[tokio::test]
async fn hub_is_asked_again_for_what_passes() {
    for (path, status) in [("/v2/auth/token", 503), ("/v2/repositories/acme/devbox", 429)] {
        let failed = Arc::new(Mutex::new(false));
        let fake = Fake::start(move |seen| {
            if seen.path == path && !std::mem::replace(&mut *failed.lock().unwrap(), true) {
                return answer(status, &[], "");
            }
            if seen.path == "/v2/auth/token" {
                token()
            } else {
                answer(200, &[], "")
            }
        })
        .await;
        let (outcome, notices) = describe(&fake, &DESCRIPTIONS, |_| ()).await;
        outcome.unwrap();
        assert_eq!(notices.len(), 1, "{path}");
        assert!(notices[0].reason.starts_with(&status.to_string()), "{notices:?}");
    }
    let fake = Fake::start(|_| answer(500, &[], "")).await;
    let (outcome, _) = describe(&fake, &DESCRIPTIONS, |_| ()).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.class, FailureClass::Transient);
    assert!(error.reason.ends_with("2 attempts"), "{error}");
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn hub_that_is_odd_or_silent_ends_in_time() {
    let fake = Fake::start(|_| answer(200, &[], "<html>")).await;
    let (outcome, _) = describe(&fake, &DESCRIPTIONS, |_| ()).await;
    assert!(
        outcome
            .unwrap_err()
            .to_string()
            .ends_with("the answer holds no token")
    );
    // It listens, and says nothing.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let short = Options {
        request_timeout: std::time::Duration::from_millis(100),
        ..Options::default()
    };
    let retry = Retry {
        attempts: 1,
        ..Retry::default()
    };
    let hub = Hub::new(&format!("http://{silent}"), retry, Arc::new(|_| ()), short).unwrap();
    let repository = "docker.io/acme/devbox".parse().unwrap();
    let began = std::time::Instant::now();
    let error = hub
        .describe(&repository, "alice", &Secret::new("word"), &DESCRIPTIONS)
        .await
        .unwrap_err();
    assert!(error.reason.contains("did not answer in time"), "{error}");
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
    assert_eq!(error.hints, [""; 0]);
}

#[test]
fn hub_gets_passwords_over_tls_only() {
    let hub = |url: &str| Hub::new(url, Retry::default(), Arc::new(|_| ()), Options::default()).is_ok();
    assert!(hub("https://hub.example") && hub("http://127.0.0.1:1/x"));
    assert!(!hub("http://hub.example") && !hub("hub.example") && !hub("ftp://localhost"));
}
