//! Families in several repositories, and several families in one.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, ARM64, Family, Registry, crane, program};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn names(tags: &std::collections::BTreeMap<String, String>) -> BTreeSet<&str> {
    tags.keys().map(String::as_str).collect()
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
fn e2e_repositories_machine_tags_elsewhere_and_blobs_mounted() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    let work = format!("{}/e2e/work", registry.address());
    family.set("family", &format!("work-repository = \"{work}\""));
    let text = family.read("variants.toml");
    family.write(
        "variants.toml",
        text.replace("to = \"none\"", "to = \"registry\""),
    );
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps_of("build/").len(), 6);

    let public = family.tags(&registry);
    let wanted = ["base-latest", "latest", "latest-omos", "v1.0.0", "v1.0.0-omos"];
    assert_eq!(
        names(&public),
        BTreeSet::from(wanted),
        "nothing but what users pull"
    );
    let machine = registry.tags("e2e/work");
    assert!(
        wanted.iter().all(|tag| !machine.contains_key(*tag)),
        "{machine:#?}"
    );
    for start in [
        "_release",
        "_release-v1.0.0",
        "base-",
        "variant-omos-",
        "cache-base-amd64",
    ] {
        assert!(
            machine.keys().any(|tag| tag.starts_with(start)),
            "{start}: {machine:#?}"
        );
    }
    // The same bytes, and all of them: read by others.
    for tag in wanted {
        let reference = family.reference(&registry, tag);
        assert_eq!(crane(&["digest", &reference]), public[tag]);
        assert!(machine.values().any(|digest| *digest == public[tag]), "{tag}");
        let index = family.index(&registry, tag);
        assert_eq!((index.platforms.len(), index.attestations.len()), (2, 2), "{tag}");
        pullable(&reference);
    }
    // Mounted: no byte of a blob was sent.
    let requests = registry.requests();
    let blobs: Vec<_> = requests
        .iter()
        .filter(|request| request.writes() && request.path.starts_with("/v2/e2e/fam/blobs/"))
        .collect();
    assert!(!blobs.is_empty());
    for request in blobs {
        let mount = request.path.contains("/blobs/uploads/?mount=sha256:")
            && request.path.ends_with("&from=e2e/work");
        assert!(
            mount && request.method == "POST" && request.status == 201,
            "{request:?}"
        );
    }
    // All is there before the first tag.
    let first = |wanted: &dyn Fn(&str) -> bool| {
        let mut puts = requests
            .iter()
            .enumerate()
            .filter(|(_, request)| request.method == "PUT");
        puts.find(|(_, request)| wanted(&request.path))
            .map(|(at, _)| at)
            .unwrap()
    };
    let tagged =
        first(&|path| path == "/v2/e2e/fam/manifests/v1.0.0" || path == "/v2/e2e/fam/manifests/v1.0.0-omos");
    let last_mount = requests
        .iter()
        .rposition(|request| request.path.contains("?mount="))
        .unwrap();
    assert!(last_mount < tagged, "{last_mount} {tagged}");

    let again = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(again.steps().is_empty() && again.builds().is_empty());
    assert_eq!(registry.writes(), []);
    // Unchanged images in a new version: nothing is built, and nothing is mounted again.
    let next = family.splitbase().ok(&["release", "v1.0.1"]);
    assert!(next.builds().is_empty());
    assert_eq!(family.digest(&registry, "v1.0.1"), public["v1.0.0"]);
    let writes = registry.writes();
    assert!(
        writes.iter().all(|request| !request.path.contains("/fam/blobs/")),
        "{writes:#?}"
    );
    let status = family.splitbase().json(&["status"]);
    assert_eq!(status["newest"]["version"], "v1.0.1");
    family.splitbase().ok(&["promote", "v1.0.1", "--yes"]);
}

