//! What the record says, when.

use super::world::{Goes, World, messages};
use crate::execute::Again;
use crate::record::RecordState::{Done, Failed, NotPromoted, Planned, Publishing};
use crate::testing::given::DEVBOX;
use crate::testing::memory::failure;

#[tokio::test(start_paused = true)]
async fn states_of_a_release_that_goes_well() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    assert_eq!(world.states().await, [Planned, Publishing, Done]);
    let record = world.record().await;
    assert_eq!(record.holder, None);
    assert!(
        record
            .images
            .iter()
            .all(|image| image.digest.is_some() && image.platforms.len() == 2)
    );
    let latest = record
        .aliases
        .iter()
        .find(|moved| moved.alias.tag().as_str() == "latest")
        .unwrap();
    assert_eq!((latest.old, latest.new), (None, world.fake.target.tag("latest")));
    assert_eq!(record.points.len(), 3);
    let omos = record
        .images
        .iter()
        .find(|image| image.image.name() == "omos")
        .unwrap();
    assert!(omos.platforms.iter().all(|platform| platform.receipt.is_some()));
}

/// What fails before the barrier proves nothing of a period.
#[tokio::test(start_paused = true)]
async fn the_barrier_says_what_the_images_are_built_for() {
    let mut world = World::new(&DEVBOX.replace("[base]", "[base]\nrefresh = \"monthly\""));
    world.given.facts.period = "2026-11".parse().ok();
    world.script("smoke/variant/omos/linux-amd64", &[Goes::Fails(Again::Never)]);
    world.release().await;
    assert_eq!(world.states().await, [Planned, Failed]);
    let record = world.record().await;
    assert_eq!((record.period, record.fresh.len()), (world.given.facts.period, 0));
    world.release().await;
    let record = world.record().await;
    assert_eq!((record.state, record.fresh.len()), (Done, 3));
    assert!(record.fresh.values().all(|fresh| fresh.period == record.period));
}

#[tokio::test(start_paused = true)]
async fn the_record_is_the_newest_too() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    let target = &world.fake.target;
    assert_eq!(target.tag("_release"), target.tag("_release-v1.0.0"));
}

#[tokio::test(start_paused = true)]
async fn old_digests_of_aliases_are_written_before_one_moves() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    let old = world.fake.target.tag("latest");
    world.given = world.given.clone().changed("variant/core").version("v1.1.0");
    world
        .fake
        .target
        .hook(|verb, reference, _| (verb == "put" && reference == "latest").then(|| failure(true)));
    let report = world.release().await;
    assert_eq!(report.exit_code, 8, "{}", messages(&report));
    let record = world.record().await;
    assert_eq!(record.state, Publishing);
    let latest = record
        .aliases
        .iter()
        .find(|moved| moved.alias.tag().as_str() == "latest")
        .unwrap();
    assert_eq!(latest.old, old);
    assert_ne!(latest.new, old);
    assert_eq!(record.points[&latest.alias].version.as_str(), "v1.0.0");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_failed_before_anything_was_published_stands_in_nobodys_way() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-amd64", &[Goes::Fails(Again::Never)]);
    world.release().await;
    assert_eq!(world.states().await, [Planned, Failed]);
    world.given = world.given.clone().version("v1.0.1");
    assert_eq!(world.release().await.exit_code, 0);
    assert_eq!(world.states().await, [Planned, Failed, Planned, Publishing, Done]);
}

#[tokio::test(start_paused = true)]
async fn without_promotion() {
    let mut world = World::new(DEVBOX);
    world.given.options.no_promote = true;
    assert_eq!(world.release().await.exit_code, 0);
    assert_eq!(world.states().await, [Planned, Publishing, NotPromoted]);
    assert!(world.record().await.points.is_empty());
    world.look().await;
    let version = world.given.options.version.clone().unwrap();
    world.given.options.no_promote = false;
    let plan = crate::plan::plan_promotion(
        &world.given.family,
        &world.given.facts,
        &version,
        &world.given.options,
    );
    let report = world.run(plan.unwrap()).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.record().await.state, Done);
    assert_eq!(world.record().await.points.len(), 3);
    assert_eq!(world.fake.target.tag("latest"), world.fake.target.tag("v1.0.0"));
}

/// What is half published must be finished before another version: a later run that fails does not change that.
#[tokio::test(start_paused = true)]
async fn a_run_that_fails_does_not_hide_that_an_earlier_one_was_cut_off() {
    let mut world = World::new(DEVBOX);
    world
        .fake
        .target
        .hook(|verb, reference, _| (verb == "put" && reference == "latest").then(|| failure(true)));
    world.release().await;
    world.look().await;
    let plan = world.given.plan();
    // It is interrupted between the barrier and the first tag.
    let cancel = world.cancel.clone();
    world.fake.target.hook(move |verb, reference, _| {
        if verb == "put" && reference == "_release" {
            cancel.cancel();
        }
        None
    });
    let before = world.states().await.len();
    assert_eq!(world.run(plan).await.exit_code, 130);
    assert_eq!(world.states().await.len(), before + 2);
    assert_eq!(world.record().await.state, Publishing);
}

/// Variants that were left out are added later; that this fails does not take the release back.
#[tokio::test(start_paused = true)]
async fn a_release_that_stands_goes_on_standing_when_a_variant_cannot_be_added() {
    let mut world = World::new(DEVBOX);
    world.given.options.variants = Some(vec!["core".parse().unwrap()]);
    world.release().await;
    world.given.options.variants = None;
    world.script("build/variant/omos/linux-arm64", &[Goes::Fails(Again::Never)]);
    assert_eq!(world.release().await.exit_code, 1);
    let record = world.record().await;
    assert_eq!(record.state, Done);
    assert_eq!(
        record
            .left_out
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["variant/omos"]
    );
    assert!(record.images.iter().all(|image| image.digest.is_some()));
    assert_eq!(world.release().await.exit_code, 0);
    assert!(world.published().contains(&"v1.0.0-omos".to_owned()));
}

/// A failed release of unchanged sources does not make aliases stand for it.
#[tokio::test(start_paused = true)]
async fn aliases_stand_for_a_release_only_once_it_is_done() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    world.given = world.given.clone().changed("variant/omos").version("v2.0.0");
    world.script("build/variant/omos/linux-arm64", &[Goes::Fails(Again::Never)]);
    world.release().await;
    let record = world.record().await;
    assert!(
        record
            .points
            .values()
            .all(|point| point.version.as_str() == "v1.0.0")
    );
    world.release().await;
    let record = world.record().await;
    assert!(
        record
            .points
            .values()
            .all(|point| point.version.as_str() == "v2.0.0"),
        "{:?}",
        record.points
    );
}
