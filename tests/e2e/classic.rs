//! Releases on an engine with the classic image store: plain Docker manifests, no attestations, no annotations.

use crate::support::{AMD64, ARM64, Family, Registry};

fn release(platforms: &[&str]) {
    let registry = Registry::start();
    let family = Family::of(registry.address(), platforms, &["base", "omos"]);
    let classic = family.splitbase().classic();
    let run = classic.ok(&["release", "v1.0.0"]);
    run.says("classic store");
    assert_eq!(run.builds().len(), 3 * platforms.len());
    let index = family.index(&registry, "v1.0.0-omos");
    assert_eq!(
        index.platforms.keys().map(String::as_str).collect::<Vec<_>>(),
        platforms
    );
    assert!(index.attestations.is_empty());
    for (platform, digest) in &index.platforms {
        let config = registry.config(digest);
        assert_eq!(
            *platform,
            format!("linux/{}", config["architecture"].as_str().unwrap())
        );
    }
    assert_eq!(family.public_tags(&registry).len(), 5);

    registry.requests();
    let again = classic.ok(&["release", "v1.0.0"]);
    assert_eq!((again.docker.len(), registry.writes()), (0, vec![]));

    // Variants are known to be built on today's base by a label, where there is no annotation.
    let next = classic.ok(&["release", "v1.1.0"]);
    assert_eq!(next.builds(), [""; 0]);
    assert_eq!(next.steps_of("smoke/"), [""; 0]);
    assert_eq!(
        family.digest(&registry, "v1.1.0-omos"),
        family.digest(&registry, "v1.0.0-omos")
    );
    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"changed\"");
    let next = classic.ok(&["release", "v1.2.0"]);
    assert_eq!(
        next.steps_of("build/").len(),
        platforms.len(),
        "{:?}",
        next.steps()
    );
    // What one engine built, the other uses.
    let other = family.splitbase().ok(&["release", "v1.3.0"]);
    assert_eq!(other.builds(), [""; 0]);
    assert_eq!(
        family.digest(&registry, "v1.3.0"),
        family.digest(&registry, "v1.0.0")
    );
}

#[test]
fn e2e_classic_store_releases_one_platform() {
    release(&[AMD64]);
}

#[test]
fn e2e_classic_store_releases_two_platforms() {
    release(&[AMD64, ARM64]);
}
