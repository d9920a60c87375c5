//! Release tags and aliases: written once, never backwards, and nothing of what somebody else wrote is taken over unasked.

use crate::support::{Family, Registry, Run, program};
use rustix::process::Signal;

/// Puts an image under a tag that splitbase knows nothing of.
fn foreign(family: &Family, registry: &Registry, tag: &str) {
    let file = family.path("foreign");
    let archive = family.path("foreign.tar");
    std::fs::write(&file, tag).unwrap();
    let folder = family.folder().to_str().unwrap();
    program(
        "tar",
        &["-C", folder, "-cf", archive.to_str().unwrap(), "foreign"],
    );
    let reference = family.reference(registry, tag);
    program(
        "crane",
        &["append", "-f", archive.to_str().unwrap(), "-t", &reference],
    );
    std::fs::remove_file(file).unwrap();
    std::fs::remove_file(archive).unwrap();
}

#[track_caller]
fn refused(run: Run, registry: &Registry, names: &[&str]) {
    let run = run.expect(7);
    for name in names {
        run.says(name);
    }
    run.says("hint: ");
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(registry.writes(), []);
}

fn names(family: &Family, registry: &Registry) -> Vec<String> {
    family.public_tags(registry).into_keys().collect()
}

#[test]
fn e2e_publish_without_promotion_and_promote_later() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0", "--no-promote"]);
    assert_eq!(names(&family, &registry), ["v1.0.0"]);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "not-promoted");

    registry.requests();
    let again = splitbase.ok(&["release", "v1.0.0", "--no-promote"]);
    assert_eq!((again.docker.len(), registry.writes()), (0, vec![]));
    // A job in CI must not take "only shown" for "done".
    let shown = splitbase.run(&["promote", "v1.0.0"]).expect(2);
    shown.says("--yes").shows("latest");
    assert_eq!(registry.writes(), []);
    splitbase
        .run(&["promote", "v9.9.9", "--yes"])
        .expect(7)
        .says("v9.9.9")
        .says("no record");
    assert_eq!(registry.writes(), []);

    let run = splitbase.ok(&["promote", "v1.0.0", "--yes"]);
    assert_eq!(
        run.steps(),
        [
            "alias/base-latest",
            "alias/latest",
            "record/done",
            "record/publishing"
        ]
    );
    assert_eq!(names(&family, &registry), ["base-latest", "latest", "v1.0.0"]);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.0.0")
    );
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(record["state"], "done");
    assert_eq!(record["points"]["latest"]["version"], "v1.0.0");

    registry.requests();
    for args in [
        &["promote", "v1.0.0", "--yes"][..],
        &["release", "v1.0.0"],
        &["release", "v1.0.0", "--no-promote"],
    ] {
        let run = splitbase.ok(args);
        assert_eq!((run.docker.len(), registry.writes()), (0, vec![]), "{args:?}");
    }

    // Back to an older one: not by promoting.
    family.append("marker", "changed\n");
    splitbase.ok(&["release", "v1.1.0"]);
    let latest = family.digest(&registry, "latest");
    registry.requests();
    let run = splitbase.run(&["promote", "v1.0.0", "--yes"]).expect(7);
    run.says("alias `latest` stays at ").says("which is newer than");
    // Nor does an alias that both share come to stand for the older one.
    family.replace("variants.toml", "KIND = \"base\"", "KIND = \"changed\"");
    splitbase.ok(&["release", "v1.2.0", "--no-promote"]);
    family.replace("variants.toml", "KIND = \"changed\"", "KIND = \"more\"");
    splitbase.ok(&["release", "v1.3.0"]);
    splitbase
        .run(&["promote", "v1.2.0", "--yes"])
        .expect(7)
        .says("stays at v1.3.0, which is newer than v1.2.0");
    assert_eq!(family.record(&registry, "v1.2.0")["state"], "not-promoted");
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.3.0")
    );
    assert_ne!(family.digest(&registry, "latest"), latest);
}

