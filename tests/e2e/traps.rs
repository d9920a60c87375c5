//! What engines, builders and registries do that can bite, each with a test that it does not.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, ARM64, Family, Index, Registry, busybox, docker, program, sha256, unique};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a build needs of an image from outside: busybox, and a word of its own.
struct Upstream {
    folder: tempfile::TempDir,
    reference: String,
}

impl Upstream {
    fn new(registry: &Registry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for architecture in ["amd64", "arm64"] {
            let name = format!("busybox-{architecture}");
            std::fs::copy(busybox().join(&name), folder.path().join(&name)).unwrap();
        }
        let reference = format!("{}/library/up:1", registry.address());
        Self { folder, reference }
    }

    fn dockerfile(&self, word: &str) {
        let text = format!(
            "FROM scratch\nARG TARGETARCH\nCOPY busybox-${{TARGETARCH}} /bin/busybox\nLABEL word={word}\n"
        );
        std::fs::write(self.folder.path().join("Dockerfile"), text).unwrap();
    }

    fn build(&self, platforms: &str, word: &str, output: &str) {
        self.dockerfile(word);
        let folder = self.folder.path().to_str().unwrap();
        let output = format!("type=image,name={},oci-mediatypes=true{output}", self.reference);
        docker(&[
            "buildx",
            "build",
            "-q",
            "--provenance=false",
            "--platform",
            platforms,
            "--output",
            &output,
            folder,
        ]);
    }

    /// Pushes it; the engine does not keep it.
    fn push(&self, platforms: &str, word: &str) {
        self.build(platforms, word, ",push=true");
        docker(&["image", "rm", &self.reference]);
    }

    /// Puts it into the engine alone, under the same name.
    fn keep(&self, word: &str) {
        self.build(AMD64, word, ",store=true");
        let label = docker(&[
            "image",
            "inspect",
            "--format",
            "{{.Config.Labels.word}}",
            &self.reference,
        ]);
        assert_eq!(label, word);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = crate::support::try_program("docker", &["image", "rm", &self.reference]);
    }
}

/// A family whose base is built on this image, and takes its busybox from there.
fn on(upstream: &Upstream, registry: &str, platforms: &[&str]) -> Family {
    let family = Family::of(registry, platforms, &["base"]);
    family
        .replace(
            "Dockerfile.base",
            "FROM scratch",
            &format!("FROM {}", upstream.reference),
        )
        .replace("Dockerfile.base", "COPY busybox-${TARGETARCH} /bin/busybox\n", "");
    family
}

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

const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

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
    // All of it as an older pipeline pushed it: Docker's list, and nothing but the index tag.
    for start in ["base-", "variant-base-"] {
        let tag = identity(start);
        let mut index = registry.json(&family.digest(&registry, &tag));
        index["mediaType"] = json!(LIST);
        index.as_object_mut().unwrap().remove("annotations");
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

fn label(registry: &Registry, family: &Family, platform: &str) -> Value {
    let index = family.index(registry, "base-latest");
    registry.config(&index.platforms[platform])["config"]["Labels"]["word"].clone()
}

#[test]
fn e2e_a_stale_image_in_the_engine_is_not_what_is_pinned() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "fresh");
    upstream.keep("stale");
    let family = on(&upstream, registry.address(), &[AMD64]);
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(label(&registry, &family, AMD64), "fresh");
}

#[test]
fn e2e_a_stale_image_in_the_engine_is_not_what_floats() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "fresh");
    upstream.keep("stale");
    let family = on(&upstream, registry.address(), &[AMD64]);
    family.set("base", "upstream = \"float\"");
    family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(label(&registry, &family, AMD64), "fresh");
}

#[test]
fn e2e_a_stale_base_in_the_engine_is_not_what_variants_are_built_on() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["build"]);
    // Every tag that the base has in the registry is another image in the engine.
    let upstream = Upstream::new(&registry);
    upstream.keep("stale");
    let bases: Vec<_> = family
        .tags(&registry)
        .into_keys()
        .filter(|tag| tag.starts_with("base-"))
        .collect();
    let named: Vec<_> = bases.iter().map(|tag| family.reference(&registry, tag)).collect();
    for name in &named {
        docker(&["tag", &upstream.reference, name]);
    }
    family.append("Dockerfile.variant", "RUN cat /etc/marker\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
    for name in &named {
        docker(&["image", "rm", name]);
    }
    let index = family.index(&registry, "latest");
    let base = family.index(&registry, "base-latest");
    let annotations = registry.json(&index.platforms[AMD64])["annotations"].clone();
    assert_eq!(
        annotations["org.opencontainers.image.base.digest"],
        base.platforms[AMD64].as_str()
    );
    let layers = |digest: &str| registry.json(digest)["layers"].as_array().unwrap().clone();
    assert!(layers(&index.platforms[AMD64]).starts_with(&layers(&base.platforms[AMD64])));
}

