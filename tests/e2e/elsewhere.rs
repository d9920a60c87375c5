//! Families on a base from elsewhere, or on none.

use crate::support::{AMD64, ARM64, Family, Registry, Request, crane};
use std::collections::BTreeSet;

/// A family that others build on, released.
fn others(registry: &Registry, platforms: &[&str]) -> Family {
    let others = Family::of(registry.address(), platforms, &["base"]).in_repository("other/devbox");
    others.smoke("true");
    others.splitbase().ok(&["release", "v1.0.0"]);
    others
}

/// Another version of it, on another base.
fn moves_on(others: &Family, version: &str) {
    others.append("marker", "changed\n");
    others.splitbase().ok(&["release", version]);
}

fn on(others: &str, registry: &Registry, platforms: &[&str]) -> Family {
    Family::of(registry.address(), platforms, &["omos"]).base(&format!("[base]\nimage = \"{others}\""))
}

/// The base that an image for `platform` says it was built on.
fn base_of(family: &Family, registry: &Registry, tag: &str, platform: &str) -> String {
    let digest = family.index(registry, tag).platforms[platform].clone();
    let annotations = &registry.json(&digest)["annotations"];
    format!(
        "{}@{}",
        annotations["org.opencontainers.image.base.name"]
            .as_str()
            .unwrap(),
        annotations["org.opencontainers.image.base.digest"]
            .as_str()
            .unwrap()
    )
}

#[test]
fn e2e_elsewhere_base_is_taken_by_the_digest_of_each_platform() {
    let registry = Registry::start();
    let others = others(&registry, &[AMD64, ARM64]);
    let reference = others.reference(&registry, "base-latest");
    let family = on(&reference, &registry, &[AMD64, ARM64]);
    let before = others.tags(&registry);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(
        run.steps_of("build/"),
        ["build/variant/omos/linux-amd64", "build/variant/omos/linux-arm64"]
    );
    assert_eq!(run.steps_of("smoke/").len(), 2);
    assert_eq!(
        run.steps_of("assemble/").len() + run.steps_of("alias/").len(),
        2,
        "{:?}",
        run.steps()
    );
    for platform in [AMD64, ARM64] {
        let base = &others.index(&registry, "base-latest").platforms[platform];
        let name = format!("{}/other/devbox@{base}", registry.address());
        assert_eq!(base_of(&family, &registry, "v1.0.0-omos", platform), name);
        assert_eq!(
            crane(&["digest", "--platform", platform, &reference]),
            *base,
            "what crane says of it"
        );
        assert!(
            run.builds()
                .iter()
                .any(|build| build.contains(&format!("BASE_IMAGE={name} "))),
            "{:#?}",
            run.builds()
        );
    }
    // Nothing of it is ours: no machine tag, no alias, and nothing new where it came from.
    let ours = family.tags(&registry);
    assert!(ours.keys().all(|tag| !tag.starts_with("base-")), "{ours:#?}");
    assert_eq!(others.tags(&registry), before);
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(
        record["upstream"][&reference],
        others.digest(&registry, "base-latest").as_str()
    );
    assert_eq!(record["images"].as_array().unwrap().len(), 1);

    // The same again, though theirs has moved on: nothing is built or written, and nobody else is asked.
    moves_on(&others, "v1.1.0");
    registry.requests();
    let again = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(again.steps().is_empty() && again.builds().is_empty());
    let requests = registry.requests();
    assert!(!requests.iter().any(Request::writes), "{requests:#?}");
    assert!(
        !requests
            .iter()
            .any(|request| request.path.contains("other/devbox")),
        "{requests:#?}"
    );
    // The next version takes the new one.
    let next = family.splitbase().ok(&["release", "v1.0.1"]);
    assert_eq!(next.steps_of("build/").len(), 2);
    for platform in [AMD64, ARM64] {
        let base = &others.index(&registry, "base-latest").platforms[platform];
        assert!(base_of(&family, &registry, "v1.0.1-omos", platform).ends_with(base.as_str()));
    }
}

#[test]
fn e2e_elsewhere_base_stays_pinned_through_failures_and_plans() {
    let registry = Registry::start();
    let others = others(&registry, &[AMD64]);
    let reference = others.reference(&registry, "base-latest");
    let first = others.index(&registry, "base-latest").platforms[AMD64].clone();
    let family = on(&reference, &registry, &[AMD64]);
    family.splitbase().ok(&["plan", "v2.0.0", "--save", "plan.json"]);
    family.smoke("exit 1");
    family.splitbase().run(&["release", "v1.0.0"]).expect(3);
    moves_on(&others, "v1.1.0");
    // What a release was begun with it ends with, even where it has to build again.
    family.smoke("true");
    let run = family
        .splitbase()
        .ok(&["release", "v1.0.0", "--rebuild", "variant/omos"]);
    assert_eq!(run.builds().len(), 1);
    assert!(base_of(&family, &registry, "v1.0.0-omos", AMD64).ends_with(&first));
    // A base that is asked for anew is the new one.
    let second = others.index(&registry, "base-latest").platforms[AMD64].clone();
    assert_ne!(first, second);
    let plan = family.splitbase().json(&["plan", "v1.0.1"]);
    assert_eq!(
        plan["upstream"][&reference],
        others.digest(&registry, "base-latest").as_str()
    );
    let identity = |plan: &serde_json::Value| plan["images"][0]["identity"].as_str().unwrap().to_owned();
    let saved: serde_json::Value = serde_json::from_str(&family.read("plan.json")).unwrap();
    assert_ne!(identity(&plan), identity(&saved), "the digest is in the identity");
}

