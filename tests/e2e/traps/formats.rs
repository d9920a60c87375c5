//! Registries that answer by what is asked for, and by when.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, program, sha256};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A request without `Accept`, or with the wrong one.
fn status(registry: &Registry, family: &Family, reference: &str, accept: &str) -> String {
    let url = format!(
        "http://{}/v2/{}/manifests/{reference}",
        registry.address(),
        family.repository()
    );
    let accept = format!("Accept: {accept}");
    let shown = program(
        "curl",
        &[
            "-sI",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            &accept,
            &url,
        ],
    );
    String::from_utf8(shown).unwrap()
}

/// Puts a manifest under a tag.
fn put(registry: &Registry, family: &Family, tag: &str, media_type: &str, manifest: &Value) {
    let url = format!(
        "http://{}/v2/{}/manifests/{tag}",
        registry.address(),
        family.repository()
    );
    let (content, body) = (format!("Content-Type: {media_type}"), manifest.to_string());
    program(
        "curl",
        &["-sSf", "-X", "PUT", "-H", &content, "--data-binary", &body, &url],
    );
}

#[test]
fn e2e_images_in_all_four_formats_are_found() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let identity = |start: &str| {
        let tags = family.tags(&registry);
        let is = |tag: &&String| tag.starts_with(start) && !tag.contains("amd64") && *tag != "base-latest";
        tags.keys().find(is).unwrap().clone()
    };
    // The trap: to who asks for other formats, an index is not there.
    let tag = identity("base-");
    assert_eq!(status(&registry, &family, &tag, "*/*"), "404");
    assert_eq!(
        status(
            &registry,
            &family,
            &tag,
            "application/vnd.oci.image.index.v1+json"
        ),
        "200"
    );
    // All of it in Docker's list, which keeps what it says of its identity: what says nothing is refused, however it is written.
    for start in ["base-", "variant-base-"] {
        let tag = identity(start);
        let mut index = registry.json(&family.digest(&registry, &tag));
        index["mediaType"] = json!(LIST);
        put(&registry, &family, &tag, LIST, &index);
        assert_eq!(
            family.digest(&registry, &tag),
            sha256(index.to_string().as_bytes())
        );
    }
    let run = family.splitbase().ok(&["release", "v1.0.1"]);
    assert_eq!(run.steps_of("build/"), [""; 0], "{}", run.stderr);
    assert_eq!(
        family.digest(&registry, "v1.0.1"),
        family.digest(&registry, &identity("variant-base-"))
    );
}

#[test]
fn e2e_bare_docker_manifests_of_the_classic_image_store_are_found() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().classic().ok(&["release", "v1.0.0"]);
    let tags = family.tags(&registry);
    let (tag, digest) = tags
        .iter()
        .find(|(tag, _)| tag.starts_with("base-") && tag.ends_with("-amd64"))
        .unwrap();
    assert_eq!(
        registry.json(digest)["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    assert_eq!(
        status(
            &registry,
            &family,
            tag,
            "application/vnd.docker.distribution.manifest.v2+json"
        ),
        "200"
    );
    let run = family.splitbase().ok(&["release", "v1.0.1"]);
    assert_eq!(run.builds(), [""; 0], "{}", run.stderr);
    assert_eq!(
        family.digest(&registry, "v1.0.1"),
        family.digest(&registry, "v1.0.0")
    );
}

/// Without attestations the default is another format than with them; and no option changes the bytes of the image itself.
#[test]
fn e2e_an_image_without_provenance_is_an_oci_image_of_the_same_bytes() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("variants.toml", "\n[build]\nprovenance = \"min\"\n");
    let mut rootfs = Vec::new();
    for (provenance, attestations) in [("min", 1), ("max", 1), ("off", 0)] {
        let version = format!("v1.0.0-{provenance}");
        family.splitbase().ok(&["release", &version]);
        let index = family.index(&registry, &version);
        assert_eq!(index.attestations.len(), attestations, "{provenance}");
        let digest = &index.platforms[AMD64];
        let manifest = registry.json(digest);
        assert_eq!(
            manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json",
            "{provenance}"
        );
        rootfs.push((manifest["layers"].clone(), registry.config(digest)["rootfs"].clone()));
        family.replace(
            "variants.toml",
            &format!("provenance = \"{provenance}\""),
            match provenance {
                "min" => "provenance = \"max\"",
                _ => "provenance = \"off\"",
            },
        );
    }
    assert_eq!(rootfs[0], rootfs[1]);
    assert_eq!(rootfs[0], rootfs[2]);
}

/// Reading a tag while it is written is answered with a 500 by some registries.
#[test]
fn e2e_a_tag_that_is_read_while_it_is_written() {
    let registry = Registry::start();
    let seen = Mutex::new(BTreeMap::<String, usize>::new());
    let proxy = Proxy::start(registry.address(), move |request| {
        let mut seen = seen.lock().unwrap();
        let times = seen.entry(request.path.clone()).or_default();
        *times += 1;
        // Each second look.
        if request.is_ours() && request.reads("") && *times == 2 {
            Fault::Status(500)
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(family.public_tags(&registry).len(), 3);
}
