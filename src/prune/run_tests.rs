//! Deleting beside others: what is asked again, and what stops it.

use super::{Deletion, Ended, Event, Plan, Way, run};
use crate::domain::{Digest, ExitCode, Repository, Tag};
use crate::target::upkeep::Deletes;
use crate::target::{RawManifest, Target as _};
use crate::testing::memory::{Memory, failure};
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn manifest(word: &str) -> RawManifest {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"w":"{word}"}}}}"#
    );
    RawManifest::new(text.into_bytes()).unwrap()
}

fn repository() -> Repository {
    "registry.example.org/acme/devbox".parse().unwrap()
}

/// A target with these tags, each on a manifest of this word; the plan deletes those of the second list.
async fn given(tags: &[(&str, &str)], going: &[&[&str]], deletes: Deletes) -> (Memory, Plan) {
    let target = Memory::default();
    let mut known: BTreeMap<Tag, Digest> = BTreeMap::new();
    for (name, word) in tags {
        target
            .put_manifest(&repository(), &tag(name), &manifest(word))
            .await
            .unwrap();
        known.insert(tag(name), manifest(word).digest);
    }
    target.with(|content| content.writes.clear());
    let deletion = |names: &&[&str]| Deletion {
        tags: names.iter().map(|name| tag(name)).collect(),
        digest: known[&tag(names[0])],
        why: String::new(),
    };
    let plan = Plan {
        deletes,
        deletions: going.iter().map(deletion).collect(),
        kept: Vec::new(),
        watch: vec![
            (tag("_release"), Some(known[&tag("_release")])),
            (tag("_release.own"), None),
        ],
        known: known.clone(),
    };
    (target, plan)
}

async fn ran(target: &Memory, plan: &Plan, cancel: &CancellationToken) -> (Ended, Vec<Event>) {
    let mut events = Vec::new();
    let ended = run(target, &Way::Target, &repository(), plan, cancel, |event| {
        events.push(event.clone());
    })
    .await;
    (ended, events)
}

const TAGS: [(&str, &str); 4] = [
    ("_release", "r"),
    ("base-a", "a"),
    ("base-b", "b"),
    ("base-c", "c"),
];

#[tokio::test]
async fn what_is_another_way_now_is_left() {
    let (target, plan) = given(&TAGS, &[&["base-a"], &["base-b"], &["base-c"]], Deletes::Tags).await;
    target.with(|content| {
        content.put(&tag("base-a"), &manifest("somebody"));
        content.tags.remove(&tag("base-b"));
    });
    let (ended, events) = ran(&target, &plan, &CancellationToken::new()).await;
    assert_eq!(
        (ended.deleted, ended.skipped, ended.left, ended.failure),
        (1, 2, 0, None)
    );
    assert_eq!(target.written(), ["delete"]);
    assert_eq!(target.tag("base-a"), Some(manifest("somebody").digest));
    assert!(matches!(&events[0], Event::Skipped { why, .. } if why.contains("`base-a` is at")));
    assert_eq!(target.tag("base-c"), None);
}

#[tokio::test]
async fn a_digest_that_got_another_tag_is_left() {
    let (target, plan) = given(&TAGS, &[&["base-a"]], Deletes::Digests).await;
    target.with(|content| content.put(&tag("latest"), &manifest("a")));
    let (ended, _) = ran(&target, &plan, &CancellationToken::new()).await;
    assert_eq!((ended.deleted, ended.skipped), (0, 1));
    assert!(target.tag("latest").is_some() && target.tag("base-a").is_some());
}

#[tokio::test]
async fn a_release_that_begins_stops_it() {
    for record in ["_release", "_release.own"] {
        begins(record).await;
    }
}

async fn begins(record: &'static str) {
    let (target, plan) = given(&TAGS, &[&["base-a"], &["base-b"], &["base-c"]], Deletes::Tags).await;
    // Its record is written between the first deletion and the second.
    target.hook(|verb, reference, content| {
        if (verb, reference) == ("delete", "base-a") {
            content.put(&tag(record), &manifest("another"));
        }
        None
    });
    let (ended, _) = ran(&target, &plan, &CancellationToken::new()).await;
    let (code, message, _) = ended.failure.unwrap();
    assert_eq!(
        (ended.deleted, ended.left, code),
        (1, 2, ExitCode::Refused),
        "{message}"
    );
    assert!(target.tag("base-b").is_some() && target.tag("base-c").is_some());
}

#[tokio::test]
async fn an_interrupt_or_a_failure_leaves_the_rest_as_it_was() {
    let (target, plan) = given(&TAGS, &[&["base-a"], &["base-b"], &["base-c"]], Deletes::Tags).await;
    let cancel = CancellationToken::new();
    let pull = cancel.clone();
    target.hook(move |verb, reference, _| {
        if (verb, reference) == ("delete", "base-a") {
            pull.cancel();
        }
        (verb == "delete" && reference == "base-c").then(|| failure(true))
    });
    let (ended, _) = ran(&target, &plan, &cancel).await;
    assert_eq!((ended.deleted, ended.left), (1, 2));
    assert_eq!(ended.failure.unwrap().0, ExitCode::Interrupted);
    // What was left goes with the next one, up to what fails.
    let (ended, _) = ran(&target, &plan, &CancellationToken::new()).await;
    assert_eq!((ended.deleted, ended.skipped, ended.left), (1, 1, 1));
    assert_eq!(ended.failure.unwrap().0, ExitCode::PushFailed);
    assert!(target.tag("base-c").is_some());
}

#[tokio::test]
async fn a_registry_that_takes_the_digest_along_gets_it_back() {
    let tags = [
        ("_release", "r"),
        ("base-a", "a"),
        ("v1.0.0", "a"),
        ("base-b", "b"),
    ];
    let (target, plan) = given(&tags, &[&["base-a"], &["base-b"]], Deletes::Tags).await;
    target.with(|content| content.takes_along = true);
    let (ended, _) = ran(&target, &plan, &CancellationToken::new()).await;
    let (code, message, _) = ended.failure.unwrap();
    assert_eq!((code, ended.left), (ExitCode::Failed, 2), "{message}");
    assert_eq!(target.tag("v1.0.0"), Some(manifest("a").digest));
    assert!(target.tag("base-b").is_some());
}
