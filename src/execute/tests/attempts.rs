//! What is tried again, and how.

use super::world::{Goes, World, messages};
use crate::execute::Again;
use crate::testing::given::{DEVBOX, SMALL};
use std::time::Duration;

const BASE: &str = "build/base/linux-amd64";

#[tokio::test(start_paused = true)]
async fn what_is_transient_is_tried_again_after_the_pauses_of_the_policy() {
    let mut world = World::new(DEVBOX);
    world.script(BASE, &[Goes::Fails(Again::Push), Goes::Fails(Again::Transient)]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let pauses = world.fake.pauses.lock().unwrap().clone();
    assert_eq!(pauses, [Duration::from_secs(15), Duration::from_secs(30)]);
    assert_eq!(world.attempts(BASE).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_further_attempt_when_the_pauses_of_the_run_are_spent() {
    let mut world = World::new(DEVBOX);
    world
        .fake
        .impatient
        .store(true, std::sync::atomic::Ordering::Relaxed);
    world.script(BASE, &[Goes::Fails(Again::Push); 4]);
    let report = world.release().await;
    assert_eq!((report.exit_code, world.attempts(BASE).len()), (6, 1));
    let mut hints = report.failures.iter().flat_map(|failure| &failure.hints);
    assert!(hints.any(|hint| hint.contains("`[retry] budget`")));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted() {
    let mut world = World::new(DEVBOX);
    world.script(BASE, &[Goes::Fails(Again::Push); 4]);
    let report = world.release().await;
    assert_eq!((report.exit_code, world.attempts(BASE).len()), (6, 3));
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_not_run_again_unless_the_policy_says_so() {
    for (build, attempts, exit_code) in [(0, 1, 1), (1, 2, 1), (2, 3, 0)] {
        let mut world = World::new(DEVBOX);
        world.given.family.retry.build = build;
        world.script(BASE, &[Goes::Fails(Again::FailedRun); 2]);
        let report = world.release().await;
        assert_eq!(world.attempts(BASE).len(), attempts);
        assert_eq!(report.exit_code, exit_code);
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_never_succeed_is_tried_once() {
    let mut world = World::new(DEVBOX);
    world.script(BASE, &[Goes::Fails(Again::Never)]);
    let report = world.release().await;
    assert_eq!((report.exit_code, world.attempts(BASE).len()), (1, 1));
    assert_eq!(report.failures[0].output, ["the end of the output"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_cache_reference_is_left_out_once() {
    let mut world = World::new(DEVBOX);
    world.script(BASE, &[Goes::Fails(Again::WithoutCacheFrom)]);
    assert_eq!(world.release().await.exit_code, 0);
    let without: Vec<_> = world
        .attempts(BASE)
        .iter()
        .map(|attempt| attempt.without_cache_from)
        .collect();
    assert_eq!(without, [false, true]);
    assert_eq!(*world.fake.pauses.lock().unwrap(), [Duration::ZERO]);

    let mut world = World::new(DEVBOX);
    world.script(BASE, &[Goes::Fails(Again::WithoutCacheFrom); 3]);
    assert_eq!(world.release().await.exit_code, 1);
    assert_eq!(world.attempts(BASE).len(), 2);
}

/// The cache holds what a rebuild is to get rid of, until all is built anew.
#[tokio::test(start_paused = true)]
async fn a_rebuild_uses_the_cache_only_to_push_what_it_built() {
    for (again, expected) in [
        (Again::Push, [true, false]),
        (Again::Transient, [true, true]),
        (Again::WithoutCacheFrom, [true, true]),
    ] {
        let mut world = World::new(SMALL);
        world.given.options.rebuild = vec!["base".parse().unwrap()];
        world.script(BASE, &[Goes::Fails(again)]);
        assert_eq!(world.release().await.exit_code, 0);
        let no_cache: Vec<_> = world
            .attempts(BASE)
            .iter()
            .map(|attempt| attempt.no_cache)
            .collect();
        assert_eq!(no_cache, expected, "{again:?}");
    }
    let mut world = World::new(SMALL);
    world.release().await;
    assert!(!world.attempts(BASE)[0].no_cache);
}

/// A push that is tried again pushes what was just built, and no cache of an earlier period gets into it.
#[tokio::test(start_paused = true)]
async fn a_new_period_is_built_without_cache_until_it_is_only_to_be_pushed() {
    for (again, expected) in [
        (Again::Push, [(true, false), (false, true)]),
        (Again::Transient, [(true, false), (true, false)]),
    ] {
        let mut world = World::new(&SMALL.replace(
            "aliases = []\n[variant]",
            "refresh = \"weekly\"\naliases = []\n[variant]",
        ));
        world.given.facts.period = "2026-W48".parse().ok();
        world.script(BASE, &[Goes::Fails(again)]);
        assert_eq!(world.release().await.exit_code, 0);
        let attempts = world.attempts(BASE);
        let caches: Vec<_> = attempts
            .iter()
            .map(|attempt| (attempt.no_cache, attempt.without_cache_from))
            .collect();
        assert_eq!(caches, expected, "{again:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn variants_are_built_on_the_base_by_platform_digest() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    let index = world.fake.target.index("base-latest");
    for (platform, child) in [("amd64", 0), ("arm64", 1)] {
        let attempt = &world.attempts(&format!("build/variant/omos/linux-{platform}"))[0];
        let digest = index.manifests[child].digest;
        let expected = format!("registry.example.org/acme/devbox@{digest}");
        assert_eq!(attempt.base.as_deref(), Some(expected.as_str()));
    }
}

/// What failed at once is not to come back at once.
#[tokio::test(start_paused = true)]
async fn pauses_before_another_attempt_at_a_build_are_varied() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-amd64", &[Goes::Fails(Again::Push)]);
    *world.fake.jitter.lock().unwrap() = Duration::from_millis(2500);
    assert_eq!(world.release().await.exit_code, 0);
    let pauses = world.fake.pauses.lock().unwrap();
    assert!(pauses.contains(&Duration::from_millis(17_500)), "{pauses:?}");
}
