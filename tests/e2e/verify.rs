//! Whether a release is whole, the releases so far, and records on registries that know no artifacts.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, ARM64, Family, Layout, Registry, crane};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn findings(document: &Value) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| {
            (
                finding["kind"].as_str().unwrap().to_owned(),
                finding["what"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// The end of a digest's file in the storage of `docker-registry`.
fn stored(registry: &Registry, digest: &str) -> std::path::PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    let folder = registry
        .log()
        .parent()
        .unwrap()
        .join("data/docker/registry/v2/blobs/sha256");
    folder.join(&hex[..2]).join(hex).join("data")
}

#[test]
fn e2e_verify_finds_what_is_lost_damaged_or_elsewhere() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    let splitbase = family.splitbase();
    splitbase.run(&["verify"]).expect(7).says("no finished release");
    splitbase.ok(&["release", "v1.0.0"]);
    let whole = splitbase.json(&["verify"]);
    assert_eq!(
        (&whole["whole"], &whole["version"]),
        (&json!(true), &json!("v1.0.0"))
    );
    // v1.0.0, latest, base-latest and two receipts; two indexes with two images and two attestations each.
    assert_eq!(
        (&whole["checked"]["tags"], &whole["checked"]["manifests"]),
        (&json!(5), &json!(10))
    );
    registry.requests();
    splitbase
        .ok(&["verify", "v1.0.0", "--deep"])
        .shows("v1.0.0 is whole");
    assert_eq!(registry.writes(), []);

    let index = family.index(&registry, "v1.0.0");
    let (image, attestation) = (
        &index.platforms[ARM64],
        &index.attestations[&index.platforms[AMD64]],
    );
    let layer = registry.json(image)["layers"].as_array().unwrap().last().unwrap()["digest"]
        .as_str()
        .unwrap()
        .to_owned();

    // Other bytes of the same length are only found by reading them.
    let path = stored(&registry, &layer);
    let bytes = std::fs::read(&path).unwrap();
    let mut other = bytes.clone();
    let end = other.len() - 1;
    other[end] ^= 1;
    std::fs::write(&path, &other).unwrap();
    splitbase.ok(&["verify"]);
    let run = splitbase.run(&["verify", "--deep", "-o", "json"]).expect(1);
    let found = findings(&run.json());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0 == "damaged" && found[0].1.contains(&layer),
        "{found:?}"
    );
    // Cut short is found at once, lost too.
    std::fs::write(&path, &bytes[..end]).unwrap();
    let run = splitbase.run(&["verify", "-o", "json"]).expect(1);
    assert_eq!(findings(&run.json())[0].0, "damaged");
    registry.lose(&layer);
    let run = splitbase.run(&["verify", "-o", "json"]).expect(1);
    assert_eq!(findings(&run.json())[0].0, "missing");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    splitbase.ok(&["verify", "--deep"]);

    // An attestation is a part of it.
    let path = stored(&registry, attestation);
    let bytes = std::fs::read(&path).unwrap();
    registry.lose(attestation);
    let run = splitbase.run(&["verify"]).expect(1);
    run.shows("missing").shows(attestation);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, &bytes).unwrap();

    // An alias that somebody moved; one that a later release holds is that one's.
    let repository = format!("{}/e2e/fam", registry.address());
    crane(&["tag", &format!("{repository}:base-latest"), "latest"]);
    let run = splitbase.run(&["verify", "-o", "json"]).expect(1);
    assert_eq!(
        findings(&run.json()),
        [("misplaced".to_owned(), "latest".to_owned())]
    );
    crane(&["tag", &format!("{repository}:v1.0.0"), "latest"]);
    family.replace("Dockerfile.variant", "echo \"$KIND\"", "echo more \"$KIND\"");
    splitbase.ok(&["release", "v1.1.0"]);
    splitbase.ok(&["verify", "v1.0.0"]);
    splitbase.ok(&["verify"]).shows("v1.1.0 is whole");
}

#[test]
fn e2e_verify_tells_unknown_from_missing() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let proxy = Proxy::start(registry.address(), |request| {
        if request.method == "HEAD" && request.path.contains("/blobs/") {
            Fault::Status(503)
        } else {
            Fault::Pass
        }
    });
    let repository = format!("{}/e2e/fam", proxy.address());
    let splitbase = family.splitbase().env("SPLITBASE_REPOSITORY", repository);
    let run = splitbase.run(&["verify", "-o", "json"]).expect(5);
    let document = run.json();
    assert_eq!(document["whole"], false);
    assert!(
        findings(&document).iter().all(|(kind, _)| kind == "unknown"),
        "{document:#}"
    );
}

#[test]
fn e2e_verify_of_a_folder() {
    let family = Family::of("docker.io", &[AMD64], &["base", "omos"]);
    let layout = Layout::at(family.path("out"));
    let splitbase = family.splitbase().env("SPLITBASE_TO", "oci:out");
    splitbase.ok(&["release", "v1.0.0"]);
    splitbase.ok(&["verify", "--deep"]).shows("v1.0.0 is whole");
    let image = layout.index("v1.0.0-omos").platforms[AMD64].clone();
    let layers = layout.json(&image)["layers"].clone();
    let own = layers.as_array().unwrap().last().unwrap()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = layout.blob_path(&own);
    let bytes = std::fs::read(&path).unwrap();
    let mut other = bytes.clone();
    other[5] ^= 1;
    std::fs::write(&path, &other).unwrap();
    splitbase.ok(&["verify"]);
    splitbase
        .run(&["verify", "--deep"])
        .expect(1)
        .shows("damaged")
        .shows(&own)
        .shows("variant/omos");
    std::fs::remove_file(&path).unwrap();
    splitbase.run(&["verify"]).expect(1).shows("missing");
}

