//! A release that is copied to another repository, registry or folder.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, ARM64, Family, Layout, Registry, Request, crane, program, skopeo, try_program};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const THERE: &str = "prod/devbox";

/// Tags without the records, which name the place that they are in, and without what only a build needs.
fn comparable(mut tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.retain(|tag, _| {
        !tag.starts_with("_release") && !tag.ends_with("-staging") && !tag.starts_with("cache-")
    });
    tags
}

fn place(registry: &Registry) -> String {
    format!("{}/{THERE}", registry.address())
}

/// Puts a signature of sorts beside a digest, as the fallback tag schema has it, and one as cosign before 3.0 had it.
fn refer(registry: &Registry, repository: &str, digest: &str) -> (String, String) {
    let name = format!("{}/{repository}", registry.address());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note");
    std::fs::write(&file, format!("a note on {digest}\n")).unwrap();
    let old = format!("{name}:{}.sig", digest.replace(':', "-"));
    crane(&[
        "append",
        "--new_layer",
        &file.to_string_lossy(),
        "--new_tag",
        &old,
        "--oci-empty-base",
    ]);
    // An artifact that names its subject.
    let empty = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "size": 2});
    let raw = crate::support::program("crane", &["manifest", &format!("{name}@{digest}")]);
    let subject =
        json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": raw.len()});
    let signature = crane(&["digest", &old]);
    let manifest: serde_json::Value = serde_json::from_slice(&registry.blob(&signature)).unwrap();
    let artifact = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "text/x-note",
        "config": manifest["config"], "layers": manifest["layers"], "subject": subject, "annotations": {"by": "a test"},
    })
    .to_string();
    let _ = empty;
    let put = |reference: &str, kind: &str, body: &str| {
        let url = format!(
            "http://{}/v2/{repository}/manifests/{reference}",
            registry.address()
        );
        let file = folder.path().join("body");
        std::fs::write(&file, body).unwrap();
        program(
            "curl",
            &[
                "-fsS",
                "-X",
                "PUT",
                "-H",
                &format!("Content-Type: {kind}"),
                "--data-binary",
                &format!("@{}", file.display()),
                &url,
            ],
        );
    };
    let note = crate::support::sha256(artifact.as_bytes());
    put(&note, "application/vnd.oci.image.manifest.v1+json", &artifact);
    let list = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": note, "size": artifact.len(), "artifactType": "text/x-note"}]})
    .to_string();
    put(
        &digest.replace(':', "-"),
        "application/vnd.oci.image.index.v1+json",
        &list,
    );
    (note, signature)
}

/// Fails unless another program can pull all of `reference`, blobs and attestations.
fn pullable(reference: &str) {
    let folder = tempfile::tempdir().unwrap();
    let layout = format!("oci:{}:x", folder.path().display());
    let source = format!("docker://{reference}");
    program(
        "skopeo",
        &["copy", "--all", "--src-tls-verify=false", &source, &layout],
    );
}

