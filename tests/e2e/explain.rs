//! Lists of inputs, and what `explain` and `plan` make of them.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{Family, Npm, Registry, Splitbase, crane, docker, unique};
use serde_json::{Value, json};

fn family(registry: &Registry) -> (Family, Npm) {
    let family = Family::of(registry.address(), &["linux/amd64"], &["base", "omos"]);
    family
        .append(
            "variants.toml",
            "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"oh-my-omos\" }\n",
        )
        .append(
            "Dockerfile.variant",
            "ARG OMOS_VERSION\nRUN echo \"$OMOS_VERSION\" >/etc/omos\n",
        );
    let npm = Npm::start();
    npm.publish("oh-my-omos", "2.2.23", None);
    (family, npm)
}

fn splitbase(family: &Family, npm: &Npm) -> Splitbase {
    family.splitbase().env("NPM_CONFIG_REGISTRY", npm.address())
}

fn lists(family: &Family, registry: &Registry) -> Vec<String> {
    let mut tags: Vec<String> = family.tags(registry).into_keys().collect();
    tags.retain(|tag| tag.ends_with("-inputs"));
    tags
}

fn image<'a>(document: &'a Value, name: &str) -> &'a Value {
    let images = document["images"].as_array().unwrap().iter();
    images.into_iter().find(|image| image["image"] == name).unwrap()
}

#[test]
fn e2e_explain_names_what_changed_since_the_alias() {
    let registry = Registry::start();
    let (family, npm) = family(&registry);
    let secret = unique();
    family.set("build", "secrets = [{ id = \"token\", env = \"TOKEN\" }]");
    let splitbase = splitbase(&family, &npm).env("TOKEN", secret.as_str());
    let new = splitbase.ok(&["explain"]);
    assert_eq!(new.stdout.matches("  new: no alias of it stands\n").count(), 3);
    assert_eq!(splitbase.json(&["explain", "base"])["images"][0]["state"], "new");

    splitbase.ok(&["release", "v1.0.0"]);
    let kept = lists(&family, &registry);
    assert_eq!(kept.len(), 3, "{kept:?}");
    let list = crane(&["manifest", &family.reference(&registry, &kept[2])]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["artifactType"], "application/vnd.splitbase.inputs.v1+json");
    let bytes = registry.blob(list["layers"][0]["digest"].as_str().unwrap());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains("2.2.23") && text.contains("\"token\""), "{text}");
    assert!(!text.contains(&secret), "{text}");

    // Nothing changed, and nothing is written.
    registry.requests();
    let same = splitbase.ok(&["explain"]);
    same.shows("unchanged since `base-latest`, v1.0.0")
        .shows("unchanged since `latest-omos`, v1.0.0");
    let document = splitbase.json(&["explain", "variant/omos"]);
    assert_eq!(document["schema"], 1);
    let omos = &document["images"][0];
    assert_eq!(
        (&omos["state"], &omos["changes"]),
        (&json!("unchanged"), &json!([]))
    );
    assert_eq!(omos["against"]["version"], "v1.0.0");
    assert_eq!(omos["against"]["digest"], family.digest(&registry, "latest-omos"));
    assert_eq!(omos["against"]["identity"], omos["identity"]);
    splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(registry.writes(), []);
    splitbase
        .run(&["explain", "variant/none"])
        .expect(2)
        .says("there are: base, variant/base, variant/omos");

    // A version alone.
    npm.publish("oh-my-omos", "2.2.24", None);
    let run = splitbase.ok(&["explain", "variant/omos"]);
    run.shows("changed since `latest-omos`, v1.0.0\n  oh-my-omos  2.2.23 → 2.2.24\n");
    splitbase.ok(&["explain", "base"]).shows("unchanged since");
    let plan = splitbase.json(&["plan", "v1.1.0"]);
    assert_eq!(image(&plan, "variant/omos")["why"], "oh-my-omos 2.2.23 → 2.2.24");
    assert_eq!(image(&plan, "base")["why"], "its inputs are unchanged");

    // Files of the base, and an argument: the base's are said of what stands on it too.
    family
        .append("marker", "changed\n")
        .write("busybox-arm64", "another");
    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"more\"");
    let run = splitbase.ok(&["explain"]);
    run.shows("  busybox-arm64  changed")
        .shows("  marker         changed\n");
    run.shows("  base: busybox-arm64  changed")
        .shows("  base: marker         changed\n");
    run.shows("  KIND                 omos → more\n");
    let document = splitbase.json(&["explain"]);
    let changes = &image(&document, "variant/omos")["changes"];
    let kinds: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["kind"])
        .collect();
    assert_eq!(kinds, ["arg", "base", "version"]);
    assert_eq!(changes[1]["because"][1]["name"], "marker");
    assert_eq!(changes[2]["source"], "oh-my-omos");
    let plan = splitbase.ok(&["plan", "v1.1.0"]);
    plan.shows("busybox-arm64 changed")
        .shows(", 1 more\n")
        .shows("KIND omos → more, 3 more\n");
    let plan = splitbase.json(&["plan", "v1.1.0"]);
    assert_eq!(image(&plan, "base")["why"], "busybox-arm64 changed, 1 more");
    assert_eq!(
        image(&plan, "variant/base")["why"],
        "base: busybox-arm64 changed, 1 more"
    );

    // What is kept to oneself is not there, and that is said.
    let before = lists(&family, &registry);
    family
        .set("release", "publish-inputs = false")
        .set("variants.base", "publish-inputs = true");
    splitbase.ok(&["release", "v1.1.0"]);
    assert_eq!(lists(&family, &registry).len(), before.len() + 1);
    family.append("marker", "once more\n");
    let run = splitbase.ok(&["explain"]);
    run.shows("changed since `base-latest`, v1.1.0, and what is not known: the list `base-")
        .shows("-inputs` was not published\n")
        .shows("changed since `latest`, v1.1.0\n  base  changed\n");
    let document = splitbase.json(&["explain"]);
    assert_eq!(image(&document, "base")["state"], "unpublished");
    let plan = splitbase.json(&["plan", "v1.2.0"]);
    let why = &image(&plan, "base")["why"];
    assert!(
        why.as_str()
            .unwrap()
            .starts_with("nothing stands under identity "),
        "{why}"
    );
}

