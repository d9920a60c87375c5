//! What needs no source: redaction, shapes, gathering, interruption.

use super::super::{Given, Resolved, redact, resolve_all, source_text};
use super::{World, npm, value};
use crate::config::VersionSource;
use crate::domain::ExitCode;
use crate::failure::FailureClass;
use indexmap::IndexMap;

#[test]
fn a_source_is_named_without_its_credentials() {
    let git = VersionSource::Git {
        url: "https://me:hunter2@git.example.org/acme/toolkit".into(),
        reference: "main".into(),
    };
    assert_eq!(
        source_text(&git),
        "git:https://***@git.example.org/acme/toolkit#main"
    );
    assert_eq!(source_text(&npm("@acme/tool", "^2")), "npm:@acme/tool@^2");
    assert_eq!(source_text(&value("22")), "value");
    let command = VersionSource::Command {
        command: vec!["scripts/tool-version".into(), "a b".into()],
        pattern: ".*".into(),
    };
    assert_eq!(source_text(&command), "command:scripts/tool-version 'a b'");
}

#[test]
fn credentials_are_redacted_wherever_they_stand() {
    for (text, shown) in [
        ("https://a:b@c/d", "https://***@c/d"),
        (
            "fatal: 'https://tok@h/p': no; http://x:y@z",
            "fatal: 'https://***@h/p': no; http://***@z",
        ),
        ("https://a:p@ss@h/p", "https://***@h/p"),
        ("ssh://git@h/p", "ssh://git@h/p"),
        ("ssh://git:pw@h/p", "ssh://***@h/p"),
        ("https://h/@scope/p", "https://h/@scope/p"),
        ("git@h:p", "git@h:p"),
    ] {
        assert_eq!(redact::url(text), shown);
    }
    let signed = url::Url::parse("https://h/p?X-Amz-Signature=secret#f").unwrap();
    assert_eq!(redact::address(&signed), "https://h/p");
    assert_eq!(redact::foreign("a\u{1b}[31mb\nc", 100), "a [31mb c");
}

#[tokio::test]
async fn a_value_must_look_like_a_version() {
    let world = World::new("", &[]);
    let resolved = world.resolve(&value("22")).await.unwrap();
    assert_eq!(
        (resolved.version.as_str(), resolved.source.as_str()),
        ("22", "value")
    );
    for bad in ["", " 22", "2 2", "22\n", "a\u{7f}", "a\u{a0}b", &"1".repeat(129)] {
        let error = world.resolve(&value(bad)).await.unwrap_err();
        assert_eq!(error.exit_code, ExitCode::Usage, "{bad:?}");
    }
    world.resolve(&value(&"1".repeat(128))).await.unwrap();
}

#[test]
fn a_given_version_must_have_the_form_that_its_source_promises() {
    let git = VersionSource::Git {
        url: "https://git.example.org/t".into(),
        reference: "main".into(),
    };
    let command = VersionSource::Command {
        command: vec!["x".into()],
        pattern: "1|12".into(),
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";
    for (source, good, bad) in [
        (npm("tool", "latest"), "1.5.2-rc.1+build.7", "v1.5.2"),
        (npm("tool", "latest"), "1.5.2", "1.5"),
        (npm("tool", "latest"), "0.0.1", "latest"),
        (git.clone(), commit, "main"),
        (git, commit, &commit[..39]),
        // An alternative that matches a part must not keep a longer one from matching the whole.
        (command.clone(), "12", "123"),
        (command, "1", "x1"),
    ] {
        let resolved = Resolved::given("A", &source, good, Given::Set).unwrap();
        assert_eq!(resolved.source, "set");
        let error = Resolved::given("A", &source, bad, Given::Record).unwrap_err();
        assert_eq!(error.exit_code, ExitCode::Usage, "{bad}");
    }
}

#[tokio::test]
async fn all_errors_are_gathered_in_the_order_of_the_file() {
    let world = World::new("", &[]);
    let sources: IndexMap<String, VersionSource> = [
        ("Z".to_owned(), value("")),
        ("GOOD".to_owned(), value("1")),
        ("A".to_owned(), npm("../etc", "latest")),
    ]
    .into();
    let errors = resolve_all(&sources, &world.context).await.unwrap_err();
    let names: Vec<_> = errors.iter().map(|error| error.name.as_str()).collect();
    assert_eq!(names, ["Z", "A"]);
    let good: IndexMap<String, VersionSource> =
        [("B".to_owned(), value("2")), ("A".to_owned(), value("1"))].into();
    let resolved = resolve_all(&good, &world.context).await.unwrap();
    assert_eq!(resolved.keys().collect::<Vec<_>>(), ["B", "A"]);
}

#[tokio::test]
async fn an_interrupt_ends_the_wait() {
    let world = World::with_registry("http://127.0.0.1:9/");
    world.context.cancel.cancel();
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert_eq!(error.exit_code, ExitCode::Interrupted);
}

#[tokio::test]
async fn an_unreachable_registry_is_tried_again_and_then_an_error() {
    // Port 9 is not served, and a proxy is never asked for loopback.
    let proxy = wiremock::MockServer::start().await;
    let variables = [
        ("HTTP_PROXY", proxy.uri()),
        ("NO_PROXY", "example.org".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, text)| (*name, text.as_str()));
    let world = World::new("registry=http://127.0.0.1:9/", &variables);
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert!(proxy.received_requests().await.unwrap().is_empty());
    assert_eq!((error.class, error.attempts), (FailureClass::Transient, 3));
    assert_eq!(error.exit_code, ExitCode::Unknown);
    assert_eq!(world.notices().len(), 2);
    let text = error.to_string();
    assert!(
        text.starts_with("resolve `TOOL` from npm:tool@latest: ask http://127.0.0.1:9/tool: "),
        "{text}"
    );
    assert!(text.to_lowercase().contains("connection refused"), "{text}");
    assert!(text.ends_with("(after 3 attempts)"), "{text}");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_asked_for_other_hosts() {
    let proxy = wiremock::MockServer::start().await;
    wiremock::Mock::given(wiremock::matchers::any())
        .respond_with(wiremock::ResponseTemplate::new(404))
        .expect(1)
        .mount(&proxy)
        .await;
    let world = World::new(
        "registry=http://registry.invalid/",
        &[("http_proxy", &proxy.uri())],
    );
    let error = world.npm("tool", "latest").await.unwrap_err();
    assert!(error.reason.contains("404"), "{error}");
}
