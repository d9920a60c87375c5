//! Challenges, tokens, and where credentials go.

use super::*;
use crate::credentials::Secret;
use crate::target::{FailureClass, Target as _};
use futures_util::future::join_all;

const BASIC_ALICE: &str = "Basic YWxpY2U6aHVudGVyMg==";

/// A registry that wants tokens: `/token` gives `token-<n>-<access>`, and `accepts` says which are good.
async fn with_tokens(expires_in: u64, accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Fake {
    Fake::start(move |seen| {
        if seen.path == "/token" {
            let access = if seen.query.contains("pull%2Cpush") {
                "push"
            } else {
                "pull"
            };
            let token = format!("token-{}-{access}", seen.before);
            return answer(
                200,
                &[],
                format!(r#"{{"token":"{token}","expires_in":{expires_in}}}"#),
            );
        }
        if seen
            .header("authorization")
            .strip_prefix("Bearer ")
            .is_some_and(&accepts)
        {
            return manifest();
        }
        let challenge = r#"Bearer realm="/token",service="fake",scope="repository:x:pull""#;
        answer(
            401,
            &[("WWW-Authenticate", challenge)],
            r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#,
        )
    })
    .await
}

#[tokio::test]
async fn registry_token_is_fetched_once_and_kept() {
    let fake = with_tokens(300, |token| token == "token-0-pull").await;
    let (client, repository) = (alice(&fake), fake.repository());
    present(client.resolve(&repository, &by_tag()).await);
    assert_eq!(
        fake.lines(),
        ["HEAD manifests/v1", "GET /token", "HEAD manifests/v1"]
    );
    let token = &fake.seen()[1];
    assert_eq!(
        token.query,
        "scope=repository%3Aacme%2Fdevbox%3Apull&service=fake"
    );
    assert_eq!(token.header("authorization"), BASIC_ALICE);
    present(client.resolve(&repository, &by_tag()).await);
    assert_eq!(fake.lines().len(), 4);
}

#[tokio::test]
async fn registry_anonymous_asks_for_a_token_without_credentials() {
    let fake = with_tokens(300, |_| true).await;
    present(client().resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(fake.seen()[1].header("authorization"), "");
}

#[tokio::test]
async fn registry_concurrent_requests_wait_for_one_token() {
    let fake = with_tokens(300, |_| true).await;
    let (client, repository, tag) = (alice(&fake), fake.repository(), by_tag());
    join_all((0..10).map(|_| client.resolve(&repository, &tag))).await;
    assert_eq!(
        fake.lines().iter().filter(|line| *line == "GET /token").count(),
        1
    );
}

#[tokio::test]
async fn registry_token_that_expires_or_is_refused_is_fetched_anew_once() {
    let fake = with_tokens(0, |_| true).await;
    let client = alice(&fake);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    let tokens = |fake: &Fake| fake.lines().iter().filter(|line| *line == "GET /token").count();
    // The first request: once to see whether there is one, once for the request itself. The second: once.
    assert!((2..=3).contains(&tokens(&fake)), "{:?}", fake.lines());

    // The registry forgets the first token: a fresh one is asked for, once.
    let good = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let current = Arc::clone(&good);
    let fake = with_tokens(300, move |token| {
        token == format!("token-{}-pull", current.load(std::sync::atomic::Ordering::SeqCst))
    })
    .await;
    let client = alice(&fake);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    good.store(1, std::sync::atomic::Ordering::SeqCst);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(
        fake.lines()[3..],
        ["HEAD manifests/v1", "GET /token", "HEAD manifests/v1"]
    );
    good.store(99, std::sync::atomic::Ordering::SeqCst);
    let error = unknown(client.resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(error.status, Some(401));
}

#[tokio::test]
async fn registry_push_asks_for_a_token_to_push_and_pulls_use_it() {
    let fake = with_tokens(300, |token| token.ends_with("-push")).await;
    let client = alice(&fake);
    // Opening the upload is answered with the manifest: not 202, but authenticated.
    assert!(client.may_push(&fake.repository()).await.is_err());
    assert_eq!(
        fake.seen()[1].query,
        "scope=repository%3Aacme%2Fdevbox%3Apull%2Cpush&service=fake"
    );
    present(client.resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(
        fake.lines().iter().filter(|line| *line == "GET /token").count(),
        1
    );
}

#[tokio::test]
async fn registry_basic_in_the_wild() {
    // As one server writes it: lower case, no quotes, a path.
    let fake = Fake::start(|seen| {
        if seen.header("authorization") == BASIC_ALICE {
            manifest()
        } else {
            answer(401, &[("WWW-Authenticate", "basic realm=/v2/acme/devbox")], "")
        }
    })
    .await;
    let client = alice(&fake);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    present(client.resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(fake.lines(), ["HEAD manifests/v1"; 3]);
    // Anonymous: no second request that is the same as the first.
    let error = unknown(self::client().resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(
        error.hints[0],
        format!(
            "`docker login {}` with an account that may read `{}`; credentials used: none, it is asked anonymously",
            fake.host(),
            fake.repository()
        )
    );
    assert_eq!(fake.lines()[3..], ["HEAD manifests/v1", "POST blobs/uploads/"]);
}

#[tokio::test]
async fn registry_bearer_is_preferred_among_several_challenges() {
    let fake = Fake::start(|seen| {
        if seen.path == "/token" {
            return answer(200, &[], r#"{"access_token":"t"}"#);
        }
        if seen.header("authorization") == "Bearer t" {
            return manifest();
        }
        let mut response = answer(401, &[("WWW-Authenticate", "Basic realm=x")], "");
        response
            .headers_mut()
            .append("WWW-Authenticate", "bearer realm=/token".parse().unwrap());
        response
    })
    .await;
    present(alice(&fake).resolve(&fake.repository(), &by_tag()).await);
}

#[tokio::test]
async fn registry_identity_token_is_exchanged() {
    let fake = Fake::start(|seen| {
        if seen.is("POST", "/token") {
            return answer(200, &[], r#"{"access_token":"t"}"#);
        }
        if seen.header("authorization") == "Bearer t" {
            return manifest();
        }
        answer(
            401,
            &[("WWW-Authenticate", r#"Bearer realm="/token",service="azure""#)],
            "",
        )
    })
    .await;
    let credential = Credential::IdentityToken(Secret::new("refresh&me"));
    let (client, _) = client_of(Credentials::fixed(&fake.host(), credential));
    present(client.resolve(&fake.repository(), &by_tag()).await);
    let asked = fake.seen()[1].clone();
    let form = String::from_utf8(asked.body.to_vec()).unwrap();
    assert!(
        form.contains("grant_type=refresh_token") && form.contains("refresh_token=refresh%26me"),
        "{form}"
    );
    assert_eq!((asked.query.as_str(), asked.header("authorization")), ("", ""));
}

#[tokio::test]
async fn registry_token_server_failures_are_told_apart() {
    for (status, class, asked) in [
        (503, FailureClass::Transient, 3),
        (401, FailureClass::Permanent, 1),
    ] {
        let fake = Fake::start(move |seen| match seen.path.as_str() {
            "/token" => answer(
                status,
                &[],
                r#"{"details":"incorrect username hunter2 or password"}"#,
            ),
            "/v2/acme/devbox/blobs/uploads/" => answer(403, &[], ""),
            _ => answer(401, &[("WWW-Authenticate", "Bearer realm=/token")], ""),
        })
        .await;
        let (client, notices) = client_of(Credentials::fixed(
            &fake.host(),
            Credential::new("alice", "hunter2"),
        ));
        let error = unknown(client.resolve(&fake.repository(), &by_tag()).await);
        assert_eq!((error.class, error.status), (class, Some(status)));
        assert!(error.reason.starts_with("token server `127.0.0.1`: "), "{error}");
        assert!(
            error.reason.contains("incorrect username *** or password"),
            "{error}"
        );
        let told = format!("{error:?} {:?}", notices.lock().unwrap());
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(notices.lock().unwrap().len(), asked - 1);
    }
}

#[tokio::test]
async fn registry_token_servers_of_others_get_nothing() {
    let fake = Fake::start(|_| {
        answer(
            401,
            &[("WWW-Authenticate", r#"Bearer realm="http://auth.example/token""#)],
            "",
        )
    })
    .await;
    let error = unknown(alice(&fake).resolve(&fake.repository(), &by_tag()).await);
    assert!(error.reason.contains("safely"), "{error}");
    assert_eq!(fake.lines(), ["HEAD manifests/v1"]);
}

#[tokio::test]
async fn registry_tls_on_this_machine_is_noticed() {
    let fake = Fake::start(|_| answer(400, &[], "Client sent an HTTP request to an HTTPS server.\n")).await;
    // The fake has no TLS: what matters is that it is tried.
    let error = unknown(client().resolve(&fake.repository(), &by_tag()).await);
    assert_eq!(error.status, None, "{error}");
    assert_eq!(fake.lines(), ["HEAD manifests/v1", "GET /v2/"]);
}

#[tokio::test]
async fn registry_missing_repository_that_is_denied_as_on_quay() {
    // 401 with any token for what is not there; an upload may be opened, for that would make the repository.
    let fake = Fake::start(|seen| {
        let push = seen.query.contains("pull%2Cpush");
        match (
            seen.method.as_str(),
            seen.path.as_str(),
            seen.header("authorization"),
        ) {
            (_, "/token", _) => answer(
                200,
                &[],
                if push {
                    r#"{"token":"push"}"#
                } else {
                    r#"{"token":"pull"}"#
                },
            ),
            ("POST", _, "Bearer push") => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
            ("DELETE", _, "Bearer push") => answer(204, &[], ""),
            _ => answer(
                401,
                &[("WWW-Authenticate", r#"Bearer realm="/token",service="quay""#)],
                "",
            ),
        }
    })
    .await;
    let client = alice(&fake);
    assert!(matches!(
        client.resolve(&fake.repository(), &by_tag()).await,
        Presence::Absent
    ));
    let count = |line: &str| fake.lines().iter().filter(|seen| *seen == line).count();
    assert_eq!(
        (count("POST blobs/uploads/"), count("DELETE blobs/uploads/1")),
        (1, 1)
    );
}
