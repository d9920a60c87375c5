//! Listing tags, taking one away, and the registry's clock.

use super::*;
use crate::target::{FailureClass, Target as _};

#[tokio::test]
async fn registry_tags_are_read_page_by_page() {
    let fake = Fake::start(|seen| match seen.query.as_str() {
        query if query.contains("last=b") => answer(200, &[], r#"{"name":"x","tags":["c"]}"#),
        _ => {
            let next = format!("<{}?n=2&last=b>; rel=\"next\"", seen.path);
            answer(200, &[("Link", &next)], r#"{"name":"x","tags":["a","b"]}"#)
        }
    })
    .await;
    let tags = client().tags(&fake.repository()).await.unwrap();
    let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
    assert_eq!(tags, ["a", "b", "c"]);
    let fake = Fake::start(|_| refuse(404, "NAME_UNKNOWN")).await;
    assert_eq!(client().tags(&fake.repository()).await.unwrap(), []);
    let fake = Fake::start(|_| answer(200, &[], "{\"tags\":null}")).await;
    assert_eq!(client().tags(&fake.repository()).await.unwrap(), []);
    let fake = Fake::start(|_| answer(200, &[], "a page")).await;
    client().tags(&fake.repository()).await.unwrap_err();
}

#[tokio::test]
async fn registry_tag_is_deleted_by_name_and_never_by_digest() {
    let gone = Arc::new(Mutex::new(false));
    let state = Arc::clone(&gone);
    let fake = Fake::start(move |seen| match seen.method.as_str() {
        "DELETE" => {
            *state.lock().unwrap() = true;
            answer(202, &[], "")
        }
        _ if *state.lock().unwrap() => refuse(404, "MANIFEST_UNKNOWN"),
        _ => manifest(),
    })
    .await;
    assert!(
        client()
            .delete_tag(&fake.repository(), &tag(), digest())
            .await
            .unwrap()
    );
    let deletes: Vec<_> = fake
        .lines()
        .into_iter()
        .filter(|line| line.starts_with("DELETE"))
        .collect();
    assert_eq!(deletes, ["DELETE manifests/v1"]);
    // What is gone is gone.
    assert!(
        client()
            .delete_tag(&fake.repository(), &tag(), digest())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn registry_tag_that_cannot_be_deleted_stays() {
    for (status, code) in [(405, "UNSUPPORTED"), (400, "DIGEST_INVALID"), (403, "DENIED")] {
        let fake = Fake::start(move |seen| match seen.method.as_str() {
            "DELETE" => refuse(status, code),
            _ => manifest(),
        })
        .await;
        let deleted = client().delete_tag(&fake.repository(), &tag(), digest()).await;
        assert!(!deleted.unwrap(), "{status}");
    }
}

#[tokio::test]
async fn registry_tag_that_somebody_moved_is_not_deleted() {
    let fake = Fake::start(|_| manifest()).await;
    let error = client()
        .delete_tag(&fake.repository(), &tag(), Digest::of(b"other"))
        .await;
    assert_eq!(error.unwrap_err().class, FailureClass::Conflict);
    assert!(fake.lines().iter().all(|line| !line.starts_with("DELETE")));
}

#[tokio::test]
async fn registry_time_is_what_it_told_last() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let stated = digest().to_string();
    let fake =
        Fake::start(move |_| answer(200, &[("Date", date), ("Docker-Content-Digest", &stated)], "")).await;
    let client = client();
    let before = client.time();
    assert!(
        before.as_second() > 1_700_000_000,
        "this machine's, as long as nothing was told"
    );
    let _ = client.resolve(&fake.repository(), &by_tag()).await;
    let told = client.time().as_second() - 784_111_777;
    assert!((0..60).contains(&told), "{told}");
}

/// A foreign value is waited for less long than an old one.
#[tokio::test(start_paused = true)]
async fn registry_read_back_of_what_was_seen_before_is_waited_for() {
    let old = Digest::of(b"old");
    for (seen, longest) in [(Some(old), 11), (None, 3)] {
        let fake = Fake::start(move |seen| match seen.method.as_str() {
            "PUT" => answer(201, &[], ""),
            _ => answer(200, &[("Docker-Content-Digest", &old.to_string())], ""),
        })
        .await;
        let began = tokio::time::Instant::now();
        let written = crate::target::RawManifest::new(MANIFEST).unwrap();
        let error = client()
            .put_manifest_if(&fake.repository(), &tag(), &written, seen)
            .await
            .unwrap_err();
        assert_eq!(error.class, FailureClass::Conflict);
        let took = began.elapsed().as_secs();
        assert!(took < longest && (seen.is_none() || took > 5), "{took}");
    }
}
