//! All or nothing: the barrier, release tags, aliases.

use super::world::{Goes, World, messages};
use crate::domain::Digest;
use crate::execute::{Again, StepOutcome};
use crate::record::RecordState;
use crate::target::RawManifest;
use crate::testing::given::{DEVBOX, SMALL};
use crate::testing::memory::failure;

/// What somebody else puts somewhere.
fn foreign() -> RawManifest {
    RawManifest::new(
        &br#"{"schemaVersion":2,"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json"}"#[..],
    )
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn release_tags_then_aliases() {
    let mut world = World::new(DEVBOX);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let mut published = world.published();
    published[..2].sort();
    published[2..].sort();
    assert_eq!(
        published,
        ["v1.0.0", "v1.0.0-omos", "base-latest", "latest", "latest-omos"]
    );
    let target = &world.fake.target;
    assert_eq!(target.tag("latest"), target.tag("v1.0.0"));
    assert_eq!(report.images[1].aliases.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_run_writes_nothing() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    let writes = world.fake.target.written().len();
    let report = world.release().await;
    assert_eq!((report.exit_code, world.fake.target.written().len()), (0, writes));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_without_a_receipt() {
    let mut world = World::new(DEVBOX);
    world.look().await;
    let receipt = world.given.receipt("variant/omos", "linux/arm64");
    let mut plan = world.given.plan();
    // A plan that was tampered with: its tests are gone.
    plan.steps.retain(|step| !step.id.as_str().starts_with("smoke/"));
    let report = world.run(plan.clone()).await;
    assert_eq!(report.exit_code, 3);
    assert!(messages(&report).contains("has no receipt of today's test"));
    assert_eq!(world.published(), Vec::<String>::new());

    // A receipt of another digest is none.
    let fixed = world.given.plan();
    let name = receipt.to_string();
    world.fake.target.hook(move |verb, reference, content| {
        if verb == "resolve" && reference == name {
            content.put(&receipt, &foreign());
        }
        None
    });
    let report = world.run(fixed).await;
    assert_eq!(report.exit_code, 3, "{}", messages(&report));
    assert!(messages(&report).contains("variant/omos for linux/arm64 has no receipt"));
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_cannot_be_asked_for_is_unknown() {
    let mut world = World::new(DEVBOX);
    let receipt = world.given.receipt("variant/omos", "linux/arm64").to_string();
    let plan = world.given.plan();
    world.look().await;
    world
        .fake
        .target
        .hook(move |verb, reference, _| (verb == "resolve" && reference == receipt).then(|| failure(false)));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 5);
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_moved_since_the_plan_keeps_everything_back() {
    let world = World::new(DEVBOX);
    let plan = world.given.plan();
    world
        .fake
        .target
        .with(|content| content.put(&"latest-omos".parse().unwrap(), &foreign()));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 7);
    assert!(messages(&report).contains("somebody else moved it"));
    assert_eq!(world.published(), Vec::<String>::new());
    assert_eq!(world.fake.target.tag("latest-omos"), Some(foreign().digest));
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_moves_between_tags_and_aliases_keeps_all_aliases_back() {
    let mut world = World::new(DEVBOX);
    world.fake.target.hook(|verb, reference, content| {
        if verb == "put" && reference == "v1.0.0" {
            content.put(&"latest-omos".parse().unwrap(), &foreign());
        }
        None
    });
    let report = world.release().await;
    // The release tags stand, and it waits to be promoted.
    assert_eq!(report.exit_code, 7);
    assert!(messages(&report).contains("no alias was moved"));
    assert_eq!(world.record().await.state, RecordState::NotPromoted);
    let mut published = world.published();
    published.sort();
    assert_eq!(published, ["v1.0.0", "v1.0.0-omos"]);
}

#[tokio::test(start_paused = true)]
async fn a_release_tag_that_somebody_wrote_since_the_plan_is_not_overwritten() {
    let world = World::new(DEVBOX);
    let plan = world.given.plan();
    world
        .fake
        .target
        .with(|content| content.put(&"v1.0.0-omos".parse().unwrap(), &foreign()));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 7);
    // Both digests, and the way on.
    let (theirs, said) = (foreign().digest, messages(&report));
    assert!(said.contains(&format!("release tag `v1.0.0-omos` stands at {theirs}")));
    let ours = world.fake.target.with(|content| {
        let is = |tag: &str| tag.starts_with("variant-omos-") && tag.len() == "variant-omos-".len() + 12;
        let mut tags = content.tags.iter();
        tags.find(|(tag, _)| is(tag.as_str())).map(|(_, digest)| *digest)
    });
    assert!(said.contains(&format!("is at {}", ours.unwrap())), "{said}");
    assert!(report.failures[0].hints.join("\n").contains("`--force`"));
    assert_eq!(world.published(), Vec::<String>::new());
    assert_eq!(world.fake.target.tag("v1.0.0-omos"), Some(foreign().digest));
}

#[tokio::test(start_paused = true)]
async fn where_the_target_compares_and_sets_no_tag_is_overwritten_at_the_last_moment() {
    for name in ["v1.0.0", "latest"] {
        let mut world = World::new(DEVBOX);
        world.given.options.target = "oci:out".parse().unwrap();
        world.fake.target.with(|content| content.compares = true);
        world.fake.target.hook(move |verb, reference, content| {
            if verb == "compare" && reference == name {
                content.put(&name.parse().unwrap(), &foreign());
            }
            None
        });
        let report = world.release().await;
        assert_ne!(report.exit_code, 0);
        assert!(
            messages(&report).contains("somebody else writes this tag too"),
            "{}",
            messages(&report)
        );
        assert_eq!(world.fake.target.tag(name), Some(foreign().digest), "{name}");
        // The next run finds what was done in its plan, and refuses it.
        world.fake.target.hook(|_, _, _| None);
        world.look().await;
        assert_eq!(
            world.given.try_plan().unwrap_err().exit_code(),
            crate::domain::ExitCode::Refused
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_depend_on_a_failed_platform_goes_on_and_nothing_is_tagged() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-arm64", &[Goes::Fails(Again::Never)]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 1);
    assert_eq!(world.outcome("smoke/variant/omos/linux-amd64"), StepOutcome::Done);
    assert_eq!(
        world.outcome("build/variant/omos/linux-arm64"),
        StepOutcome::Skipped
    );
    assert_eq!(world.outcome("record/publishing"), StepOutcome::Skipped);
    assert_eq!(world.published(), Vec::<String>::new());
    // All of it is used next time.
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.attempts("build/variant/omos/linux-amd64").len(), 1);
    let smokes = world.fake.smokes.lock().unwrap().clone();
    let amd64 = smokes
        .iter()
        .filter(|(id, _)| id == "smoke/variant/omos/linux-amd64");
    assert_eq!(amd64.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_test_keeps_everything_back() {
    let mut world = World::new(DEVBOX);
    world.script("smoke/variant/core/linux-arm64", &[Goes::Fails(Again::Never)]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 3);
    assert_eq!(world.published(), Vec::<String>::new());
    let receipt = world.given.receipt("variant/core", "linux/arm64");
    assert_eq!(world.fake.target.tag(receipt.as_str()), None);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_too_large_fails_its_test_without_being_run() {
    let mut world = World::new(&format!(
        "{DEVBOX}[variants.big]\nsmoke = {{ max-size = \"1B\" }}\n"
    ));
    let report = world.release().await;
    assert_eq!(report.exit_code, 3);
    assert!(
        messages(&report).contains("variant/big for linux/amd64 unpacks to "),
        "{}",
        messages(&report)
    );
    let smokes = world.fake.smokes.lock().unwrap().clone();
    assert!(smokes.iter().all(|(id, _)| !id.contains("big")));
}

/// Which tag a write fails on, and the exit code.
#[tokio::test(start_paused = true)]
async fn a_push_that_fails_between_the_first_tag_and_the_last_alias_cuts_off() {
    for (tag, exit_code) in [("_release", 6), ("latest", 8), ("v1.0.0", 8)] {
        let mut world = World::new(DEVBOX);
        world
            .fake
            .target
            .hook(move |verb, reference, _| (verb == "put" && reference == tag).then(|| failure(true)));
        let report = world.release().await;
        assert_eq!(report.exit_code, exit_code, "{tag}: {}", messages(&report));
        if tag != "v1.0.0" {
            continue;
        }
        assert!(world.published().iter().all(|tag| !tag.contains("latest")));
        // The next run completes it.
        world.fake.target.hook(|_, _, _| None);
        let report = world.release().await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        assert_eq!(world.fake.attempts.lock().unwrap().len(), 6);
    }
}

/// Source and target have the same digest, whoever wrote the source.
#[tokio::test(start_paused = true)]
async fn a_tag_gets_the_very_bytes_of_the_index() {
    let mut world = World::new(SMALL);
    world.release().await;
    // The same index with other white space, as another tool writes it.
    let tag = world.given.plan().images[1].tag.clone();
    let odd = world.fake.target.with(|content| {
        let raw = content.manifests[&content.tags[&tag]].clone();
        let value: serde_json::Value = serde_json::from_slice(&raw.bytes).unwrap();
        let odd = RawManifest::new(serde_json::to_vec_pretty(&value).unwrap()).unwrap();
        content.put(&tag, &odd);
        odd
    });
    world.given = world.given.clone().version("v1.0.1");
    assert_eq!(world.release().await.exit_code, 0);
    assert_eq!(world.fake.target.tag("v1.0.1-only"), Some(odd.digest));
    let stored = world
        .fake
        .target
        .with(|content| content.manifests[&odd.digest].bytes.clone());
    assert_eq!(Digest::of(&stored), odd.digest);
}
