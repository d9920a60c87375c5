//! What the files say: they are read back by what reads them later.

use super::adopt::Adopted;
use super::guess::{name, of_origin};
use super::template::{Answers, BaseImage, NewFile, files, files_beside};
use super::write::{existing, write};
use crate::config::{self, Family, Overrides};
use crate::environment::Environment;
use std::os::unix::fs::PermissionsExt as _;

fn answers(variants: &[&str]) -> Answers {
    Answers {
        name: "devbox".parse().unwrap(),
        repository: "docker.io/acme/devbox".parse().unwrap(),
        platforms: vec!["linux/amd64".parse().unwrap(), "linux/arm/v7".parse().unwrap()],
        variants: variants.iter().map(|variant| variant.parse().unwrap()).collect(),
        base_image: BaseImage::default(),
    }
}

fn text<'a>(files: &'a [NewFile], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap().text
}

#[track_caller]
fn load(text: &str) -> Family {
    let loaded = config::parse(
        text,
        "variants.toml".into(),
        &Environment::default(),
        &Overrides::default(),
    )
    .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(loaded.warnings, []);
    loaded.family
}

#[test]
fn what_is_written_loads_whatever_the_variants_are_called() {
    for variants in [
        &["base", "extra"][..],
        &["base"],
        &["solo"],
        &["with-pi", "omos", "base"],
        &["a.b", "a-b", "a_b"],
    ] {
        let files = files(&answers(variants));
        for file in &files {
            let unfilled =
                |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            assert!(
                !file.text.split('@').any(unfilled),
                "{}: {}",
                file.path,
                file.text
            );
            assert!(
                file.text.ends_with('\n') && !file.text.ends_with("\n\n"),
                "{}: {:?}",
                file.path,
                file.text
            );
        }
        let family = load(text(&files, "variants.toml"));
        assert_eq!(family.images.len(), variants.len() + 1);
        let plain: Vec<_> = family
            .images
            .iter()
            .filter(|image| image.tags.iter().any(|tag| tag.to_string() == "{version}"))
            .collect();
        assert_eq!(plain.len(), 1, "{variants:?}");
        // Each variant but the plain one has a switch of its own.
        let on: std::collections::BTreeSet<_> = family
            .images
            .iter()
            .flat_map(|image| &image.build.args)
            .filter(|(_, value)| value.to_string() == "true")
            .map(|(name, _)| name)
            .collect();
        assert_eq!(on.len(), variants.len() - 1, "{on:?}");
        let dockerfile = text(&files, "Dockerfile.variant");
        for (arg, _) in family.images.iter().flat_map(|image| &image.build.args) {
            assert_eq!(
                dockerfile.matches(&format!("ARG {arg}=")).count(),
                1,
                "{dockerfile}"
            );
        }
    }
    let files = files(&answers(&["base", "with-pi"]));
    assert!(text(&files, "Dockerfile.base").starts_with("FROM debian:trixie-slim\n"));
    let family = load(text(&files, "variants.toml"));
    let on = family.images[2]
        .build
        .args
        .get("INSTALL_WITH_PI")
        .unwrap()
        .to_string();
    let off = family.images[1]
        .build
        .args
        .get("INSTALL_WITH_PI")
        .unwrap()
        .to_string();
    assert_eq!((on.as_str(), off.as_str()), ("true", "false"));
}

const BASE: &str = "FROM debian:trixie\nARG TOOLKIT_REF=main\nCOPY rootfs/ /\nCOPY --chmod=755 ./entrypoint.sh entrypoint-user.sh /bin/\nADD https://a.example/x /x\nCOPY --from=other /a /b\n";
const VARIANT: &str = "ARG BASE_IMAGE=acme/x:latest\nFROM ${BASE_IMAGE}\nARG INSTALL_OPENCODE=true\nARG INSTALL_OMOS=false\nARG INSTALL_PI=\"false\"\nARG INSTALL_DIR=/opt\nARG PI_VERSION=latest\nARG NODE=22\n";

