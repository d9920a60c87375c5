//! From one repository to another.

use super::*;
use crate::target::{RawManifest, Target as _};

const LAYER: &[u8] = b"a layer";

fn image() -> RawManifest {
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": oci::MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"config"), "size": 6},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(LAYER), "size": LAYER.len()}],
    });
    RawManifest::new(serde_json::to_vec(&manifest).unwrap()).unwrap()
}

fn index() -> RawManifest {
    let child = serde_json::json!({"mediaType": oci::MANIFEST, "digest": image().digest, "size": image().bytes.len()});
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": [child, child]});
    RawManifest::new(serde_json::to_vec(&index).unwrap()).unwrap()
}

fn to(fake: &Fake) -> Repository {
    format!("{}/acme/public", fake.address).parse().unwrap()
}

/// What a registry answers that holds the image in `acme/devbox` and nothing in `acme/public`; `uploads` answers what is about uploads.
fn holds(seen: &Seen, uploads: impl Fn(&Seen) -> Response) -> Response {
    let image = image();
    let path = seen.path.as_str();
    if path.contains("/blobs/uploads/") {
        return uploads(seen);
    }
    if seen.method == "PUT" {
        return answer(201, &[], "");
    }
    let Some(rest) = path.strip_prefix("/v2/acme/devbox/") else {
        return refuse(404, "MANIFEST_UNKNOWN");
    };
    if rest == format!("manifests/{}", image.digest) {
        return answer(200, &[], image.bytes.to_vec());
    }
    if rest == format!("blobs/{}", Digest::of(LAYER)) {
        return answer(200, &[], LAYER);
    }
    answer(200, &[], "config")
}

fn opened() -> Response {
    answer(
        202,
        &[("Location", "/v2/acme/public/blobs/uploads/1?state=x")],
        "",
    )
}

async fn copied(fake: &Fake, client: &Registry) -> Result<(), TargetError> {
    client.copy_content(&fake.repository(), &to(fake), &index()).await
}

/// The requests that write, with their queries, sorted.
fn writes(fake: &Fake) -> Vec<String> {
    let seen = fake.seen().into_iter();
    let writes = seen.filter(|seen| !matches!(seen.method.as_str(), "GET" | "HEAD"));
    let mut lines: Vec<_> = writes
        .map(|seen| format!("{} {}?{}", seen.method, seen.path, seen.query))
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn registry_blobs_are_mounted_and_children_put_after_them() {
    let fake = Fake::start(|seen| holds(seen, |_| answer(201, &[], ""))).await;
    let client = client();
    copied(&fake, &client).await.unwrap();
    let mount =
        |digest: Digest| format!("POST /v2/acme/public/blobs/uploads/?mount={digest}&from=acme/devbox");
    let child = format!("PUT /v2/acme/public/manifests/{}?", image().digest);
    let mut wanted = [
        mount(Digest::of(b"config")),
        mount(Digest::of(LAYER)),
        child.clone(),
        child.clone(),
    ];
    wanted.sort();
    assert_eq!(writes(&fake), wanted);
    let last_mount = fake.seen().iter().rposition(|seen| seen.method == "POST");
    let first_put = fake.seen().iter().position(|seen| seen.method == "PUT");
    assert!(last_mount < first_put);
    let put = fake.seen().into_iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!(put.body, image().bytes);
    assert_eq!(put.header("content-type"), oci::MANIFEST);
    // Another image of the same layers mounts none of them again.
    copied(&fake, &client).await.unwrap();
    assert_eq!(
        writes(&fake)
            .iter()
            .filter(|line| line.starts_with("POST"))
            .count(),
        2
    );
}

#[tokio::test]
async fn registry_that_holds_the_manifest_is_sent_nothing() {
    let fake =
        Fake::start(|_| answer(200, &[("Docker-Content-Digest", &index().digest.to_string())], "")).await;
    copied(&fake, &client()).await.unwrap();
    assert_eq!(writes(&fake), [""; 0]);
}

#[tokio::test]
async fn registry_that_does_not_mount_gets_copies() {
    // It opens an upload instead of mounting, as the specification allows, or knows no such request at all.
    for mounting in [202, 400, 403, 405] {
        let fake = Fake::start(move |seen| {
            holds(seen, |seen| match seen.method.as_str() {
                "POST" if seen.query.is_empty() || mounting == 202 => opened(),
                "POST" => refuse(mounting, "UNSUPPORTED"),
                _ => answer(201, &[], ""),
            })
        })
        .await;
        copied(&fake, &client()).await.unwrap();
        let puts: Vec<_> = fake
            .seen()
            .into_iter()
            .filter(|seen| seen.method == "PUT")
            .collect();
        let layer = puts
            .iter()
            .find(|put| put.query.ends_with(&Digest::of(LAYER).hex()))
            .unwrap_or_else(|| panic!("{:?}", writes(&fake)));
        assert_eq!(&layer.body[..], LAYER);
        assert_eq!(layer.header("content-length"), "7");
        assert!(
            layer.query.starts_with("state=x&digest=sha256%3A"),
            "{}",
            layer.query
        );
        assert_eq!(
            puts.iter().filter(|put| put.path.contains("/uploads/")).count(),
            2
        );
    }
}

#[tokio::test]
async fn registry_blob_that_is_there_is_not_sent_again() {
    let fake = Fake::start(|seen| {
        if seen.method == "HEAD" && seen.path.starts_with("/v2/acme/public/blobs/") {
            return answer(200, &[], "");
        }
        holds(seen, |_| opened())
    })
    .await;
    copied(&fake, &client()).await.unwrap();
    let lines = writes(&fake);
    assert!(
        !lines
            .iter()
            .any(|line| line.starts_with("PUT") && line.contains("/uploads/")),
        "{lines:?}"
    );
    // The uploads that were opened in vain are cancelled.
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("DELETE")).count(),
        2,
        "{lines:?}"
    );
}

