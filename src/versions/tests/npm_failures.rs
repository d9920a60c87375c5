//! npm registries that fail, lie, or have not caught up with themselves.

use super::super::Http;
use super::World;
use super::npm::{document, serve, serve_archives};
use crate::domain::ExitCode;
use crate::failure::FailureClass;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A server of one good package.
async fn good() -> MockServer {
    let server = MockServer::start().await;
    serve(
        &server,
        "/tool",
        &document(&server.uri(), &json!({"latest": "1.5.2"}), &["1.5.2"]),
    )
    .await;
    server
}

async fn first(server: &MockServer, times: u64, verb: &str, answer: ResponseTemplate) {
    Mock::given(method(verb))
        .respond_with(answer)
        .up_to_n_times(times)
        .with_priority(1)
        .mount(server)
        .await;
}

#[tokio::test]
async fn a_tarball_that_is_not_there_yet_is_waited_for() {
    let server = good().await;
    first(&server, 1, "HEAD", ResponseTemplate::new(404)).await;
    serve_archives(&server).await;
    let world = World::with_registry(&server.uri());
    assert_eq!(world.npm("tool", "latest").await.unwrap().version, "1.5.2");
    assert_eq!(
        world.notices(),
        [format!(
            "TOOL from npm:tool@latest: the dist-tag `latest` has moved on to 1.5.2, but its tarball is not there yet: \
             {}/-/tool-1.5.2.tgz answered 404 Not Found; attempt 2 of 3 in 0ns",
            server.uri()
        )]
    );
}

#[tokio::test]
async fn a_tarball_that_never_comes_is_an_error() {
    let server = good().await;
    first(&server, 99, "HEAD", ResponseTemplate::new(404)).await;
    let world = World::with_registry(&server.uri());
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!((error.class, error.attempts), (FailureClass::Transient, 3));
    assert_eq!(error.exit_code, ExitCode::Unknown);
    assert!(error.reason.contains("its tarball is not there yet"), "{error}");
    let error = world.npm("tool", "1.5.2").await.unwrap_err();
    assert!(
        error
            .reason
            .starts_with("version 1.5.2 is listed, but its tarball"),
        "{error}"
    );
}

#[tokio::test]
async fn a_dist_tag_ahead_of_the_versions_is_an_error() {
    let server = MockServer::start().await;
    serve(
        &server,
        "/tool",
        &document(&server.uri(), &json!({"latest": "1.6.0"}), &["1.5.2"]),
    )
    .await;
    serve_archives(&server).await;
    let world = World::with_registry(&server.uri());
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!((error.class, error.attempts), (FailureClass::Transient, 3));
    assert!(
        error
            .reason
            .contains("moved on to 1.6.0, which the registry does not list yet"),
        "{error}"
    );
}

