//! Versions from npm, from where they are found to where they arrive.

use crate::support::{Family, Npm, Registry, Splitbase, closed_port};

/// One variant, whose argument `OMOS_VERSION` comes from npm; the smoke test compares what is in the image with what is expected.
fn family(registry: &Registry) -> (Family, Npm) {
    let family = Family::of(registry.address(), &["linux/amd64"], &["omos"]);
    family
        .append(
            "variants.toml",
            "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"omos\", range = \"^2\" }\n",
        )
        .append("Dockerfile.variant", "ARG OMOS_VERSION\nRUN echo \"$OMOS_VERSION\" >/etc/omos\n")
        .smoke(
            "echo \"expected: $EXPECTED_OMOS_VERSION\"\n\
             test \"$(docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" cat /etc/omos)\" = \"$EXPECTED_OMOS_VERSION\"",
        );
    (family, Npm::start())
}

fn splitbase(family: &Family, npm: &Npm) -> Splitbase {
    family.splitbase().env("NPM_CONFIG_REGISTRY", npm.address())
}

#[test]
fn e2e_versions_reach_the_image_and_its_test() {
    let registry = Registry::start();
    let (family, npm) = family(&registry);
    // A deprecated version is taken only where there is no other.
    npm.publish("omos", "2.0.0", Some("too old"))
        .publish("omos", "2.1.0", Some("use omos-next"));
    let run = splitbase(&family, &npm).ok(&["release", "v1.0.0", "-o", "json"]);
    assert!(
        run.builds()
            .iter()
            .any(|build| build.contains("--build-arg OMOS_VERSION=2.1.0")),
        "{:#?}",
        run.builds()
    );
    run.says("expected: 2.1.0")
        .says("omos@2.1.0 is deprecated: use omos-next");
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("deprecated"), "{warnings}");
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(record["versions"]["OMOS_VERSION"]["version"], "2.1.0");
    assert_eq!(record["versions"]["OMOS_VERSION"]["source"], "npm:omos@^2");

    // A new version there is a new image here, and nothing else.
    npm.publish("omos", "2.2.0", None).publish("omos", "3.0.0", None);
    let run = splitbase(&family, &npm).ok(&["release", "v1.1.0"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    run.says("expected: 2.2.0");
    // By hand.
    let run = splitbase(&family, &npm).ok(&["release", "v1.2.0", "--set", "OMOS_VERSION=2.0.0"]);
    run.says("expected: 2.0.0");
}

/// What a saved plan says is what is built, though npm has moved on, or is gone.
#[test]
fn e2e_versions_come_from_a_saved_plan() {
    let registry = Registry::start();
    let (family, npm) = family(&registry);
    npm.publish("omos", "2.1.0", None);
    splitbase(&family, &npm).ok(&["plan", "v1.0.0", "--save", "plan.json"]);
    npm.publish("omos", "2.2.0", None);
    let nobody = format!("http://localhost:{}", closed_port());
    let gone = family.splitbase().env("NPM_CONFIG_REGISTRY", nobody);
    gone.run(&["release", "v1.0.0"]).expect(5);
    let run = gone.ok(&["release", "--plan", "plan.json"]);
    run.says("expected: 2.1.0");
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(record["versions"]["OMOS_VERSION"]["version"], "2.1.0");
}

#[test]
fn e2e_versions_that_cannot_be_found_out_stop_the_run() {
    let registry = Registry::start();
    let (family, npm) = family(&registry);
    let stops = |splitbase: Splitbase, names: &[&str]| {
        for args in [&["plan", "v1.0.0"][..], &["release", "v1.0.0"]] {
            let run = splitbase.run(args).expect(5);
            for name in names {
                run.says(name);
            }
            assert_eq!(run.builds(), [""; 0]);
            assert_eq!(registry.writes(), []);
        }
    };
    // No such package.
    stops(splitbase(&family, &npm), &["OMOS_VERSION", "404", "hint: "]);
    // The newest is announced, but its archive is not there yet.
    npm.publish("omos", "2.0.0", None)
        .publish("omos", "2.1.0", None)
        .lose("omos", "2.1.0");
    stops(splitbase(&family, &npm), &["OMOS_VERSION", "2.1.0", "404"]);
    // Nothing fits.
    family.replace("variants.toml", "^2", "^7");
    stops(splitbase(&family, &npm), &["OMOS_VERSION", "^7"]);
    // Nobody answers.
    stops(
        splitbase(&family, &npm).env("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9"),
        &["OMOS_VERSION", "127.0.0.1:9"],
    );
    assert!(family.tags(&registry).is_empty());
}

#[test]
fn e2e_versions_are_locked_where_the_lock_says() {
    let registry = Registry::start();
    let (family, npm) = family(&registry);
    npm.publish("omos", "2.0.0", None);
    let splitbase = splitbase(&family, &npm);
    let shown = splitbase.ok(&["resolve"]);
    shown.shows("OMOS_VERSION").shows("2.0.0").shows("npm:omos@^2");
    assert!(!family.path("variants.lock").exists());
    splitbase
        .run(&["plan", "v1.0.0", "--locked"])
        .expect(2)
        .says("OMOS_VERSION")
        .says("resolve --write");
    let document = splitbase.json(&["resolve", "--write"]);
    assert_eq!(
        (
            &document["schema"],
            &document["versions"]["OMOS_VERSION"]["version"]
        ),
        (&1.into(), &"2.0.0".into())
    );
    let lock = family.read("variants.lock");
    assert!(lock.contains("2.0.0"), "{lock}");
    splitbase.ok(&["resolve", "--write"]).says("is as it was");

    // The lock holds, though npm has moved on and then is gone.
    npm.publish("omos", "2.1.0", None);
    npm.asked();
    let plan = splitbase.json(&["plan", "v1.0.0", "--locked"]);
    assert_eq!(plan["versions"]["OMOS_VERSION"]["version"], "2.0.0");
    assert_eq!(npm.asked(), [""; 0]);
    let offline = family
        .splitbase()
        .env("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9");
    offline.ok(&["plan", "v1.0.0", "--locked"]);
    // A lock for another source does not count.
    family.replace("variants.toml", "^2", ">=2");
    let run = splitbase.run(&["plan", "v1.0.0", "--locked"]).expect(2);
    run.says("OMOS_VERSION").says("variants.lock");
    // `resolve --write` takes what is there today.
    splitbase.ok(&["resolve", "--write"]).says("written");
    assert!(family.read("variants.lock").contains("2.1.0"));
}
