//! A team moves over from the shell pipeline: what it has in its registry keeps its worth.

use crate::support::{AMD64, ARM64, Family, Registry, busybox, program};
use std::collections::BTreeMap;

fn repository(family: &Family, registry: &Registry) -> String {
    format!("{}/{}", registry.address(), family.repository())
}

/// A family in the pipeline's shape, as `docs/migrating.md` describes it.
fn family(registry: &Registry) -> Family {
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    for architecture in ["amd64", "arm64"] {
        let name = format!("busybox-{architecture}");
        let bytes = std::fs::read(busybox().join(&name)).unwrap();
        family.write_script(&format!("rootfs/{name}"), bytes);
    }
    family
        .write("rootfs/etc/marker", family.read("marker"))
        // Names that another order than that of bytes would sort otherwise.
        .write("rootfs/etc/B", "B\n")
        .write("rootfs/etc/a", "a\n")
        .write_script("entrypoint.sh", "#!/bin/sh\nexec \"$@\"\n")
        .write_script("entrypoint-user.sh", "#!/bin/sh\nexec \"$@\"\n")
        .write(
            ".dockerignore",
            "*\n!rootfs\n!entrypoint*.sh\n**/.DS_Store\n**/._*\n**/*.pyc\n**/__pycache__\n",
        )
        .write(
            "Dockerfile.base",
            "FROM scratch\nARG TARGETARCH\nCOPY rootfs/busybox-${TARGETARCH} /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
             COPY rootfs/etc /etc\nCOPY entrypoint.sh entrypoint-user.sh /\nENV PATH=/bin\nENTRYPOINT [\"/entrypoint.sh\"]\n",
        )
        .replace(
            "variants.toml",
            "inputs     = [\"busybox-amd64\", \"busybox-arm64\", \"marker\"]",
            "inputs     = [\"rootfs\", \"entrypoint.sh\", \"entrypoint-user.sh\"]\nhash       = \"concat\"",
        )
        .replace(
            "variants.toml",
            "to = \"none\"",
            &format!(
                "from = [\"{repository}:base-buildcache\", \"{repository}:base-variant-buildcache\"]\nto = \"none\"",
                repository = repository(&family, registry)
            ),
        );
    family
}

fn pipeline(family: &Family, registry: &Registry, version: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/migrating/pipeline.sh");
    let folder = family.folder().to_str().unwrap().to_owned();
    let repository = repository(family, registry);
    program("env", &["-C", &folder, script, &repository, version]);
}

#[test]
fn e2e_migrating_a_team_moves_over_without_building_its_base() {
    let registry = Registry::start();
    let family = family(&registry);
    pipeline(&family, &registry, "v1.0.0");
    let before = family.tags(&registry);
    let aliases = |tags: &BTreeMap<String, String>| -> BTreeMap<String, String> {
        let alias = |tag: &String| tag.contains("latest");
        tags.iter()
            .filter(|(tag, _)| alias(tag))
            .map(|(tag, digest)| (tag.clone(), digest.clone()))
            .collect()
    };
    assert_eq!(
        aliases(&before).keys().collect::<Vec<_>>(),
        ["base-latest", "latest", "latest-omos"]
    );

    // The plan finds the pipeline's base under the name that it has.
    let splitbase = family.splitbase();
    let plan = splitbase.json(&["plan", "v1.1.0", "--no-promote"]);
    let base = &plan["images"][0];
    assert_eq!(base["presence"], "present", "{base}");
    let warnings = plan["warnings"].to_string();
    assert!(
        warnings.contains("does not say of which identity it is"),
        "{warnings}"
    );
    assert_eq!(before[base["tag"].as_str().unwrap()], before["base-latest"]);

    // The first release beside the pipeline: its aliases stay where they are, its caches are read.
    registry.requests();
    let run = splitbase.ok(&["release", "v1.1.0", "--no-promote"]);
    assert_eq!(run.steps_of("build/base/"), [""; 0]);
    assert_eq!(run.steps_of("build/").len(), 4);
    let requests = registry.requests();
    for cache in ["base-buildcache", "base-variant-buildcache"] {
        let end = format!("/manifests/{cache}");
        let read = requests
            .iter()
            .any(|request| request.path.ends_with(&end) && !request.agent.starts_with("splitbase"));
        assert!(read, "{cache}: {requests:#?}");
    }
    let after = family.tags(&registry);
    assert_eq!(aliases(&after), aliases(&before));
    for (tag, digest) in &before {
        assert_eq!(&after[tag], digest, "`{tag}` is the pipeline's");
    }
    assert!(after.contains_key("v1.1.0") && after.contains_key("v1.1.0-omos"));

    // The second builds nothing.
    let run = splitbase.ok(&["release", "v1.1.1", "--no-promote"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(aliases(&family.tags(&registry)), aliases(&before));

    // The cut-over: aliases that no record knows are known by the pipeline's release tags.
    let run = splitbase.ok(&["release", "v1.1.2"]);
    assert_eq!(run.builds(), [""; 0]);
    let moved = family.tags(&registry);
    assert_eq!(moved["latest"], moved["v1.1.2"]);
    assert_eq!(moved["latest-omos"], moved["v1.1.2-omos"]);
    assert_eq!(
        moved["base-latest"], before["base-latest"],
        "the same base under it"
    );
    // From then on it is as if it had never been otherwise.
    family.append("Dockerfile.variant", "RUN true\n");
    let run = splitbase.ok(&["release", "v1.2.0"]);
    assert_eq!(run.steps_of("build/base/"), [""; 0]);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.2.0")
    );
}
