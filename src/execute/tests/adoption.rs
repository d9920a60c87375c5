//! Which platform image stands under an identity tag after a build.

use super::world::{Goes, World, image, messages, wrapper};
use crate::execute::StepOutcome;
use crate::plan::{Action, BuildStep, Plan};
use crate::target::RawManifest;
use crate::testing::given::{DEVBOX, SMALL, digest};

const BASE: &str = "build/base/linux-amd64";
const ONLY: &str = "build/variant/only/linux-amd64";

fn step(plan: &Plan, id: &str) -> BuildStep {
    let step = plan.steps.iter().find(|step| step.id.as_str() == id).unwrap();
    match &step.action {
        Action::Build(build) => (**build).clone(),
        _ => panic!("{id} builds nothing"),
    }
}

/// Another builder puts its own build of a step under the identity tag.
fn other_builder(world: &World, step: &BuildStep, base: Option<&crate::domain::Digest>) -> RawManifest {
    world.fake.target.with(|content| {
        let theirs = image(content, step, base, 99);
        let wrapped = wrapper(content, step, &theirs);
        content.put(&step.tag, &wrapped);
        theirs
    })
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_put_byte_for_byte() {
    let mut world = World::new(SMALL);
    let plan = world.given.plan();
    let base = step(&plan, BASE);
    assert_eq!(world.release().await.exit_code, 0);
    let target = &world.fake.target;
    assert_eq!(target.tag(base.tag.as_str()), target.tag(base.staging.as_str()));
    assert_eq!(world.outcome(BASE), StepOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn what_another_builder_put_there_first_is_adopted() {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    let theirs = other_builder(&world, &step(&plan, BASE), None);
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.outcome(BASE), StepOutcome::Adopted);
    // Later steps use it.
    let base = world.attempts(ONLY)[0].base.clone().unwrap();
    assert!(base.ends_with(&theirs.digest.to_string()), "{base}");
    assert_eq!(report.images[0].platforms[0].digest, Some(theirs.digest));
}

#[tokio::test(start_paused = true)]
async fn where_the_target_compares_and_sets_the_first_builder_wins() {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    let base = step(&plan, BASE);
    world.fake.target.with(|content| content.compares = true);
    // Between the look and the write.
    let (tag, own) = (base.tag.clone(), base.clone());
    world.fake.target.hook(move |verb, reference, content| {
        if verb == "compare" && reference == tag.as_str() {
            let theirs = image(content, &own, None, 99);
            let wrapped = wrapper(content, &own, &theirs);
            content.put(&tag, &wrapped);
        }
        None
    });
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.outcome(BASE), StepOutcome::Adopted);
    let theirs = report.images[0].platforms[0].digest.unwrap();
    assert!(
        world.attempts(ONLY)[0]
            .base
            .clone()
            .unwrap()
            .ends_with(&theirs.to_string())
    );
    let written = world.fake.target.written();
    assert!(
        !written.contains(&base.tag.to_string()),
        "theirs was overwritten: {written:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_plan_saw_and_did_not_want_is_replaced() {
    let mut world = World::new(SMALL);
    world.release().await;
    *world.fake.nonce.lock().unwrap() = 1;
    world.given = world.given.clone().version("v1.0.1");
    world.given.options.rebuild = vec!["base".parse().unwrap()];
    world.look().await;
    let plan = world.given.plan();
    let old = step(&plan, BASE).replaces.unwrap();
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.outcome(BASE), StepOutcome::Done);
    assert_ne!(report.images[0].platforms[0].digest, Some(old));
}

#[tokio::test(start_paused = true)]
async fn what_was_built_on_another_base_is_replaced() {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    let theirs = other_builder(&world, &step(&plan, ONLY), Some(&digest("another base")));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.outcome(ONLY), StepOutcome::Done);
    assert_ne!(report.images[1].platforms[0].digest, Some(theirs.digest));
}

#[tokio::test(start_paused = true)]
async fn inputs_that_changed_before_the_build_start_none() {
    let mut world = World::new(SMALL);
    world.changes("base", &[&["`rootfs/etc/motd` changed"]]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 1);
    assert_eq!(
        messages(&report),
        "the inputs of base changed before the build: `rootfs/etc/motd` changed"
    );
    assert_eq!(world.attempts(BASE), []);
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn inputs_that_changed_during_the_build_are_not_adopted() {
    let mut world = World::new(SMALL);
    let tag = step(&world.given.plan(), BASE).tag;
    world.changes("base", &[&[], &["`late` is new"]]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 1);
    assert!(messages(&report).contains("changed during the build: `late` is new"));
    assert_eq!(world.fake.target.tag(tag.as_str()), None);
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_image_for_another_platform_is_refused() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-arm64", &[Goes::WrongPlatform]);
    let report = world.release().await;
    assert_eq!(report.exit_code, 1);
    assert!(messages(&report).contains("what was pushed is for linux/riscv64"));
    assert_eq!(world.published(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_not_taken_for_absent() {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    let tag = step(&plan, BASE).tag.to_string();
    world.fake.target.hook(move |verb, reference, _| {
        (verb == "read" && reference == tag).then(|| crate::testing::memory::failure(false))
    });
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 5);
    assert_eq!(world.published(), Vec::<String>::new());
}

/// Somebody put an image of another identity under the tag while this one was built.
#[tokio::test(start_paused = true)]
async fn an_image_of_another_identity_is_not_adopted() {
    for identity in [Some("another"), None] {
        let world = World::new(SMALL);
        let plan = world.given.plan();
        let base = step(&plan, BASE);
        let mut other = base.clone();
        other.annotations.clear();
        if let Some(identity) = identity {
            let identity = crate::testing::given::identity(identity).to_string();
            other
                .annotations
                .insert(crate::target::oci::IDENTITY.to_owned(), identity);
        }
        let theirs = other_builder(&world, &other, None);
        let report = world.run(plan).await;
        assert_eq!(report.exit_code, 7, "{}", messages(&report));
        assert!(messages(&report).contains(&base.identity.to_string()));
        assert_eq!(world.attempts(ONLY), []);
        let there = world.fake.target.index(base.tag.as_str());
        assert_eq!(there.manifests[0].digest, theirs.digest, "it is left as it is");
        assert_eq!(world.published(), [""; 0]);
    }
}