#[tokio::test]
async fn registry_copy_that_breaks_begins_anew() {
    let fake = Fake::start(|seen| {
        holds(seen, |seen| match (seen.method.as_str(), seen.before) {
            ("POST", _) => opened(),
            (_, 0) => answer(503, &[], ""),
            // A login that has run out: what was read of the layer is gone.
            (_, 1) => answer(401, &[("WWW-Authenticate", "Basic realm=x")], ""),
            _ => answer(201, &[], ""),
        })
    })
    .await;
    copied(&fake, &alice(&fake)).await.unwrap();
    let puts = fake
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT" && seen.path.contains("/uploads/") && !seen.body.is_empty());
    assert!(puts.count() >= 3);
}

#[tokio::test]
async fn registry_copy_of_what_is_gone_is_an_error() {
    let fake = Fake::start(|seen| {
        if seen.method == "GET" && seen.path.contains("/devbox/blobs/") {
            return refuse(404, "BLOB_UNKNOWN");
        }
        holds(seen, |_| opened())
    })
    .await;
    let error = copied(&fake, &client()).await.unwrap_err();
    assert!(error.to_string().contains("read blob `sha256:"), "{error}");
    assert!(!writes(&fake).iter().any(|line| line.contains("/manifests/")));
}

#[tokio::test]
async fn registry_mount_asks_for_a_token_for_both_repositories() {
    let fake = Fake::start(|seen| {
        if seen.path == "/token" {
            return answer(200, &[], r#"{"token":"good","expires_in":300}"#);
        }
        if seen.header("authorization").is_empty() {
            let challenge = r#"Bearer realm="/token",service="fake""#;
            return answer(401, &[("WWW-Authenticate", challenge)], "");
        }
        holds(seen, |_| answer(201, &[], ""))
    })
    .await;
    copied(&fake, &alice(&fake)).await.unwrap();
    let scopes: Vec<_> = fake
        .seen()
        .into_iter()
        .filter(|seen| seen.path == "/token")
        .map(|seen| seen.query)
        .collect();
    let both =
        "scope=repository%3Aacme%2Fpublic%3Apull%2Cpush&scope=repository%3Aacme%2Fdevbox%3Apull&service=fake";
    assert!(scopes.iter().any(|scope| scope == both), "{scopes:#?}");
}

/// What writes by digest do where somebody before the registry answers with a page, where the registry says that it got other bytes, and where it names what is no
/// digest: the answer to each of these requests, by method and a part of its path.
async fn written_where(
    method: &'static str,
    part: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> [Result<(), TargetError>; 3] {
    let fake = Fake::start(move |seen| {
        if seen.method == method && seen.path.starts_with("/v2/acme/public") && seen.path.contains(part) {
            return answer(
                if method == "POST" { 201 } else { 200 },
                headers,
                "<html>Please log in</html>",
            );
        }
        holds(seen, |seen| match seen.method.as_str() {
            "POST" => opened(),
            _ => answer(201, &[], ""),
        })
    })
    .await;
    let (client, blob) = (client(), layer(LAYER, "application/vnd.oci.image.layer.v1.tar"));
    let (from, to) = (fake.repository(), to(&fake));
    let copied = copied(&fake, &client).await;
    let carried = client
        .carry_blob(&to, &blob, Some(&from), || client.open_blob(&from, &blob))
        .await;
    [
        copied,
        carried.map(drop),
        client.put_by_digest(&to, &image()).await.map(drop),
    ]
}

#[tokio::test]
async fn registry_writes_by_digest_are_believed_only_from_a_registry() {
    const PAGE: &[(&str, &str)] = &[("Content-Type", "text/html; charset=utf-8")];
    const OTHER: &[(&str, &str)] = &[(
        "Docker-Content-Digest",
        "sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa",
    )];
    const NAME: &[(&str, &str)] = &[("Docker-Content-Digest", "latest")];
    let said = |results: [Result<(), TargetError>; 3]| {
        results.map(|result| match result {
            Ok(()) => "",
            Err(error) if error.exit_code() != crate::domain::ExitCode::PushFailed => panic!("{error:?}"),
            Err(error) if error.reason.contains("with a page") => "page",
            Err(error) if error.reason.contains("changed on the way") => "other",
            Err(error) => panic!("{error}"),
        })
    };
    for (method, part, headers, expected) in [
        ("PUT", "manifests/", PAGE, ["page", "", "page"]),
        ("PUT", "manifests/", OTHER, ["other", "", "other"]),
        ("PUT", "manifests/", NAME, ["", "", ""]),
        ("PUT", "blobs/", PAGE, ["page", "page", ""]),
        ("PUT", "blobs/", OTHER, ["other", "other", ""]),
        ("PUT", "blobs/", NAME, ["", "", ""]),
        // Mounted.
        ("POST", "blobs/", PAGE, ["page", "page", ""]),
        ("POST", "blobs/", NAME, ["", "", ""]),
        // A page in place of a blob is no blob: it is brought.
        ("HEAD", "blobs/", PAGE, ["", "", ""]),
    ] {
        let results = said(written_where(method, part, headers).await);
        assert_eq!(results, expected, "{method} {part} {headers:?}");
    }
}
