//! What a real docker-registry answered to requests that it refused, and what the table makes of it.

use super::super::failure::Operation;
use crate::failure::FailureClass::{self, Permanent, Transient};
use crate::testing::TestRegistry;
use crate::testing::recorded::{self, Recorded};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use std::collections::BTreeSet;

struct Case {
    name: &'static str,
    about: &'static str,
    /// The code of the answer.
    code: &'static str,
    class: FailureClass,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "name-unknown", about: "read a tag of a repository that there is not", code: "MANIFEST_UNKNOWN", class: Permanent },
    Case { name: "blob-unknown", about: "read a blob that there is not", code: "BLOB_UNKNOWN", class: Permanent },
    Case { name: "upload-unknown", about: "write to an upload that there is not", code: "BLOB_UPLOAD_INVALID", class: Permanent },
    Case { name: "digest-invalid", about: "write a blob under another digest", code: "DIGEST_INVALID", class: Permanent },
    // This registry says that it failed itself.
    Case { name: "manifest-invalid", about: "write a manifest that is none", code: "UNKNOWN", class: Transient },
    Case { name: "child-unknown", about: "write a manifest whose blobs are not there", code: "MANIFEST_BLOB_UNKNOWN", class: Transient },
    Case { name: "tag-invalid", about: "write a tag that is none", code: "", class: Permanent },
];

const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn writes(case: &Case) -> bool {
    !matches!(case.name, "name-unknown" | "blob-unknown")
}

async fn make(case: &Case, registry: &TestRegistry) -> Recorded {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let root = format!(
        "http://{}/v2/acme/tiny",
        registry.address().replace("localhost", "127.0.0.1")
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{EMPTY}","size":0}},"layers":[]}}"#
    );
    let (method, url, body) = match case.name {
        "name-unknown" => (Method::GET, format!("{root}/manifests/none"), String::new()),
        "blob-unknown" => (Method::GET, format!("{root}/blobs/{EMPTY}"), String::new()),
        "upload-unknown" => {
            let url = format!("{root}/blobs/uploads/00000000-0000-0000-0000-000000000000?_state=none");
            (Method::PATCH, url, "bytes".to_owned())
        }
        "digest-invalid" => {
            let opened = client
                .post(format!("{root}/blobs/uploads/"))
                .send()
                .await
                .unwrap();
            let place = opened.headers()["location"].to_str().unwrap().to_owned();
            (
                Method::PUT,
                format!("{place}&digest={EMPTY}"),
                "other bytes".to_owned(),
            )
        }
        "manifest-invalid" => (Method::PUT, format!("{root}/manifests/v1"), "{}".to_owned()),
        "child-unknown" => (Method::PUT, format!("{root}/manifests/v1"), manifest),
        _ => (Method::PUT, format!("{root}/manifests/-no-tag"), manifest),
    };
    let answer = client
        .request(method, url)
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    let lines = body.lines().map(str::to_owned).collect();
    let mut recorded = Recorded::of(case.about, Some(0), lines).normalized(&[]);
    recorded.facts.insert("status".to_owned(), status.to_string());
    recorded
}

fn check(case: &Case, recorded: &Recorded) {
    let repository = "registry.test/acme/tiny".parse().unwrap();
    let operation = if writes(case) {
        Operation::write(&repository, "it")
    } else {
        Operation::read(&repository, "it")
    };
    let status: u16 = recorded.facts["status"].parse().unwrap();
    let error = operation.status(
        None,
        StatusCode::from_u16(status).unwrap(),
        &HeaderMap::new(),
        recorded.text().as_bytes(),
    );
    let shown = format!("{}: {error:?}\n{}", case.name, recorded.text());
    assert_eq!((error.class, error.status), (case.class, Some(status)), "{shown}");
    assert_eq!(
        error.codes.first().map_or("", String::as_str),
        case.code,
        "{shown}"
    );
}

#[test]
fn registry_recorded_answers_are_classified() {
    let all = recorded::all("registry");
    let mut names: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    for case in CASES {
        names.remove(case.name);
        assert!(all[case.name].facts.contains_key("registry"), "{}", case.name);
        check(case, &all[case.name]);
    }
    assert!(names.is_empty(), "nobody says what these are: {names:?}");
}

/// All of them once more; with `SPLITBASE_RECORD` they are kept.
#[tokio::test]
async fn e2e_registry_answers_recorded_anew() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let versions = recorded::versions_of(&["registry"]);
    let registry = TestRegistry::start();
    for case in CASES {
        let mut recorded = make(case, &registry).await;
        if recorded::recording() {
            recorded.facts.extend(versions.clone());
            recorded.keep("registry", case.name);
        } else {
            check(case, &recorded);
        }
    }
}