#[test]
fn e2e_copy_to_another_registry_brings_all_of_a_release() {
    let (staging, production) = (Registry::start(), Registry::start());
    let family = Family::of(staging.address(), &[AMD64, ARM64], &["base", "omos"]);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
    let omos = family.digest(&staging, "v1.0.0-omos");
    let (note, signature) = refer(&staging, family.repository(), &omos);
    let (there, before) = (place(&production), family.tags(&staging));
    staging.requests();

    // Shown first; nothing is written by it.
    let shown = family
        .splitbase()
        .run(&["promote", "v1.0.0", "--into", &there])
        .expect(2);
    shown
        .shows("tag/v1.0.0-omos")
        .says("nothing was done: `--yes` does it");
    assert!(production.writes().is_empty());
    let run = family
        .splitbase()
        .ok(&["promote", "v1.0.0", "--into", &there, "--yes"]);
    run.says("signatures and other referrers go with them");

    // All that a later run needs, and the same digests.
    let tags = production.tags(THERE);
    assert_eq!(comparable(tags.clone()), comparable(before.clone()));
    for tag in ["v1.0.0", "v1.0.0-omos", "latest", "latest-omos", "base-latest"] {
        let reference = format!("{there}:{tag}");
        assert_eq!(crane(&["digest", &reference]), before[tag], "{tag}");
        assert_eq!(skopeo(&reference), staging.blob(&before[tag]), "{tag}");
        let index = production.index(&before[tag]);
        assert_eq!((index.platforms.len(), index.attestations.len()), (2, 2), "{tag}");
        pullable(&reference);
    }
    // What refers to it: found under both tags, the same bytes.
    for digest in [&note, &signature] {
        assert_eq!(production.blob(digest), staging.blob(digest));
        let layer = staging.json(digest)["layers"][0]["digest"]
            .as_str()
            .unwrap()
            .to_owned();
        let (ours, theirs) = (
            format!("{there}@{layer}"),
            format!("{}/{}@{layer}", staging.address(), family.repository()),
        );
        assert_eq!(
            program("crane", &["blob", &ours]),
            program("crane", &["blob", &theirs])
        );
    }
    // Nothing is written to where it comes from, and in the new place all content comes before the first release tag, that before the first alias.
    assert!(staging.writes().is_empty());
    let puts: Vec<_> = production
        .writes()
        .into_iter()
        .filter(|request| request.method == "PUT")
        .collect();
    let last = |is: &dyn Fn(&str) -> bool| puts.iter().rposition(|request| is(&request.path)).unwrap();
    let first = |is: &dyn Fn(&str) -> bool| puts.iter().position(|request| is(&request.path)).unwrap();
    let machine = |path: &str| {
        path.contains("/manifests/base-") && !path.ends_with("latest") || path.contains("/manifests/variant-")
    };
    let referring = |path: &str| path.contains("/manifests/sha256-");
    let tag = |path: &str| path.contains("/manifests/v1.0.0");
    let alias = |path: &str| path.ends_with("latest") || path.ends_with("latest-omos");
    assert!(
        last(&|path| path.contains("/manifests/sha256:")) < first(&machine),
        "{puts:#?}"
    );
    assert!(
        last(&machine) < first(&tag) && last(&referring) < first(&tag),
        "{puts:#?}"
    );
    assert!(
        first(&|path| path.contains("/manifests/_release")) < first(&tag),
        "{puts:#?}"
    );
    assert!(last(&tag) < first(&alias), "{puts:#?}");

    // The new place knows of itself: its record names it, and a run there finds everything built and tested.
    let manifest = production.json(&tags["_release-v1.0.0"]);
    let record = production.json(manifest["layers"][0]["digest"].as_str().unwrap());
    assert_eq!(
        (&record["repository"], &record["state"]),
        (&json!(there), &json!("done"))
    );
    let status = family.splitbase().json(&["status", "--repository", &there]);
    assert_eq!(status["newest"]["version"], "v1.0.0");
    for alias in status["aliases"].as_array().unwrap() {
        assert_eq!(alias["version"], "v1.0.0", "{alias}");
    }
    let again = family
        .splitbase()
        .ok(&["release", "v1.0.0", "--repository", &there]);
    assert!(
        again.steps().is_empty() && again.builds().is_empty(),
        "{:?}",
        again.steps()
    );
    // Once more: nothing is written, and nothing is read but what proves it.
    production.requests();
    let again = family
        .splitbase()
        .ok(&["promote", "v1.0.0", "--to", &there, "--yes"]);
    again.says("is made of is in").says("already");
    assert!(again.steps().is_empty());
    assert_eq!(production.writes(), []);
}

#[test]
fn e2e_copy_within_a_registry_mounts() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
    registry.requests();
    family
        .splitbase()
        .ok(&["promote", "v1.0.0", "--into", &place(&registry), "--yes"]);
    let ours = |request: &Request| request.path.starts_with(&format!("/v2/{THERE}/blobs/uploads/"));
    let requests = registry.requests();
    let mounts: Vec<_> = requests
        .iter()
        .filter(|request| request.path.contains("?mount="))
        .collect();
    assert!(
        !mounts.is_empty() && mounts.iter().all(|mount| mount.status == 201),
        "{mounts:#?}"
    );
    // Two uploads: the record's, of each of its states.
    let sent = requests
        .iter()
        .filter(|request| ours(request) && request.method == "PUT")
        .count();
    assert!(sent <= 3, "{sent}: {requests:#?}");
    assert_eq!(
        comparable(registry.tags(THERE)),
        comparable(family.tags(&registry))
    );
}

