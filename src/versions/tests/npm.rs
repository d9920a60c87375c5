//! npm packages that resolve, and where credentials go on the way.

use super::World;
use serde_json::{Value, json};
use wiremock::matchers::{header, header_regex, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A document with these versions, all of whose archives lie under `archives`.
pub(super) fn document(archives: &str, tags: &Value, versions: &[&str]) -> Value {
    let versions: serde_json::Map<String, Value> = versions
        .iter()
        .map(|version| {
            let tarball = format!("{archives}/-/tool-{version}.tgz");
            (
                (*version).to_owned(),
                json!({"version": version, "dist": {"tarball": tarball}}),
            )
        })
        .collect();
    json!({"name": "tool", "dist-tags": tags, "versions": versions})
}

pub(super) async fn serve(server: &MockServer, at: &str, document: &Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .and(header_regex(
            "accept",
            r"^application/vnd\.npm\.install-v1\+json; q=1\.0, application/json; q=0\.8$",
        ))
        .respond_with(ResponseTemplate::new(200).set_body_json(document))
        .mount(server)
        .await;
}

pub(super) async fn serve_archives(server: &MockServer) {
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(200))
        .mount(server)
        .await;
}

async fn picks(tags: Value, versions: &[&str], wanted: &str) -> Result<String, String> {
    let server = MockServer::start().await;
    serve(&server, "/tool", &document(&server.uri(), &tags, versions)).await;
    serve_archives(&server).await;
    let world = World::with_registry(&server.uri());
    let resolved = world.npm("tool", wanted).await;
    assert_eq!(world.notices(), [""; 0]);
    resolved.map(|found| found.version).map_err(|error| error.reason)
}

#[tokio::test]
async fn a_dist_tag_an_exact_version_and_a_range_are_found() {
    let versions = ["1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.0.0-beta.1"];
    let tags = json!({"latest": "1.9.0", "next": "3.0.0-beta.1"});
    for (wanted, version) in [
        ("latest", "1.9.0"),
        ("next", "3.0.0-beta.1"),
        ("1.0.0", "1.0.0"),
        ("v1.0.0", "1.0.0"),
        ("=1.10.0", "1.10.0"),
        // `latest` where the range allows it, though a higher one is there.
        ("^1", "1.9.0"),
        ("*", "1.9.0"),
        ("", "1.9.0"),
        ("^2", "2.0.0"),
        (">=1.9.1", "2.0.0"),
        (">1.9.0 <2", "1.10.0"),
        // Pre-releases only where the range names one of the same version.
        ("^3.0.0-alpha", "3.0.0-beta.1"),
        (">2.0.0-alpha <2.0.0 || 1.0.x", "2.0.0-rc.1"),
        (">1.9.0 <2.0.1-alpha <2.0.0-0 || 1.0.x", "1.10.0"),
    ] {
        let found = picks(tags.clone(), &versions, wanted).await;
        assert_eq!(found.as_deref(), Ok(version), "{wanted}");
    }
    for (wanted, reason) in [
        ("^3", "no version of the package satisfies `^3`"),
        ("9.9.9", "there is no version 9.9.9"),
        (
            "beta",
            "`beta` is neither a dist-tag of the package nor a version or range",
        ),
    ] {
        let found = picks(tags.clone(), &versions, wanted).await;
        assert_eq!(found, Err(reason.to_owned()), "{wanted}");
    }
}

#[tokio::test]
async fn a_deprecated_version_is_the_last_choice_and_warned_about() {
    let server = MockServer::start().await;
    let mut document = document(
        &server.uri(),
        &json!({"latest": "1.2.0"}),
        &["1.0.0", "1.1.0", "1.2.0"],
    );
    document["versions"]["1.2.0"]["deprecated"] = json!("renamed to\nother\u{1b}[0m");
    document["versions"]["1.0.0"]["deprecated"] = json!("");
    document["versions"]["1.1.0"]["deprecated"] = json!(false);
    serve(&server, "/tool", &document).await;
    serve_archives(&server).await;
    let world = World::with_registry(&server.uri());
    let latest = world.npm("tool", "latest").await.unwrap();
    assert_eq!(latest.version, "1.2.0");
    assert_eq!(
        latest.warnings,
        ["tool@1.2.0 is deprecated: renamed to other [0m"]
    );
    let range = world.npm("tool", "^1").await.unwrap();
    assert_eq!((range.version.as_str(), range.warnings.len()), ("1.1.0", 0));
}

