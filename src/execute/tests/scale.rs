//! Large families.

use super::world::{World, messages};
use crate::testing::given::SMALL;
use std::fmt::Write as _;

/// A family of `count` variants.
fn large(count: usize) -> String {
    let mut text = SMALL.replace(
        "aliases = []\n[variants.only]",
        "aliases = [\"latest-{variant}\"]\n[variants.only]",
    );
    for index in 1..count {
        let _ = write!(text, "[variants.v{index}]\ndockerfile = \"Dockerfile.only\"\n");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_thousand_images_with_few_tasks_at_once() {
    let mut world = World::new(&large(1000));
    world.settings.parallel = 8;
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.fake.load.lock().unwrap().1, 8);
    assert_eq!(world.published().len(), 2000);
    assert_eq!(report.images.len(), 1001);
}