#[test]
fn e2e_copy_keeps_the_rules_of_a_release_where_it_goes() {
    let (staging, production) = (Registry::start(), Registry::start());
    let family = Family::new(&staging);
    family.smoke("true");
    let there = place(&production);
    let into = |version: &'static str| {
        family
            .splitbase()
            .run(&["promote", version, "--into", &there, "--yes"])
    };
    family.splitbase().ok(&["release", "v1.0.0", "--no-promote"]);
    family.replace("variants.toml", "KIND = \"base\"", "KIND = \"two\"");
    family.splitbase().ok(&["release", "v2.0.0"]);
    into("v2.0.0").expect(0);
    let newer = production.tags(THERE)["latest"].clone();
    // An older release gets its tags, and leaves the aliases.
    into("v1.0.0")
        .expect(0)
        .says("alias `latest` stays at v2.0.0, which is newer than v1.0.0");
    let tags = production.tags(THERE);
    assert_eq!(tags["v1.0.0"], family.digest(&staging, "v1.0.0"));
    assert_eq!(tags["latest"], newer);
    // A release tag that holds something else is not overwritten, and nothing else is written either.
    crane(&["tag", &format!("{there}:v1.0.0"), "v3.0.0"]);
    family.replace("variants.toml", "KIND = \"two\"", "KIND = \"three\"");
    family.splitbase().ok(&["release", "v3.0.0"]);
    production.requests();
    into("v3.0.0").expect(7).says("v3.0.0");
    assert_eq!(production.writes(), []);
    // An alias of which no record knows is not taken over.
    family.replace("variants.toml", "KIND = \"three\"", "KIND = \"four\"");
    family.splitbase().ok(&["release", "v4.0.0"]);
    crane(&["tag", &format!("{there}:base-latest"), "latest"]);
    into("v4.0.0").expect(7).says("--adopt");
    assert_eq!(
        production
            .writes()
            .iter()
            .filter(|request| request.agent.starts_with("splitbase"))
            .count(),
        0
    );
    // One that a release tag knows is; and an older release takes aliases when told.
    crane(&["tag", &format!("{there}:v1.0.0"), "latest"]);
    into("v4.0.0").expect(0);
    let latest = || production.tags(THERE)["latest"].clone();
    assert_eq!(latest(), family.digest(&staging, "v4.0.0"));
    let older = ["promote", "v2.0.0", "--into", &there, "--allow-older", "--yes"];
    family.splitbase().ok(&older);
    assert_eq!(latest(), newer);
    // What is not there, not finished, or where it is already.
    into("v9.0.0").expect(7).says("no record of it is there");
    let here = format!("{}/{}", staging.address(), family.repository());
    let run = family
        .splitbase()
        .run(&["promote", "v2.0.0", "--into", &here, "--yes"])
        .expect(2);
    run.says("that is where it is");
    family
        .splitbase()
        .run(&["status", "--to", &there])
        .expect(2)
        .says("`--repository");
}