#[tokio::test]
async fn a_scope_has_its_own_registry_and_token() {
    let (public, private) = (MockServer::start().await, MockServer::start().await);
    serve(
        &public,
        "/tool",
        &document(&public.uri(), &json!({"latest": "1.0.0"}), &["1.0.0"]),
    )
    .await;
    serve_archives(&public).await;
    let archives = format!("{}/npm", private.uri());
    for verb in ["GET", "HEAD"] {
        Mock::given(method(verb))
            .and(header("authorization", "Bearer s3cret"))
            .respond_with(ResponseTemplate::new(200).set_body_json(document(
                &archives,
                &json!({"latest": "2.0.0"}),
                &["2.0.0"],
            )))
            .expect(1)
            .mount(&private)
            .await;
    }
    let npmrc = format!(
        "registry={}\n@acme:registry={}/npm\n//{}/npm/:_authToken=${{TOKEN}}\n",
        public.uri(),
        private.uri(),
        private.address()
    );
    let world = World::new(&npmrc, &[("TOKEN", "s3cret")]);
    assert_eq!(world.npm("@acme/tool", "latest").await.unwrap().version, "2.0.0");
    assert_eq!(world.npm("tool", "latest").await.unwrap().version, "1.0.0");
    let asked = private.received_requests().await.unwrap();
    assert_eq!(asked[0].url.path(), "/npm/@acme%2ftool");
    for request in public.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn credentials_go_to_no_other_host_and_no_other_path() {
    let (registry, foreign) = (MockServer::start().await, MockServer::start().await);
    serve_archives(&foreign).await;
    let tags = json!({"latest": "1.0.0"});
    // One archive elsewhere, one on another path, one behind a redirect.
    let elsewhere = document(&foreign.uri(), &tags, &["1.0.0"]);
    let beside = document(&format!("{}/public", registry.uri()), &tags, &["1.0.0"]);
    let behind = document(&format!("{}/npm/moved", registry.uri()), &tags, &["1.0.0"]);
    serve(&registry, "/npm/elsewhere", &elsewhere).await;
    serve(&registry, "/npm/beside", &beside).await;
    serve(&registry, "/npm/behind", &behind).await;
    Mock::given(method("HEAD"))
        .and(path("/npm/moved/-/tool-1.0.0.tgz"))
        .respond_with(
            ResponseTemplate::new(302).insert_header("location", format!("{}/x?signature=1", foreign.uri())),
        )
        .mount(&registry)
        .await;
    serve_archives(&registry).await;
    let npmrc = format!(
        "registry={}/npm/\n//{}/npm/:_authToken=s3cret\n",
        registry.uri(),
        registry.address()
    );
    let world = World::new(&npmrc, &[]);
    for package in ["elsewhere", "beside", "behind"] {
        world.npm(package, "latest").await.unwrap();
    }
    assert_eq!(foreign.received_requests().await.unwrap().len(), 2);
    for request in foreign.received_requests().await.unwrap() {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
    for request in registry.received_requests().await.unwrap() {
        let expected = request.url.path().starts_with("/npm/");
        assert_eq!(
            request.headers.contains_key("authorization"),
            expected,
            "{}",
            request.url
        );
    }
}

#[tokio::test]
async fn an_archive_of_the_public_registry_is_looked_for_on_the_mirror() {
    let mirror = MockServer::start().await;
    let document = document(
        "https://registry.npmjs.org/tool",
        &json!({"latest": "1.0.0"}),
        &["1.0.0"],
    );
    serve(&mirror, "/npm/tool", &document).await;
    Mock::given(method("HEAD"))
        .and(path("/npm/tool/-/tool-1.0.0.tgz"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&mirror)
        .await;
    let world = World::with_registry(&format!("{}/npm", mirror.uri()));
    world.npm("tool", "latest").await.unwrap();
}

#[tokio::test]
async fn an_archive_whose_server_does_not_allow_head_is_asked_for_with_get() {
    let server = MockServer::start().await;
    serve(
        &server,
        "/tool",
        &document(&server.uri(), &json!({"latest": "1.0.0"}), &["1.0.0"]),
    )
    .await;
    Mock::given(method("HEAD"))
        .respond_with(ResponseTemplate::new(405))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/-/tool-1.0.0.tgz"))
        .and(header("range", "bytes=0-0"))
        .respond_with(ResponseTemplate::new(206).set_body_bytes("x"))
        .expect(1)
        .mount(&server)
        .await;
    let world = World::with_registry(&server.uri());
    world.npm("tool", "latest").await.unwrap();
}

#[test]
fn credentials_for_https_never_go_over_http() {
    let world = World::new("//h/:_authToken=s3cret\n", &[]);
    let sent = |registry: &str, address: &str| {
        let (registry, address) = (registry.parse().unwrap(), address.parse().unwrap());
        super::super::npm::authorization(&world.context, &registry, &address).is_some()
    };
    assert!(sent("https://h/", "https://h/x"));
    assert!(sent("http://h/", "http://h/x"));
    assert!(!sent("https://h/", "http://h/x"));
}
