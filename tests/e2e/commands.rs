//! The other commands on the same steps, and what a workflow is given.

use crate::support::{AMD64, Family, Npm, Registry};
use serde_json::{Value, json};

#[test]
fn e2e_commands_build_and_smoke_are_the_same_steps_alone() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let splitbase = family.splitbase();
    let early = splitbase.run(&["smoke"]).expect(1);
    early.says("not built yet").says("splitbase build");

    let run = splitbase.ok(&["build", "--variant", "omos", "-o", "json"]);
    assert_eq!(
        run.steps_of("build/"),
        ["build/base/linux-amd64", "build/variant/omos/linux-amd64"]
    );
    assert_eq!(run.steps_of("smoke/"), [""; 0]);
    let report = run.json();
    assert_eq!(
        (&report["schema"], &report["version"], &report["outcome"]),
        (&json!(1), &Value::Null, &json!("done"))
    );
    assert_eq!(report["images"][1]["image"], "variant/omos");
    assert_eq!(report["images"][1]["tags"], json!([]));
    assert!(family.public_tags(&registry).is_empty());
    assert!(
        !family
            .tags(&registry)
            .keys()
            .any(|tag| tag.starts_with("_release")),
        "a build is no release"
    );

    let run = splitbase.ok(&["smoke", "--variant", "omos"]);
    assert_eq!(run.steps(), ["smoke/variant/omos/linux-amd64"]);
    registry.requests();
    assert_eq!(splitbase.ok(&["smoke", "--variant", "omos"]).steps(), [""; 0]);
    assert_eq!(splitbase.ok(&["build", "--variant", "omos"]).steps(), [""; 0]);
    assert_eq!(registry.writes(), []);
    let run = splitbase.ok(&["smoke", "--variant", "omos", "--again"]);
    assert_eq!(run.steps(), ["smoke/variant/omos/linux-amd64"]);
    // A release uses both.
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/base/linux-amd64"]);
    assert_eq!(run.steps_of("smoke/"), ["smoke/variant/base/linux-amd64"]);

    family.smoke("echo it is broken; exit 7");
    let run = splitbase.run(&["smoke"]).expect(3);
    run.says("it is broken")
        .says("docker run -it --rm --platform linux/amd64")
        .says("exit code 7");
}

#[test]
fn e2e_commands_status_shows_what_the_tags_point_at() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    let empty = splitbase.json(&["status"]);
    assert_eq!((&empty["schema"], &empty["newest"]), (&json!(1), &Value::Null));
    assert_eq!(
        empty["aliases"][0],
        json!({"alias": "base-latest", "image": "base", "digest": null, "version": null, "moves": true, "note": null})
    );
    splitbase.ok(&["release", "v1.0.0"]);
    family.append("scripts/smoke.sh", "true\n");
    splitbase.ok(&["release", "v1.1.0", "--no-promote"]);
    let status = splitbase.json(&["status"]);
    assert_eq!(
        (&status["newest"]["version"], &status["newest"]["state"]),
        (&json!("v1.1.0"), &json!("not-promoted"))
    );
    let latest = status["aliases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|alias| alias["alias"] == "latest")
        .unwrap();
    assert_eq!(latest["digest"], family.digest(&registry, "v1.0.0"));
    assert_eq!(latest["version"], "v1.0.0");
    splitbase
        .ok(&["status"])
        .shows("latest")
        .shows("v1.0.0")
        .shows("v1.1.0")
        .shows("promote");
    assert_eq!(splitbase.ok(&["status"]).docker, [""; 0]);
}

#[test]
fn e2e_commands_hash_is_offline_and_says_what_is_open() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let npm = Npm::start();
    npm.publish("omos", "2.0.0", None);
    let splitbase = family.splitbase().env("NPM_CONFIG_REGISTRY", npm.address());
    let document = splitbase.json(&["hash"]);
    assert_eq!(document["schema"], 1);
    let base = &document["images"][0];
    assert_eq!(
        (&base["image"], &base["hash"], &base["unresolved"]),
        (&json!("base"), &json!("tree"), &json!([]))
    );
    let identity = base["identity"].as_str().unwrap();
    assert_eq!(identity.len(), 64);
    assert_eq!(base["tag"], format!("base-{}", &identity[..12]));
    let marker = base["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|input| input["path"] == "marker")
        .unwrap();
    let digest = crate::support::sha256(family.read("marker").as_bytes());
    assert_eq!(
        *marker,
        json!({"path": "marker", "type": "file", "executable": false, "size": 17, "digest": digest})
    );
    let shown = splitbase.ok(&["hash"]);
    shown.shows(base["tag"].as_str().unwrap());
    splitbase.ok(&["hash", "--explain"]).shows("marker").shows("KIND");

    family.append(
        "variants.toml",
        "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"omos\" }\n",
    );
    let document = splitbase.json(&["hash"]);
    let omos = &document["images"][2];
    assert_eq!(
        (&omos["image"], &omos["identity"], &omos["tag"]),
        (&json!("variant/omos"), &Value::Null, &Value::Null)
    );
    assert!(omos["unresolved"].to_string().contains("OMOS_VERSION"), "{omos}");
    assert_eq!(document["images"][0], *base, "the base does not depend on it");
    assert_eq!((npm.asked(), registry.requests()), (vec![], vec![]));
    let set = splitbase.json(&["hash", "--set", "OMOS_VERSION=2.0.0"]);
    let resolved = splitbase.json(&["hash", "--resolve"]);
    assert_eq!(set, resolved);
    assert!(set["images"][2]["identity"].is_string());
    splitbase.ok(&["hash"]).shows("open: ").says("--resolve");
    splitbase
        .run(&["hash", "--set", "NOTHING=1"])
        .expect(2)
        .says("NOTHING");
}

#[test]
fn e2e_commands_leave_outputs_and_a_summary_for_the_workflow() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let folder = tempfile::tempdir().unwrap();
    let (outputs, summary) = (folder.path().join("outputs"), folder.path().join("summary"));
    let splitbase = family
        .splitbase()
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_REF_TYPE", "tag")
        .env("GITHUB_REF_NAME", "v1.0.0");
    let take = |path| {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    };
    // The version is that of the pushed tag.
    let plan = splitbase.json(&["plan"]);
    assert_eq!(plan["version"], "v1.0.0");
    let written = take(&outputs);
    assert!(written.contains("need_build"), "{written}");
    assert!(written.contains("v1.0.0"), "{written}");
    assert!(
        written.contains(plan["images"][0]["tag"].as_str().unwrap()),
        "{written}"
    );
    splitbase.ok(&["release"]);
    let written = take(&outputs);
    for text in [
        "outcome",
        "done",
        "exit_code",
        &family.digest(&registry, "v1.0.0"),
    ] {
        assert!(written.contains(text), "{text}: {written}");
    }
    let written = take(&summary);
    for text in ["v1.0.0", "variant/base", AMD64, "latest", "| "] {
        assert!(written.contains(text), "{text}: {written}");
    }
    // Not from a branch.
    let run = splitbase
        .clone()
        .env("GITHUB_REF_TYPE", "branch")
        .env("GITHUB_REF_NAME", "main")
        .run(&["release"])
        .expect(2);
    run.says("version");
    let written = take(&outputs);
    assert!(
        written.contains("outcome") && written.contains("failed"),
        "{written}"
    );
    let written = take(&summary);
    assert!(
        written.contains("exit code 2") && written.contains("error: "),
        "{written}"
    );
    let run = splitbase
        .env("GITHUB_REF_NAME", "nightly")
        .run(&["release"])
        .expect(2);
    run.says("nightly");
}