#[test]
fn e2e_copy_that_is_killed_goes_on() {
    let (staging, production) = (Registry::start(), Registry::start());
    let family = Family::of_two(&staging);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
    let platform = family.index(&staging, "latest").platforms[AMD64].clone();
    let large = staging.json(&platform)["layers"][0]["digest"]
        .as_str()
        .unwrap()
        .replace("sha256:", "");
    let stalls = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&stalls);
    // The upload of the largest layer never ends.
    let proxy = Proxy::start(production.address(), move |request| {
        if request.method == "PUT" && request.query.contains(&large) && gate.load(Ordering::Relaxed) {
            Fault::Stall
        } else {
            Fault::Pass
        }
    });
    let there = format!("{}/{THERE}", proxy.address());
    let copy = ["promote", "v1.0.0", "--into", &there, "--yes"];
    let mut running = family.splitbase().start(&copy);
    while !proxy.requests().iter().any(|(_, fault)| *fault == Fault::Stall) {
        assert!(!running.ended(), "{:?}", running.wait());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    // The small ones are through.
    std::thread::sleep(std::time::Duration::from_millis(500));
    running.signal(rustix::process::Signal::KILL);
    assert_eq!(running.wait().code, 128 + 9);
    assert!(production.tags(THERE).is_empty(), "no tag before its content");
    let done: Vec<_> = production
        .writes()
        .into_iter()
        .filter(|request| request.method == "PUT" && request.status == 201)
        .collect();
    assert!(!done.is_empty());
    stalls.store(false, Ordering::Relaxed);
    family.splitbase().ok(&copy);
    // What was sent before is not sent again.
    let digest_of = |path: &str| path.split("digest=").nth(1).map(str::to_owned);
    let sent: Vec<_> = production
        .writes()
        .iter()
        .filter_map(|request| digest_of(&request.path))
        .collect();
    for earlier in done.iter().filter_map(|request| digest_of(&request.path)) {
        assert!(!sent.contains(&earlier), "{earlier} was sent twice");
    }
    assert_eq!(
        comparable(production.tags(THERE)),
        comparable(family.tags(&staging))
    );
}

#[test]
fn e2e_copy_out_of_a_folder_and_into_one() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0", "--to", "oci:out"]);
    let layout = Layout::at(family.path("out"));
    let there = place(&registry);
    family
        .splitbase()
        .ok(&["promote", "v1.0.0", "--to", "oci:out", "--into", &there, "--yes"]);
    assert_eq!(comparable(registry.tags(THERE)), comparable(layout.tags()));
    pullable(&format!("{there}:latest-omos"));
    let again = family
        .splitbase()
        .ok(&["release", "v1.0.0", "--repository", &there]);
    assert!(again.builds().is_empty() && again.steps().is_empty());
    // And back, with what refers to it.
    let omos = registry.tags(THERE)["latest-omos"].clone();
    refer(&registry, THERE, &omos);
    family.splitbase().ok(&[
        "promote",
        "v1.0.0",
        "--repository",
        &there,
        "--into",
        "oci:back",
        "--yes",
    ]);
    let back = Layout::at(family.path("back"));
    back.check();
    assert_eq!(comparable(back.tags()), comparable(registry.tags(THERE)));
    let again = family
        .splitbase()
        .ok(&["release", "v1.0.0", "--repository", &there, "--to", "oci:back"]);
    assert!(again.builds().is_empty() && again.steps().is_empty());
    let folder = back.folder().to_string_lossy().into_owned();
    program(
        "skopeo",
        &["inspect", "--raw", &format!("oci:{folder}:latest-omos")],
    );
    // From folder to folder.
    family.splitbase().ok(&[
        "promote",
        "v1.0.0",
        "--to",
        "oci:out",
        "--into",
        "oci:third",
        "--yes",
    ]);
    let third = Layout::at(family.path("third"));
    third.check();
    assert_eq!(comparable(third.tags()), comparable(layout.tags()));
}

