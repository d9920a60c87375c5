//! Guarantee 3: unknown is not absent.

use super::*;
use crate::target::{FailureClass, RawManifest, Target as _};

#[tokio::test]
async fn registry_presence_costs_one_request_and_absence_two() {
    let fake = Fake::start(|seen| match seen.path.rsplit('/').next() {
        Some("v1") => manifest(),
        _ => refuse(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    let client = client();
    assert_eq!(
        present(client.resolve(&fake.repository(), &by_tag()).await),
        digest()
    );
    assert_eq!(fake.lines(), ["HEAD manifests/v1"]);
    let gone = Reference::Tag("gone".parse().unwrap());
    assert!(matches!(
        client.resolve(&fake.repository(), &gone).await,
        Presence::Absent
    ));
    assert_eq!(fake.lines()[1..], ["HEAD manifests/gone", "GET manifests/gone"]);
}

#[tokio::test]
async fn registry_all_four_types_are_always_accepted() {
    // As docker-registry does: what is not accepted is answered as if it were not there.
    let fake = Fake::start(|seen| {
        let all = [oci::INDEX, oci::MANIFEST, oci::DOCKER_LIST, oci::DOCKER_MANIFEST]
            .iter()
            .all(|media_type| seen.header("accept").contains(media_type));
        if all {
            manifest()
        } else {
            refuse(404, "MANIFEST_UNKNOWN")
        }
    })
    .await;
    let client = client();
    present(client.resolve(&fake.repository(), &by_tag()).await);
    present(client.manifest(&fake.repository(), &by_tag()).await);
    present(client.manifest(&fake.repository(), &digest().into()).await);
}

#[tokio::test]
async fn registry_404_is_absence_only_with_a_known_code() {
    for (code, absent) in [
        ("MANIFEST_UNKNOWN", true),
        ("NAME_UNKNOWN", true),
        ("NOT_FOUND", true),
        ("UNAUTHORIZED", false),
        ("SOMETHING", false),
    ] {
        let fake = Fake::start(move |_| refuse(404, code)).await;
        for reference in [by_tag(), digest().into()] {
            let resolved = client().resolve(&fake.repository(), &reference).await;
            assert_eq!(matches!(resolved, Presence::Absent), absent, "{code}");
            let read = client().manifest(&fake.repository(), &reference).await;
            assert_eq!(matches!(read, Presence::Absent), absent, "{code}");
        }
    }
    for body in ["<html><title>404 Not Found</title></html>", "", "{}", "not here"] {
        let fake = Fake::start(move |_| answer(404, &[], body)).await;
        let error = unknown(client().resolve(&fake.repository(), &by_tag()).await);
        assert_eq!(
            (error.status, error.class),
            (Some(404), FailureClass::Permanent),
            "{body}"
        );
        unknown(client().manifest(&fake.repository(), &by_tag()).await);
    }
}

#[tokio::test]
async fn registry_404_on_head_alone_is_no_absence() {
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "HEAD" => refuse(404, "MANIFEST_UNKNOWN"),
        _ => manifest(),
    })
    .await;
    assert_eq!(
        present(client().resolve(&fake.repository(), &by_tag()).await),
        digest()
    );
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "HEAD" => refuse(404, "MANIFEST_UNKNOWN"),
        _ => refuse(503, "UNAVAILABLE"),
    })
    .await;
    unknown(client().resolve(&fake.repository(), &by_tag()).await);
}

#[tokio::test]
async fn registry_other_failures_are_unknown() {
    for status in [400, 401, 403, 405, 410, 429, 500, 503, 301, 204] {
        let fake = Fake::start(move |seen| match seen.method.as_str() {
            "POST" => refuse(403, "DENIED"),
            _ => answer(status, &[], ""),
        })
        .await;
        unknown(client().resolve(&fake.repository(), &by_tag()).await);
        unknown(client().manifest(&fake.repository(), &by_tag()).await);
    }
}

#[tokio::test]
async fn registry_header_that_is_no_digest_is_not_believed() {
    for header in [None, Some("v1"), Some("sha256:123"), Some("")] {
        let fake = Fake::start(move |_| {
            let headers: Vec<_> = header
                .map(|value| ("Docker-Content-Digest", value))
                .into_iter()
                .collect();
            answer(200, &headers, MANIFEST)
        })
        .await;
        assert_eq!(
            present(client().resolve(&fake.repository(), &by_tag()).await),
            digest()
        );
        assert_eq!(fake.lines(), ["HEAD manifests/v1", "GET manifests/v1"]);
        assert_eq!(
            present(client().manifest(&fake.repository(), &by_tag()).await).digest,
            digest()
        );
    }
}

