//! Publishing as a transaction: one of several runs goes on, aliases are put back, and what was cut off is finished or undone.

use super::world::{World, messages};
use crate::domain::Digest;
use crate::plan::{Plan, PlanError, Way, plan_promotion, plan_recovery, plan_rollback};
use crate::record::RecordState;
use crate::target::RawManifest;
use crate::testing::given::DEVBOX;
use crate::testing::memory::failure;

fn foreign() -> RawManifest {
    RawManifest::new(
        &br#"{"schemaVersion":2,"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json"}"#[..],
    )
    .unwrap()
}

/// `v1.0.0` stands, and all images of `v1.1.0` are new.
async fn second() -> World {
    let mut world = World::new(DEVBOX);
    assert_eq!(world.release().await.exit_code, 0);
    world.given = world.given.clone().changed("base").version("v1.1.0");
    world
}

fn tag(world: &World, tag: &str) -> Option<Digest> {
    world.fake.target.tag(tag)
}

/// Somebody else puts `latest-omos` somewhere else when all aliases have moved.
fn interfere(world: &World) {
    let mut left = 3;
    world.fake.target.hook(move |verb, reference, content| {
        let alias = matches!(reference, "latest" | "latest-omos" | "base-latest");
        if verb == "put" && alias {
            left -= 1;
        }
        if verb == "resolve" && alias && left == 0 {
            left = -1;
            content.put(&"latest-omos".parse().unwrap(), &foreign());
        }
        None
    });
}

