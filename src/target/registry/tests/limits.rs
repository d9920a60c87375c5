//! How often the registry is asked at all: attempts, pauses and limits of the whole run.

use super::*;
use crate::pace::Counts;
use crate::target::upkeep::Upkeep as _;
use crate::target::{FailureClass, RawManifest, Target as _};
use std::collections::BTreeMap;
use std::time::{Duration as Time, Instant};

/// How often each thing was asked for.
fn counts(fake: &Fake) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in fake.lines() {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

fn image() -> RawManifest {
    let config = serde_json::json!({"mediaType": "application/json", "digest": Digest::of(b"{}"), "size": 2});
    let image =
        serde_json::json!({"schemaVersion": 2, "mediaType": oci::MANIFEST, "config": config, "layers": []});
    RawManifest::new(image.to_string()).unwrap()
}

#[tokio::test]
async fn registry_request_that_fails_is_made_as_often_as_the_policy_says_whoever_makes_it() {
    let fake = Fake::start(|_| answer(503, &[], "")).await;
    let repository = &fake.repository();
    let other = &format!("{}/acme/other", fake.host())
        .parse::<Repository>()
        .unwrap();
    let (tag, digest, tar) = (
        &tag(),
        digest(),
        layer(b"x", "application/vnd.oci.image.layer.v1.tar"),
    );
    let (image, tar) = (&image(), &tar);
    let fresh = || client();
    let body = || async { Ok(futures_util::StreamExt::boxed(futures_util::stream::empty())) };
    let mut asked = 0;
    macro_rules! thrice {
        ($($request:expr),+ $(,)?) => {$(
            let _ = $request.await;
            for (line, count) in counts(&fake) {
                assert_eq!(count, 3, "{line} after {}", stringify!($request));
            }
            assert!(fake.lines().len() > asked, "{}", stringify!($request));
            fake.log.lock().unwrap().clear();
            asked = 0;
        )+};
    }
    thrice!(
        fresh().resolve(repository, &by_tag()),
        fresh().resolve(repository, &digest.into()),
        fresh().manifest(repository, &by_tag()),
        fresh().manifest(repository, &digest.into()),
        fresh().blob(repository, &digest, 10),
        fresh().uncompressed_size(repository, tar),
        fresh().put_blob(repository, Bytes::from_static(b"{}")),
        fresh().put_manifest(repository, tag, image),
        fresh().put_manifest_if(repository, tag, image, None),
        fresh().copy_content(other, repository, image),
        fresh().tags(repository),
        fresh().delete_tag(repository, tag, digest),
        fresh().may_push(repository),
        fresh().try_push(repository),
        fresh().reach(repository),
        fresh().referrers(repository, &digest),
        fresh().put_by_digest(repository, image),
        fresh().carry_blob(repository, tar, None, body),
        fresh().carry_blob(repository, tar, Some(other), body),
        fresh().pointed(repository, tag),
        fresh().stored(repository, digest),
        fresh().has_blob(repository, tar),
        fresh().read_through(repository, tar),
        fresh().deletes(repository),
        fresh().remove(repository, tag),
        fresh().remove_digest(repository, digest),
    );
    assert_eq!(asked, 0);
}

#[tokio::test]
async fn registry_request_in_the_middle_of_others_is_not_tried_more_often() {
    // The last request of an upload; each attempt begins anew.
    let fake = Fake::start(|seen| match seen.method.as_str() {
        "HEAD" => answer(404, &[], ""),
        "POST" => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
        _ => answer(503, &[], ""),
    })
    .await;
    let put = client()
        .put_blob(&fake.repository(), Bytes::from_static(b"{}"))
        .await;
    assert!(put.unwrap_err().reason.ends_with("3 attempts"));
    assert_eq!(counts(&fake).into_values().collect::<Vec<_>>(), [3, 3, 3]);
    // The blob that a copy reads.
    let fake = Fake::start(
        |seen| match (seen.method.as_str(), seen.path.contains("/other/")) {
            (_, true) => answer(503, &[], ""),
            ("POST", _) => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
            _ => refuse(404, "BLOB_UNKNOWN"),
        },
    )
    .await;
    let other = format!("{}/acme/other", fake.host()).parse().unwrap();
    client()
        .copy_content(&other, &fake.repository(), &image())
        .await
        .unwrap_err();
    let read = |line: &&String| line.starts_with("GET /v2/acme/other/blobs");
    assert_eq!(fake.lines().iter().filter(read).count(), 3);
    // Where a redirect leads.
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/store" => answer(503, &[], ""),
        _ => answer(307, &[("Location", "/store")], ""),
    })
    .await;
    client()
        .blob(&fake.repository(), &digest(), 10)
        .await
        .unwrap_err();
    assert_eq!(counts(&fake).into_values().collect::<Vec<_>>(), [3, 3]);
    // The token server.
    let fake = Fake::start(|seen| match seen.path.as_str() {
        "/token" => answer(503, &[], ""),
        _ => answer(401, &[("WWW-Authenticate", "Bearer realm=/token")], ""),
    })
    .await;
    alice(&fake)
        .blob(&fake.repository(), &digest(), 10)
        .await
        .unwrap_err();
    assert_eq!(counts(&fake)["GET /token"], 3);
}

