//! Tags in other repositories than the images that they point at.

use super::world::{World, messages};
use crate::testing::given::SMALL;
use crate::testing::memory::failure;

fn world() -> World {
    World::new(&SMALL.replace(
        "platforms =",
        "work-repository = \"registry.example.org/acme/work\"\nplatforms =",
    ))
}

#[tokio::test(start_paused = true)]
async fn content_is_there_before_the_first_tag() {
    let mut world = world();
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let index = report.images[1].digest.unwrap();
    let writes = world.fake.target.with(|content| content.writes.clone());
    let at = |start: &str| writes.iter().position(|write| write.starts_with(start)).unwrap();
    let copied = at(&format!("copy {index} acme/work acme/small"));
    let records: Vec<_> = (0..writes.len())
        .filter(|at| writes[*at].starts_with("_release-v1.0.0 "))
        .collect();
    // Planned, publishing, done.
    assert_eq!(records.len(), 3, "{writes:?}");
    assert!(records[0] < copied && copied < records[1], "{writes:?}");
    assert!(records[1] < at("v1.0.0-only "), "{writes:?}");
    let again = world.release().await;
    assert_eq!(again.exit_code, 0);
    assert_eq!(
        world.fake.target.with(|content| content.writes.len()),
        writes.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_copied_publishes_nothing() {
    let mut world = world();
    world
        .fake
        .target
        .hook(|verb, _, _| (verb == "copy").then(|| failure(true)));
    let report = world.release().await;
    assert_eq!(report.exit_code, 6, "{}", messages(&report));
    assert_eq!(world.published(), Vec::<String>::new());
    world.fake.target.hook(|_, _, _| None);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.published(), ["v1.0.0-only"]);
}
