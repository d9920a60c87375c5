//! SBOMs by a scanner of one's own: they arrive with what is published, and the scanner is pinned as other images from outside are.

use crate::support::{
    AMD64, ARM64, Family, Index, Layout, Registry, busybox, crane, docker, imagetools, skopeo,
};
use serde_json::{Value, json};

/// Writes what `BuildKit` wants of a scanner: a statement whose one package has the word of `/etc/marker` as its version.
const SCAN: &str = r#"#!/bin/sh
set -eu
name=$(basename "$BUILDKIT_SCAN_SOURCE")
word=$(cat "$BUILDKIT_SCAN_SOURCE/etc/marker")
cat >"$BUILDKIT_SCAN_DESTINATION/$name.spdx.json" <<END
{"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document", "predicate": {
  "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "dataLicense": "CC0-1.0", "name": "$name",
  "documentNamespace": "https://example.org/$word",
  "creationInfo": {"created": "2026-11-21T00:00:00Z", "creators": ["Tool: e2e"]},
  "packages": [{"SPDXID": "SPDXRef-marker", "name": "marker", "versionInfo": "$word", "downloadLocation": "NOASSERTION"}]}}
END
"#;

/// Pushes a scanner that runs this script; its reference.
fn scanner(registry: &Registry, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(busybox().join("busybox-amd64"), path("busybox")).unwrap();
    std::fs::write(path("scan"), script).unwrap();
    std::fs::write(
        path("Dockerfile"),
        "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nCOPY --chmod=755 scan /scan\n\
         ENV PATH=/bin\nENTRYPOINT [\"/scan\"]\n",
    )
    .unwrap();
    let reference = format!("{}/tools/scanner:1", registry.address());
    let output = format!("type=image,name={reference},push=true,store=false");
    let context = folder.path().to_str().unwrap();
    docker(&[
        "buildx",
        "build",
        "-q",
        "--provenance=false",
        "--output",
        &output,
        context,
    ]);
    reference
}