#[tokio::test]
async fn registry_pauses_of_a_run_are_bounded_over_all_requests() {
    let fake = Fake::start(|_| answer(503, &[], "")).await;
    let shared = Pace::new(Limits {
        budget: Time::from_millis(25),
        jitter: || 0.0,
        ..Limits::default()
    });
    let retry = Retry {
        attempts: 3,
        delays: vec![Duration(Time::from_millis(20))],
        ..Retry::default()
    };
    let fresh = || {
        let options = Options {
            pace: shared.clone(),
            ..Options::default()
        };
        Registry::with_options(retry.clone(), Credentials::anonymous(), Arc::new(|_| ()), options)
    };
    let error = fresh().blob(&fake.repository(), &digest(), 10).await.unwrap_err();
    assert_eq!(
        (error.class, error.reason.as_str()),
        (
            FailureClass::Transient,
            "503 Service Unavailable, 2 attempts; not tried again: the 25ms of pauses that a run may make are spent"
        )
    );
    assert_eq!(fake.lines().len(), 2);
    // Another client of the same run, and another request: there is nothing left for it.
    let error = fresh()
        .put_manifest(&fake.repository(), &tag(), &image())
        .await
        .unwrap_err();
    assert!(error.reason.contains("not tried again"), "{error}");
    assert_eq!(fake.lines().len(), 3);
}

#[tokio::test]
async fn registry_that_limits_one_request_is_left_alone_by_all() {
    let arrived: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
    let kept = Arc::clone(&arrived);
    let fake = Fake::start(move |seen| {
        let name = seen.path.rsplit('/').next().unwrap_or_default();
        kept.lock().unwrap().push((name.to_owned(), Instant::now()));
        match (name, seen.before) {
            ("v1", 0) => answer(429, &[("Retry-After", "1")], ""),
            _ => manifest(),
        }
    })
    .await;
    let other = Fake::start(|_| manifest()).await;
    let (client, notices) = client_of(Credentials::anonymous());
    let (repository, one, elsewhere) = (fake.repository(), by_tag(), other.repository());
    let at = |fake: &Fake| format!("http://{}/", fake.address).parse().unwrap();
    let limited = client.resolve(&repository, &one);
    let others = async {
        while notices.lock().unwrap().is_empty() {
            tokio::time::sleep(Time::from_millis(5)).await;
        }
        // Nobody waits for another host.
        assert_eq!(client.0.options.pace.held(&at(&other), Counts::AsAny), None);
        present(client.resolve(&elsewhere, &one).await);
        let tags = ["a", "b", "c"].map(|tag| Reference::Tag(tag.parse().unwrap()));
        let all = tags.iter().map(|tag| client.resolve(&repository, tag));
        let all = futures_util::future::join_all(all).await;
        for found in all {
            assert_eq!(present(found), digest());
        }
    };
    let (limited, ()) = futures_util::future::join(limited, others).await;
    present(limited);
    let arrived = arrived.lock().unwrap();
    let (_, first) = arrived[0];
    assert_eq!(arrived.len(), 5);
    for (name, at) in &arrived[1..] {
        assert!(
            at.duration_since(first) >= Time::from_millis(990),
            "{name}: {:?}",
            at.duration_since(first)
        );
    }
}

#[tokio::test]
async fn registry_that_asks_for_more_than_anybody_waits_is_not_asked_again() {
    let fake = Fake::start(|_| answer(429, &[("Retry-After", "21600")], "")).await;
    let error = client()
        .blob(&fake.repository(), &digest(), 10)
        .await
        .unwrap_err();
    assert_eq!(
        error.reason,
        "429 Too Many Requests; not tried again: it asks to wait 6h, and nobody waits longer than 5m for one"
    );
    assert_eq!(fake.lines().len(), 1);
}

