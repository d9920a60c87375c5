//! A release from its sources to its tags, and what other programs read of it.

use crate::support::{AMD64, ARM64, Family, Index, Registry, crane, imagetools, sha256, skopeo};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no array: {value}"))
        .iter()
        .map(|value| value.as_str().unwrap())
        .collect()
}

/// Keys of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn e2e_release_is_read_alike_by_crane_skopeo_and_imagetools() {
    let registry = Registry::start();
    let variants = ["base", "omos", "with-pi", "omos-with-pi"];
    let family = Family::of(registry.address(), &[AMD64, ARM64], &variants);
    let run = family.splitbase().ok(&["release", "v1.2.3", "-o", "json"]);
    assert_eq!(run.builds().len(), 10, "{:#?}", run.builds());

    let tags = family.public_tags(&registry);
    let wanted = [
        "base-latest",
        "latest",
        "latest-omos",
        "latest-omos-with-pi",
        "latest-with-pi",
        "v1.2.3",
        "v1.2.3-omos",
        "v1.2.3-omos-with-pi",
        "v1.2.3-with-pi",
    ];
    assert_eq!(tags.keys().collect::<Vec<_>>(), wanted);

    // The shape that others build on.
    let report = run.json();
    for key in ["schema", "version", "outcome", "exit_code", "images"] {
        assert!(keys(&report).contains(&key), "{key}");
    }
    let top = (
        &report["schema"],
        &report["version"],
        &report["outcome"],
        &report["exit_code"],
    );
    assert_eq!(top, (&json!(1), &json!("v1.2.3"), &json!("done"), &json!(0)));
    let images = report["images"].as_array().unwrap();
    let names: Vec<_> = images
        .iter()
        .map(|image| image["image"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "base",
            "variant/base",
            "variant/omos",
            "variant/with-pi",
            "variant/omos-with-pi"
        ]
    );
    let record = family.record(&registry, "v1.2.3");
    assert_eq!(record["state"], "done");
    assert_eq!(record, family.record(&registry, "v1.2.3"));
    let mut seen = BTreeSet::new();
    for (image, recorded) in images.iter().zip(record["images"].as_array().unwrap()) {
        let name = image["image"].as_str().unwrap();
        for key in ["image", "digest", "outcome", "tags", "aliases", "platforms"] {
            assert!(keys(image).contains(&key), "{key} of {name}");
        }
        assert_eq!(image["outcome"], "built");
        let digest = image["digest"].as_str().unwrap();
        assert_eq!(recorded["digest"], digest);
        let identity_tag = format!(
            "{}-{}",
            name.replace('/', "-"),
            &recorded["identity"].as_str().unwrap()[..12]
        );
        let public: Vec<_> = texts(&image["tags"])
            .into_iter()
            .chain(texts(&image["aliases"]))
            .collect();
        for tag in public.iter().copied().chain([identity_tag.as_str()]) {
            assert_eq!(family.digest(&registry, tag), digest, "{tag}");
        }
        seen.extend(public.iter().map(|tag| (*tag).to_owned()));

        // The witnesses, by tag.
        let reference = family.reference(&registry, public[0]);
        assert_eq!(crane(&["digest", &reference]), digest);
        assert_eq!(sha256(&skopeo(&reference)), digest);
        assert_eq!(sha256(&imagetools(&reference)), digest);
        let index = Index::of(&serde_json::from_slice(&skopeo(&reference)).unwrap());
        assert_eq!(
            index.annotations["dev.splitbase.identity"],
            recorded["identity"].as_str().unwrap()
        );
        let platforms = image["platforms"].as_array().unwrap();
        assert_eq!(platforms.len(), 2);
        assert_eq!(index.platforms.len(), 2);
        assert_eq!(index.attestations.len(), 2, "attestations are kept");
        for platform in platforms {
            assert_eq!(
                keys(platform),
                ["digest", "outcome", "platform", "seconds", "smoke"]
            );
            let at = platform["platform"].as_str().unwrap();
            let own = platform["digest"].as_str().unwrap();
            assert_eq!(index.platforms[at], own, "{name} for {at}");
            assert_eq!(crane(&["digest", "--platform", at, &reference]), own);
            let manifest = registry.json(own);
            assert_eq!(
                manifest["annotations"]["dev.splitbase.identity"],
                recorded["identity"]
            );
            let config = registry.config(own);
            assert_eq!(at, format!("linux/{}", config["architecture"].as_str().unwrap()));
            if name == "base" {
                assert_eq!(platform["smoke"], "not tested");
            } else {
                assert_eq!(platform["smoke"], "passed");
                let base = registry.index(images[0]["digest"].as_str().unwrap()).platforms[at].clone();
                assert_eq!(
                    manifest["annotations"]["org.opencontainers.image.base.digest"],
                    base
                );
                // What was tested is what the tags hold.
                let tested = format!(
                    " --platform {at} {}/{}@{own} ",
                    registry.address(),
                    family.repository()
                );
                let tests = |call: &&String| call.starts_with("run ") && call.contains(&tested);
                let times = run.docker.iter().filter(tests).count();
                assert_eq!(times, 1, "{tested}: {:#?}", run.docker);
                let receipt = format!("{identity_tag}-{}-ok-", &at["linux/".len()..]);
                let receipts: Vec<_> = family
                    .tags(&registry)
                    .into_iter()
                    .filter(|(tag, _)| tag.starts_with(&receipt))
                    .collect();
                assert_eq!(receipts.len(), 1, "{receipts:?}");
                assert_eq!(receipts[0].1, own);
            }
            let attestation = registry.json(&index.attestations[own]);
            let statement = &attestation["layers"][0];
            assert_eq!(statement["mediaType"], "application/vnd.in-toto+json");
            let by_crane = crane(&[
                "manifest",
                &format!("{}/e2e/fam@{}", registry.address(), index.attestations[own]),
            ]);
            assert_eq!(sha256(by_crane.as_bytes()), index.attestations[own]);
        }
    }
    assert_eq!(seen, tags.into_keys().collect());
}

