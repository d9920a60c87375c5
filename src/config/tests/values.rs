//! Texts that must be taken, and texts that must not be.

use super::{file, parsed};

#[test]
fn tags() {
    let tags = |tags: &str| parsed(&file(&format!("[variants.full]\ntags = [{tags}]"))).is_ok();
    for text in [
        "\"{version}\"",
        "\"{version}-base-latest\", \"x_{version}\"",
        "\"{family}-{image}-{version}\"",
    ] {
        assert!(tags(text), "{text}");
    }
    for text in [
        "\"{version}{versions.X}\"",
        "\"_release-{version}\"",
        "\"variant-a-0123456789ab-{version}\"",
        "\"{version}base-0123456789ab\"",
        "\"{version}:x\"",
    ] {
        assert!(!tags(text), "{text}");
    }
}

/// Whether a file with this line in `[base.build]` is good.
fn good(line: &str) -> bool {
    parsed(&file(&format!("[base.build]\n{line}"))).is_ok()
}

#[test]
fn build_options() {
    for line in [
        "network = \"host\"",
        "shm-size = \"64m\"",
        "provenance = \"max\"",
        "provenance = \"off\"",
        "args = { A = \"\", B = 0, C = false }",
        "flags = [\"--allow\", \"security.insecure\", \"--no-cache-filter=x\"]",
        "contexts = { \"docker.io/library/alpine\" = \"docker-image://alpine@sha256:00\" }",
        "ssh = [\"default\", \"x=/run/agent\"]",
        "sbom = true",
        "sbom = \"localhost:5000/scanner:1\"",
        "sbom = \"a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
    ] {
        assert!(good(line), "{line}");
    }
    for line in [
        "network = \"bridge\"",
        "shm-size = \"lots\"",
        "provenance = true",
        "args = { A = [\"x\"] }",
        "flags = [\"-\", \"--push\"]",
        "contexts = { a = \"oci-layout://x\" }",
        "ssh = [\"\"]",
        "target = \"a b\"",
        "sbom = \"yes\"",
        "sbom = \"localhost:5000/scanner\"",
        "sbom = \"\"",
        "sbom = \"a:1,generator=b:1\"",
        "sbom = [true]",
    ] {
        assert!(!good(line), "{line}");
    }
}
