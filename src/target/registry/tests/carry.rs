//! What refers to a digest, as registries say it that keep such lists.

use super::*;
use crate::target::{Place, RawManifest, transfer};
use serde_json::json;

fn descriptor(name: &str) -> serde_json::Value {
    json!({"mediaType": oci::MANIFEST, "digest": Digest::of(name.as_bytes()), "size": 7})
}

fn list(names: &[&str]) -> String {
    let manifests: Vec<_> = names.iter().map(|name| descriptor(name)).collect();
    json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": manifests}).to_string()
}

#[tokio::test]
async fn referrers_come_in_pages() {
    let fake = Fake::start(|seen| {
        if seen.query.is_empty() {
            answer(
                200,
                &[("Link", "</v2/acme/devbox/referrers/x?n=2>; rel=\"next\"")],
                list(&["a", "b"]),
            )
        } else {
            answer(200, &[], list(&["c"]))
        }
    })
    .await;
    let found = client()
        .referrers(&fake.repository(), &Digest::of(b"image"))
        .await;
    assert_eq!(found.unwrap().unwrap(), ["a", "b", "c"].map(descriptor));
}

#[tokio::test]
async fn referrers_that_no_list_is_kept_of_are_not_unknown() {
    for status in [400, 404, 405, 501] {
        let fake = Fake::start(move |_| answer(status, &[], "404 page not found")).await;
        let found = client()
            .referrers(&fake.repository(), &Digest::of(b"image"))
            .await;
        assert_eq!(found.unwrap(), None, "{status}");
    }
    for (status, body) in [(403, ""), (500, ""), (200, "<html>"), (200, "{}")] {
        let fake = Fake::start(move |_| answer(status, &[], body)).await;
        let found = client()
            .referrers(&fake.repository(), &Digest::of(b"image"))
            .await;
        assert!(found.is_err(), "{status} {body}");
    }
}

/// An artifact that refers to an image, on a registry that lists it; the registry that it goes to either notices subjects or keeps no lists.
async fn carried(notices: bool) -> Vec<String> {
    let image =
        RawManifest::new(json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": []}).to_string())
            .unwrap();
    let empty =
        json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2});
    let note = RawManifest::new(
        json!({"schemaVersion": 2, "mediaType": oci::MANIFEST, "config": empty, "layers": [], "subject": {"mediaType": oci::INDEX, "digest": image.digest, "size": image.bytes.len()}})
            .to_string(),
    )
    .unwrap();
    let entry = json!({"mediaType": oci::MANIFEST, "digest": note.digest, "size": note.bytes.len(), "artifactType": "text/x-note"});
    let (digest, raws) = (image.digest, [image, note.clone()]);
    let listed = json!({"schemaVersion": 2, "mediaType": oci::INDEX, "manifests": [entry]}).to_string();
    let stored: std::sync::Mutex<std::collections::HashMap<String, bytes::Bytes>> =
        std::sync::Mutex::default();
    let fake = Fake::start(move |seen| {
        let path = seen.path.as_str();
        let Some(rest) = path.strip_prefix("/v2/acme/devbox/") else {
            if path.contains("/manifests/") && seen.method == "PUT" {
                let subject = if notices {
                    vec![("OCI-Subject", "sha256:x")]
                } else {
                    Vec::new()
                };
                stored.lock().unwrap().insert(path.to_owned(), seen.body.clone());
                return answer(201, &subject, "");
            }
            if let Some(bytes) = stored.lock().unwrap().get(path) {
                return answer(200, &[], bytes.to_vec());
            }
            if path.contains("/blobs/") && seen.method == "HEAD" {
                return answer(200, &[], "");
            }
            return refuse(404, "MANIFEST_UNKNOWN");
        };
        if rest == format!("referrers/{digest}") {
            return answer(200, &[], listed.clone());
        }
        if rest.starts_with("referrers/") {
            return answer(200, &[], list(&[]));
        }
        let found = raws
            .iter()
            .find(|raw| rest == format!("manifests/{}", raw.digest));
        found.map_or_else(
            || refuse(404, "MANIFEST_UNKNOWN"),
            |raw| answer(200, &[], raw.bytes.to_vec()),
        )
    })
    .await;
    let place = Place::registry(client());
    let root = transfer::Root {
        repository: fake.repository(),
        digest,
    };
    let to: Repository = format!("{}/acme/public", fake.address).parse().unwrap();
    let (carried, _) = transfer::carry(&place, &[root], &place, &to).await.unwrap();
    assert_eq!((carried.manifests, carried.referrers), (2, 1));
    let puts = fake.seen().into_iter().filter(|seen| seen.method == "PUT");
    puts.map(|seen| seen.path.replace("/v2/acme/public/manifests/", ""))
        .collect()
}

#[tokio::test]
async fn referrers_are_listed_by_tag_only_where_the_registry_does_not_list_them() {
    let noticed = carried(true).await;
    assert_eq!(noticed.len(), 2, "{noticed:?}");
    let by_tag = carried(false).await;
    assert_eq!(by_tag[..2], noticed[..]);
    assert!(by_tag[2].starts_with("sha256-"), "{by_tag:?}");
}