#[tokio::test]
async fn registry_like_docker_hub_is_asked_so_often_at_most_token_server_and_all() {
    let arrived: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let kept = Arc::clone(&arrived);
    let fake = Fake::start(move |seen| {
        kept.lock().unwrap().push(Instant::now());
        match (seen.path.as_str(), seen.header("authorization")) {
            ("/token", _) => answer(200, &[], r#"{"token":"t"}"#),
            (_, "") => answer(401, &[("WWW-Authenticate", "Bearer realm=/token")], ""),
            _ => answer(
                200,
                &[
                    ("Docker-Content-Digest", &digest().to_string()),
                    ("ratelimit-limit", "100;w=21600"),
                    ("ratelimit-remaining", "7;w=21600"),
                ],
                "",
            ),
        }
    })
    .await;
    let shared = Pace::new(Limits {
        scarce: vec!["127.0.0.1".to_owned()],
        most: 4,
        span: Time::from_millis(300),
        ..Limits::default()
    });
    let options = shared.clone();
    let (client, _) = client_with(Credentials::anonymous(), move |change| change.pace = options);
    let (repository, tag) = (fake.repository(), by_tag());
    let began = Instant::now();
    let all = futures_util::future::join_all((0..4).map(|_| client.resolve(&repository, &tag))).await;
    for found in all {
        assert_eq!(present(found), digest());
    }
    let arrived = arrived.lock().unwrap();
    // At least one asks without a token and all of them with one, and the token server is asked.
    let asked = arrived.len();
    assert!(asked >= 6, "{asked}");
    let spans = u32::try_from((asked - 1) / 4).unwrap();
    assert!(arrived[asked - 1].duration_since(began) >= Time::from_millis(300) * spans);
    assert_eq!(
        shared.few(),
        ["Docker Hub: 7 of 100 requests are left of what its limit allows in 6h"]
    );
}

#[tokio::test]
async fn registry_with_one_request_at_a_time_waits_for_none_that_waits_for_it() {
    let fake = Fake::start(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        (_, "/token") => answer(200, &[], r#"{"token":"t"}"#),
        _ if seen.header("authorization").is_empty() => {
            answer(401, &[("WWW-Authenticate", "Bearer realm=/token")], "")
        }
        ("POST", _) => answer(202, &[("Location", "/v2/acme/devbox/blobs/uploads/1")], ""),
        ("PUT", _) => answer(201, &[], ""),
        ("GET", path) if path.contains("/other/") => answer(200, &[], "{}"),
        (_, path) if path.contains("/blobs/") => answer(404, &[], ""),
        (_, path) if path.ends_with("/v1") => manifest(),
        _ => refuse(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    let (client, _) = client_with(Credentials::anonymous(), |options| options.parallel = 1);
    let other: Repository = format!("{}/acme/other", fake.host()).parse().unwrap();
    let (repository, tag) = (fake.repository(), by_tag());
    let image = image();
    let all = async {
        let found = futures_util::future::join_all((0..5).map(|_| client.resolve(&repository, &tag))).await;
        for found in found {
            assert_eq!(present(found), digest());
        }
        client.copy_content(&other, &repository, &image).await.unwrap();
        client
            .put_blob(&repository, Bytes::from_static(b"{}"))
            .await
            .unwrap();
    };
    tokio::time::timeout(Time::from_secs(30), all)
        .await
        .expect("it ends");
}

/// As Docker Hub: GETs of manifests are counted, HEADs are not, and the limit is for one in a second.
#[tokio::test]
async fn registry_whose_limit_leaves_nothing_is_asked_for_no_manifest_until_it_may_be() {
    let arrived: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
    let kept = Arc::clone(&arrived);
    let fake = Fake::start(move |seen| {
        kept.lock().unwrap().push((seen.method.clone(), Instant::now()));
        let left = if seen.before == 0 { "0;w=1" } else { "1;w=1" };
        let digest = digest().to_string();
        let headers = [
            ("Docker-Content-Digest", digest.as_str()),
            ("ratelimit-limit", "1;w=1"),
            ("ratelimit-remaining", left),
        ];
        answer(200, &headers, if seen.method == "GET" { MANIFEST } else { "" })
    })
    .await;
    let pace = Pace::new(Limits {
        scarce: vec!["127.0.0.1".to_owned()],
        ..Limits::default()
    });
    let (client, _) = client_with(Credentials::anonymous(), move |options| options.pace = pace);
    let (repository, by_digest) = (fake.repository(), Reference::from(digest()));
    present(client.manifest(&repository, &by_digest).await);
    let drained = Instant::now();
    // What is not counted goes on meanwhile.
    present(client.resolve(&repository, &by_tag()).await);
    assert!(drained.elapsed() < Time::from_millis(700));
    present(client.manifest(&repository, &by_digest).await);
    let arrived = arrived.lock().unwrap();
    let asked: Vec<_> = arrived.iter().map(|(method, _)| method.as_str()).collect();
    assert_eq!(asked, ["GET", "HEAD", "GET"]);
    assert!(arrived[2].1.duration_since(arrived[0].1) >= Time::from_millis(990));
}