#[test]
fn e2e_copy_finds_a_damaged_blob() {
    let (staging, production) = (Registry::start(), Registry::start());
    let family = Family::new(&staging);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
    let platform = family.index(&staging, "latest").platforms[AMD64].clone();
    let layer = staging.json(&platform)["layers"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    staging.spoil(&layer);
    let there = place(&production);
    let run = family
        .splitbase()
        .run(&["promote", "v1.0.0", "--into", &there, "--yes"]);
    assert_ne!(run.code, 0);
    run.says(&layer);
    assert!(production.tags(THERE).is_empty());
    let run = family
        .splitbase()
        .run(&["promote", "v1.0.0", "--into", "oci:out", "--yes"]);
    assert_ne!(run.code, 0);
    assert!(
        try_program(
            "test",
            &[
                "-e",
                &family
                    .path("out/blobs/sha256")
                    .join(layer.replace("sha256:", ""))
                    .to_string_lossy()
            ]
        )
        .is_err()
    );
}

#[test]
fn e2e_copy_to_mirrors_follows_a_release() {
    let (registry, mirror) = (Registry::start(), Registry::start());
    let breaks = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&breaks);
    let proxy = Proxy::start(mirror.address(), move |request| {
        if request.method == "PUT" && gate.load(Ordering::Relaxed) {
            Fault::Status(403)
        } else {
            Fault::Pass
        }
    });
    let family = Family::new(&registry);
    family.smoke("true");
    let there = format!("{}/{THERE}", proxy.address());
    family.set("family", &format!("mirrors = [\"{there}\"]"));
    let planned = family.splitbase().ok(&["plan", "v1.0.0"]);
    planned.shows(&format!("copied to   {there}, after the aliases"));
    assert_eq!(mirror.requests(), []);
    family
        .splitbase()
        .ok(&["release", "v1.0.0"])
        .says("mirror: copied into");
    let tags = mirror.tags(THERE);
    assert_eq!(comparable(tags.clone()), comparable(family.tags(&registry)));
    assert_eq!(tags["latest"], family.digest(&registry, "latest"));
    mirror.requests();
    registry.requests();
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!((registry.writes(), mirror.writes()), (Vec::new(), Vec::new()));

    // A mirror that fails leaves the release done; run again, it alone is gone on with.
    breaks.store(true, Ordering::Relaxed);
    family.replace("variants.toml", "KIND = \"base\"", "KIND = \"two\"");
    let run = family.splitbase().run(&["release", "v1.1.0"]).expect(6);
    run.says("release v1.1.0 is done; its mirror `")
        .says("403 Forbidden");
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "done");
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.1.0")
    );
    assert_eq!(mirror.tags(THERE), tags);
    breaks.store(false, Ordering::Relaxed);
    registry.requests();
    let again = family.splitbase().ok(&["release", "v1.1.0"]);
    assert!(again.steps().is_empty() && again.builds().is_empty());
    assert_eq!(registry.writes(), []);
    assert_eq!(mirror.tags(THERE)["latest"], family.digest(&registry, "latest"));
    // Without promotion the aliases of the mirror stay too, until they are promoted.
    family.replace("variants.toml", "KIND = \"two\"", "KIND = \"three\"");
    family.splitbase().ok(&["release", "v1.2.0", "--no-promote"]);
    assert_eq!(mirror.tags(THERE)["latest"], mirror.tags(THERE)["v1.1.0"]);
    family.splitbase().ok(&["promote", "v1.2.0", "--yes"]);
    assert_eq!(mirror.tags(THERE)["latest"], mirror.tags(THERE)["v1.2.0"]);
    // A rollback is no release: the mirror is not even asked, and has one of its own.
    mirror.requests();
    let rolled = family.splitbase().ok(&["rollback", "--yes"]);
    let own = ["rollback", "v1.2.0", "--repository", &there];
    rolled.says(&format!("`splitbase {}` moves them back", own.join(" ")));
    assert_eq!(mirror.requests(), []);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.1.0")
    );
    family.splitbase().ok(&[&own[..], &["--yes"]].concat());
    assert_eq!(mirror.tags(THERE)["latest"], mirror.tags(THERE)["v1.1.0"]);
    // Who sends the family elsewhere sends nothing to its mirrors, and a folder is a folder.
    mirror.requests();
    family.splitbase().ok(&["release", "v1.2.0", "--to", "oci:out"]);
    family.splitbase().ok(&[
        "release",
        "v1.2.0",
        "--repository",
        &format!("{}/e2e/other", registry.address()),
    ]);
    assert_eq!(mirror.requests(), []);
    // One that is not there is found before anything is built.
    family.replace("variants.toml", &there, "localhost:1/prod/devbox");
    family.replace("variants.toml", "KIND = \"three\"", "KIND = \"four\"");
    let run = family.splitbase().run(&["release", "v1.3.0"]).expect(5);
    run.says("connection refused");
    assert!(run.builds().is_empty());
}