#[tokio::test]
async fn a_package_that_does_not_exist_is_asked_for_once() {
    let server = good().await;
    let world = World::with_registry(&server.uri());
    let error = world.npm("other", "latest").await.unwrap_err();
    assert_eq!((error.class, error.attempts), (FailureClass::Permanent, 1));
    assert_eq!(error.exit_code, ExitCode::Unknown);
    assert_eq!(
        error.to_string(),
        format!(
            "resolve `TOOL` from npm:other@latest: there is no such package: {}/other answered 404 Not Found",
            server.uri()
        )
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_busy_is_asked_again_and_left_alone_as_long_as_it_says() {
    for (status, asked, pause) in [
        (429, "1", "1s"),
        (500, "0", "0ns"),
        (502, "soon", "0ns"),
        (503, "", "0ns"),
        (504, "Wed, 21 Oct 2015 07:28:00 GMT", "0ns"),
    ] {
        let server = good().await;
        serve_archives(&server).await;
        let answer = ResponseTemplate::new(status).insert_header("retry-after", asked);
        first(&server, 1, "GET", answer).await;
        let world = World::with_registry(&server.uri());
        assert_eq!(
            world.npm("tool", "latest").await.unwrap().version,
            "1.5.2",
            "{status}"
        );
        let notices = world.notices();
        assert_eq!(notices.len(), 1);
        assert!(notices[0].contains(&status.to_string()), "{notices:?}");
        assert!(
            notices[0].ends_with(&format!("attempt 2 of 3 in {pause}")),
            "{notices:?}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_is_not_asked_again_and_shows_no_secret() {
    for status in [400, 401, 403, 451] {
        let server = MockServer::start().await;
        first(&server, 99, "GET", ResponseTemplate::new(status)).await;
        let npmrc = format!(
            "registry=http://me:hunter2@{0}/\n//{0}/:_authToken=s3cret\n",
            server.address()
        );
        let world = World::new(&npmrc, &[]);
        let error = world.npm("tool", "latest").await.unwrap_err();
        assert_eq!(
            (error.class, error.attempts),
            (FailureClass::Permanent, 1),
            "{status}"
        );
        let shown = format!("{error} {error:?} {:?}", world.context.npm());
        assert!(!shown.contains("s3cret") && !shown.contains("hunter2"), "{shown}");
        assert!(shown.contains(&status.to_string()));
    }
}

#[tokio::test]
async fn a_token_whose_variable_is_not_set_is_not_sent_and_said_so() {
    let server = MockServer::start().await;
    first(&server, 99, "GET", ResponseTemplate::new(401)).await;
    let npmrc = format!(
        "registry={}\n//{}/:_authToken=${{NOPE}}\n",
        server.uri(),
        server.address()
    );
    let world = World::new(&npmrc, &[]);
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert!(
        error
            .hints
            .iter()
            .any(|hint| hint.contains("`NOPE`, which is not set")),
        "{error:?}"
    );
    let asked = server.received_requests().await.unwrap();
    assert!(!asked[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn an_answer_that_is_no_package_document_is_an_error() {
    for (body, kind) in [
        ("<html>sign in</html>", "text/html"),
        ("[]", "application/json"),
        ("{}", "application/json"),
        (r#"{"versions":{}}"#, "application/json"),
        ("", "application/json"),
    ] {
        let server = MockServer::start().await;
        let answer = ResponseTemplate::new(200).set_body_raw(body, kind);
        first(&server, 99, "GET", answer).await;
        let world = World::with_registry(&server.uri());
        let error = world.npm("tool", "latest").await.unwrap_err();
        assert_eq!(
            (error.class, error.exit_code),
            (FailureClass::Permanent, ExitCode::Unknown),
            "{body}"
        );
        if kind == "text/html" {
            assert!(
                error
                    .reason
                    .contains("something else than a package document (text/html)"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n";
            let _ = stream.write_all(format!("{head}{{\"name\":").as_bytes()).await;
        }
    });
    let world = World::with_registry(&format!("http://{address}/"));
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!(
        (error.class, error.attempts),
        (FailureClass::Transient, 3),
        "{error}"
    );
    assert_eq!(world.notices().len(), 2);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let server = MockServer::start().await;
    let body = format!("{{\"versions\":{{}},\"readme\":\"{}\"}}", "x".repeat(20_000));
    let answer = ResponseTemplate::new(200).set_body_raw(body, "application/json");
    first(&server, 99, "GET", answer).await;
    let mut world = World::with_registry(&server.uri());
    world.context = world
        .context
        .clone()
        .with_http(Http::new(&world.context.environment).with_largest(10_000));
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!(error.class, FailureClass::Permanent);
    assert!(error.reason.ends_with("is larger than 10000 bytes"), "{error}");
}

#[tokio::test]
async fn an_unannounced_length_is_bounded_as_well() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head.as_bytes()).await;
        while stream.write_all(b"4\r\n    \r\n").await.is_ok() {}
    });
    let mut world = World::with_registry(&format!("http://{address}/"));
    world.context = world
        .context
        .clone()
        .with_http(Http::new(&world.context.environment).with_largest(10_000));
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert!(error.reason.ends_with("is larger than 10000 bytes"), "{error}");
}

#[tokio::test]
async fn redirects_end() {
    let server = MockServer::start().await;
    Mock::given(path("/tool"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/tool"))
        .expect(6)
        .mount(&server)
        .await;
    let world = World::with_registry(&server.uri());
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert!(error.reason.contains("redirects more than 5 times"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_no_package_reaches_no_server() {
    let server = MockServer::start().await;
    let world = World::with_registry(&server.uri());
    for name in ["", "..", "a/b", "@a", "@a/", "@a/../b", "a?b", "a b", ".a", "@/b"] {
        let error = world.npm(name, "latest").await.unwrap_err();
        assert_eq!(error.exit_code, ExitCode::Usage, "{name}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}
