//! Steps that fail: a `RUN`, a smoke test, inputs that change, another process with the same version.

use super::refused;
use crate::support::{Family, Registry, docker};
#[test]
fn e2e_a_run_that_fails() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.append(
        "Dockerfile.variant",
        "RUN echo the last words; if [ \"$KIND\" = omos ]; then exit 7; fi\n",
    );
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: build/variant/omos/linux-amd64: `RUN echo the last words; if [ \"",
        "failed: exit code 7\n",
        "  | the last words\n",
    ];
    let run = refused(run, 1, &says, &family, &registry);
    // Not tried again; what does not depend on it went on, and is used by the next run.
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("variant-omos"))
            .count(),
        1
    );
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "failed");
    family.replace("Dockerfile.variant", "exit 7", "true");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps_of("build/base"), [""; 0]);
}

#[test]
fn e2e_a_run_that_fails_is_run_again_where_that_is_wanted() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .replace("variants.toml", "attempts = 2", "attempts = 2\nbuild = 1")
        .append("Dockerfile.variant", "RUN exit 7\n");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let run = refused(run, 1, &["failed: exit code 7"], &family, &registry);
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("variant-base"))
            .count(),
        2
    );
}

#[test]
fn e2e_a_smoke_test_that_fails() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke(
        "echo one line\nif [ \"$SPLITBASE_VARIANT\" = omos ]; then echo 'not ok: the marker'; exit 4; fi",
    );
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: smoke/variant/omos/linux-amd64: smoke test of variant/omos for linux/amd64 failed: exit code 4",
        "  | one line\n  | not ok: the marker\n",
        "hint: the whole output is in `",
        "hint: to look inside: `docker run -it --rm --platform linux/amd64 ",
    ];
    let run = refused(run, 3, &says, &family, &registry);
    let (_, rest) = run.stderr.split_once("the whole output is in `").unwrap();
    let log = std::fs::read_to_string(rest.split_once('`').unwrap().0).unwrap();
    assert_eq!(log, "one line\nnot ok: the marker\n");
    let (_, rest) = run.stderr.split_once("--platform linux/amd64 ").unwrap();
    let image = rest.split_once('`').unwrap().0;
    assert_eq!(
        docker(&["run", "--rm", image, "cat", "/etc/marker"]),
        family.read("marker").trim()
    );
    docker(&["image", "rm", image]);
    assert_eq!(run.steps_of("tag/"), [""; 0]);
    // The other's receipt stands.
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

/// The limit is between what the layers are compressed and what they are unpacked.
#[test]
fn e2e_an_image_that_is_too_large() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .append("Dockerfile.base", "RUN head -c 8000000 /dev/zero >/zeros\n")
        .set("smoke", "max-size = \"6MB\"");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    refused(run, 3, &["`max-size` is 6MB"], &family, &registry);
    family.replace("variants.toml", "\"6MB", "\"60MB");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds(), [""; 0]);
}

/// What users pull is that of the release before, whatever fails in the next one.
#[test]
fn e2e_what_stands_stays_when_the_next_release_fails() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v0.9.0"]);
    let before = family.public_tags(&registry);
    assert_eq!(before.len(), 5, "{before:#?}");
    family.append("marker", "more\n").append(
        "Dockerfile.variant",
        "RUN if [ \"$KIND\" = omos ]; then exit 7; fi\n",
    );
    family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    assert_eq!(family.public_tags(&registry), before);
    family
        .replace("Dockerfile.variant", "exit 7", "true")
        .smoke("test \"$SPLITBASE_VARIANT\" != omos");
    family.splitbase().run(&["release", "v1.0.0"]).expect(3);
    assert_eq!(family.public_tags(&registry), before);
}

#[test]
fn e2e_a_file_that_changes_during_the_build() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "RUN sleep 3\n");
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    running.wait_for("the sleep", |event| {
        event["event"] == "progress" && event["stage"].as_str().unwrap().contains("RUN sleep")
    });
    family.write("marker", "another\n");
    let says = [
        "error: build/base/linux-amd64: the inputs of base changed during the build: `marker` changed",
        "hint: let the sources rest, and run this again",
    ];
    refused(running.wait(), 1, &says, &family, &registry);
    // The list of inputs is that of the plan, and tells of no image.
    let beside = |tag: &String| tag.ends_with("-staging") || tag.ends_with("-inputs");
    let identity = |tag: &String| tag.starts_with("base-") && !beside(tag);
    assert!(
        !family.tags(&registry).keys().any(identity),
        "nothing stands under an identity"
    );
}

#[test]
fn e2e_a_second_process_with_the_same_version() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "RUN sleep 5\n");
    let mut first = family.splitbase().start(&["release", "v1.0.0"]);
    first.wait_for_start("build/base/linux-amd64");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        &*format!(
            "error: release `v1.0.0` is being made by process {} on this machine",
            first.id()
        ),
        "hint: wait for it to end",
    ];
    let run = refused(run, 7, &says, &family, &registry);
    assert_eq!(run.builds(), [""; 0]);
    let other = family.splitbase().run(&["release", "v1.0.1"]);
    refused(
        other,
        7,
        &["error: release `v1.0.0` is being made by process"],
        &family,
        &registry,
    );
    let _ = first.wait().expect(0);
    assert_eq!(family.public_tags(&registry).len(), 3);
}
