//! Another run passes the barrier in the same moment, because one of the two has stalled; and what happens while signatures are made.

use super::world::{World, messages};
use crate::domain::{Digest, Tag};
use crate::record::{Record, RecordState};
use crate::target::RawManifest;
use crate::testing::given::{DEVBOX, Given};

fn foreign() -> RawManifest {
    RawManifest::new(
        &br#"{"schemaVersion":2,"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json"}"#[..],
    )
    .unwrap()
}

fn name(tag: &str) -> Tag {
    tag.parse().unwrap()
}

/// `v1.0.0` stands, and all images of `v1.1.0` are new. Beside it the record of another run that publishes `version`.
async fn second(version: &str) -> (World, Digest) {
    second_of(DEVBOX, version).await
}

async fn second_of(text: &str, version: &str) -> (World, Digest) {
    let mut world = World::new(text);
    assert_eq!(world.release().await.exit_code, 0);
    // A run that was cut off right after the barrier leaves what a stalled one writes.
    let mut other = World::new(text);
    other.fake = world.fake.clone();
    other.given = other.given.clone().changed("variant/omos").version(version);
    other.fake.target.hook(|verb, reference, _| {
        let public = verb == "put" && !reference.starts_with('_') && !name(reference).has_machine_form();
        public.then(|| crate::testing::memory::failure(true))
    });
    assert_ne!(other.release().await.exit_code, 0);
    other.fake.target.hook(|_, _, _| None);
    let theirs = world.fake.target.tag("_release").unwrap();
    let before = world.fake.target.tag("_release-v1.0.0").unwrap();
    world.fake.target.with(|content| {
        content.tags.insert(name("_release"), before);
        content.tags.remove(&name(&format!("_release-{version}")));
    });
    world.given = world.given.clone().changed("base").version("v1.1.0");
    (world, theirs)
}

/// When this tag is put the first time, the other run writes its record, and this under that tag.
fn meets(world: &World, at: &'static str, record: Digest, tags: &'static [&'static str]) {
    let mut met = false;
    world.fake.target.hook(move |verb, reference, content| {
        if verb == "put" && reference == at && !met {
            met = true;
            content.tags.insert(name("_release"), record);
            if tags.contains(&"_release-v1.1.0") {
                content.tags.insert(name("_release-v1.1.0"), record);
            }
        }
        None
    });
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_after_the_barrier_moves_no_alias() {
    let (mut world, theirs) = second("v1.2.0").await;
    let before = world.fake.target.tag("latest");
    meets(&world, "v1.1.0", theirs, &[]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert!(messages(&report).contains("release `v1.2.0` is being published by another run"));
    assert_eq!(world.fake.target.tag("latest"), before);
    // Its release tags stand, and it can be promoted; the newest record stays theirs.
    assert_eq!(world.record().await.state, RecordState::NotPromoted);
    assert_eq!(world.fake.target.tag("_release"), Some(theirs));
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_by_a_run_of_the_same_version_leaves_its_record() {
    let (mut world, theirs) = second("v1.1.0").await;
    meets(&world, "v1.1.0", theirs, &["_release-v1.1.0"]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert_eq!(world.fake.target.tag("_release-v1.1.0"), Some(theirs));
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_while_aliases_move_puts_them_back() {
    let (mut world, theirs) = second("v1.2.0").await;
    let before = world.fake.target.tag("latest-omos");
    meets(&world, "latest", theirs, &[]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert_eq!(world.fake.target.tag("latest-omos"), before);
    assert_eq!(world.record().await.state, RecordState::NotPromoted);
}

/// Puts something else under a release tag, as often as it is asked to, each time that the tag was put.
fn writes_over(world: &World, mut times: u32) {
    let mut put = false;
    world.fake.target.hook(move |verb, reference, content| {
        if put && times > 0 {
            times -= 1;
            content.put(&name("v1.1.0-omos"), &foreign());
        }
        put = verb == "put" && reference == "v1.1.0-omos";
        None
    });
}

#[tokio::test(start_paused = true)]
async fn a_release_tag_that_is_written_over_is_put_again_once() {
    let (mut world, _) = second("v1.2.0").await;
    writes_over(&world, 1);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let tag = |tag: &str| world.fake.target.tag(tag);
    assert_eq!(tag("v1.1.0-omos"), tag("latest-omos"));

    let (mut world, _) = second("v1.2.0").await;
    let before = world.fake.target.tag("latest");
    writes_over(&world, 99);
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert!(messages(&report).contains("release tag `v1.1.0-omos` was written at sha256:"));
    assert_eq!(world.fake.target.tag("latest"), before);
    let record: Record = world.record().await;
    assert!(record.state == RecordState::Publishing && record.ended);
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_signatures_are_made_is_found_before_the_first_tag() {
    for gone in [true, false] {
        let text = format!("{DEVBOX}\n[sign]\ncosign = []\n");
        let (mut world, theirs) = second_of(&text, "v1.2.0").await;
        world.given = Given::new(&text).version("v1.1.0");
        world.look().await;
        let plan = world.given.plan();
        let child = plan.images[1].platforms[0].digest.unwrap();
        let published = world.published();
        let fake = world.fake.clone();
        *world.fake.signing.lock().unwrap() = Some(Box::new(move || {
            fake.target.with(|content| {
                if gone {
                    content.manifests.remove(&child);
                } else {
                    content.tags.insert(name("_release"), theirs);
                }
            });
        }));
        let report = world.run(plan).await;
        assert_eq!(
            report.exit_code,
            if gone { 1 } else { 7 },
            "{}",
            messages(&report)
        );
        assert_eq!(world.published(), published);
    }
}