#[test]
fn e2e_explain_knows_an_identity_without_a_record_and_works_in_a_folder() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase().env("SPLITBASE_TO", "oci:out");
    splitbase.ok(&["release", "v1.0.0"]);
    family.append("marker", "changed\n");
    splitbase
        .ok(&["explain"])
        .shows("changed since `base-latest`, v1.0.0\n  marker  changed\n")
        .shows("changed since `latest`, v1.0.0\n  base: marker  changed\n");

    // An alias that was moved by hand says of itself what it is; one that does not is not guessed at.
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    let first = family.digest(&registry, "latest");
    family.append("marker", "once more\n");
    splitbase.ok(&["release", "v1.1.0"]);
    let at = |reference: &str| format!("{}/{}{reference}", registry.address(), family.repository());
    crane(&["tag", &at(&format!("@{first}")), "latest"]);
    splitbase
        .ok(&["explain", "variant/base"])
        .shows("changed since `latest`\n  base: marker  changed\n");
    let platform = &family.index(&registry, "latest").platforms["linux/amd64"];
    docker(&[
        "buildx",
        "imagetools",
        "create",
        "--tag",
        &at(":latest"),
        &at(&format!("@{platform}")),
    ]);
    splitbase
        .ok(&["explain", "variant/base"])
        .shows("not known: `latest` does not say of which identity it is, and no record knows it");
    assert_eq!(
        splitbase.json(&["explain", "variant/base"])["images"][0]["state"],
        "unmarked"
    );
}

/// A list that cannot be written is worth no failed release.
#[test]
fn e2e_explain_misses_a_list_that_the_registry_refused() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.puts("-inputs") {
            Fault::Status(415)
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &["linux/amd64"], &["base"]);
    let run = family.splitbase().ok(&["release", "v1.0.0", "-o", "json"]);
    run.says("the list of its inputs is not published, `explain` will miss it");
    assert_eq!(run.json()["outcome"], "done");
    assert_eq!(lists(&family, &registry), [""; 0]);
    family.append("marker", "changed\n");
    family.splitbase().ok(&["explain"]).shows("was not published");
}
