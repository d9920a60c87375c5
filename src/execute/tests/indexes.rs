//! The index: a function of its platform images and its identity.

use super::world::{World, image, messages, wrapper};
use crate::domain::Identity;
use crate::plan::{Action, StepId};
use crate::target::RawManifest;
use crate::target::oci::{ATTESTS, IDENTITY, Index};
use crate::testing::given::{DEVBOX, SMALL, id, identity};

/// An index with an identity.
fn marked(raw: &RawManifest, identity: &Identity) -> RawManifest {
    let mut index: Index = serde_json::from_slice(&raw.bytes).unwrap();
    index
        .annotations
        .insert(IDENTITY.to_owned(), identity.to_string());
    RawManifest::new(serde_json::to_vec(&index).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn holds_the_images_that_were_tested_and_their_attestations() {
    let mut world = World::new(DEVBOX);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let index = world.fake.target.index("v1.0.0-omos");
    let images: Vec<_> = index
        .manifests
        .iter()
        .filter(|child| child.image_platform().is_some())
        .collect();
    assert_eq!((images.len(), index.manifests.len()), (2, 4));
    let smokes = world.fake.smokes.lock().unwrap().clone();
    for child in images {
        let platform = child.image_platform().unwrap();
        let smoke = StepId::smoke(&id("variant/omos"), &platform).to_string();
        assert!(smokes.contains(&(smoke, child.digest)), "{platform}");
        assert!(
            index
                .manifests
                .iter()
                .any(|other| other.attests() == Some(child.digest))
        );
    }
    assert!(
        index.manifests[2..]
            .iter()
            .all(|child| child.annotations.contains_key(ATTESTS))
    );
}

/// Two builders that finish in another order write the same bytes.
#[tokio::test(start_paused = true)]
async fn same_children_same_bytes() {
    let mut digests = Vec::new();
    for (parallel, reverse) in [(1, false), (4, false), (1, true)] {
        let mut world = World::new(DEVBOX);
        world.settings.parallel = parallel;
        if reverse {
            world.given.facts.builder.as_mut().unwrap().platforms.swap(0, 1);
        }
        assert_eq!(world.release().await.exit_code, 0);
        digests.push(world.fake.target.tag("v1.0.0"));
    }
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

/// The same index is written from images that were found as from images that were built.
#[tokio::test(start_paused = true)]
async fn found_or_built_makes_no_difference() {
    let mut world = World::new(DEVBOX);
    world.release().await;
    let built = world.fake.target.tag("v1.0.0");
    let tags: Vec<_> = world
        .given
        .plan()
        .images
        .into_iter()
        .map(|image| image.tag)
        .collect();
    world
        .fake
        .target
        .with(|content| content.tags.retain(|tag, _| !tags.contains(tag)));
    world.given = world.given.clone().version("v1.0.1");
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.fake.target.tag("v1.0.1"), built);
}

#[tokio::test(start_paused = true)]
async fn is_extended_by_a_platform() {
    let mut world = World::new(SMALL);
    world.release().await;
    let before = world.fake.target.index("v1.0.0-only").manifests;
    for image in &mut world.given.family.images {
        image.platforms.push("linux/arm64".parse().unwrap());
    }
    world.given = world.given.clone().version("v1.0.1");
    assert_eq!(world.release().await.exit_code, 0);
    let after = world.fake.target.index("v1.0.1-only").manifests;
    assert!(before.iter().all(|child| after.contains(child)));
    assert_eq!((before.len(), after.len()), (2, 4));
    assert_eq!(world.attempts("build/base/linux-amd64").len(), 1);
}

/// Another runner joined its platform while this one built.
#[tokio::test(start_paused = true)]
async fn keeps_a_platform_that_was_joined_since_the_plan_was_made() {
    let world = World::new(SMALL);
    let plan = world.given.plan();
    let assemble = |id: &str| {
        let find = |step: &crate::plan::Step| match &step.action {
            Action::Assemble(step) if step.image.to_string() == id => Some(step.clone()),
            _ => None,
        };
        plan.steps.iter().find_map(find).unwrap()
    };
    let build = plan.steps.iter().find_map(|step| match &step.action {
        Action::Build(build) => Some((**build).clone()),
        _ => None,
    });
    let mut other = build.unwrap();
    other.platform = "linux/arm64".parse().unwrap();
    let tag = assemble("base").tag;
    let theirs = world.fake.target.with(|content| {
        let image = image(content, &other, None, 0);
        let wrapped = marked(&wrapper(content, &other, &image), &other.identity);
        content.put(&tag, &wrapped);
        image.digest
    });
    assert_eq!(world.run(plan.clone()).await.exit_code, 0);
    let children = world.fake.target.index(tag.as_str()).manifests;
    assert!(
        children.iter().any(|child| child.digest == theirs),
        "{children:?}"
    );
    assert_eq!(children.len(), 4);
}

/// What came under the identity tag since the plan was made is of another identity, or says nothing of it.
#[tokio::test(start_paused = true)]
async fn is_not_written_in_place_of_what_is_of_another_identity() {
    for found in [Some(identity("another")), None] {
        let world = World::new(SMALL);
        let plan = world.given.plan();
        let build = plan.steps.iter().find_map(|step| match &step.action {
            Action::Build(build) => Some((**build).clone()),
            _ => None,
        });
        let (build, tag) = (build.unwrap(), plan.images[0].tag.clone());
        let theirs = world.fake.target.with(|content| {
            let image = image(content, &build, None, 7);
            let mut wrapped = wrapper(content, &build, &image);
            if let Some(found) = &found {
                wrapped = marked(&wrapped, found);
            }
            content.put(&tag, &wrapped);
            wrapped.digest
        });
        let report = world.run(plan).await;
        assert_eq!(report.exit_code, 7, "{}", messages(&report));
        let message = messages(&report);
        let said = found.map_or_else(|| "does not say".to_owned(), |found| found.to_string());
        assert!(
            message.contains(&said) && message.contains(&build.identity.to_string()),
            "{message}"
        );
        assert_eq!(world.fake.target.tag(tag.as_str()), Some(theirs));
        assert_eq!(world.published(), [""; 0]);
    }
}
