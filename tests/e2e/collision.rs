//! Something else under an identity tag: two identities whose first digits are the same, or an image that somebody put there.

use crate::support::{Family, Registry, Run, crane, docker};
use serde_json::Value;

fn at(family: &Family, registry: &Registry, reference: &str) -> String {
    format!("{}/{}{reference}", registry.address(), family.repository())
}

/// Identity and identity tag of an image as the sources are.
fn identity(family: &Family, image: &str) -> (String, String) {
    let hashed = family.splitbase().json(&["hash"]);
    let images = hashed["images"].as_array().unwrap().iter();
    let found = images.into_iter().find(|found| found["image"] == image).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&found["identity"]), text(&found["tag"]))
}

/// Makes an index of the same platform image, annotated so.
fn annotate(family: &Family, registry: &Registry, tag: &str, identity: Option<&str>) {
    let platform = &family.index(registry, tag).platforms["linux/amd64"];
    let (to, from) = (
        at(family, registry, &format!(":{tag}")),
        at(family, registry, &format!("@{platform}")),
    );
    let mut args = vec!["buildx", "imagetools", "create", "--tag", &to];
    let annotation = identity.map(|identity| format!("index:dev.splitbase.identity={identity}"));
    if let Some(annotation) = &annotation {
        args.extend(["--annotation", annotation]);
    }
    args.push(&from);
    docker(&args);
}

#[track_caller]
fn refused(run: Run, registry: &Registry, names: &[&str]) {
    let run = run.expect(7);
    for name in names {
        run.says(name);
    }
    run.says("hint: ");
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(registry.writes(), []);
}

#[test]
fn e2e_collision_what_is_of_another_identity_is_refused_by_every_command() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    let (base, base_tag) = identity(&family, "base");
    let (omos, omos_tag) = identity(&family, "variant/omos");
    let (other, other_tag) = identity(&family, "variant/base");
    let (good, good_base) = (
        family.digest(&registry, &omos_tag),
        family.digest(&registry, &base_tag),
    );

    // Another image of the family under its tag.
    crane(&[
        "tag",
        &at(&family, &registry, &format!(":{other_tag}")),
        &omos_tag,
    ]);
    registry.requests();
    for args in [
        &["plan", "v1.1.0"][..],
        &["release", "v1.1.0"],
        &["build"],
        &["smoke"],
        &["release", "v1.0.0"],
    ] {
        refused(
            splitbase.run(args),
            &registry,
            &[
                &format!("`{omos_tag}` of variant/omos"),
                &omos,
                &other,
                "--rebuild variant/omos",
            ],
        );
    }
    splitbase.ok(&["status"]).says(&omos_tag).says(&other);
    assert!(
        splitbase.json(&["status"])["warnings"][0]
            .as_str()
            .unwrap()
            .contains(&omos)
    );

    // Built anew in its place.
    let run = splitbase.ok(&["release", "v1.1.0", "--rebuild", "variant/omos"]);
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    let index = family.index(&registry, &omos_tag);
    assert_eq!(index.annotations["dev.splitbase.identity"], omos);
    assert_eq!(index.platforms.len(), 1);

    // The first twelve digits are the same.
    let alike = format!("{}{}", &omos[..12], "0".repeat(52));
    annotate(&family, &registry, &omos_tag, Some(&alike));
    registry.requests();
    refused(
        splitbase.run(&["plan", "v1.2.0"]),
        &registry,
        &[
            &omos,
            &alike,
            "the same: give the image another identity with `salt`",
        ],
    );
    // It says nothing.
    annotate(&family, &registry, &omos_tag, None);
    registry.requests();
    refused(
        splitbase.run(&["plan", "v1.2.0"]),
        &registry,
        &[&omos, "does not say of which identity it is"],
    );
    crane(&["tag", &at(&family, &registry, &format!("@{good}")), &omos_tag]);

    // The base of a validation, which only reads.
    crane(&[
        "tag",
        &at(&family, &registry, &format!(":{other_tag}")),
        &base_tag,
    ]);
    registry.requests();
    let validated = splitbase.run(&["validate"]).expect(7);
    validated.says(&base).says(&other);
    assert_eq!(registry.writes(), []);
    crane(&[
        "tag",
        &at(&family, &registry, &format!("@{good_base}")),
        &base_tag,
    ]);
    splitbase.ok(&["validate"]).says("stands, and is not built");
}

#[test]
fn e2e_collision_a_platform_image_of_another_identity_is_neither_used_nor_adopted() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    let (old, old_tag) = identity(&family, "base");
    let old_tag = at(&family, &registry, &format!(":{old_tag}-amd64"));

    // Before the plan.
    family.append("marker", "changed\n");
    let (new, tag) = identity(&family, "base");
    crane(&["tag", &old_tag, &format!("{tag}-amd64")]);
    registry.requests();
    refused(
        splitbase.run(&["release", "v1.1.0"]),
        &registry,
        &[&format!("{tag}-amd64"), &old, &new],
    );

    // Between a plan that is saved and its release.
    family.append("marker", "again\n");
    let (new, tag) = identity(&family, "base");
    splitbase.ok(&["plan", "v1.1.0", "--save", "plan.json"]);
    crane(&["tag", &old_tag, &format!("{tag}-amd64")]);
    registry.requests();
    refused(
        splitbase.run(&["release", "--plan", "plan.json"]),
        &registry,
        &[&old, &new],
    );

    // While it is built: what is there then would be adopted.
    family
        .append("marker", "once more\n")
        .append("Dockerfile.base", "RUN sleep 4\n");
    let (new, tag) = identity(&family, "base");
    let mut running = splitbase.start(&["release", "v1.1.0"]);
    running.wait_for_start("build/base/linux-amd64");
    crane(&["tag", &old_tag, &format!("{tag}-amd64")]);
    let before = family.digest(&registry, &format!("{tag}-amd64"));
    let run = running.wait().expect(7);
    run.says(&old).says(&new).says(&format!("{tag}-amd64"));
    assert_eq!(
        family.digest(&registry, &format!("{tag}-amd64")),
        before,
        "it is left as it is"
    );
    assert!(!family.tags(&registry).contains_key("v1.1.0"));
    // Once it is looked at, it is built anew.
    splitbase.ok(&["release", "v1.1.0", "--rebuild", "base"]);
}
