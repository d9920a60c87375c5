//! What is published is signed first, by the real cosign, and stays so wherever it is copied to.

use crate::support::{AMD64, ARM64, Family, Registry, program, try_program};
use std::process::Command;

const PASSWORD: &str = "a-word-that-nobody-may-see";

/// A family with a key pair of its own, which signs without any service.
fn signing(registry: &Registry, variants: &[&str]) -> Family {
    let family = Family::of(registry.address(), &[AMD64, ARM64], variants);
    family.smoke("true");
    let made = Command::new("cosign")
        .arg("generate-key-pair")
        .current_dir(family.folder())
        .env("COSIGN_PASSWORD", PASSWORD)
        .output()
        .unwrap_or_else(|error| panic!("run `cosign`: {error}; `scripts/engine install` installs it"));
    assert!(made.status.success(), "{made:?}");
    let services = family.path("services.json");
    program(
        "cosign",
        &["signing-config", "create", "--out", &services.to_string_lossy()],
    );
    family.set(
        "sign",
        "cosign = [\"--key\", \"cosign.key\", \"--signing-config\", \"services.json\"]\nverify = [\"--key\", \"cosign.pub\", \"--insecure-ignore-tlog\"]",
    );
    family
}

fn verifies(family: &Family, reference: &str) -> Result<Vec<u8>, String> {
    let key = family.path("cosign.pub");
    try_program(
        "cosign",
        &[
            "verify",
            "--key",
            &key.to_string_lossy(),
            "--insecure-ignore-tlog",
            reference,
        ],
    )
}

/// How many signatures stand beside a digest.
fn signatures(registry: &Registry, repository: &str, digest: &str) -> usize {
    let tags = registry.tags(repository);
    let list = tags.get(&digest.replace(':', "-"));
    list.map_or(0, |list| {
        registry.json(list)["manifests"].as_array().unwrap().len()
    })
}

#[test]
fn e2e_sign_before_the_first_tag_and_once() {
    let (registry, production) = (Registry::start(), Registry::start());
    let family = signing(&registry, &["base", "omos"]);
    // A signature that fails publishes nothing.
    let wrong = family.splitbase().env("COSIGN_PASSWORD", "not-the-right-one");
    let run = wrong.run(&["release", "v1.0.0"]).expect(1);
    run.says("sign `").says("`cosign sign` ended with 1");
    assert!(
        family
            .public_tags(&registry)
            .keys()
            .all(|tag| tag.starts_with("sha256-"))
    );
    let splitbase = family.splitbase().env("COSIGN_PASSWORD", PASSWORD);
    registry.requests();
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(
        run.steps_of("sign/"),
        ["sign/base", "sign/variant/base", "sign/variant/omos"]
    );
    for text in [&run.stdout, &run.stderr, &format!("{:?}", run.events)] {
        assert!(!text.contains(PASSWORD));
    }
    for tag in ["v1.0.0", "v1.0.0-omos", "latest", "base-latest"] {
        verifies(&family, &family.reference(&registry, tag)).unwrap();
    }
    // Every signature is there before the first tag that users pull.
    let writes = registry.writes();
    let puts = |part: &str| {
        let is =
            move |request: &&crate::support::Request| request.method == "PUT" && request.path.contains(part);
        writes.iter().filter(is).count()
    };
    assert_eq!(puts("/manifests/sha256-"), 3);
    let last = writes
        .iter()
        .rposition(|request| request.path.contains("/manifests/sha256-"));
    let first = writes
        .iter()
        .position(|request| request.path.contains("/manifests/v1.0.0"));
    assert!(last < first, "{writes:#?}");

    // Once more: nothing is signed or written.
    let again = splitbase.ok(&["release", "v1.0.0"]);
    assert!(again.steps().is_empty());
    assert_eq!(registry.writes(), []);
    // A new version signs what is new.
    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"changed\"");
    let next = splitbase.ok(&["release", "v1.1.0"]);
    next.says("was signed before");
    for tag in ["v1.1.0", "v1.1.0-omos", "v1.0.0-omos"] {
        let digest = family.digest(&registry, tag);
        assert_eq!(signatures(&registry, family.repository(), &digest), 1, "{tag}");
    }
    verifies(&family, &family.reference(&registry, "latest-omos")).unwrap();

    // Signatures go with a copy, and are good there.
    let there = format!("{}/prod/devbox", production.address());
    splitbase.ok(&["promote", "v1.1.0", "--into", &there, "--yes"]);
    for tag in ["v1.1.0", "v1.1.0-omos", "latest-omos"] {
        verifies(&family, &format!("{there}:{tag}")).unwrap();
    }
    // One without a signature is not taken for signed.
    let unsigned = Family::new(&registry).in_repository("e2e/unsigned");
    unsigned.smoke("true");
    unsigned.splitbase().ok(&["release", "v1.0.0"]);
    verifies(&family, &unsigned.reference(&registry, "latest")).unwrap_err();
}

