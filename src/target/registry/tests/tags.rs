//! Listing tags, taking one away, and the registry's clock.

use super::*;
use crate::target::{FailureClass, Target as _};

async fn listed(fake: &Fake) -> Vec<String> {
    let tags = client().tags(&fake.repository()).await.unwrap();
    tags.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn registry_tags_are_read_page_by_page() {
    // As one server writes it: a relative link, no quotes, fewer at once than were asked for.
    let fake = Fake::start(|seen| match seen.query.as_str() {
        "n=1000" => answer(
            200,
            &[("Link", "</v2/acme/devbox/tags/list?n=50&last=b>; rel=next")],
            r#"{"tags":["b","a"]}"#,
        ),
        "n=50&last=b" => answer(
            200,
            &[
                (
                    "Link",
                    "<list?n=1>; rel=\"first\", <https://elsewhere.example/>; rel=\"help\"",
                ),
                ("Link", "<list?last=d>; title=\"more, and more\"; rel=\"next\""),
            ],
            r#"{"tags":["c","d","not a tag"]}"#,
        ),
        _ => answer(200, &[], r#"{"name":"x","tags":null}"#),
    })
    .await;
    assert_eq!(listed(&fake).await, ["a", "b", "c", "d"]);
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test]
async fn registry_next_page_may_be_named_in_full() {
    let address = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&address);
    let fake = Fake::start(move |seen| {
        let next = format!(
            "<http://{}{}?last=a>; rel=\"next\"",
            own.lock().unwrap(),
            seen.path
        );
        match seen.query.as_str() {
            "n=1000" => answer(200, &[("Link", &next)], r#"{"tags":["a"]}"#),
            _ => answer(200, &[], r#"{"tags":["b"]}"#),
        }
    })
    .await;
    *address.lock().unwrap() = fake.host();
    assert_eq!(listed(&fake).await, ["a", "b"]);
}

#[tokio::test]
async fn registry_next_page_elsewhere_is_not_asked_for() {
    let other = Fake::start(|_| answer(200, &[], r#"{"tags":["b"]}"#)).await;
    let at = other.address;
    for next in [
        format!("<http://{at}/v2/acme/devbox/tags/list>; rel=next"),
        format!("<//{at}/v2/acme/devbox/tags/list>; rel=\"next\""),
        "<https://elsewhere.example/x>; rel=next".to_owned(),
        "<file:///etc/passwd>; rel=next".to_owned(),
        "<http://[>; rel=next".to_owned(),
        "<list?n=1000>; rel=next".to_owned(),
    ] {
        let link = next.clone();
        let fake = Fake::start(move |_| answer(200, &[("Link", &link)], r#"{"tags":["a"]}"#)).await;
        let error = alice(&fake).tags(&fake.repository()).await.unwrap_err();
        assert!(
            error.reason.contains("next page") || error.reason.contains("page again"),
            "{error}"
        );
        let (alice, repository) = (alice(&fake), fake.repository());
        assert!(
            alice.referrers(&repository, &digest()).await.is_err() || next.contains("<list"),
            "{next}"
        );
    }
    assert_eq!(other.lines(), [""; 0]);
}

#[tokio::test]
async fn registry_list_of_tags_that_breaks_off_is_none() {
    for (status, code) in [(500, ""), (404, "NAME_UNKNOWN"), (401, "UNAUTHORIZED")] {
        let fake = Fake::start(move |seen| match seen.query.as_str() {
            "n=1000" => answer(200, &[("Link", "<list?last=a>; rel=next")], r#"{"tags":["a"]}"#),
            _ => refuse(status, code),
        })
        .await;
        assert!(client().tags(&fake.repository()).await.is_err(), "{status}");
    }
    for body in [
        "a page",
        "<html></html>",
        "[]",
        r#"{"errors":[]}"#,
        r#"{"tags":["a""#,
    ] {
        let fake = Fake::start(move |_| answer(200, &[], body)).await;
        assert!(client().tags(&fake.repository()).await.is_err(), "{body}");
    }
}

#[tokio::test]
async fn registry_repository_that_is_not_there_has_no_tags() {
    let fake = Fake::start(|_| answer(200, &[], r#"{"name":"acme/devbox","tags":[]}"#)).await;
    assert_eq!(listed(&fake).await, [""; 0]);
    let fake = Fake::start(|_| answer(200, &[], r#"{"tags":null}"#)).await;
    assert_eq!(listed(&fake).await, [""; 0]);
    for (status, code, empty) in [
        (404, "NAME_UNKNOWN", true),
        (404, "", false),
        (401, "UNAUTHORIZED", false),
    ] {
        let fake = Fake::start(move |_| refuse(status, code)).await;
        let tags = client().tags(&fake.repository()).await;
        assert_eq!(tags.is_ok_and(|tags| tags.is_empty()), empty, "{status} {code}");
    }
}

#[tokio::test]
async fn registry_that_gives_no_thousand_at_once_is_asked_for_what_it_gives() {
    let fake = Fake::start(|seen| match seen.query.as_str() {
        "" => answer(200, &[], r#"{"tags":["a"]}"#),
        _ => refuse(400, "PAGINATION_NUMBER_INVALID"),
    })
    .await;
    assert_eq!(listed(&fake).await, ["a"]);
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
    let before = client.time(&fake.repository());
    assert!(
        before.as_second() > 1_700_000_000,
        "this machine's, as long as nothing was told"
    );
    let _ = client.resolve(&fake.repository(), &by_tag()).await;
    let told = client.time(&fake.repository()).as_second() - 784_111_777;
    assert!((0..60).contains(&told), "{told}");
    // Nobody else's: an upstream or a mirror that answers later has its own.
    let other = Fake::start(|_| answer(404, &[("Date", "Sat, 06 Nov 1999 08:49:37 GMT")], "")).await;
    let _ = client.resolve(&other.repository(), &by_tag()).await;
    let told = client.time(&fake.repository()).as_second() - 784_111_777;
    assert!((0..60).contains(&told), "{told}");
}

#[tokio::test]
async fn registry_time_in_an_answer_from_a_cache_is_as_old_as_it_says() {
    let headers = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Age", "600")];
    let fake = Fake::start(move |_| answer(200, &headers, r#"{"tags":[]}"#)).await;
    let client = client();
    client.tags(&fake.repository()).await.unwrap();
    let told = client.time(&fake.repository()).as_second() - 784_112_377;
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