#[test]
fn e2e_verify_several_repositories() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.set(
        "family",
        &format!("work-repository = \"{}/e2e/work\"", registry.address()),
    );
    family.set(
        "variants.omos",
        &format!("repository = \"{}/e2e/omos\"", registry.address()),
    );
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    splitbase.ok(&["verify", "--deep"]).shows("v1.0.0 is whole");
    crane(&[
        "tag",
        &format!("{}/e2e/fam:v1.0.0", registry.address()),
        "strange",
    ]);
    let old = crane(&["digest", &format!("{}/e2e/omos:latest-omos", registry.address())]);
    crane(&["delete", &format!("{}/e2e/omos@{old}", registry.address())]);
    let run = splitbase.run(&["verify", "-o", "json"]).expect(1);
    let found = findings(&run.json());
    assert!(
        found
            .iter()
            .all(|(kind, what)| kind == "missing" && what.contains("/e2e/omos")),
        "{found:?}"
    );
    assert_eq!(found.len(), 3, "two tags and the index: {found:?}");
}

#[test]
fn e2e_history_lists_and_prints_records() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.set("smoke", "max-size = \"100MB\"");
    let splitbase = family.splitbase();
    splitbase.ok(&["history"]).says("no release yet");
    splitbase.ok(&["release", "v1.0.0"]);
    family.replace("Dockerfile.variant", "echo \"$KIND\"", "echo more \"$KIND\"");
    splitbase.ok(&["release", "v1.1.0", "--no-promote"]);
    let listed = splitbase.json(&["history"]);
    let releases: Vec<_> = listed["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|release| {
            (
                release["version"].as_str().unwrap(),
                release["state"].as_str().unwrap(),
                release["aliases"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(releases, [("v1.1.0", "not-promoted", 0), ("v1.0.0", "done", 2)]);
    splitbase
        .ok(&["history"])
        .shows("v1.1.0")
        .shows("base-latest, latest");
    let shown = splitbase.ok(&["status", "--all"]);
    shown.shows("v1.0.0").shows("a release now").shows("use as it is");

    let record = splitbase.json(&["history", "v1.1.0"]);
    assert_eq!(record, family.record(&registry, "v1.1.0"));
    splitbase
        .ok(&["history", "v1.1.0"])
        .shows("steps run")
        .shows("unpacked");
    splitbase
        .run(&["history", "v9.0.0"])
        .expect(7)
        .says("no record of it is there");
    // What was asked for, and what was built and what was not.
    let tools = &record["tools"];
    for tool in ["splitbase", "buildx", "engine"] {
        assert!(
            tools[tool].as_str().is_some_and(|version| !version.is_empty()),
            "{tool}: {tools}"
        );
    }
    let (base, variant) = (
        &record["images"][0]["platforms"][0],
        &record["images"][1]["platforms"][0],
    );
    let manifest = registry.json(variant["digest"].as_str().unwrap());
    let layers = manifest["layers"].as_array().unwrap().iter();
    let size: u64 = layers.map(|layer| layer["size"].as_u64().unwrap()).sum();
    assert_eq!(variant["size"], size);
    assert!(variant["uncompressed"].as_u64().unwrap() > size);
    assert!(variant["steps"]["run"].as_u64().unwrap() >= 1, "{variant}");
    assert_eq!(
        (&base["steps"], base["size"].is_u64()),
        (&Value::Null, true),
        "the base was not built: {base}"
    );
    let moves = |status: &Value| -> Vec<bool> {
        let aliases = status["aliases"].as_array().unwrap();
        aliases
            .iter()
            .map(|alias| alias["moves"].as_bool().unwrap())
            .collect()
    };
    // What is built and not promoted yet.
    assert_eq!(moves(&splitbase.json(&["status"])), [false, true]);
    // What a release now would do follows the sources.
    family.write("marker", "another");
    let status = splitbase.json(&["status"]);
    assert_eq!(status["images"][0]["builds"], json!([AMD64]));
    assert_ne!(status["images"][0]["identity"], status["images"][0]["released"]);
    assert_eq!(moves(&status), [true, true]);
    splitbase.ok(&["status"]).shows("a release now moves it");
}

#[test]
fn e2e_records_on_a_registry_that_refuses_artifacts() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    // The proxy knows a manifest by its order only: the first record of the run is the artifact, and is refused.
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    let proxy = Proxy::start(registry.address(), move |request| {
        if request.puts("_release-") && count.fetch_add(1, Ordering::SeqCst) == 0 {
            let body = r#"{"errors":[{"code":"MANIFEST_INVALID","message":"unknown artifact type"}]}"#;
            return Fault::Answer(400, "Content-Type: application/json\r\n", body);
        }
        Fault::Pass
    });
    let splitbase = family
        .splitbase()
        .env("SPLITBASE_REPOSITORY", format!("{}/e2e/fam", proxy.address()));
    splitbase.ok(&["release", "v1.0.0"]);
    // Planned twice, then publishing and done: that artifacts are refused is remembered.
    assert_eq!(refused.load(Ordering::SeqCst), 4);
    let manifest = registry.json(&family.digest(&registry, "_release-v1.0.0"));
    assert_eq!(
        (&manifest["artifactType"], &manifest["config"]["mediaType"]),
        (&Value::Null, &json!("application/vnd.oci.image.config.v1+json"))
    );
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "done");
    let again = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(again.steps(), [""; 0], "it is read as any other record");
    splitbase.ok(&["verify"]).shows("v1.0.0 is whole");
    splitbase.ok(&["history"]).shows("v1.0.0");
}
