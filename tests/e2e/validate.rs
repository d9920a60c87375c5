//! `validate`, the gate of a pull request: everything is built and tested on one platform, and nothing is published.

use crate::support::{AMD64, ARM64, Family, Registry, closed_port, unique};
use std::collections::BTreeMap;

#[test]
fn e2e_validate_builds_and_tests_on_one_platform_and_writes_to_no_registry() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    // `[smoke]` names another platform than the builder's own: a gate that tests nothing would be none.
    family.set("smoke", "platforms = [\"linux/arm64\"]");
    let temporary = tempfile::tempdir().unwrap();
    let splitbase = family.splitbase().env("TMPDIR", temporary.path());
    let run = splitbase.ok(&["validate", "-o", "json"]);
    let mut steps = run.steps();
    steps.sort_unstable();
    assert_eq!(
        steps,
        [
            "assemble/base",
            "assemble/variant/base",
            "assemble/variant/omos",
            "build/base/linux-amd64",
            "build/variant/base/linux-amd64",
            "build/variant/omos/linux-amd64",
            "smoke/variant/base/linux-amd64",
            "smoke/variant/omos/linux-amd64",
        ]
    );
    let report = run.json();
    assert_eq!(report["outcome"], "done");
    for image in &report["images"].as_array().unwrap()[1..] {
        assert_eq!(image["platforms"][0]["smoke"], "passed", "{image}");
        assert_eq!(image["platforms"].as_array().unwrap().len(), 1);
    }
    assert_eq!(registry.writes(), []);
    assert_eq!(family.tags(&registry), BTreeMap::new());
    let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    // On another platform where that is asked for, and one variant alone.
    let run = splitbase.ok(&["validate", "--platform", ARM64, "--variant", "omos"]);
    assert_eq!(run.steps_of("smoke/"), ["smoke/variant/omos/linux-arm64"]);
    // The name that the images have meanwhile is nobody's business, nor is the folder that is gone.
    run.shows("validation of e2e/fam: done in");
    assert!(!run.stdout.contains("splitbase.invalid"), "{}", run.stdout);
    let inspected = run
        .docker
        .iter()
        .filter(|line| line.starts_with("buildx inspect"));
    assert_eq!(inspected.count(), 1, "{:?}", run.docker);
    assert_eq!(registry.writes(), []);
}

#[test]
fn e2e_validate_says_what_does_not_pass() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    family.smoke("docker run --rm \"$SPLITBASE_IMAGE\" test -e /nowhere");
    splitbase.run(&["validate"]).expect(3).says("smoke test");
    family.append("Dockerfile.variant", "RUN false\n");
    splitbase.run(&["validate"]).expect(1).says("`RUN false`");
    // Nothing of it is for this platform: that is no pass.
    family
        .set("variants.base", "platforms = [\"linux/arm64\"]")
        .replace(
            "variants.toml",
            "platforms  = [\"linux/amd64\"]",
            "platforms  = [\"linux/amd64\", \"linux/arm64\"]",
        );
    splitbase
        .run(&["validate"])
        .expect(2)
        .says("none of its variants is for linux/amd64")
        .says("--platform");
    assert_eq!(registry.writes(), []);
}

#[test]
fn e2e_validate_leaves_out_optional_secrets_and_stops_for_others() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .set(
            "build",
            "secrets = [{ id = \"token\", env = \"E2E_TOKEN\", optional = true }]",
        )
        .append(
            "Dockerfile.variant",
            "RUN --mount=type=secret,id=token test ! -e /run/secrets/token\n",
        );
    family.splitbase().ok(&["validate"]);
    family.replace("variants.toml", ", optional = true", "");
    let run = family.splitbase().run(&["validate"]).expect(2);
    run.says("`token`").says("E2E_TOKEN");
    assert_eq!(run.builds(), [""; 0]);
}

#[test]
fn e2e_validate_needs_no_registry() {
    let address = format!("127.0.0.1:{}", closed_port());
    let family = Family::of(&address, &[AMD64], &["base"]);
    let run = family.splitbase().ok(&["validate"]);
    assert_eq!(run.steps_of("build/base/").len(), 1);
}

#[test]
fn e2e_validate_takes_the_base_of_the_working_tree_and_never_a_stale_one() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    // The base of these very sources stands: it is pulled, not built, and the variant is built on it.
    registry.requests();
    let run = family.splitbase().ok(&["validate"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/base/linux-amd64"]);
    run.says("stands, and is not built");
    assert_eq!(registry.writes(), []);

    // The sources go on; `base-latest` is still the old one.
    let word = unique();
    family.write("marker", format!("{word}\n")).smoke(&format!(
        "docker run --rm \"$SPLITBASE_IMAGE\" grep -q {word} /etc/marker"
    ));
    registry.requests();
    let run = family.splitbase().ok(&["validate"]);
    assert_eq!(run.steps_of("build/base/").len(), 1);
    assert_eq!(registry.writes(), []);
}

const PASSWORD: &str = "Tr0ub4dor-and-3-secrets";
/// A user `user` with it, as `htpasswd -B` writes that.
const PASSWORDS: &str = "user:$2b$04$Rrvxkkcx2MzMoaZS4rCtMusRT3tCft8xzbwcevB9wQZSQGlAdwqt.\n";

#[test]
fn e2e_validate_builds_a_base_that_it_may_not_read() {
    let registry = Registry::with_passwords(PASSWORDS);
    let family = Family::new(&registry);
    let run = family.splitbase().ok(&["validate"]);
    assert_eq!(run.steps_of("build/base/").len(), 1);
    run.says("built from the working tree").says("401");
    // Not even to find out whether it may push.
    assert_eq!(registry.writes(), []);
}

/// Whoever may read the base, by the variables alone, does not build it: docker must get to it with the same credentials.
#[test]
fn e2e_validate_stands_on_a_private_base_that_it_may_read() {
    let registry = Registry::with_passwords(PASSWORDS);
    let family = Family::new(&registry);
    family.write("docker/config.json", "{}");
    let splitbase = family
        .splitbase()
        .env("DOCKER_CONFIG", family.path("docker"))
        .env("SPLITBASE_USERNAME", "user")
        .env("SPLITBASE_PASSWORD", PASSWORD);
    splitbase.ok(&["build"]);
    registry.writes();
    let run = splitbase.ok(&["validate"]);
    run.says("stands, and is not built");
    assert_eq!(run.steps_of("build/base/"), [""; 0]);
    assert_eq!(registry.writes(), []);
}

#[test]
fn e2e_validate_checks_the_page() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .set("describe", "template = \"PAGE.in\"\noutput = \"PAGE.md\"")
        .write("PAGE.in", "# {splitbase.family}\n")
        .write("PAGE.md", "# another\n");
    let run = family.splitbase().run(&["validate"]).expect(1);
    run.says("`PAGE.md` is not what `PAGE.in` makes")
        .says("splitbase describe");
    assert_eq!(run.builds(), [""; 0]);
    family.write("PAGE.md", "# fam\n");
    family.splitbase().ok(&["validate"]);
}