#[test]
fn e2e_publish_never_moves_an_alias_backwards() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.replace(
        "variants.toml",
        "[\"latest\"]",
        "[\"latest\", \"{major}.{minor}\"]",
    );
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.2.3"]);
    family.append("Dockerfile.variant", "RUN echo 2.0.0 >/etc/two\n");
    splitbase.ok(&["release", "v2.0.0"]);
    family.replace(
        "Dockerfile.variant",
        "RUN echo 2.0.0 >/etc/two\n",
        "RUN echo 1.2.4 >/etc/one\n",
    );
    let run = splitbase.ok(&["release", "v1.2.4", "-o", "json"]);
    run.says("`latest` stays at v2.0.0");
    let digest = |tag| family.digest(&registry, tag);
    assert_eq!(digest("latest"), digest("v2.0.0"));
    assert_eq!(digest("2.0"), digest("v2.0.0"));
    assert_eq!(digest("1.2"), digest("v1.2.4"));
    assert_ne!(digest("1.2"), digest("v1.2.3"));
    let report = run.json();
    assert_eq!(report["images"][1]["aliases"], serde_json::json!(["1.2"]));
    // A pre-release moves none.
    family.append("Dockerfile.variant", "RUN echo 3 >/etc/three\n");
    splitbase.ok(&["release", "v3.0.0-rc.1"]).says("pre-release");
    assert_eq!(digest("latest"), digest("v2.0.0"));
    assert!(!family.tags(&registry).contains_key("3.0"));
    assert!(family.tags(&registry).contains_key("v3.0.0-rc.1"));
}

#[test]
fn e2e_publish_writes_a_release_tag_once() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    let before = family.digest(&registry, "v1.0.0");
    family.append("marker", "changed\n");
    registry.requests();
    refused(
        splitbase.run(&["plan", "v1.0.0"]),
        &registry,
        &["`v1.0.0`", &before, "--force"],
    );
    refused(
        splitbase.run(&["release", "v1.0.0"]),
        &registry,
        &["`v1.0.0`", &before, "--force"],
    );
    assert_eq!(family.digest(&registry, "v1.0.0"), before);

    let report = splitbase
        .run(&["release", "v1.0.0", "-o", "json"])
        .expect(7)
        .json();
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&"refused".into(), &7.into())
    );
    assert!(
        report["failures"][0]["message"]
            .as_str()
            .unwrap()
            .contains("`v1.0.0`"),
        "{report}"
    );

    let run = splitbase.ok(&["release", "v1.0.0", "--force"]);
    run.says(&before);
    assert_ne!(family.digest(&registry, "v1.0.0"), before);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.0.0")
    );
}

#[test]
fn e2e_publish_takes_over_foreign_tags_only_when_told() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    foreign(&family, &registry, "latest");
    let before = family.digest(&registry, "latest");
    registry.requests();
    refused(
        splitbase.run(&["release", "v1.0.0"]),
        &registry,
        &["`latest`", &before, "--adopt"],
    );
    splitbase.ok(&["release", "v1.0.0", "--adopt"]).says("--adopt");
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.0.0")
    );

    // Somebody moves it by hand: the next release does not trample on that.
    foreign(&family, &registry, "latest");
    registry.requests();
    refused(
        splitbase.run(&["release", "v1.1.0"]),
        &registry,
        &["`latest`", "--adopt"],
    );
    splitbase.ok(&["status"]).shows("moved by somebody else");
    // Nor on a release tag that is not of this release.
    foreign(&family, &registry, "v1.2.0");
    registry.requests();
    refused(
        splitbase.run(&["release", "v1.2.0", "--adopt"]),
        &registry,
        &["`v1.2.0`", "--force"],
    );
}

#[test]
fn e2e_publish_refuses_another_version_while_one_is_unfinished() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "RUN sleep 6\n");
    let splitbase = family.splitbase();
    let mut running = splitbase.start(&["release", "v1.0.0"]);
    running.wait_for_start("build/base/linux-amd64");
    // The same version, while it is being made.
    let second = splitbase.run(&["release", "v1.0.0"]).expect(7);
    second.says("v1.0.0").says(&format!("process {}", running.id()));
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, 128 + 9);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "planned");

    let other = splitbase.run(&["release", "v1.1.0"]).expect(7);
    other
        .says("`v1.0.0` is unfinished")
        .says("splitbase release v1.0.0")
        .says("--force");
    assert_eq!(other.builds(), [""; 0]);
    splitbase.ok(&["status"]).shows("v1.0.0").shows("unfinished");
    splitbase.ok(&["release", "v1.1.0", "--force"]);
    assert_eq!(names(&family, &registry), ["base-latest", "latest", "v1.1.0"]);
    // What was set aside can still be finished; its aliases are the newer one's.
    splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(
        family.digest(&registry, "v1.0.0"),
        family.digest(&registry, "v1.1.0")
    );
    assert_eq!(
        family.record(&registry, "v1.0.0")["points"]["latest"]["version"],
        "v1.1.0"
    );
}