#[test]
fn e2e_a_base_of_one_platform_is_not_taken_for_another() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "amd64-only");
    let family = on(&upstream, registry.address(), &[AMD64, ARM64]);
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    run.says("error: base is for linux/arm64, and its base `")
        .says("` is only for linux/amd64")
        .says("hint: take a base that is there for this platform");
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.tags(&registry), BTreeMap::new());
    // A stage for the machine that builds may be for that one alone.
    family
        .replace("Dockerfile.base", "FROM ", "FROM --platform=$BUILDPLATFORM ")
        .append("Dockerfile.base", "FROM scratch\nARG TARGETARCH\nCOPY busybox-${TARGETARCH} /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nCOPY --from=0 /etc/marker /etc/marker\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

/// The digest in the Dockerfile is the wrong one: BuildKit warns and goes on.
#[test]
fn e2e_a_digest_of_another_platform_in_the_dockerfile_fails_the_build() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "amd64-only");
    let family = on(&upstream, registry.address(), &[ARM64]);
    let digest = registry.tags("library/up")["1"].clone();
    family.replace("Dockerfile.base", "library/up:1", &format!("library/up@{digest}"));
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(1);
    run.says("error: build/base/linux-arm64: ")
        .says("linux/amd64")
        .says("expected \"linux/arm64\"")
        .says("hint: ");
    assert_eq!(family.public_tags(&registry), BTreeMap::new());
    let identity = |tag: &String| tag.starts_with("base-") && !tag.ends_with("-staging");
    assert!(!family.tags(&registry).keys().any(identity));
}

#[test]
fn e2e_a_named_context_that_nothing_refers_to() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .write("assets/a", "a")
        .set("base.build", "contexts = { assets = \"assets\" }");
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    run.says("error: Dockerfile.base: nothing refers to the named context `assets`")
        .says("hint: use it (`FROM assets`, `COPY --from=assets`), or take it out");
    assert_eq!(family.tags(&registry), BTreeMap::new());
    family.append("Dockerfile.base", "COPY --from=assets a /a\n");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

/// The image that a named context pins is the one that is built on, whatever stands under its name.
#[test]
fn e2e_a_pinned_image_is_among_the_materials() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    upstream.push("linux/amd64,linux/arm64", "both");
    let family = on(&upstream, registry.address(), &[AMD64, ARM64]);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let pinned = registry.tags("library/up")["1"].clone();
    for platform in [AMD64, ARM64] {
        assert_eq!(label(&registry, &family, platform), "both");
    }
    let index = family.index(&registry, "base-latest");
    for attestation in index.attestations.values() {
        let layers = registry.json(attestation)["layers"].clone();
        let provenance = registry.json(layers[0]["digest"].as_str().unwrap()).to_string();
        assert!(
            provenance.contains(pinned.strip_prefix("sha256:").unwrap()),
            "{provenance}"
        );
    }
}

#[test]
fn e2e_a_wildcard_that_copies_nothing() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "COPY mark??? /etc/\n");
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    run.says("error: Dockerfile.base:8: `COPY` wildcard `mark???` matches nothing in the build context")
        .says("hint: ");
    assert_eq!(family.tags(&registry), BTreeMap::new());
}

#[test]
fn e2e_a_cache_export_that_fails_is_a_warning() {
    for fault in [
        Fault::Status(400),
        Fault::Status(500),
        Fault::Answer(400, "Content-Type: text/html\r\n", "<html>"),
    ] {
        let registry = Registry::start();
        let proxy = Proxy::start(registry.address(), move |request| {
            if request.puts("cache-") {
                fault.clone()
            } else {
                Fault::Pass
            }
        });
        let family = Family::of(proxy.address(), &[AMD64], &["base"]);
        family.replace(
            "variants.toml",
            "[cache]\nto = \"none\"",
            "[cache]\nto = \"registry\"",
        );
        let run = family.splitbase().ok(&["release", "v1.0.0", "-o", "json"]);
        let warnings = run.json()["warnings"].to_string();
        assert!(
            warnings.contains("build/base/linux-amd64: ") && warnings.contains("cache"),
            "{warnings}"
        );
        run.says("warning: ");
    }
}