#[test]
fn e2e_elsewhere_base_comes_from_a_saved_plan() {
    let registry = Registry::start();
    let others = others(&registry, &[AMD64]);
    let first = others.index(&registry, "base-latest").platforms[AMD64].clone();
    let family = on(&others.reference(&registry, "base-latest"), &registry, &[AMD64]);
    family.splitbase().ok(&["plan", "v1.0.0", "--save", "plan.json"]);
    moves_on(&others, "v1.1.0");
    let run = family.splitbase().ok(&["release", "--plan", "plan.json"]);
    assert_eq!(run.builds().len(), 1);
    assert!(base_of(&family, &registry, "v1.0.0-omos", AMD64).ends_with(&first));
}

#[test]
fn e2e_elsewhere_base_that_lacks_a_platform_is_refused_in_the_plan() {
    let registry = Registry::start();
    let others = others(&registry, &[AMD64]);
    let family = on(
        &others.reference(&registry, "base-latest"),
        &registry,
        &[AMD64, ARM64],
    );
    let plan = family.splitbase().run(&["plan", "v1.0.0"]).expect(2);
    plan.says("variant/omos is for linux/arm64, and its base `");
    plan.says("is only for linux/amd64");
    plan.says("hint: take a base that is there for this platform, or leave the platform out");
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    assert!(run.steps().is_empty());
    assert!(family.tags(&registry).is_empty());
}

#[test]
fn e2e_elsewhere_base_that_cannot_be_read_ends_the_run() {
    let registry = Registry::start();
    let missing = on(
        &format!("{}/other/nothing:base-latest", registry.address()),
        &registry,
        &[AMD64],
    );
    let run = missing.splitbase().run(&["release", "v1.0.0"]).expect(5);
    run.says("/other/nothing:base-latest`: nothing stands under `base-latest` of `");
    run.says("hint: see `[base] image`");
    // Wants a login that this account does not have. The lines are of `htpasswd -Bbn alice secret`.
    let private =
        Registry::with_passwords("alice:$2y$05$pGLqBRRWUIAUZ5x9y5LtpuAF9dYLC3nKAIgXTSqKQaPFeCWwoWQ5K\n");
    let hidden = on(
        &format!("{}/other/devbox:base-latest", private.address()),
        &registry,
        &[AMD64],
    );
    let run = hidden.splitbase().run(&["plan", "v1.0.0"]).expect(5);
    run.says("read `base-latest` of `");
    run.says("401 Unauthorized");
    let closed = on("localhost:1/other/devbox:base-latest", &registry, &[AMD64]);
    let run = closed.splitbase().run(&["plan", "v1.0.0"]).expect(5);
    run.says("connection refused");
    assert!(missing.tags(&registry).is_empty());
}

#[test]
fn e2e_elsewhere_base_is_open_offline_and_known_from_the_lock() {
    let registry = Registry::start();
    let others = others(&registry, &[AMD64]);
    let reference = others.reference(&registry, "base-latest");
    let family = on(&reference, &registry, &[AMD64]);
    let hash = family.splitbase().json(&["hash"]);
    assert_eq!(hash["images"][0]["unresolved"], serde_json::json!([reference]));
    family.splitbase().ok(&["resolve", "--write"]);
    registry.requests();
    let hash = family.splitbase().ok(&["hash", "--explain"]);
    assert!(registry.requests().is_empty());
    hash.shows(&others.digest(&registry, "base-latest"));
    moves_on(&others, "v1.1.0");
    let identity = |plan: serde_json::Value| plan["images"][0]["identity"].as_str().unwrap().to_owned();
    let locked = identity(family.splitbase().json(&["plan", "v1.0.0"]));
    assert_eq!(
        locked,
        identity(family.splitbase().json(&["hash"])),
        "the lock holds"
    );
}

#[test]
fn e2e_elsewhere_no_base_at_all() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64], &["one", "two"]).base("");
    let dockerfile = family.read("Dockerfile.base");
    family.write(
        "Dockerfile.variant",
        format!("{dockerfile}ARG KIND\nRUN echo \"$KIND\" >/etc/kind\n"),
    );
    family.replace(
        "variants.toml",
        "inputs     = []",
        "inputs     = [\"busybox-amd64\", \"busybox-arm64\", \"marker\"]",
    );
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds().len(), 2);
    assert!(
        run.builds().iter().all(|build| !build.contains("BASE_IMAGE")),
        "{:#?}",
        run.builds()
    );
    // Neither waits for the other.
    let (one, two) = ("build/variant/one/linux-amd64", "build/variant/two/linux-amd64");
    assert!(run.at("started", two) < run.at("finished", one));
    assert!(run.at("started", one) < run.at("finished", two));
    let tags: BTreeSet<_> = family.public_tags(&registry).into_keys().collect();
    let wanted = ["latest-one", "latest-two", "v1.0.0-one", "v1.0.0-two"];
    assert_eq!(tags.into_iter().collect::<Vec<_>>(), wanted);
    let manifest = family.index(&registry, "v1.0.0-one").platforms[AMD64].clone();
    let annotations = registry.json(&manifest)["annotations"].clone();
    assert!(annotations["org.opencontainers.image.base.digest"].is_null());
    registry.requests();
    let again = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(again.steps().is_empty() && again.builds().is_empty());
    assert_eq!(registry.writes(), []);
    // A Dockerfile that waits for a base is told so before anything is built.
    family.write("Dockerfile.variant", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
    let run = family.splitbase().run(&["plan", "v1.0.1"]);
    assert_ne!(run.code, 0, "{}", run.stdout);
    run.says("what `${BASE_IMAGE}` refers to does not follow");
    run.says("by `args`, or by a `[base]`");
}
