//! What the family, its files and the command line get wrong.

use super::{refused, refused_at_once};
use crate::support::{Family, Registry, closed_port};
fn remove(family: &Family, name: &str) {
    std::fs::remove_file(family.path(name)).unwrap();
}

#[test]
fn e2e_a_missing_dockerfile() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    remove(&family, "Dockerfile.base");
    let says = [
        "error: read the inputs of base: Dockerfile `Dockerfile.base` does not exist",
        "hint: ",
    ];
    refused_at_once(
        family.splitbase().run(&["release", "v1.0.0"]),
        2,
        &says,
        &family,
        &registry,
    );
}

#[test]
fn e2e_a_missing_input() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    remove(&family, "marker");
    let says = [
        "error: read the inputs of base: input `marker` does not exist",
        "hint: ",
    ];
    refused_at_once(
        family.splitbase().run(&["release", "v1.0.0"]),
        2,
        &says,
        &family,
        &registry,
    );
}

#[test]
fn e2e_an_unknown_variant() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let run = family
        .splitbase()
        .run(&["release", "v1.0.0", "--variant", "omso"]);
    let says = ["error: there is no variant `omso`; there are: base, omos"];
    refused_at_once(run, 2, &says, &family, &registry);
}

#[test]
fn e2e_a_bad_tag() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.replace(
        "variants.toml",
        "tags       = [\"{version}-",
        "tags       = [\"{version} ",
    );
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: ",
        "`{version} {variant}`",
        "variants.toml:",
        "^^^",
        "hint: a tag is 1 to 128 characters",
    ];
    refused_at_once(run, 2, &says, &family, &registry);
}

#[test]
fn e2e_a_version_that_does_not_follow_the_versioning() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family.splitbase().run(&["release", "next"]);
    refused_at_once(run, 2, &["error: ", "`next`"], &family, &registry);
}

#[test]
fn e2e_a_version_that_does_not_resolve() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .set("versions", "X_VERSION = { npm = \"left-pad\" }")
        .set("variants.base", "versions = [\"X_VERSION\"]")
        .append("Dockerfile.variant", "ARG X_VERSION\n");
    let npm = format!("http://127.0.0.1:{}", closed_port());
    let run = family
        .splitbase()
        .env("NPM_CONFIG_REGISTRY", &npm)
        .run(&["release", "v1.0.0"]);
    let says = [
        "error: resolve `X_VERSION` from npm:left-pad@latest",
        "onnection refused",
        "after 2 attempts",
        "hint: ",
    ];
    refused_at_once(run, 5, &says, &family, &registry);
}

#[test]
fn e2e_junk_in_the_context() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .write("files/__pycache__/a.cpython-312.pyc", "")
        .write("files/.DS_Store", "")
        .append("Dockerfile.base", "COPY files /files\n")
        .replace("variants.toml", "\"marker\"]", "\"marker\", \"files\"]");
    let ignored = family.read(".dockerignore");
    family.write(".dockerignore", "scripts\n");
    let says = [
        "error: junk lies where the build of base would take it: files/.DS_Store, files/__pycache__",
        "hint: add the line `**/.DS_Store` to `.dockerignore`",
        "hint: add the line `**/__pycache__` to `.dockerignore`",
    ];
    refused_at_once(
        family.splitbase().run(&["release", "v1.0.0"]),
        2,
        &says,
        &family,
        &registry,
    );
    family.write(".dockerignore", ignored).write("files/kept", "");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

#[test]
fn e2e_a_floating_argument_in_base_and_variant() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .append("Dockerfile.base", "ARG TOOL_REF=main\n")
        .append("Dockerfile.variant", "ARG PI_VERSION=latest\n");
    let says = [
        "error: Dockerfile.base:8: `ARG TOOL_REF` floats: its default is `main`",
        "error: Dockerfile.variant:5: `ARG PI_VERSION` floats: its default is `latest`",
        "hint: add `PI_VERSION` to `versions` of the image",
    ];
    refused_at_once(
        family.splitbase().run(&["release", "v1.0.0"]),
        2,
        &says,
        &family,
        &registry,
    );
}

#[test]
fn e2e_a_secret_that_is_not_there() {
    let registry = Registry::start();
    for (source, says) in [
        (
            "env = \"NO_SUCH_TOKEN\"",
            "the variable `NO_SUCH_TOKEN` is not set",
        ),
        ("file = \"no/such.pem\"", "there is no file `no/such.pem`"),
        (
            "file = \"{env.NO_SUCH_FILE}\"",
            "a variable in the name of its file is not set",
        ),
    ] {
        let family = Family::new(&registry);
        family.set(
            "variants.base.build",
            &format!("secrets = [{{ id = \"npmrc\", {source} }}]"),
        );
        let says = [
            "error: ",
            "the build secret `npmrc`",
            says,
            "hint: set `optional = true`",
        ];
        refused_at_once(
            family.splitbase().run(&["release", "v1.0.0"]),
            2,
            &says,
            &family,
            &registry,
        );
    }
}

#[test]
fn e2e_what_the_dockerfile_says_is_wrong() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.variant", "RUNN true\n");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    refused(
        run,
        1,
        &[
            "error: build/variant/base/linux-amd64: ",
            "unknown instruction: RUNN",
        ],
        &family,
        &registry,
    );
}