#[test]
fn e2e_a_cache_export_that_stalls_is_given_up() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.puts("cache-base-") {
            Fault::Stall
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family
        .replace(
            "variants.toml",
            "[cache]\nto = \"none\"",
            "[cache]\nto = \"registry\"",
        )
        .set("base.build", "timeout = \"20s\"");
    let run = family.splitbase().ok(&["release", "v1.0.0", "-o", "json"]);
    let warnings = run.json()["warnings"].to_string();
    assert!(
        warnings.contains("the build cache was not exported"),
        "{warnings}"
    );
    assert_eq!(family.public_tags(&registry).len(), 3);
}

/// Takes what a `RUN` with this word in it made out of the engine's own build cache.
fn forget(word: &str) {
    let usage = || docker(&["buildx", "du", "--verbose"]);
    let all = usage();
    let of_word = all.split("\n\n").filter(|record| record.contains(word));
    let ids: Vec<&str> = of_word
        .filter_map(|record| record.lines().find_map(|line| line.strip_prefix("ID:")))
        .map(str::trim)
        .collect();
    assert!(!ids.is_empty(), "{all}");
    // A record goes only after its children: twice, in whichever order they are listed.
    for id in ids.iter().chain(&ids) {
        let _ = crate::support::try_program(
            "docker",
            &["buildx", "prune", "--force", "--filter", &format!("id={id}")],
        );
    }
    assert!(!usage().contains(word));
}

#[test]
fn e2e_a_broken_layer_of_the_cache_is_built_without_it() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let word = unique();
    family
        .replace("variants.toml", "[cache]\nto = \"none\"", "[cache]\nto = \"registry\"")
        .write(
            "Dockerfile.variant",
            format!("ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nARG KIND\nRUN echo {word} >/etc/one\nARG X=1\nRUN echo $X {word} >/etc/two\n"),
        );
    family.splitbase().ok(&["build"]);
    // The engine forgets what it ran; in the registry, the layers go and the manifest of the cache stays.
    for tag in family
        .tags(&registry)
        .keys()
        .filter(|tag| tag.ends_with("-staging"))
    {
        let _ = crate::support::try_program("docker", &["image", "rm", &family.reference(&registry, tag)]);
    }
    forget(&word);
    // containerd collects the bytes a moment later.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let cache = family
        .tags(&registry)
        .into_iter()
        .find(|(tag, _)| tag.starts_with("cache-variant-base-"))
        .unwrap()
        .1;
    let manifest = registry.json(&cache);
    for key in ["layers", "manifests"] {
        for layer in manifest[key].as_array().into_iter().flatten() {
            registry.lose(layer["digest"].as_str().unwrap());
        }
    }
    family.set("variants.base.build", "args = { X = \"2\" }");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let retries: Vec<_> = run
        .events
        .iter()
        .filter(|event| event["event"] == "retry")
        .collect();
    assert!(
        retries.iter().any(|event| event["reason"]
            .as_str()
            .unwrap()
            .contains("a layer of the build cache cannot be read")),
        "{retries:#?}"
    );
    assert!(
        run.builds()
            .iter()
            .any(|line| line.contains("Dockerfile.variant") && !line.contains("--cache-from"))
    );
    assert_eq!(family.public_tags(&registry).len(), 3);
}