/// The words that the SBOMs of an index tell, one for each of its platforms; each is about the image that it stands with.
fn words(index: &Index, platforms: &[&str], read: impl Fn(&str) -> Value) -> Vec<String> {
    let word = |platform: &&str| {
        let image = &index.platforms[*platform];
        let attestation = read(&index.attestations[image]);
        let layers = attestation["layers"].as_array().unwrap();
        let of = |kind: &str| {
            let is = |layer: &&Value| {
                let predicate = layer["annotations"]["in-toto.io/predicate-type"].as_str();
                predicate.unwrap().starts_with(kind)
            };
            layers
                .iter()
                .find(is)
                .map(|layer| read(layer["digest"].as_str().unwrap()))
        };
        let statement = of("https://spdx.dev/Document").unwrap_or_else(|| panic!("no SBOM: {attestation:#}"));
        let subject = statement["subject"][0]["digest"]["sha256"].as_str().unwrap();
        assert_eq!(format!("sha256:{subject}"), *image);
        // Beside what there is without.
        assert!(of("https://slsa.dev/provenance/").is_some(), "{attestation:#}");
        statement["predicate"]["packages"][0]["versionInfo"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    platforms.iter().map(word).collect()
}

#[test]
fn e2e_sbom_a_scanner_of_ones_own_for_base_and_variant_on_both_platforms() {
    let registry = Registry::start();
    let scanner = scanner(&registry, SCAN);
    let family = Family::for_both(&registry);
    family.set("build", &format!("sbom = \"{scanner}\""));
    let splitbase = family.splitbase();
    let digest = crane(&["digest", &scanner]);
    let plan = splitbase.json(&["plan", "v1.0.0"]);
    assert_eq!(plan["upstream"], json!({&scanner: digest}));
    assert_eq!(plan["steps"][1]["details"]["sbom"], format!("{scanner}@{digest}"));
    let hashed = splitbase.ok(&["hash", "--resolve", "--explain"]);
    hashed
        .shows(&format!("sbom \"\" \"{scanner}\""))
        .shows(&format!("upstream \"{scanner}\" \"{digest}\""));
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds().len(), 4);
    for build in run.builds() {
        assert!(
            build.contains(&format!(" --attest=type=sbom,generator={scanner}@{digest} ")),
            "{build}"
        );
    }
    assert_eq!(
        family.record(&registry, "v1.0.0")["upstream"],
        json!({&scanner: digest})
    );

    let word = family.read("marker").trim().to_owned();
    for tag in ["v1.0.0", "base-latest"] {
        let reference = family.reference(&registry, tag);
        // What the registry holds, by witnesses of three kinds.
        let raw = skopeo(&reference);
        assert_eq!(raw, imagetools(&reference));
        let index = Index::of(&serde_json::from_slice(&raw).unwrap());
        let repository = format!("{}/{}", registry.address(), family.repository());
        let read = |digest: &str| {
            let text = crane(&["blob", &format!("{repository}@{digest}")]);
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{digest}: {error}"))
        };
        let told = words(&index, &[AMD64, ARM64], |digest| match registry.json(digest) {
            manifest if manifest["layers"].is_array() => manifest,
            _ => read(digest),
        });
        assert_eq!(told, [word.as_str(), word.as_str()]);
        let shown = docker(&[
            "buildx",
            "imagetools",
            "inspect",
            "--format",
            "{{json .SBOM}}",
            &reference,
        ]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        for platform in [AMD64, ARM64] {
            assert_eq!(
                shown[platform]["SPDX"]["packages"][0]["versionInfo"], word,
                "{shown:#}"
            );
        }
    }
    // Nothing changed, nothing is built; another scanner under that tag makes other attestations, so it is another identity.
    let again = splitbase.ok(&["release", "v1.1.0"]);
    assert_eq!(again.builds(), [""; 0]);
    let changed = format!("{SCAN}# another\n");
    assert_eq!(self::scanner(&registry, &changed), scanner);
    let next = splitbase.json(&["plan", "v1.2.0"]);
    assert_ne!(next["upstream"], plan["upstream"]);
    assert_eq!(next["images"][0]["presence"], "absent");
    // Not pinned, it is whatever stands there.
    family.set("base", "upstream = \"float\"");
    let floats = splitbase.json(&["plan", "v1.2.0"]);
    assert_eq!(floats["steps"][1]["details"]["sbom"], scanner);
}

#[test]
fn e2e_sbom_in_a_layout() {
    let registry = Registry::start();
    let scanner = scanner(&registry, SCAN);
    let family = Family::new(&registry);
    family.set("build", &format!("sbom = \"{scanner}\""));
    let folder = tempfile::tempdir().unwrap();
    let to = format!("oci:{}", folder.path().join("out").display());
    family.splitbase().ok(&["release", "v1.0.0", "--to", &to]);
    let layout = Layout::at(folder.path().join("out"));
    layout.check();
    let word = family.read("marker").trim().to_owned();
    for tag in ["v1.0.0", "base-latest"] {
        let told = words(&layout.index(tag), &[AMD64], |digest| layout.json(digest));
        assert_eq!(told, [word.as_str()]);
    }
}

#[test]
fn e2e_sbom_a_scanner_that_fails() {
    let registry = Registry::start();
    let broken = scanner(&registry, "#!/bin/sh\necho cannot read the packages\nexit 7\n");
    let family = Family::new(&registry);
    family.set("build", &format!("sbom = \"{broken}\""));
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    run.says("cannot read the packages")
        .says("build/base/linux-amd64")
        .says("generating sbom")
        .says("exit code: 7");
    // One that writes nothing, with which BuildKit is content, and one that is not there.
    let silent = scanner(&registry, "#!/bin/sh\nexit 0\n");
    family.replace("variants.toml", &broken, &silent);
    let run = family.splitbase().run(&["release", "v1.1.0"]).expect(1);
    run.says("build base for linux/amd64: the image has no SBOM")
        .says("hint: ");
    family.replace("variants.toml", "scanner:1", "scanner:2");
    let run = family.splitbase().run(&["release", "v1.2.0"]).expect(2);
    run.says("scanner:2").says("cannot be pinned");
    assert!(family.public_tags(&registry).is_empty());
}
