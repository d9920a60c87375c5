//! Publishing the lists of inputs.

use super::world::{World, messages};
use crate::domain::{ImageId, Tag};
use crate::plan::Plan;
use crate::testing::given::{SMALL, id};
use crate::testing::memory::failure;

/// A world in which each image has a list, and the tags of the lists.
fn world() -> (World, Plan, Vec<Tag>) {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    for image in ["base", "variant/only"] {
        let mut lists = world.fake.lists.lock().unwrap();
        lists.insert(id(image), format!("the list of {image}").into());
    }
    let tags = plan
        .images
        .iter()
        .map(|image| image.inputs.clone().unwrap())
        .collect();
    (world, plan, tags)
}

#[tokio::test(start_paused = true)]
async fn each_is_written_once() {
    let (world, plan, tags) = world();
    let report = world.run(plan).await;
    assert_eq!(
        (report.exit_code, report.warnings.len()),
        (0, 0),
        "{}",
        messages(&report)
    );
    let written = world.fake.target.written();
    for tag in &tags {
        assert_eq!(
            written.iter().filter(|own| *own == tag.as_str()).count(),
            1,
            "{tag}"
        );
    }
    let held = world.fake.target.with(|content| content.blobs.clone());
    assert!(held.values().any(|blob| blob.as_ref() == b"the list of base"));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_not_written_again_and_what_is_private_not_at_all() {
    let (world, mut plan, tags) = world();
    let any = crate::target::RawManifest::new(r#"{"config":{}}"#).unwrap();
    world.fake.target.with(|content| content.put(&tags[0], &any));
    plan.images[1].inputs = None;
    assert_eq!(world.run(plan).await.exit_code, 0);
    let written = world.fake.target.written();
    assert!(!written.iter().any(|tag| tag.ends_with("-inputs")), "{written:?}");

    // A private one is none in the plan, either.
    let mut world = World::new(SMALL);
    for image in &mut world.given.family.images {
        image.publish_inputs = image.id != ImageId::Base;
    }
    let plan = world.given.plan();
    let inputs: Vec<_> = plan.images.iter().map(|image| image.inputs.is_some()).collect();
    assert_eq!(inputs, [false, true]);
    // Nor is there one of what stands.
    world.given = world.given.clone().with_all();
    assert!(
        world
            .given
            .plan()
            .images
            .iter()
            .all(|image| image.inputs.is_none())
    );
}

/// Neither a registry that refuses it nor one that never answers keeps a release from being done.
#[tokio::test(start_paused = true)]
async fn none_fails_a_release() {
    let (world, plan, _) = world();
    world
        .fake
        .target
        .hook(|verb, reference, _| (verb == "put" && reference.ends_with("-inputs")).then(|| failure(true)));
    let report = world.run(plan).await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(report.warnings.len(), 2, "{:?}", report.warnings);
    assert!(
        report.warnings[0].contains("is not published"),
        "{:?}",
        report.warnings
    );
}
