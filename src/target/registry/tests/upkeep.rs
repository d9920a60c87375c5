//! Deleting, and whether what is there is whole, with registries of several minds.

use super::{Fake, answer, client, digest, layer, refuse, tag};
use crate::target::upkeep::{Deletes, Found, Upkeep as _};

#[tokio::test]
async fn whether_tags_can_be_deleted() {
    for (status, code, deletes) in [
        (202, "", Some(Deletes::Tags)),
        (404, "MANIFEST_UNKNOWN", Some(Deletes::Tags)),
        (404, "NAME_UNKNOWN", Some(Deletes::Tags)),
        (404, "", Some(Deletes::Digests)),
        (400, "DIGEST_INVALID", Some(Deletes::Digests)),
        (405, "UNSUPPORTED", Some(Deletes::Digests)),
        (403, "DENIED", Some(Deletes::Digests)),
        (503, "", None),
    ] {
        let fake = Fake::start(move |_| refuse(status, code)).await;
        let found = client().deletes(&fake.repository()).await.ok();
        assert_eq!(found, deletes, "{status} {code}");
        assert!(fake.lines()[0].starts_with("DELETE manifests/_release-"));
    }
}

#[tokio::test]
async fn deleting_what_is_gone_is_fine_and_a_refusal_is_told() {
    for (status, code, deleted) in [
        (202, "", true),
        (404, "MANIFEST_UNKNOWN", true),
        (404, "", false),
        (405, "UNSUPPORTED", false),
        (403, "DENIED", false),
    ] {
        let fake = Fake::start(move |_| refuse(status, code)).await;
        let outcome = client().remove(&fake.repository(), &tag()).await;
        assert_eq!(outcome.is_ok(), deleted, "{status} {code}");
        let outcome = client().remove_digest(&fake.repository(), digest()).await;
        assert_eq!(outcome.is_ok(), deleted, "{status} {code}");
    }
}

#[tokio::test]
async fn blobs_are_whole_missing_damaged_or_unknown() {
    let body = b"some bytes".as_slice();
    let fake = Fake::start(
        move |seen| match (seen.method.as_str(), seen.path.rsplit('/').next()) {
            ("HEAD", _) => answer(200, &[("content-length", "10")], ""),
            _ => answer(200, &[], "some bytes"),
        },
    )
    .await;
    let (client, repository) = (client(), fake.repository());
    let good = layer(body, "x");
    let mut long = good.clone();
    long.size = 11;
    let other = layer(b"some other", "x");
    assert!(matches!(
        client.has_blob(&repository, &good).await,
        Found::Whole(())
    ));
    assert!(matches!(
        client.has_blob(&repository, &long).await,
        Found::Damaged(_)
    ));
    assert!(matches!(
        client.has_blob(&repository, &other).await,
        Found::Whole(())
    ));
    assert!(matches!(
        client.read_through(&repository, &good).await,
        Found::Whole(())
    ));
    assert!(matches!(
        client.read_through(&repository, &long).await,
        Found::Damaged(_)
    ));
    assert!(matches!(
        client.read_through(&repository, &other).await,
        Found::Damaged(_)
    ));
    for (status, missing) in [(404, true), (401, false), (500, false)] {
        let fake = Fake::start(move |_| answer(status, &[], "")).await;
        for found in [
            client.has_blob(&fake.repository(), &good).await,
            client.read_through(&fake.repository(), &good).await,
        ] {
            assert_eq!(matches!(found, Found::Missing), missing, "{status} {found:?}");
            assert_eq!(matches!(found, Found::Unknown(_)), !missing, "{status} {found:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_asked_for_as_often_as_any_request() {
    for (status, requests) in [(503, 3), (500, 3), (405, 1)] {
        let fake = Fake::start(move |_| refuse(status, "X")).await;
        let found = client().stored(&fake.repository(), digest()).await;
        assert!(matches!(found, Found::Unknown(_)), "{found:?}");
        assert_eq!(fake.lines().len(), requests, "{status}");
    }
}