#[tokio::test(start_paused = true)]
async fn aliases_are_put_back_when_somebody_else_moves_one_in_the_same_moment() {
    let mut world = second().await;
    let (latest, base) = (tag(&world, "latest"), tag(&world, "base-latest"));
    interfere(&world);
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert!(messages(&report).contains("alias `latest-omos` was moved to sha256:"));
    assert_eq!(
        (tag(&world, "latest"), tag(&world, "base-latest")),
        (latest, base)
    );
    assert_eq!(tag(&world, "latest-omos"), Some(foreign().digest));
    let warnings = report.warnings.join("\n");
    assert!(warnings.contains("alias `latest` was put back to"), "{warnings}");
    assert!(
        warnings.contains("where somebody else put it: it stays"),
        "{warnings}"
    );
    let record = world.record().await;
    assert_eq!((record.state, record.attempt), (RecordState::NotPromoted, None));
    assert_eq!(
        record.points[&"latest".parse().unwrap()].version.as_str(),
        "v1.0.0"
    );
    assert!(report.images.iter().all(|image| image.aliases.is_empty()));

    // It is promoted once that is settled.
    world.fake.target.hook(|_, _, _| None);
    world.look().await;
    let version = world.given.options.version.clone().unwrap();
    world.given.options.adopt = true;
    let plan = plan_promotion(
        &world.given.family,
        &world.given.facts,
        &version,
        &world.given.options,
    );
    assert_eq!(world.run(plan.unwrap()).await.exit_code, 0);
    assert_eq!(tag(&world, "latest"), tag(&world, "v1.1.0"));
    assert_eq!(tag(&world, "latest-omos"), tag(&world, "v1.1.0-omos"));
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_new_is_deleted_or_stays_and_that_is_said() {
    for deletes in [true, false] {
        let mut world = World::new(DEVBOX);
        world.fake.target.with(|content| content.deletes = deletes);
        interfere(&world);
        let report = world.release().await;
        assert_eq!(report.exit_code, 7, "{}", messages(&report));
        assert_eq!(tag(&world, "latest").is_none(), deletes);
        let said = report.warnings.join("\n");
        let expected = if deletes {
            "alias `latest` was new, and was deleted again"
        } else {
            "alias `latest` was not there before, and cannot be deleted there: it stays at sha256:"
        };
        assert!(said.contains(expected), "{said}");
        let record = world.record().await;
        assert_eq!(record.state, RecordState::NotPromoted);
        // What stays stands for this release, and the record knows.
        assert_eq!(record.points.contains_key(&"latest".parse().unwrap()), !deletes);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_find_itself_under_the_newest_record_gives_way() {
    let mut world = second().await;
    let other = world.fake.target.tag("_release-v1.0.0").unwrap();
    let mut written = 0;
    world.fake.target.hook(move |verb, reference, content| {
        if verb == "put" && reference == "_release" {
            written += 1;
        }
        // Planned, publishing; then another one writes.
        if verb == "resolve" && reference == "_release" && written == 2 {
            content.tags.insert("_release".parse().unwrap(), other);
        }
        None
    });
    let report = world.release().await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert!(
        messages(&report).contains("by another run"),
        "{}",
        messages(&report)
    );
    assert_eq!(tag(&world, "v1.1.0"), None);
    // What the other one wrote stays, and ours says that it failed.
    assert_eq!(tag(&world, "_release"), Some(other));
    assert_eq!(world.record().await.state, RecordState::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_was_published_since_the_plan_is_not_overtaken() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    world.given = world.given.clone().version("v1.1.0");
    world.look().await;
    let stale = world.given.plan();
    world.given = world.given.clone().version("v1.2.0");
    assert_eq!(world.release().await.exit_code, 0);
    let report = world.run(stale).await;
    assert_eq!(report.exit_code, 7, "{}", messages(&report));
    assert!(messages(&report).contains("release `v1.2.0` was published by another run"));
    assert_eq!(tag(&world, "v1.1.0"), None);
    assert_eq!(tag(&world, "_release"), tag(&world, "_release-v1.2.0"));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_another_builder_has_written_over_is_not_published() {
    for what in ["variant-omos-", "base-"] {
        let mut world = World::new(DEVBOX);
        let mut written = 0;
        world.fake.target.hook(move |verb, reference, content| {
            if verb == "put" && reference == "_release" {
                written += 1;
            }
            // When all is built and tested.
            if written == 2 {
                written = 3;
                let found = content.tags.keys();
                let mut found =
                    found.filter(|tag| tag.as_str().starts_with(what) && tag.as_str().ends_with("-amd64"));
                let tag = found.next().unwrap().clone();
                content.put(&tag, &foreign());
            }
            None
        });
        let report = world.release().await;
        assert_eq!(report.exit_code, 7, "{what}: {}", messages(&report));
        assert!(messages(&report).contains("another builder's image stands under"));
        assert!(messages(&report).contains(&foreign().digest.to_string()));
        assert_eq!(world.published(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_somebody_has_deleted_is_not_published() {
    let mut world = World::new(DEVBOX);
    assert_eq!(world.release().await.exit_code, 0);
    world.given = world.given.clone().version("v1.1.0");
    world.look().await;
    let plan = world.given.plan();
    let child = plan.images[1].platforms[0].digest.unwrap();
    let published = world.published().len();
    world.fake.target.with(|content| content.manifests.remove(&child));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 1, "{}", messages(&report));
    assert!(
        messages(&report).contains(&format!("{child} is gone from")),
        "{}",
        messages(&report)
    );
    assert_eq!(world.published().len(), published);
}

/// `v1.1.0`, cut off before this tag was written.
async fn cut_off_before(name: &'static str) -> World {
    let mut world = second().await;
    world
        .fake
        .target
        .hook(move |verb, reference, _| (verb == "put" && reference == name).then(|| failure(true)));
    let report = world.release().await;
    assert_eq!(report.exit_code, 8, "{}", messages(&report));
    world.fake.target.hook(|_, _, _| None);
    let record = world.record().await;
    assert_eq!(record.state, RecordState::Publishing);
    // The next run need not wait for it.
    assert!(record.ended && record.holder.is_none());
    world.look().await;
    world
}

fn recovery(world: &World, way: Way) -> Result<Plan, PlanError> {
    plan_recovery(&world.given.family, &world.given.facts, way, &world.given.options)
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_is_finished_from_its_record_alone() {
    for name in ["latest", "v1.1.0-omos"] {
        let mut world = cut_off_before(name).await;
        let attempts = world.fake.attempts.lock().unwrap().len();
        let report = world.run(recovery(&world, Way::Finish).unwrap()).await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        assert_eq!(tag(&world, "latest"), tag(&world, "v1.1.0"));
        assert_eq!(tag(&world, "latest-omos"), tag(&world, "v1.1.0-omos"));
        let record = world.record().await;
        assert_eq!((record.state, record.attempt), (RecordState::Done, None));
        assert!(
            record
                .points
                .values()
                .all(|point| point.version.as_str() == "v1.1.0")
        );
        assert_eq!(record.points.len(), 3);
        assert_eq!(world.fake.attempts.lock().unwrap().len(), attempts);
        // There is nothing left to do.
        let writes = world.fake.target.written().len();
        assert_eq!(world.release().await.exit_code, 0);
        assert_eq!(world.fake.target.written().len(), writes);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_is_taken_back() {
    for (name, deletes) in [("latest", true), ("latest", false), ("v1.1.0-omos", true)] {
        let mut world = cut_off_before(name).await;
        world.fake.target.with(|content| content.deletes = deletes);
        let report = world.run(recovery(&world, Way::Undo).unwrap()).await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        assert_eq!(tag(&world, "latest"), tag(&world, "v1.0.0"));
        assert_eq!(tag(&world, "latest-omos"), tag(&world, "v1.0.0-omos"));
        assert_eq!(tag(&world, "v1.1.0").is_none(), deletes);
        let said = report.warnings.join("\n");
        assert_eq!(
            said.contains("`v1.1.0` cannot be deleted there"),
            !deletes,
            "{said}"
        );
        let record = world.record().await;
        assert_eq!((record.state, record.attempt), (RecordState::Undone, None));
        assert!(
            record
                .points
                .values()
                .all(|point| point.version.as_str() == "v1.0.0")
        );
        // It stands in nobody's way, and the same version can be made again.
        let mut next = world.given.clone().version("v1.2.0");
        std::mem::swap(&mut world.given, &mut next);
        world.look().await;
        world.given.try_plan().unwrap();
        world.given = next;
        assert_eq!(world.release().await.exit_code, 0);
        assert_eq!(tag(&world, "latest"), tag(&world, "v1.1.0"));
    }
}

/// Only from where the release left it.
#[tokio::test(start_paused = true)]
async fn what_somebody_else_moved_since_is_left_alone() {
    let mut world = cut_off_before("latest").await;
    let moved: crate::domain::Tag = "latest-omos".parse().unwrap();
    world.fake.target.with(|content| content.put(&moved, &foreign()));
    world.look().await;
    let refused = recovery(&world, Way::Finish).unwrap_err();
    assert_eq!(refused.exit_code(), crate::domain::ExitCode::Refused);
    assert!(
        refused.to_string().contains("alias `latest-omos` is at sha256:"),
        "{refused}"
    );
    let report = world.run(recovery(&world, Way::Undo).unwrap()).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(tag(&world, "latest-omos"), Some(foreign().digest));
    assert!(
        report
            .warnings
            .join("\n")
            .contains("where this release did not put it: it stays")
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_that_may_be_alive_elsewhere_is_not_recovered() {
    let mut world = cut_off_before("latest").await;
    world.given.facts.recent = Some(599);
    for way in [Way::Finish, Way::Undo] {
        let refused = recovery(&world, way).unwrap_err().to_string();
        assert!(refused.contains("may be on its way elsewhere"), "{refused}");
    }
    assert!(
        world
            .given
            .refused()
            .starts_with("7 release `v1.1.0` may be on its way elsewhere")
    );
    world.given.options.force = true;
    recovery(&world, Way::Undo).unwrap();
    world.given.facts.alive = Some(1);
    assert!(
        recovery(&world, Way::Undo)
            .unwrap_err()
            .to_string()
            .contains("process 1")
    );
}

#[tokio::test(start_paused = true)]
async fn aliases_are_rolled_back_to_what_a_release_replaced() {
    let mut world = second().await;
    assert_eq!(world.release().await.exit_code, 0);
    world.look().await;
    let rollback =
        |world: &World| plan_rollback(&world.given.family, &world.given.facts, &world.given.options);
    let report = world.run(rollback(&world).unwrap()).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(tag(&world, "latest"), tag(&world, "v1.0.0"));
    assert_eq!(tag(&world, "latest-omos"), tag(&world, "v1.0.0-omos"));
    assert!(tag(&world, "v1.1.0").is_some());
    let record = world.record().await;
    assert_eq!((record.state, record.attempt), (RecordState::NotPromoted, None));
    assert!(
        record
            .points
            .values()
            .all(|point| point.version.as_str() == "v1.0.0")
    );
    world.look().await;
    assert!(rollback(&world).unwrap().steps.is_empty(), "once is enough");

    // Only from where it left them.
    world.release().await;
    let moved: crate::domain::Tag = "latest".parse().unwrap();
    world.fake.target.with(|content| content.put(&moved, &foreign()));
    world.look().await;
    let plan = rollback(&world).unwrap();
    assert!(
        plan.warnings.join("\n").contains("alias `latest` is at sha256:"),
        "{:?}",
        plan.warnings
    );
    world.run(plan).await;
    assert_eq!(tag(&world, "latest"), Some(foreign().digest));
    assert_eq!(tag(&world, "latest-omos"), tag(&world, "v1.0.0-omos"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_was_cut_off_is_finished_or_taken_back() {
    for way in [Way::Finish, Way::Undo] {
        let mut world = second().await;
        world.release().await;
        world.look().await;
        let plan = plan_rollback(&world.given.family, &world.given.facts, &world.given.options).unwrap();
        world
            .fake
            .target
            .hook(|verb, reference, _| (verb == "put" && reference == "latest").then(|| failure(true)));
        assert_eq!(world.run(plan).await.exit_code, 8);
        world.fake.target.hook(|_, _, _| None);
        world.look().await;
        let report = world.run(recovery(&world, way).unwrap()).await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        let (version, state) = match way {
            Way::Finish => ("v1.0.0", RecordState::NotPromoted),
            Way::Undo => ("v1.1.0", RecordState::Done),
        };
        assert_eq!(tag(&world, "latest"), tag(&world, version));
        assert_eq!(
            tag(&world, "latest-omos"),
            tag(&world, &format!("{version}-omos"))
        );
        assert!(tag(&world, "v1.1.0").is_some());
        let record = world.record().await;
        assert_eq!(record.state, state);
        assert!(
            record
                .points
                .values()
                .all(|point| point.version.as_str() == version)
        );
    }
}
