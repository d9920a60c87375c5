//! Build caches that fail, stall, or lie.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, docker, unique};
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