#[test]
fn e2e_sign_is_verified_and_survives_prune() {
    let registry = Registry::start();
    let family = signing(&registry, &["base"]);
    family.append(
        "variants.toml",
        "\n[prune]\nkeep-releases = 1\nkeep-younger-than = \"0s\"\n",
    );
    let splitbase = family.splitbase().env("COSIGN_PASSWORD", PASSWORD);
    splitbase.ok(&["release", "v1.0.0"]);
    family.append(
        "Dockerfile.base",
        "RUN [\"/bin/busybox\", \"touch\", \"/changed\"]\n",
    );
    // Killed between the barrier and the first signature, and finished from its record.
    let bin = family.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let real = String::from_utf8(program("sh", &["-c", "command -v cosign"])).unwrap();
    let kills = format!(
        "#!/bin/sh\n[ \"$1\" = sign ] && kill -9 $PPID\nexec {} \"$@\"\n",
        real.trim()
    );
    family.write_script("bin/cosign", &kills);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let killed = family
        .splitbase()
        .env("COSIGN_PASSWORD", PASSWORD)
        .env("PATH", path);
    killed.run(&["release", "v1.1.0", "--no-promote"]).expect(137);
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "publishing");
    let recovered = splitbase.ok(&["recover", "--yes"]);
    assert_eq!(recovered.steps_of("sign/"), ["sign/base", "sign/variant/base"]);
    // The base has no release tag, and its alias waits: it is signed all the same, and so is what is promoted.
    let verified = splitbase.json(&["verify", "v1.1.0"]);
    assert_eq!(verified["whole"], true, "{verified}");
    let promoted = splitbase.ok(&["promote", "v1.1.0", "--yes"]);
    assert_eq!(promoted.steps_of("sign/"), ["sign/base", "sign/variant/base"]);
    promoted.says("was signed before");
    splitbase.ok(&["prune", "--yes"]);
    let verified = splitbase.json(&["verify"]);
    assert_eq!(
        (&verified["whole"], &verified["checked"]["signatures"]),
        (&true.into(), &2.into())
    );
    verifies(&family, &family.reference(&registry, "v1.1.0")).unwrap();

    // Somebody else's key.
    family.replace("variants.toml", "\"cosign.pub\"", "\"other.pub\"");
    let other = Command::new("cosign")
        .args(["generate-key-pair", "--output-key-prefix", "other"])
        .current_dir(family.folder())
        .env("COSIGN_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(other.status.success(), "{other:?}");
    let run = splitbase.run(&["verify"]).expect(1);
    run.shows("`cosign verify` does not take it");
    family.replace("variants.toml", "\"other.pub\"", "\"cosign.pub\"");

    // None at all.
    let digest = family.digest(&registry, "v1.1.0");
    let tag = digest.replace(':', "-");
    let list = registry.tags(family.repository())[&tag].clone();
    let reference = format!("{}/{}@{list}", registry.address(), family.repository());
    program("crane", &["delete", &reference]);
    let run = splitbase.run(&["verify"]).expect(1);
    run.shows(&format!("signature of {digest}")).shows("signs it");
    let nowhere = family.splitbase().env("PATH", "/nonexistent");
    nowhere
        .run(&["verify"])
        .expect(2)
        .says("needs the program `cosign`");
}

#[test]
fn e2e_sign_with_machine_tags_elsewhere_and_without_verify() {
    let registry = Registry::start();
    let family = signing(&registry, &["base"]);
    let work = format!("{}/e2e/work", registry.address());
    family.set("family", &format!("work-repository = \"{work}\""));
    let text = family.read("variants.toml");
    let without: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("verify ="))
        .collect();
    family.write("variants.toml", without.join("\n"));
    let splitbase = family.splitbase().env("COSIGN_PASSWORD", PASSWORD);
    splitbase.ok(&["release", "v1.0.0"]);
    verifies(&family, &family.reference(&registry, "v1.0.0")).unwrap();
    let digest = family.digest(&registry, "latest");
    splitbase.ok(&["release", "v1.0.1"]).says("was signed before");
    assert_eq!(signatures(&registry, family.repository(), &digest), 1);
    // Into a folder nothing is signed, and it is said.
    splitbase
        .ok(&["release", "v1.0.1", "--to", "oci:out"])
        .says("nothing is signed");
    // So it is signed where it goes from there, before its first tag.
    let there = format!("{}/e2e/outside", registry.address());
    let copied = ["promote", "v1.0.1", "--to", "oci:out", "--into", &there, "--yes"];
    registry.requests();
    let run = splitbase.ok(&copied);
    assert_eq!(run.steps_of("sign/"), ["sign/base", "sign/variant/base"]);
    let writes = registry.writes();
    let put = |part: &str| writes.iter().position(|write| write.path.contains(part));
    assert!(put("/manifests/sha256-").unwrap() < put("/manifests/v1.0.1").unwrap());
    verifies(&family, &format!("{there}:latest")).unwrap();
    assert!(splitbase.ok(&copied).steps().is_empty());
}

#[test]
fn e2e_sign_needs_cosign_before_anything_is_built() {
    let registry = Registry::start();
    let family = signing(&registry, &["base"]);
    let bin = family.path("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["docker", "git", "sh"] {
        let from = String::from_utf8(program("sh", &["-c", &format!("command -v {name}")])).unwrap();
        std::os::unix::fs::symlink(from.trim(), bin.join(name)).unwrap();
    }
    for command in ["plan", "release"] {
        let run = family
            .splitbase()
            .env("PATH", bin.clone())
            .run(&[command, "v1.0.0"])
            .expect(2);
        run.says("`[sign]` needs the program `cosign`")
            .says("install cosign");
    }
    assert_eq!(registry.writes(), []);
}
