//! Images that stand in the engine, or in a Dockerfile, and are not the ones that are meant.

use super::on;
use crate::support::{AMD64, ARM64, Family, Index, Registry, Upstream, docker};
use serde_json::Value;
use std::collections::BTreeMap;
fn label(registry: &Registry, family: &Family, platform: &str) -> Value {
    let index = family.index(registry, "base-latest");
    registry.config(&index.platforms[platform])["config"]["Labels"]["word"].clone()
}

#[test]
fn e2e_a_stale_image_in_the_engine_is_not_what_is_pinned() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "fresh");
    upstream.keep("stale");
    let family = on(&upstream, registry.address(), &[AMD64]);
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(label(&registry, &family, AMD64), "fresh");
}

#[test]
fn e2e_a_stale_image_in_the_engine_is_not_what_floats() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "fresh");
    upstream.keep("stale");
    let family = on(&upstream, registry.address(), &[AMD64]);
    family.set("base", "upstream = \"float\"");
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(label(&registry, &family, AMD64), "fresh");
}

#[test]
fn e2e_a_stale_base_in_the_engine_is_not_what_variants_are_built_on() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["build"]);
    // Every tag that the base has in the registry is another image in the engine.
    let upstream = Upstream::new(&registry);
    upstream.keep("stale");
    let bases: Vec<_> = family
        .tags(&registry)
        .into_keys()
        .filter(|tag| tag.starts_with("base-"))
        .collect();
    let named: Vec<_> = bases.iter().map(|tag| family.reference(&registry, tag)).collect();
    for name in &named {
        docker(&["tag", &upstream.reference, name]);
    }
    family.append("Dockerfile.variant", "RUN cat /etc/marker\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
    for name in &named {
        docker(&["image", "rm", name]);
    }
    let index = family.index(&registry, "latest");
    let base = family.index(&registry, "base-latest");
    let annotations = registry.json(&index.platforms[AMD64])["annotations"].clone();
    assert_eq!(
        annotations["org.opencontainers.image.base.digest"],
        base.platforms[AMD64].as_str()
    );
    let layers = |digest: &str| registry.json(digest)["layers"].as_array().unwrap().clone();
    assert!(layers(&index.platforms[AMD64]).starts_with(&layers(&base.platforms[AMD64])));
}

#[test]
fn e2e_a_base_of_one_platform_is_not_taken_for_another() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "amd64-only");
    let family = on(&upstream, registry.address(), &[AMD64, ARM64]);
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    run.says("error: base is for linux/arm64, and its base `")
        .says("` is only for linux/amd64")
        .says("hint: take a base that is there for this platform");
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.tags(&registry), BTreeMap::new());
    // A stage for the machine that builds may be for that one alone.
    family
        .replace("Dockerfile.base", "FROM ", "FROM --platform=$BUILDPLATFORM ")
        .append("Dockerfile.base", "FROM scratch\nARG TARGETARCH\nCOPY busybox-${TARGETARCH} /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nCOPY --from=0 /etc/marker /etc/marker\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

/// The digest in the Dockerfile is the wrong one: BuildKit warns and goes on.
#[test]
fn e2e_a_digest_of_another_platform_in_the_dockerfile_fails_the_build() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "amd64-only");
    let family = on(&upstream, registry.address(), &[ARM64]);
    let digest = registry.tags("library/up")["1"].clone();
    family.replace("Dockerfile.base", "library/up:1", &format!("library/up@{digest}"));
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    run.says("error: build/base/linux-arm64: ")
        .says("linux/amd64")
        .says("expected \"linux/arm64\"")
        .says("hint: ");
    assert_eq!(family.public_tags(&registry), BTreeMap::new());
    let beside = |tag: &String| tag.ends_with("-staging") || tag.ends_with("-inputs");
    let identity = |tag: &String| tag.starts_with("base-") && !beside(tag);
    assert!(!family.tags(&registry).keys().any(identity));
}

#[test]
fn e2e_a_named_context_that_nothing_refers_to() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .write("assets/a", "a")
        .set("base.build", "contexts = { assets = \"assets\" }");
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    run.says("error: Dockerfile.base: nothing refers to the named context `assets`")
        .says("hint: use it (`FROM assets`, `COPY --from=assets`), or take it out");
    assert_eq!(family.tags(&registry), BTreeMap::new());
    family.append("Dockerfile.base", "COPY --from=assets a /a\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

/// The image that a named context pins is the one that is built on, whatever stands under its name.
#[test]
fn e2e_a_pinned_image_is_among_the_materials() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push("linux/amd64,linux/arm64", "both");
    let family = on(&upstream, registry.address(), &[AMD64, ARM64]);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let pinned = registry.tags("library/up")["1"].clone();
    for platform in [AMD64, ARM64] {
        assert_eq!(label(&registry, &family, platform), "both");
    }
    let index = family.index(&registry, "base-latest");
    for attestation in index.attestations.values() {
        let layers = registry.json(attestation)["layers"].clone();
        let provenance = registry.json(layers[0]["digest"].as_str().unwrap()).to_string();
        assert!(
            provenance.contains(pinned.strip_prefix("sha256:").unwrap()),
            "{provenance}"
        );
    }
}

#[test]
fn e2e_a_wildcard_that_copies_nothing() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "COPY mark??? /etc/\n");
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    run.says("error: Dockerfile.base:8: `COPY` wildcard `mark???` matches nothing in the build context")
        .says("hint: ");
    assert_eq!(family.tags(&registry), BTreeMap::new());
}

/// A variant that adds nothing.
#[test]
fn e2e_a_variant_that_is_its_base() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.write(
        "Dockerfile.variant",
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nARG KIND\n",
    );
    family.splitbase().ok(&["release", "v1.0.0"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps(), [""; 0]);
    for tag in ["v1.0.0", "v1.0.0-omos"] {
        let index: Index = family.index(&registry, tag);
        assert_eq!(index.platforms.len(), 1);
        assert_eq!(index.attestations.len(), 1);
    }
}

/// Each platform is run by its own digest: by that of the index, the second one would fail on the classic image store.
#[test]
fn e2e_what_is_run_leaves_no_image_behind() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let name = format!("{}/{}", registry.address(), family.repository());
    let left = docker(&[
        "image",
        "ls",
        "--digests",
        "--format",
        "{{.Repository}}:{{.Tag}}@{{.Digest}}",
        &name,
    ]);
    let untagged: Vec<_> = left.lines().filter(|line| line.contains("<none>@")).collect();
    assert_eq!(untagged, [""; 0]);
    let containers = docker(&["ps", "-a", "--format", "{{.Image}}"]);
    assert!(!containers.contains(&name), "{containers}");
}
