//! What a rollback makes of aliases that did not move.

use super::world::{World, messages};
use crate::domain::PublicTag;
use crate::plan::{Way, plan_recovery, plan_rollback};
use crate::record::RecordState;
use crate::testing::given::{DEVBOX, ids};
use crate::testing::memory::failure;

/// `v2.0.0` has the base of `v1.0.0`, so that `base-latest` did not move.
async fn second() -> World {
    let mut world = World::new(DEVBOX);
    assert_eq!(world.release().await.exit_code, 0);
    world.given = world.given.clone().changed("variant/omos").version("v2.0.0");
    assert_eq!(world.release().await.exit_code, 0);
    world.look().await;
    world
}

/// Which release each alias stands for, by the newest record.
fn stands_for(world: &World, alias: &str) -> String {
    let alias: PublicTag = alias.parse().unwrap();
    let newest = world.given.facts.newest.as_ref().unwrap();
    newest.points[&alias].version.to_string()
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_stayed_stands_for_the_older_release_again() {
    let mut world = second().await;
    assert_eq!(stands_for(&world, "base-latest"), "v2.0.0");
    let plan = plan_rollback(&world.given.family, &world.given.facts, &world.given.options).unwrap();
    assert_eq!(
        ids(&plan),
        ["record/publishing", "move/latest-omos", "record/not-promoted"]
    );
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    world.look().await;
    for alias in ["base-latest", "latest", "latest-omos"] {
        assert_eq!(stands_for(&world, alias), "v1.0.0", "{alias}");
    }
    let again = plan_rollback(&world.given.family, &world.given.facts, &world.given.options).unwrap();
    assert!(again.steps.is_empty(), "{:?}", ids(&again));
    // A release between the two moves all of them.
    world.given = world.given.clone().changed("base").version("v1.5.0");
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(report.warnings, Vec::<String>::new());
    world.look().await;
    for alias in ["base-latest", "latest", "latest-omos"] {
        assert_eq!(stands_for(&world, alias), "v1.5.0", "{alias}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_stayed_goes_with_a_rollback_that_was_cut_off() {
    for (way, version, state) in [
        (Way::Finish, "v1.0.0", RecordState::NotPromoted),
        (Way::Undo, "v2.0.0", RecordState::Done),
    ] {
        let mut world = second().await;
        let plan = plan_rollback(&world.given.family, &world.given.facts, &world.given.options).unwrap();
        world
            .fake
            .target
            .hook(|verb, reference, _| (verb == "put" && reference == "latest-omos").then(|| failure(true)));
        assert_eq!(world.run(plan).await.exit_code, 8);
        world.fake.target.hook(|_, _, _| None);
        world.look().await;
        let plan = plan_recovery(&world.given.family, &world.given.facts, way, &world.given.options).unwrap();
        let report = world.run(plan).await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        assert_eq!(world.record().await.state, state);
        world.look().await;
        for alias in ["base-latest", "latest", "latest-omos"] {
            assert_eq!(stands_for(&world, alias), version, "{alias}");
        }
    }
}