#[test]
fn e2e_release_starts_a_variant_before_the_other_platforms_base_is_there() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["omos"]);
    // The emulated base is not done before the native variant has passed its test, and gives up where that never comes.
    family.set("base.build", "network = \"host\"").append(
        "Dockerfile.base",
        &format!(
            "RUN [ \"$TARGETARCH\" = amd64 ] || for i in $(seq 200); do \\\n  \
             if wget -q -O - http://{}/v2/e2e/fam/tags/list | grep -q -e -amd64-ok-; then exit 0; fi; sleep 0.2; \\\n  \
             done; [ \"$TARGETARCH\" = amd64 ]\n",
            registry.address().replace("localhost", "127.0.0.1")
        ),
    );
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let variant = run.at("started", "build/variant/omos/linux-amd64");
    let tested = run.at("finished", "smoke/variant/omos/linux-amd64");
    let base = run.at("finished", "build/base/linux-arm64");
    assert!(variant < base, "the variant waited for the other platform's base");
    assert!(
        tested < base,
        "the native verdict waited for the other platform's base"
    );
    let published = run.at("started", "record/publishing");
    assert!(run.at("finished", "smoke/variant/omos/linux-arm64") < published);
    assert!(published < run.at("started", "tag/v1.0.0-omos"));
    assert!(run.at("finished", "tag/v1.0.0-omos") < run.at("started", "alias/latest-omos"));
    for event in &run.events {
        assert_eq!(event["schema"], 1, "{event}");
        assert!(event["time"].is_string(), "{event}");
    }
}

#[test]
fn e2e_release_into_another_repository() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let elsewhere = format!("{}/other/place", registry.address());
    family
        .splitbase()
        .ok(&["release", "v1.0.0", "--repository", &elsewhere]);
    assert!(registry.tags("other/place").contains_key("v1.0.0"));
    assert!(family.tags(&registry).is_empty());
}