#[tokio::test]
async fn registry_body_with_another_digest_is_an_error() {
    let other = Digest::of(b"other");
    let fake =
        Fake::start(move |_| answer(200, &[("Docker-Content-Digest", &other.to_string())], MANIFEST)).await;
    for reference in [by_tag(), other.into()] {
        let error = unknown(client().manifest(&fake.repository(), &reference).await);
        assert_eq!(error.class, FailureClass::Permanent);
        assert!(error.reason.contains(&digest().to_string()), "{error}");
    }
    let error = unknown(client().resolve(&fake.repository(), &digest().into()).await);
    assert!(error.reason.contains(&other.to_string()), "{error}");
    // By tag, with GET alone.
    let fake = Fake::start(move |seen| match seen.method.as_str() {
        "HEAD" => answer(200, &[], ""),
        _ => answer(200, &[("Docker-Content-Digest", &other.to_string())], MANIFEST),
    })
    .await;
    unknown(client().resolve(&fake.repository(), &by_tag()).await);
}

#[tokio::test]
async fn registry_manifest_of_a_tag_is_read_by_digest_past_caches() {
    let stale = r#"{"schemaVersion":2,"manifests":[{}]}"#;
    let fake = Fake::start(
        move |seen| match (seen.method.as_str(), seen.path.ends_with("v1")) {
            ("HEAD", _) | (_, false) => manifest(),
            _ => answer(200, &[], stale),
        },
    )
    .await;
    let read = present(client().manifest(&fake.repository(), &by_tag()).await);
    assert_eq!(read, RawManifest::new(MANIFEST).unwrap());
    assert_eq!(read.media_type, oci::INDEX);
}

#[tokio::test]
async fn registry_page_instead_of_a_manifest_is_unknown() {
    let fake = Fake::start(|_| answer(200, &[], "<html>log in</html>")).await;
    let error = unknown(client().resolve(&fake.repository(), &by_tag()).await);
    assert!(error.reason.contains("not a manifest"), "{error}");
}

fn denying(status: u16, upload: u16) -> impl Fn(&Seen) -> Response + Send + Sync {
    move |seen| match seen.method.as_str() {
        "POST" => answer(
            upload,
            &[("Location", "/v2/acme/devbox/blobs/uploads/1?state=x")],
            "",
        ),
        "DELETE" => answer(204, &[], ""),
        _ => refuse(status, "UNAUTHORIZED"),
    }
}

#[tokio::test]
async fn registry_denied_is_absent_where_a_push_is_allowed_and_unknown_elsewhere() {
    for status in [401, 403] {
        let fake = Fake::start(denying(status, 202)).await;
        let client = client();
        assert!(matches!(
            client.resolve(&fake.repository(), &by_tag()).await,
            Presence::Absent
        ));
        let expected = [
            "HEAD manifests/v1",
            "POST blobs/uploads/",
            "DELETE blobs/uploads/1",
            "HEAD manifests/v1",
        ];
        assert_eq!(fake.lines(), expected);
        assert_eq!(fake.seen()[2].query, "state=x");
        // The probe is made once.
        assert!(matches!(
            client.resolve(&fake.repository(), &digest().into()).await,
            Presence::Absent
        ));
        assert!(matches!(
            client.manifest(&fake.repository(), &by_tag()).await,
            Presence::Absent
        ));
        assert_eq!(
            fake.lines()
                .iter()
                .filter(|line| line.starts_with("POST"))
                .count(),
            1
        );
        for upload in [401, 403, 404, 500, 400, 200] {
            let fake = Fake::start(denying(status, upload)).await;
            let error = unknown(self::client().resolve(&fake.repository(), &by_tag()).await);
            assert_eq!(error.status, Some(status), "{upload}");
            assert!(error.hints[0].contains("docker login"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn registry_denial_that_passes_is_no_absence() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.before) {
        ("POST", _) => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
        ("HEAD", 0) => refuse(401, "UNAUTHORIZED"),
        ("DELETE", _) => answer(405, &[], ""),
        _ => manifest(),
    })
    .await;
    assert_eq!(
        present(client().resolve(&fake.repository(), &by_tag()).await),
        digest()
    );
}

#[tokio::test]
async fn registry_push_probe_is_made_once_for_all_that_ask() {
    let fake = Fake::start(denying(403, 202)).await;
    let (client, repository) = (client(), fake.repository());
    let all = futures_util::future::join_all((0..10).map(|_| client.may_push(&repository))).await;
    assert!(all.into_iter().all(|may| may == Ok(true)));
    assert_eq!(fake.lines(), ["POST blobs/uploads/", "DELETE blobs/uploads/1"]);
    let fake = Fake::start(denying(403, 403)).await;
    assert_eq!(client.may_push(&fake.repository()).await, Ok(false));
}