#[test]
fn dockerfiles_that_are_there_tell_of_their_family() {
    let adopted = Adopted::read(BASE, VARIANT, Some("[ \"$1\" = --variant ]"));
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        adopted.base_inputs,
        Some(owned(&["rootfs", "entrypoint.sh", "entrypoint-user.sh"]))
    );
    assert_eq!(adopted.variant_inputs, Some(vec![]));
    assert_eq!(adopted.base_arg, "BASE_IMAGE");
    let switch = |name: &str, default| (name.to_owned(), default);
    assert_eq!(
        adopted.switches,
        [
            switch("INSTALL_OPENCODE", true),
            switch("INSTALL_OMOS", false),
            switch("INSTALL_PI", false)
        ]
    );
    let floating = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        adopted.floating,
        [floating("PI_VERSION", "latest"), floating("TOOLKIT_REF", "main")]
    );
    let names: Vec<_> = adopted.variants().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["base", "omos", "pi"]);
    let files = files_beside(&answers(&["base", "omos", "with-pi", "omos-with-pi"]), &adopted);
    let family = load(text(&files, "variants.toml"));
    let args: Vec<String> = family.images[1..]
        .iter()
        .map(|image| {
            image
                .build
                .args
                .values()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        args,
        [
            "true false false",
            "true true false",
            "true false true",
            "true true true"
        ]
    );
    assert_eq!(
        family.images[1].smoke.as_ref().unwrap().command.len(),
        3,
        "--variant {{variant}}"
    );
}

#[test]
fn what_is_not_clear_counts_whole() {
    for base in [
        "FROM a\nCOPY . /\n",
        "FROM a\nCOPY x* /\n",
        "FROM a\nCOPY $X /\n",
        "FROM a\nRUN --mount=type=bind,target=/x make\n",
    ] {
        let adopted = Adopted::read(base, "ARG B\nFROM $B\n", None);
        assert_eq!(adopted.base_inputs, None, "{base}");
        assert_eq!(adopted.base_arg, "B");
        let files = files_beside(&answers(&["base"]), &adopted);
        let family = load(text(&files, "variants.toml"));
        assert_eq!(family.images[0].inputs, None);
    }
}

#[test]
fn names_and_repositories_that_a_folder_suggests() {
    for (folder, expected) in [
        ("devbox", "devbox"),
        ("My Box!", "my-box"),
        ("..", "family"),
        ("ÄÖ", "family"),
        ("1a.b_c", "1a.b_c"),
    ] {
        assert_eq!(name(folder).as_str(), expected, "{folder}");
    }
    for (url, expected) in [
        ("git@github.com:Acme/devbox.git", Some("ghcr.io/acme/devbox")),
        ("https://github.com/acme/devbox", Some("ghcr.io/acme/devbox")),
        (
            "https://user:t0ken@gitlab.com/acme/group/devbox.git",
            Some("registry.gitlab.com/acme/group/devbox"),
        ),
        (
            "ssh://git@codeberg.org:22/acme/devbox.git",
            Some("codeberg.org/acme/devbox"),
        ),
        ("https://git.example.org/acme/devbox.git", None),
        ("/srv/git/devbox.git", None),
        ("", None),
    ] {
        assert_eq!(
            of_origin(url).map(|repository| repository.to_string()).as_deref(),
            expected,
            "{url}"
        );
    }
}

#[test]
fn base_images_that_would_break_a_dockerfile_are_refused() {
    assert_eq!(
        "debian:trixie-slim@sha256:00"
            .parse::<BaseImage>()
            .unwrap()
            .to_string(),
        "debian:trixie-slim@sha256:00"
    );
    for text in ["", "a b", "a\nRUN x", "--platform=x", "${X}"] {
        assert!(text.parse::<BaseImage>().is_err(), "{text:?}");
    }
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/family");
    let files = files(&answers(&["base", "extra"]));
    write(&root, &files).unwrap();
    let paths = files.iter().map(|file| file.path);
    assert_eq!(existing(&root, paths.clone()).len(), files.len());
    let mode = |path: &str| root.join(path).metadata().unwrap().permissions().mode() & 0o700;
    assert_eq!(
        (mode("scripts/smoke-test.sh"), mode("variants.toml")),
        (0o700, 0o600)
    );
    // The last of them is in the way: what came before it is taken away again, and it is as it was.
    let other = folder.path().join("other");
    crate::testing::write(&other.join("variants.toml"), "mine", false);
    let error = write(&other, &files).unwrap_err();
    assert!(error.path.ends_with("variants.toml"), "{error}");
    assert_eq!(crate::testing::read(&other.join("variants.toml")), "mine");
    let left: Vec<_> = walkdir::WalkDir::new(&other)
        .min_depth(1)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