#[test]
fn e2e_repositories_registry_that_does_not_mount_gets_copies() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.is_ours() && request.query.starts_with("mount=") {
            Fault::Status(405)
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base", "omos"]);
    family.smoke("true");
    family.set(
        "family",
        &format!("work-repository = \"{}/e2e/work\"", proxy.address()),
    );
    // More than what a connection holds at once.
    let noise: Vec<u8> = (0_u64..8 << 20)
        .map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8)
        .collect();
    family.write("marker", [crate::support::unique().as_bytes(), &noise].concat());
    family.splitbase().ok(&["release", "v1.0.0"]);
    let uploads = proxy.requests().into_iter().filter(|(request, _)| {
        let put = request.method == "PUT" && request.path.starts_with("/v2/e2e/fam/blobs/uploads/");
        put && request.is_ours()
    });
    let mut sent: Vec<_> = uploads
        .map(|(request, _)| request.query.split("digest=").last().unwrap().to_owned())
        .collect();
    let all = sent.len();
    sent.sort();
    sent.dedup();
    assert!(
        all > 0 && sent.len() == all,
        "what images share is sent once: {sent:#?}"
    );
    for tag in ["base-latest", "latest", "latest-omos", "v1.0.0", "v1.0.0-omos"] {
        pullable(&family.reference(&registry, tag));
        assert!(
            registry
                .tags("e2e/work")
                .values()
                .any(|digest| *digest == family.digest(&registry, tag)),
            "{tag}"
        );
    }
}

