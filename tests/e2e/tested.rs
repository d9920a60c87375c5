//! What was tested is what is published: the engine is asked which image the container of the smoke test had.

use crate::support::{AMD64, ARM64, Family, Registry, Splitbase};
use serde_json::Value;
use std::collections::BTreeMap;

/// Releases a family whose smoke test writes down what the engine says of its container, by platform.
fn containers(
    registry: &Registry,
    platforms: &[&str],
    prepare: impl Fn(Splitbase) -> Splitbase,
) -> (Family, BTreeMap<String, Value>) {
    let family = if platforms == [AMD64] {
        Family::new(registry)
    } else {
        Family::for_both(registry)
    };
    let witness = tempfile::tempdir().unwrap();
    family.smoke(&format!(
        "container=$(docker run --detach --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" sleep 60)\n\
         docker inspect \"$container\" >\"{}/${{SPLITBASE_PLATFORM#linux/}}\"",
        witness.path().display()
    ));
    let run = prepare(family.splitbase()).ok(&["release", "v1.0.0"]);
    let left: Vec<_> = run.docker.iter().filter(|call| call.starts_with("rm ")).collect();
    assert_eq!(
        left.len(),
        platforms.len(),
        "the containers that the test left are removed: {:#?}",
        run.docker
    );
    let inspected = platforms.iter().map(|platform| {
        let path = witness.path().join(platform.trim_start_matches("linux/"));
        let text = std::fs::read(&path).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        ((*platform).to_owned(), document[0].clone())
    });
    let inspected = inspected.collect();
    (family, inspected)
}

#[test]
fn e2e_tested_container_has_a_child_of_the_tagged_index() {
    let registry = Registry::start();
    let (family, inspected) = containers(&registry, &[AMD64, ARM64], |splitbase| splitbase);
    let index = family.index(&registry, "v1.0.0");
    assert_eq!(index, family.index(&registry, "latest"));
    for (platform, container) in inspected {
        let digest = container["ImageManifestDescriptor"]["digest"].as_str();
        assert_eq!(digest, Some(index.platforms[&platform].as_str()), "{container:#}");
    }
}

#[test]
fn e2e_tested_container_on_the_classic_image_store_has_a_child_of_the_tagged_index() {
    let registry = Registry::start();
    let (family, inspected) = containers(&registry, &[AMD64], Splitbase::classic);
    let index = family.index(&registry, "v1.0.0");
    let manifest = registry.json(&index.platforms[AMD64]);
    // The classic store names an image by its config.
    assert_eq!(inspected[AMD64]["Image"], manifest["config"]["digest"]);
    assert!(
        inspected[AMD64]["Config"]["Image"]
            .as_str()
            .unwrap()
            .ends_with(&index.platforms[AMD64])
    );
}
