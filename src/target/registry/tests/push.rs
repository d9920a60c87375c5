//! Writing.

use super::*;
use crate::target::{FailureClass, RawManifest, Target as _};

fn written() -> RawManifest {
    RawManifest::new(MANIFEST).unwrap()
}

#[tokio::test]
async fn registry_tag_is_put_with_its_type_and_read_back() {
    // As ECR: no Location, no digest in the answer to the PUT.
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "PUT" => answer(201, &[], ""),
        _ => manifest(),
    })
    .await;
    client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
    assert_eq!(fake.lines(), ["PUT manifests/v1", "HEAD manifests/v1"]);
    let put = &fake.seen()[0];
    assert_eq!(
        (put.header("content-type"), &put.body[..]),
        (oci::INDEX, MANIFEST.as_bytes())
    );
}

#[tokio::test]
async fn registry_read_back_waits_for_registries_that_lag() {
    let other = Digest::of(b"old");
    let fake = Fake::start(move |seen| match (seen.method.as_str(), seen.before) {
        ("PUT", _) => answer(201, &[], ""),
        (_, 0) => answer(500, &[], ""),
        (_, 1) => refuse(404, "MANIFEST_UNKNOWN"),
        (_, 2) => answer(200, &[("Docker-Content-Digest", &other.to_string())], ""),
        _ => manifest(),
    })
    .await;
    client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
    assert_eq!(fake.lines().len(), 5);
}

#[tokio::test]
async fn registry_read_back_of_another_digest_is_an_error_in_the_end() {
    let other = Digest::of(b"other");
    let fake = Fake::start(move |seen| match seen.method.as_str() {
        "PUT" => answer(201, &[("Docker-Content-Digest", &digest().to_string())], ""),
        _ => answer(200, &[("Docker-Content-Digest", &other.to_string())], ""),
    })
    .await;
    let (client, _) = client_with(Credentials::anonymous(), |options| {
        options.read_back = std::time::Duration::from_millis(600);
    });
    let error = client
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap_err();
    assert!(
        error.write && error.reason.contains(&other.to_string()),
        "{error}"
    );
    assert!(fake.lines().len() > 3);
}

/// The first read takes longer than the tag has to settle.
#[tokio::test]
async fn registry_read_back_that_got_no_answer_is_tried_again_however_long_it_took() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("PUT", _) => answer(201, &[], ""),
        (_, 0 | 1) => answer(503, &[], ""),
        _ => manifest(),
    })
    .await;
    let (client, _) = client_with(Credentials::anonymous(), |options| {
        options.read_back = std::time::Duration::ZERO;
    });
    client
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "PUT" => answer(201, &[], ""),
        _ => answer(503, &[], ""),
    })
    .await;
    let error = client
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap_err();
    assert_eq!((error.status, error.write), (Some(503), true));
    // As often as the policy says, and no longer.
    assert_eq!(fake.lines().len(), 1 + 3);
}

#[tokio::test]
async fn registry_put_of_bytes_that_changed_on_the_way_is_done_again() {
    let other = Digest::of(b"other").to_string();
    let fake = Fake::start(move |seen| match (seen.method.as_str(), seen.before) {
        ("PUT", 0) => answer(201, &[("Docker-Content-Digest", &other)], ""),
        ("PUT", _) => answer(201, &[("Docker-Content-Digest", "v1")], ""),
        _ => manifest(),
    })
    .await;
    client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
    assert_eq!(
        fake.lines(),
        ["PUT manifests/v1", "PUT manifests/v1", "HEAD manifests/v1"]
    );
}

#[tokio::test]
async fn registry_put_that_a_page_answers_is_none() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "PUT" => answer(
            200,
            &[("Content-Type", "text/html")],
            "<html>Please log in</html>",
        ),
        "POST" => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
        _ => answer(404, &[], ""),
    })
    .await;
    let error = client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap_err();
    assert_eq!(error.exit_code(), crate::domain::ExitCode::PushFailed);
    assert!(error.reason.contains("a page"), "{error}");
    assert_eq!(fake.lines(), ["PUT manifests/v1"]);
    let error = client()
        .put_blob(&fake.repository(), bytes::Bytes::from_static(b"blob"))
        .await
        .unwrap_err();
    assert!(error.reason.contains("a page"), "{error}");
}

#[tokio::test]
async fn registry_manifest_whose_digest_is_wrong_is_not_sent() {
    let fake = Fake::start(|_| manifest()).await;
    let wrong = RawManifest {
        digest: Digest::of(b"other"),
        ..written()
    };
    client()
        .put_manifest(&fake.repository(), &tag(), &wrong)
        .await
        .unwrap_err();
    assert_eq!(fake.lines(), [""; 0]);
}

#[tokio::test]
async fn registry_put_of_an_index_waits_for_children_that_are_not_seen_yet() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("PUT", 0) => refuse(400, "MANIFEST_BLOB_UNKNOWN"),
        ("PUT", _) => answer(201, &[], ""),
        _ => manifest(),
    })
    .await;
    let put = client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await;
    put.unwrap();
    let fake = Fake::start(|_| refuse(400, "MANIFEST_INVALID")).await;
    let put = client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await;
    assert_eq!(put.unwrap_err().class, FailureClass::Permanent);
}

