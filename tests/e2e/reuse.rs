//! What is there is used: only what changed is built, and only what changed is tested.

use crate::support::{AMD64, ARM64, Family, Registry};

const PLATFORMS: &str = "platforms  = [\"linux/amd64\"]";
const BOTH: &str = "platforms  = [\"linux/amd64\", \"linux/arm64\"]";

#[test]
fn e2e_reuse_new_version_of_unchanged_sources_only_writes_tags_and_record() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    registry.requests();
    let run = family.splitbase().ok(&["release", "v1.1.0"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(
        run.steps(),
        [
            "record/done",
            "record/publishing",
            "tag/v1.1.0",
            "tag/v1.1.0-omos"
        ]
    );
    let manifests: Vec<_> = registry
        .writes()
        .into_iter()
        .filter(|request| request.method == "PUT" && request.path.contains("/manifests/"))
        .map(|request| request.path.rsplit('/').next().unwrap().to_owned())
        .collect();
    let mut manifests_once = manifests.clone();
    manifests_once.sort();
    manifests_once.dedup();
    assert_eq!(
        manifests_once,
        ["_release", "_release-v1.1.0", "v1.1.0", "v1.1.0-omos"]
    );
    for (tag, before) in [
        ("v1.1.0", "v1.0.0"),
        ("v1.1.0-omos", "v1.0.0-omos"),
        ("latest", "v1.0.0"),
    ] {
        assert_eq!(family.digest(&registry, tag), family.digest(&registry, before));
    }
    // The aliases stand for the new version although they did not move.
    let record = family.record(&registry, "v1.1.0");
    assert_eq!(record["points"]["latest"]["version"], "v1.1.0", "{record:#}");
    run.shows("reused").shows("passed before");
}

#[test]
fn e2e_reuse_builds_a_changed_variant_alone() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"changed\"");
    let run = family.splitbase().ok(&["release", "v1.1.0"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    assert_eq!(run.steps_of("smoke/"), ["smoke/variant/omos/linux-amd64"]);
    assert_eq!(run.steps_of("assemble/"), ["assemble/variant/omos"]);
    assert_eq!(
        family.digest(&registry, "v1.1.0"),
        family.digest(&registry, "v1.0.0")
    );
    assert_ne!(
        family.digest(&registry, "v1.1.0-omos"),
        family.digest(&registry, "v1.0.0-omos")
    );
    assert_eq!(run.steps_of("alias/"), ["alias/latest-omos"]);
}

#[test]
fn e2e_reuse_changed_test_runs_again_and_builds_nothing() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    family.append("scripts/smoke.sh", "echo changed\n");
    let run = family.splitbase().ok(&["release", "v1.1.0"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(
        run.steps_of("smoke/"),
        ["smoke/variant/base/linux-amd64", "smoke/variant/omos/linux-amd64"]
    );
    assert_eq!(run.steps_of("assemble/"), [""; 0]);
    assert_eq!(
        family.digest(&registry, "v1.1.0"),
        family.digest(&registry, "v1.0.0")
    );
}

#[test]
fn e2e_reuse_builds_a_new_platform_alone_and_a_changed_base_with_all_on_it() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let base = family.index(&registry, "base-latest");

    // A platform: only that one is built, and the other is the same as before.
    family.replace("variants.toml", PLATFORMS, BOTH);
    let run = family.splitbase().ok(&["release", "v1.3.0", "-o", "json"]);
    let built = [
        "build/base/linux-arm64",
        "build/variant/base/linux-arm64",
        "build/variant/omos/linux-arm64",
    ];
    assert_eq!(run.steps_of("build/"), built);
    assert_eq!(
        run.steps_of("smoke/"),
        ["smoke/variant/base/linux-arm64", "smoke/variant/omos/linux-arm64"]
    );
    assert_eq!(run.json()["images"][0]["outcome"], "completed");
    let both = family.index(&registry, "base-latest");
    assert_eq!(both.platforms[AMD64], base.platforms[AMD64]);
    assert!(both.platforms.contains_key(ARM64));
    assert_eq!(both.attestations.len(), 2);

    // The base: everything.
    family.append("marker", "changed\n");
    let run = family.splitbase().ok(&["release", "v1.4.0"]);
    assert_eq!(run.steps_of("build/").len(), 6);
    assert_eq!(run.steps_of("smoke/").len(), 4);

    // And back again: nothing, because all of it is still there.
    family.replace("marker", "changed\n", "");
    let run = family.splitbase().ok(&["release", "v1.5.0"]);
    assert_eq!((run.steps_of("build/"), run.steps_of("smoke/")), (vec![], vec![]));
    assert_eq!(
        family.digest(&registry, "v1.5.0"),
        family.digest(&registry, "v1.3.0")
    );
}

#[test]
fn e2e_reuse_variants_can_be_added_to_a_version_later() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let run = family.splitbase().ok(&["release", "v1.0.0", "--variant", "base"]);
    assert_eq!(
        run.steps_of("build/"),
        ["build/base/linux-amd64", "build/variant/base/linux-amd64"]
    );
    let tags = family.public_tags(&registry);
    assert_eq!(
        tags.keys().collect::<Vec<_>>(),
        ["base-latest", "latest", "v1.0.0"]
    );
    assert_eq!(family.record(&registry, "v1.0.0")["left_out"][0], "variant/omos");

    let run = family.splitbase().ok(&["release", "v1.0.0", "--variant", "omos"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(record["left_out"], serde_json::json!([]));
    assert_eq!(record["images"].as_array().unwrap().len(), 3);
    let after = family.public_tags(&registry);
    let names: Vec<_> = after.keys().collect();
    assert_eq!(
        names,
        ["base-latest", "latest", "latest-omos", "v1.0.0", "v1.0.0-omos"]
    );
    assert!(tags.iter().all(|(tag, digest)| after[tag] == *digest));

    registry.requests();
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!((run.docker.len(), registry.writes()), (0, vec![]));
    let run = family
        .splitbase()
        .run(&["release", "v1.0.0", "--variant", "nix"])
        .expect(2);
    run.says("nix").says("base, omos");
}

#[test]
fn e2e_reuse_rebuild_replaces_what_is_there() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    // Without the cache, each build of the base is another.
    family.append(
        "Dockerfile.base",
        "RUN cat /proc/sys/kernel/random/uuid >/etc/uuid\n",
    );
    family.splitbase().ok(&["release", "v1.0.0"]);
    let before = family.index(&registry, "v1.0.0");
    let base = family.index(&registry, "base-latest");

    let run = family.splitbase().ok(&["release", "v1.1.0", "--rebuild", "base"]);
    assert!(
        run.builds()
            .iter()
            .any(|build| build.contains("--no-cache") && build.contains("Dockerfile.base")),
        "{:#?}",
        run.builds()
    );
    run.says("asked for with `--rebuild`");
    assert_ne!(family.index(&registry, "base-latest").platforms, base.platforms);
    assert_eq!(
        family.index(&registry, "v1.0.0"),
        before,
        "a release tag never moves"
    );
    let after = family.index(&registry, "v1.1.0");
    assert_ne!(after.platforms, before.platforms);
    let manifest = registry.json(&after.platforms[AMD64]);
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.base.digest"],
        family.index(&registry, "base-latest").platforms[AMD64]
    );
    // What it replaced is said.
    run.says(&base.platforms[AMD64]["sha256:".len()..][..12]);
    // What was rebuilt is what is used from now on.
    let run = family.splitbase().ok(&["release", "v1.2.0"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.index(&registry, "v1.2.0"), after);
    let run = family
        .splitbase()
        .run(&["release", "v1.3.0", "--rebuild", "variant/nix"])
        .expect(2);
    run.says("variant/nix");
}
