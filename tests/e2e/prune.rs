//! Deleting what nothing needs: what stays can still be pulled, on registries that delete tags and on those that do not, and in a folder.

use crate::support::{AMD64, ARM64, CraneRegistry, Family, Hub, Layout, Registry, Run, crane, program};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

const RULES: &str = "keep-releases = 5\nkeep-younger-than = \"0s\"";

/// The lines of `prune -o json`.
fn lines(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// All tags of a repository and what they point at, as its registry tells.
fn seen(repository: &str) -> BTreeMap<String, String> {
    let tags = crane(&["ls", repository]);
    let digest = |tag: &str| (tag.to_owned(), digest(repository, tag));
    tags.lines().map(digest).collect()
}

/// What a tag points at, by HEAD: for hundreds of tags a process each takes too long.
fn digest(repository: &str, tag: &str) -> String {
    let (host, path) = repository.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
    let accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    write!(
        stream,
        "HEAD /v2/{path}/manifests/{tag} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let header = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("docker-content-digest")
            .then(|| value.trim().to_owned())
    });
    header.unwrap_or_else(|| panic!("no digest of `{tag}`: {answer}"))
}

/// Fails unless `crane` can pull every one of these tags for the platforms that it has, layers and all.
fn all_pull(repository: &str, tags: &BTreeMap<String, String>) {
    let folder = tempfile::tempdir().unwrap();
    for platform in [AMD64, ARM64] {
        let architecture = platform.strip_prefix("linux/").unwrap();
        let other = if platform == AMD64 { "-arm64" } else { "-amd64" };
        let wanted = tags
            .keys()
            .filter(|tag| !tag.starts_with("_release") && !tag.contains(other));
        // What is pulled is the same for all tags on a digest.
        let by_digest: BTreeMap<&String, &String> = wanted.map(|tag| (&tags[tag], tag)).collect();
        let references: Vec<String> = by_digest
            .values()
            .map(|tag| format!("{repository}:{tag}"))
            .collect();
        let archive = folder.path().join(format!("{architecture}.tar"));
        let mut args = vec!["pull", "--platform", platform];
        args.extend(references.iter().map(String::as_str));
        args.push(archive.to_str().unwrap());
        program("crane", &args);
    }
    for record in tags.keys().filter(|tag| tag.starts_with("_release")) {
        let manifest: Value =
            serde_json::from_str(&crane(&["manifest", &format!("{repository}:{record}")])).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let text = crane(&["blob", &format!("{repository}@{layer}")]);
        assert!(text.contains("\"schema\":1"), "{record}");
    }
}

fn is_public(tag: &str) -> bool {
    tag.starts_with('v') && !tag.starts_with("variant-") || tag.starts_with("latest") || tag == "base-latest"
}