#[tokio::test]
async fn registry_put_is_retried_when_that_can_help_and_says_it_was_a_write() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("PUT", 0) => answer(503, &[], ""),
        ("PUT", _) => answer(201, &[], ""),
        _ => manifest(),
    })
    .await;
    client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap();
    let fake = Fake::start(|_| refuse(403, "DENIED")).await;
    let error = client()
        .put_manifest(&fake.repository(), &tag(), &written())
        .await
        .unwrap_err();
    assert_eq!((error.write, error.class), (true, FailureClass::Permanent));
    assert_eq!(
        error.to_string(),
        format!(
            "write `v1` of `{}`: 403 Forbidden (DENIED: text)",
            fake.repository()
        )
    );
    assert_eq!(error.exit_code(), crate::domain::ExitCode::PushFailed);
    assert_eq!(fake.lines(), ["PUT manifests/v1"]);
}

#[tokio::test]
async fn registry_blob_upload_keeps_the_query_of_its_location_and_starts_anew() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("HEAD", _) => answer(404, &[], ""),
        ("POST", n) => answer(
            202,
            &[(
                "Location",
                &format!("/v2/acme/devbox/blobs/uploads/{n}?_state=a%2Bb"),
            )],
            "",
        ),
        ("PUT", _) if seen.path.ends_with("/0") => answer(502, &[], ""),
        _ => answer(201, &[], ""),
    })
    .await;
    let digest = client()
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert_eq!(digest, Digest::of(b"{}"));
    let lines = fake.lines();
    let uploads: Vec<_> = lines.iter().filter(|line| !line.starts_with("HEAD")).collect();
    assert_eq!(
        uploads,
        [
            "POST blobs/uploads/",
            "PUT blobs/uploads/0",
            "POST blobs/uploads/",
            "PUT blobs/uploads/1"
        ]
    );
    let put = fake.seen().pop().unwrap();
    assert_eq!(
        put.query,
        format!("_state=a%2Bb&digest=sha256%3A{}", digest.hex())
    );
    assert_eq!(&put.body[..], b"{}");
}

#[tokio::test]
async fn registry_blob_that_is_there_is_not_sent() {
    let fake = Fake::start(|_| answer(200, &[], "")).await;
    client()
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert_eq!(fake.lines().len(), 1);
    assert!(fake.lines()[0].starts_with("HEAD blobs/sha256:"));
}

#[tokio::test]
async fn registry_upload_to_another_host_gets_no_credentials() {
    let store = Fake::start(|_| answer(201, &[], "")).await;
    let location = format!("http://{}/store?sig=1", store.address);
    let fake =
        Fake::start(
            move |seen| match (seen.header("authorization").is_empty(), seen.method.as_str()) {
                (true, _) => answer(401, &[("WWW-Authenticate", "Basic realm=x")], ""),
                (_, "HEAD") => answer(404, &[], ""),
                _ => answer(202, &[("Location", &location)], ""),
            },
        )
        .await;
    alice(&fake)
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert_eq!(store.seen()[0].header("authorization"), "");
    assert!(store.seen()[0].query.starts_with("sig=1&digest="));
}

#[tokio::test]
async fn registry_upload_without_a_place_is_an_error() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "HEAD" => answer(404, &[], ""),
        _ => answer(202, &[], ""),
    })
    .await;
    let error = client()
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await
        .unwrap_err();
    assert!(error.reason.contains("Location"), "{error}");
}

/// Two things that registries do, together: a HEAD names the tag in place of a digest, so that the tag has to be read, and a GET by tag comes from a cache
/// for 600 s, unless the cache is told not to answer. Even then it may take a moment.
#[tokio::test]
async fn registry_read_back_is_not_answered_by_a_cache() {
    const STALE: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{}}"#;
    let stale = Digest::of(STALE.as_bytes());
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("PUT", _) => answer(201, &[("Docker-Content-Digest", "v1")], ""),
        ("HEAD", _) => answer(200, &[("Docker-Content-Digest", "v1")], ""),
        (_, before) if before == 0 || seen.header("cache-control") != "no-cache" => answer(200, &[], STALE),
        _ => answer(200, &[], MANIFEST),
    })
    .await;
    client()
        .put_manifest_if(&fake.repository(), &tag(), &written(), Some(stale))
        .await
        .unwrap();
    assert_eq!(
        fake.lines(),
        [
            "PUT manifests/v1",
            "HEAD manifests/v1",
            "GET manifests/v1",
            "HEAD manifests/v1",
            "GET manifests/v1"
        ]
    );
    // One that answers all the same is not taken for another writer.
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "GET" => answer(200, &[], STALE),
        _ => answer(201, &[("Docker-Content-Digest", "v1")], ""),
    })
    .await;
    let (client, _) = client_with(Credentials::anonymous(), |options| {
        options.read_back = std::time::Duration::from_millis(200);
    });
    let error = client
        .put_manifest_if(&fake.repository(), &tag(), &written(), Some(stale))
        .await
        .unwrap_err();
    assert!(
        error
            .reason
            .contains(&format!("{stale} is still read, which stood there before")),
        "{error}"
    );
    assert!(
        error.hints[0].contains("a cache before the registry"),
        "{error:?}"
    );
}