#[test]
fn e2e_repositories_what_was_cut_off_while_mounting_goes_on() {
    let registry = Registry::start();
    let stalls = Arc::new(AtomicBool::new(true));
    let stalling = stalls.clone();
    let proxy = Proxy::start(registry.address(), move |request| {
        let child = request.method == "PUT" && request.path.starts_with("/v2/e2e/fam/manifests/sha256:");
        if child && stalling.load(Ordering::Relaxed) {
            Fault::Stall
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base", "omos"]);
    family.smoke("true");
    family.set(
        "family",
        &format!("work-repository = \"{}/e2e/work\"", proxy.address()),
    );
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    let stalled = || proxy.requests().iter().any(|(_, fault)| *fault == Fault::Stall);
    while !stalled() {
        assert!(!running.ended(), "{:?}", running.wait());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let process = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let killed = running.wait();
    assert_eq!(killed.code, 128 + 9);
    assert!(family.tags(&registry).is_empty(), "nothing is published");
    stalls.store(false, Ordering::Relaxed);
    let again = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(again.builds().is_empty(), "{:#?}", again.builds());
    assert_eq!(
        names(&family.tags(&registry)),
        BTreeSet::from(["base-latest", "latest", "latest-omos", "v1.0.0", "v1.0.0-omos"])
    );
    pullable(&family.reference(&registry, "latest-omos"));
}

#[test]
fn e2e_repositories_a_base_without_release_tags_is_promoted_later() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.smoke("true");
    family.set(
        "family",
        &format!("work-repository = \"{}/e2e/work\"", registry.address()),
    );
    family.splitbase().ok(&["release", "v1.0.0", "--no-promote"]);
    assert_eq!(names(&family.tags(&registry)), BTreeSet::from(["v1.0.0"]));
    // The base has no release tag, so nothing of it is there yet.
    family.splitbase().ok(&["promote", "v1.0.0", "--yes"]);
    assert_eq!(
        names(&family.tags(&registry)),
        BTreeSet::from(["base-latest", "latest", "v1.0.0"])
    );
    pullable(&family.reference(&registry, "base-latest"));
}

#[test]
fn e2e_repositories_of_variants() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke("true");
    let own = format!("{}/e2e/omos", registry.address());
    family.set(
        "variants.omos",
        "repository = \"{env.OWN}\"\ntags = [\"{version}\"]\naliases = [\"latest\"]",
    );
    let splitbase = family.splitbase().env("OWN", own.as_str());
    let run = splitbase.ok(&["release", "v1.0.0", "-o", "json"]);
    let at = |tag: &str| registry.tags("e2e/omos")[tag].clone();
    assert_eq!(
        names(&registry.tags("e2e/omos")),
        BTreeSet::from(["latest", "v1.0.0"]),
        "machine tags stay in the family's repository"
    );
    let public: BTreeSet<_> = family.public_tags(&registry).into_keys().collect();
    let wanted = ["base-latest", "latest", "v1.0.0"];
    assert_eq!(public.into_iter().collect::<Vec<_>>(), wanted);
    assert_ne!(at("v1.0.0"), family.digest(&registry, "v1.0.0"));
    let omos = &run.json()["images"][2];
    assert_eq!(omos["tags"], serde_json::json!([format!("{own}:v1.0.0")]));
    assert_eq!(omos["digest"], at("latest").as_str());
    for tag in ["v1.0.0", "latest"] {
        assert_eq!(crane(&["digest", &format!("{own}:{tag}")]), at(tag));
        pullable(&format!("{own}:{tag}"));
    }
    registry.requests();
    let again = splitbase.ok(&["release", "v1.0.0"]);
    assert!(again.steps().is_empty() && again.builds().is_empty());
    assert_eq!(registry.writes(), []);
    // What stands there is written once, too.
    let foreign = at("v1.0.0");
    crane(&["tag", &format!("{own}:v1.0.0"), "v1.0.2"]);
    family.append("Dockerfile.variant", "RUN echo changed >/etc/changed\n");
    let refused = splitbase.run(&["release", "v1.0.2"]).expect(7);
    refused.says(&format!("release tag `{own}:v1.0.2` stands at {foreign}"));
    let status = splitbase.json(&["status"]);
    let alias = format!("{own}:latest");
    let aliases = status["aliases"].as_array().unwrap();
    let found = aliases
        .iter()
        .find(|known| known["alias"] == alias.as_str())
        .unwrap();
    assert_eq!(found["version"], "v1.0.0", "{status:#}");
}

#[test]
fn e2e_repositories_two_families_in_one() {
    let registry = Registry::start();
    // Two files in one source tree, of the same images but for their tags.
    let family = Family::of_two(&registry);
    family.smoke("true");
    let text = family.read("variants.toml");
    let tools = text
        .replace("name       = \"fam\"", "name       = \"tools\"")
        .replace("\"base-latest\"", "\"tools-base\"")
        .replace("[\"{version}\"]", "[\"{version}-tools\"]")
        .replace("[\"latest\"]", "[\"tools\"]")
        .replace("[variants.omos]", "[variants.extra]")
        .replace("to = \"none\"", "to = \"registry\"");
    family.write("tools.toml", &tools);
    let first = |args: &[&str]| family.splitbase().run(args);
    let second = |args: &[&str]| {
        let args: Vec<_> = args.iter().copied().chain(["-f", "tools.toml"]).collect();
        family.splitbase().run(&args)
    };
    let run = first(&["release", "v1.0.0"]).expect(0);
    assert_eq!(run.builds().len(), 3);
    let before = family.tags(&registry);
    // Its own version of the same name, with records of its own. What both build of the same inputs is built once.
    let run = second(&["release", "v1.0.0"]).expect(0);
    run.says("holds the records of family `fam`: those of `tools` begin with `_release.tools`");
    assert_eq!(run.steps_of("build/"), ["build/variant/extra/linux-amd64"]);
    let after = family.tags(&registry);
    for (tag, digest) in &before {
        assert_eq!(after[tag], *digest, "{tag} is as it was");
    }
    for tag in [
        "_release.tools",
        "_release.tools-v1.0.0",
        "cache-tools.variant-extra-amd64",
        "v1.0.0-extra",
        "latest-extra",
        "v1.0.0-tools",
        "tools",
        "tools-base",
    ] {
        assert!(after.contains_key(tag), "{tag}: {:#?}", after.keys());
    }
    // Each goes on for itself: nothing is built, written or in the way.
    registry.requests();
    for run in [first(&["release", "v1.0.0"]), second(&["release", "v1.0.0"])] {
        let run = run.expect(0);
        assert!(run.steps().is_empty() && run.builds().is_empty());
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    }
    assert_eq!(registry.writes(), []);
    // A release of one that is not finished stands in the way of its own next version only.
    let tools = tools.replace("KIND = \"omos\"", "KIND = \"changed\"");
    family.write("tools.toml", &tools).smoke("exit 1");
    second(&["release", "v1.1.0"]).expect(3);
    family.smoke("true");
    first(&["release", "v1.2.0"]).expect(0);
    let release = |run: crate::support::Run| {
        let status = run.expect(0).json();
        status["newest"]["version"].as_str().unwrap().to_owned()
    };
    assert_eq!(release(first(&["status", "-o", "json"])), "v1.2.0");
    assert_eq!(release(second(&["status", "-o", "json"])), "v1.1.0");
    second(&["release", "v1.1.0"]).expect(0);
    second(&["promote", "v1.1.0", "--yes"]).expect(0);
    // Tags that belong to the other family are refused.
    family.append("marker", "changed\n");
    let greedy = tools.replace("tools-base", "base-latest");
    family.write("tools.toml", greedy);
    let refused = second(&["release", "v1.3.0"]).expect(7);
    refused.says("alias `base-latest` points at");
    let greedy = tools.replace("{version}-tools", "{version}");
    family.write("tools.toml", greedy);
    second(&["release", "v1.2.0"])
        .expect(7)
        .says("release tag `v1.2.0` stands at");
}