/// An attestation, and with it the wrapper, is another one after each build: what stands under an identity is kept all the same.
#[test]
fn e2e_a_second_builder_of_the_same_image_takes_what_is_there() {
    let registry = Registry::start();
    // The second asks whether an image is there before the first has put it, and so builds it too.
    let family = Family::new(&registry);
    let first = family.splitbase().ok(&["build", "-o", "json"]).json();
    let before = family.tags(&registry);
    let building = AtomicBool::new(false);
    let proxy = Proxy::start(registry.address(), move |request| {
        building.fetch_or(!request.is_ours(), Ordering::SeqCst);
        let probe = request.reads("base-") || request.reads("variant-");
        if probe && !building.load(Ordering::SeqCst) {
            Fault::Answer(404, "Content-Type: application/json\r\n", MISSING)
        } else {
            Fault::Pass
        }
    });
    let repository = format!("{}/{}", proxy.address(), family.repository());
    let run = family
        .splitbase()
        .ok(&["build", "--repository", &repository, "-o", "json"]);
    assert_eq!(run.builds().len(), 2);
    let adopted: Vec<_> = run
        .events
        .iter()
        .filter(|event| event["event"] == "finished" && event["step"].as_str().unwrap().starts_with("build/"))
        .collect();
    println!("{adopted:#?}");
    let kept = |tags: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        tags.iter()
            .filter(|(tag, _)| !tag.ends_with("-staging"))
            .map(|(tag, digest)| (tag.clone(), digest.clone()))
            .collect()
    };
    let after = family.tags(&registry);
    assert_eq!(kept(&after), kept(&before), "the first one's stands");
    assert_ne!(after, before, "wrappers differ, or this shows nothing");
    let digests = |report: &Value| {
        report["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["digest"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(digests(&run.json()), digests(&first));
}

/// Two builders that both found nothing: the first one's write comes right after the second one's.
#[test]
fn e2e_a_builder_whose_image_is_overwritten_takes_what_is_there() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.splitbase().ok(&["build"]);
    let before = family.tags(&registry);
    let (tag, theirs) = before
        .iter()
        .find(|(tag, _)| tag.starts_with("base-") && tag.ends_with("-amd64"))
        .map(|(tag, digest)| (tag.clone(), digest.clone()))
        .unwrap();
    let url = format!(
        "http://{}/v2/{}/manifests/{tag}",
        registry.address(),
        family.repository()
    );
    let body = String::from_utf8(registry.blob(&theirs)).unwrap();
    // 0: it sees nothing; 1: it has written; 2: the other one has, too.
    let stage = Mutex::new(0);
    let proxy = Proxy::start(registry.address(), move |request| {
        let mut stage = stage.lock().unwrap();
        if !request.is_ours() {
            return Fault::Pass;
        }
        match *stage {
            0 if request.puts(&tag) => *stage = 1,
            0 if request.reads("base-") || request.reads("variant-") => {
                return Fault::Answer(404, "Content-Type: application/json\r\n", MISSING);
            }
            1 if request.reads(&tag) => {
                let content = "Content-Type: application/vnd.oci.image.index.v1+json";
                program(
                    "curl",
                    &["-sSf", "-X", "PUT", "-H", content, "--data-binary", &body, &url],
                );
                *stage = 2;
            }
            _ => {}
        }
        Fault::Pass
    });
    let repository = format!("{}/{}", proxy.address(), family.repository());
    let run = family.splitbase().ok(&["build", "--repository", &repository]);
    let base = &run.events[run.at("finished", "build/base/linux-amd64")];
    assert_eq!(run.builds().len(), 2, "{base}");
    let index = family
        .tags(&registry)
        .into_iter()
        .find(|(tag, _)| tag.starts_with("base-") && tag.len() == 17)
        .unwrap()
        .1;
    let wrapper = registry.index(&theirs);
    assert_eq!(
        registry.index(&index).attestations,
        wrapper.attestations,
        "the other one's image is used, {base}"
    );
}

const MISSING: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;

/// A variant that adds nothing.
#[test]
fn e2e_a_variant_that_is_its_base() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.write(
        "Dockerfile.variant",
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nARG KIND\n",
    );
    family.splitbase().ok(&["release", "v1.0.0"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps(), [""; 0]);
    for tag in ["v1.0.0", "v1.0.0-omos"] {
        let index: Index = family.index(&registry, tag);
        assert_eq!(index.platforms.len(), 1);
        assert_eq!(index.attestations.len(), 1);
    }
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

/// Each platform is run by its own digest: by that of the index, the second one would fail on the classic image store.
#[test]
fn e2e_what_is_run_leaves_no_image_behind() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    let name = format!("{}/{}", registry.address(), family.repository());
    let left = docker(&[
        "image",
        "ls",
        "--digests",
        "--format",
        "{{.Repository}}:{{.Tag}}@{{.Digest}}",
        &name,
    ]);
    let untagged: Vec<_> = left.lines().filter(|line| line.contains("<none>@")).collect();
    assert_eq!(untagged, [""; 0]);
    let containers = docker(&["ps", "-a", "--format", "{{.Image}}"]);
    assert!(!containers.contains(&name), "{containers}");
}
