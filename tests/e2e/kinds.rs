//! Families of other kinds, into a folder and through the gate: on a base from elsewhere, on none, with variants and machine tags in repositories of
//! their own, and two of them in one folder.

use crate::support::{AMD64, Family, Layout, Registry, Request};
use serde_json::json;

/// A family on somebody else's base. One of its variants has a repository of its own; machine tags have theirs.
fn on_base_of_others(registry: &Registry) -> (Family, Family) {
    let others = Family::of(registry.address(), &[AMD64], &["base"]).in_repository("other/devbox");
    others.smoke("true");
    others.splitbase().ok(&["release", "v1.0.0"]);
    let reference = others.reference(registry, "base-latest");
    let family = Family::of(registry.address(), &[AMD64], &["base", "omos"])
        .base(&format!("[base]\nimage = \"{reference}\""));
    family
        .set(
            "family",
            &format!("work-repository = \"{}/e2e/work\"", registry.address()),
        )
        .set(
            "variants.omos",
            &format!("repository = \"{}/e2e/omos\"", registry.address()),
        );
    (family, others)
}

/// A second family in the same folder, on no base.
fn without_base(family: &Family) {
    let text = family.read("variants.toml");
    let (head, rest) = text.split_once("[base]").unwrap();
    let (_, rest) = rest.split_once("[cache]").unwrap();
    let text = format!("{head}[cache]{rest}")
        .replace("name       = \"fam\"", "name       = \"tools\"")
        .replace("Dockerfile.variant", "Dockerfile.base")
        .replace(
            "inputs     = []",
            "inputs     = [\"busybox-amd64\", \"busybox-arm64\", \"marker\"]",
        )
        .replace("[\"{version}\"]", "[\"{version}-tools\"]")
        .replace("[\"latest\"]", "[\"tools\"]")
        .replace("[variants.omos]", "[variants.extra]");
    let lines = text.lines().filter(|line| !line.starts_with("args = "));
    family.write("tools.toml", lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn e2e_kinds_of_families_into_a_folder_and_through_the_gate() {
    let registry = Registry::start();
    let (family, others) = on_base_of_others(&registry);
    let layout = Layout::at(family.path("out"));
    let into = |args: &[&'static str]| {
        let to = args.iter().copied().chain(["--to", "oci:out"]);
        family.splitbase().run(&to.collect::<Vec<_>>())
    };
    registry.requests();
    let run = into(&["release", "v1.0.0"]).expect(0);
    assert_eq!(
        run.steps_of("build/"),
        ["build/variant/base/linux-amd64", "build/variant/omos/linux-amd64"]
    );
    layout.check();
    let base = &others.index(&registry, "base-latest").platforms[AMD64];
    for tag in ["v1.0.0", "latest", "v1.0.0-omos", "latest-omos"] {
        let own = &layout.index(tag).platforms[AMD64];
        let on = &layout.json(own)["annotations"]["org.opencontainers.image.base.digest"];
        assert_eq!(*on, base.as_str(), "{tag}");
    }
    // Engines call each by the repository that it would be in.
    let index: serde_json::Value = serde_json::from_str(&family.read("out/index.json")).unwrap();
    let entries = index["manifests"].as_array().unwrap();
    for (tag, repository) in [
        ("v1.0.0", "e2e/fam"),
        ("v1.0.0-omos", "e2e/omos"),
        ("_release", "e2e/work"),
    ] {
        let named =
            |entry: &&serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"] == tag;
        let name = &entries.iter().find(named).unwrap()["annotations"]["io.containerd.image.name"];
        assert_eq!(*name, format!("{}/{repository}:{tag}", registry.address()));
    }
    let again = into(&["release", "v1.0.0"]).expect(0);
    assert_eq!((again.steps().len(), again.builds().len()), (0, 0));

    // The second one, beside it: its own records, none of the first one's tags.
    without_base(&family);
    let before = layout.tags();
    let run = into(&["release", "v1.0.0", "-f", "tools.toml"]).expect(0);
    assert_eq!(run.builds().len(), 2);
    layout.check();
    let after = layout.tags();
    assert!(before.iter().all(|(tag, digest)| after[tag] == *digest));
    for tag in ["_release.tools-v1.0.0", "v1.0.0-tools", "tools", "v1.0.0-extra"] {
        assert!(after.contains_key(tag), "{tag}: {:?}", after.keys());
    }
    let own = &layout.index("tools").platforms[AMD64];
    assert_eq!(
        layout.json(own)["annotations"]["org.opencontainers.image.base.digest"],
        json!(null)
    );

    // Two variants with the same tag in two repositories: a registry keeps them apart, a folder cannot. The gate publishes neither.
    family.set("variants.omos", "tags = [\"{version}\"]");
    into(&["release", "v1.1.0"])
        .expect(2)
        .says("variant/base and variant/omos would both get the tag")
        .says("hint: a folder and a copy hold each tag once");
    for file in ["variants.toml", "tools.toml"] {
        let run = family.splitbase().ok(&["validate", "-f", file]);
        assert_eq!(run.steps_of("smoke/").len(), 2, "{file}");
        assert_eq!(run.steps_of("build/base").len(), 0, "{file}");
    }
    let requests = registry.requests();
    assert!(!requests.iter().any(Request::writes), "{requests:#?}");
}