/// Shows, deletes, and looks at what is left.
fn prune(family: &Family, repository: &str, by_digest: bool) {
    let splitbase = family.splitbase().env("SPLITBASE_REPOSITORY", repository);
    let before = seen(repository);
    let shown = splitbase.ok(&["prune"]);
    shown.shows("_release-v0.0.1").says("`--yes` does it");
    splitbase.ok(&["prune", "--yes", "--dry-run"]);
    assert_eq!(seen(repository), before, "showing it changes nothing");

    let run = splitbase.ok(&["prune", "--yes", "-o", "json"]);
    let events = lines(&run);
    let (planned, ended) = (&events[0], events.last().unwrap());
    assert_eq!(planned["deletes"], if by_digest { "digests" } else { "tags" });
    let planned: BTreeSet<String> = planned["deletions"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|deletion| {
            deletion["tags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(
        (&ended["skipped"], &ended["left"], &ended["exit_code"]),
        (&0.into(), &0.into(), &0.into()),
        "{ended}"
    );
    assert_eq!(ended["deleted"].as_u64().unwrap(), planned.len() as u64);
    println!("{repository}: {} of {} tags deleted", planned.len(), before.len());

    let after = seen(repository);
    for (tag, digest) in &before {
        assert_eq!(
            after.get(tag),
            (!planned.contains(tag)).then_some(digest),
            "{tag}"
        );
        assert!(!is_public(tag) || after.contains_key(tag), "{tag} is for users");
    }
    let records: BTreeSet<&str> = after
        .keys()
        .filter_map(|tag| tag.strip_prefix("_release-"))
        .collect();
    assert_eq!(
        records,
        BTreeSet::from(["v0.0.26", "v0.0.27", "v0.0.28", "v0.0.29", "v0.0.30"])
    );
    all_pull(repository, &after);
    for version in records {
        splitbase.ok(&["verify", version, "--deep"]);
    }
    splitbase.ok(&["prune", "--yes"]);
    assert_eq!(seen(repository), after, "a second time there is nothing to do");
    // What a release of the same sources needs is there.
    assert_eq!(splitbase.ok(&["release", "v0.0.31"]).builds(), [""; 0]);
}

#[test]
fn e2e_prune_of_thirty_releases_leaves_what_can_be_pulled() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    family.set("prune", RULES);
    for number in 1..=30 {
        // One platform is tested only once: tests take time.
        if number == 2 {
            let text = family.read("variants.toml");
            family.write(
                "variants.toml",
                text.replace("[smoke]\n", "[smoke]\nplatforms = [\"linux/amd64\"]\n"),
            );
        }
        if number % 10 == 0 {
            let text = family.read("variants.toml");
            let start = text.find("[variants.omos]").unwrap();
            let kind = format!("[variants.omos]\nargs = {{ KIND = \"omos-{number}\" }}\n");
            let end = text[start..].find("}\n").unwrap() + start + 2;
            family.write(
                "variants.toml",
                format!("{}{kind}{}", &text[..start], &text[end..]),
            );
        }
        family.splitbase().ok(&["release", &format!("v0.0.{number}")]);
    }
    // A tag of somebody else on what buildx pushed for an old image.
    let old = family.record(&registry, "v0.0.1");
    let identity = &old["images"][2]["identity"].as_str().unwrap()[..12];
    let ours = format!("{}/e2e/fam", registry.address());
    crane(&[
        "tag",
        &format!("{ours}:variant-omos-{identity}-arm64"),
        "v-somebodys-arm64",
    ]);

    let other = CraneRegistry::start();
    let theirs = format!("{}/e2e/fam", other.address());
    program("crane", &["copy", "--all-tags", &ours, &theirs]);
    assert_eq!(seen(&theirs), seen(&ours));

    prune(&family, &ours, true);
    prune(&family, &theirs, false);
    // Only one of them could take the old image away from under its release tag.
    let index = format!("variant-omos-{identity}");
    assert!(seen(&ours).contains_key(&index) && !seen(&theirs).contains_key(&index));
    assert!(seen(&ours).contains_key("v-somebodys-arm64") && seen(&theirs).contains_key("v-somebodys-arm64"));
}

#[test]
fn e2e_prune_of_a_folder_gives_its_room_back() {
    let family = Family::of("docker.io", &[AMD64], &["base", "omos"]);
    let layout = Layout::at(family.path("out"));
    family.set("prune", "keep-releases = 1\nkeep-younger-than = \"0s\"");
    let splitbase = family.splitbase().env("SPLITBASE_TO", "oci:out");
    for number in 1..=3 {
        family.write("files/kept", format!("{number}"));
        family.write("marker", format!("{number} {}", family.folder().display()));
        splitbase.ok(&["release", &format!("v0.0.{number}")]);
    }
    let (before, size) = (layout.tags(), layout.snapshot().len());
    // Old enough not to be somebody's who is about to name them.
    let blobs = layout.path("blobs");
    let aged = Command::new("find")
        .arg(&blobs)
        .args(["-type", "f", "-exec", "touch", "-d", "1 hour ago", "{}", "+"])
        .status();
    assert!(aged.unwrap().success());
    let run = splitbase.ok(&["prune", "--yes", "-o", "json"]);
    let events = lines(&run);
    let ended = events.last().unwrap();
    assert!(ended["deleted"].as_u64().unwrap() > 0, "{ended}");
    let after = layout.tags();
    for tag in before.keys().filter(|tag| is_public(tag)) {
        assert_eq!(after.get(tag), before.get(tag), "{tag}");
    }
    assert!(!after.contains_key("_release-v0.0.1") && after.contains_key("_release-v0.0.3"));
    assert!(
        after.len() < before.len() && layout.snapshot().len() < size,
        "{ended}"
    );
    assert!(ended["freed"].as_u64().unwrap() > 0, "{ended}");
    layout.check();
    splitbase.ok(&["verify", "--deep"]).shows("v0.0.3 is whole");
    let run = splitbase.ok(&["release", "v0.0.4"]);
    assert_eq!(run.builds(), [""; 0]);
}

#[test]
fn e2e_prune_waits_for_an_unfinished_release() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.set("prune", RULES);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v0.0.1"]);
    family.write("marker", "another");
    let mut running = splitbase.start(&["release", "v0.0.2"]);
    running.wait_for_start("build/base/linux-amd64");
    running.signal(rustix::process::Signal::KILL);
    running.wait();
    let before = family.tags(&registry);
    splitbase
        .run(&["prune", "--yes"])
        .expect(7)
        .says("v0.0.2 is unfinished");
    assert_eq!(family.tags(&registry), before);
}

#[test]
fn e2e_prune_asks_docker_hub_to_delete_tags() {
    let registry = Registry::start();
    let (family, hub) = (Family::new(&registry), Hub::start());
    family.set("prune", "keep-releases = 1\nkeep-younger-than = \"0s\"");
    let splitbase = family.splitbase();
    for number in 1..=3 {
        family.write("marker", format!("{number} {}", family.folder().display()));
        splitbase.ok(&["release", &format!("v0.0.{number}")]);
    }
    let with = |password: &str| {
        splitbase
            .clone()
            .env("SPLITBASE_HUB_URL", hub.address())
            .env("SPLITBASE_USERNAME", "user")
            .env("SPLITBASE_PASSWORD", password)
    };
    with("wrong-word")
        .run(&["prune", "--yes"])
        .expect(6)
        .says("log in as `user` to delete tags");
    hub.asked();
    registry.requests();
    let run = with("right-word").ok(&["prune", "--yes", "-o", "json"]);
    let planned = lines(&run)[0].clone();
    assert_eq!(planned["deletes"], "tags");
    let wanted: Vec<String> = planned["deletions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|deletion| {
            format!(
                "DELETE /v2/repositories/e2e/fam/tags/{}/",
                deletion["tags"][0].as_str().unwrap()
            )
        })
        .collect();
    assert!(wanted.len() > 4, "{wanted:#?}");
    let asked: Vec<String> = hub
        .asked()
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    assert_eq!(asked[0], "POST /v2/auth/token");
    assert_eq!(asked[1..], wanted[..], "one login, and each tag once");
}
