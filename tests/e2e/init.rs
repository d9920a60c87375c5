//! `init`: what it writes is a family that builds, passes its test and is released as it is.

use crate::support::{AMD64, Registry, Splitbase, busybox, docker, program};
use serde_json::json;
use std::path::Path;

/// A base image with a shell, in the test's own registry.
fn base_image(registry: &Registry) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(busybox().join("busybox-amd64"), folder.path().join("busybox")).unwrap();
    let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nENV PATH=/bin\n";
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let name = format!("{}/e2e/busybox:1", registry.address());
    let context = folder.path().to_str().unwrap();
    docker(&[
        "buildx",
        "build",
        "-q",
        "--platform",
        AMD64,
        "--push",
        "-t",
        &name,
        context,
    ]);
    name
}

/// All files of an image as one archive.
fn files(reference: &str) -> String {
    String::from_utf8_lossy(&program("crane", &["export", reference, "-"])).into_owned()
}

fn exists(folder: &Path, name: &str) -> bool {
    folder.join(name).symlink_metadata().is_ok()
}

#[test]
fn e2e_init_writes_a_family_that_is_released_as_it_is() {
    let registry = Registry::start();
    let image = base_image(&registry);
    let folder = tempfile::tempdir().unwrap();
    let repository = format!("{}/e2e/started", registry.address());
    let run = Splitbase::new(folder.path()).ok(&[
        "init",
        "my/devbox",
        "--name",
        "started",
        "--base-image",
        &image,
        "--repository",
        &repository,
        "--platforms",
        AMD64,
        "--variants",
        "base,omos,with-pi",
    ]);
    run.shows("wrote  my/devbox/variants.toml")
        .shows("cd my/devbox")
        .shows("splitbase doctor");
    let family = folder.path().join("my/devbox");
    let splitbase = Splitbase::new(&family);
    let plan = splitbase.json(&["plan", "v0.1.0"]);
    assert_eq!(plan["images"].as_array().unwrap().len(), 4);
    let run = splitbase.ok(&["validate"]);
    assert_eq!(run.steps_of("smoke/").len(), 3, "{:?}", run.steps());
    assert!(registry.tags("e2e/started").is_empty());
    let run = splitbase.ok(&["release", "v0.1.0"]);
    assert_eq!(run.steps_of("build/").len(), 4, "{:?}", run.steps());
    assert_eq!(run.steps_of("smoke/").len(), 3, "{:?}", run.steps());
    let tags: Vec<_> = registry
        .tags("e2e/started")
        .into_keys()
        .filter(|tag| tag.starts_with(['v', 'l']) && !tag.starts_with("variant-"))
        .collect();
    assert_eq!(
        tags,
        [
            "latest",
            "latest-omos",
            "latest-with-pi",
            "v0.1.0",
            "v0.1.0-omos",
            "v0.1.0-with-pi"
        ]
    );
    // Each variant has what its switch brings, the smoke test finds it out when it has not.
    let layers = files(&format!("{repository}:v0.1.0-omos"));
    assert!(layers.contains("opt/omos/installed") && !layers.contains("opt/with-pi/installed"));
    let variant = family.join("Dockerfile.variant");
    let text = std::fs::read_to_string(&variant).unwrap();
    assert_eq!(text.matches("INSTALL_OMOS\" = true").count(), 1, "{text}");
    std::fs::write(
        &variant,
        text.replace("INSTALL_OMOS\" = true", "INSTALL_OMOS\" = never"),
    )
    .unwrap();
    splitbase
        .run(&["release", "v0.2.0"])
        .expect(3)
        .says("not ok: omos is installed");
    // Nothing is to be done a second time for what stands.
    std::fs::write(&variant, text).unwrap();
    assert_eq!(splitbase.ok(&["release", "v0.1.0"]).builds(), [""; 0]);
}

#[test]
fn e2e_init_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let splitbase = Splitbase::new(folder.path());
    std::fs::write(folder.path().join("Dockerfile.base"), "FROM mine\n").unwrap();
    std::fs::create_dir(folder.path().join("scripts")).unwrap();
    // A link that leads nowhere is there all the same.
    std::os::unix::fs::symlink("/nowhere", folder.path().join("scripts/smoke-test.sh")).unwrap();
    let run = splitbase.run(&["init"]).expect(2);
    run.says("nothing was written: Dockerfile.base, scripts/smoke-test.sh")
        .says("hint:");
    let names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("Dockerfile.base")).unwrap(),
        "FROM mine\n"
    );

    let other = splitbase.json(&["init", "other"]);
    assert_eq!(
        other,
        json!({"schema": 1, "directory": "other", "name": "other", "repository": "localhost:5000/other", "floating": [], "kept": [],
            "written": ["rootfs/etc/motd", ".dockerignore", "Dockerfile.base", "Dockerfile.variant", "scripts/smoke-test.sh", "variants.toml"]})
    );
    let run = splitbase.run(&["init", "other"]).expect(2);
    run.says(".dockerignore, Dockerfile.base, Dockerfile.variant, rootfs/etc/motd, scripts/smoke-test.sh, variants.toml").says("splitbase plan");
    splitbase
        .run(&["init", "x", "--base-image", "a b"])
        .expect(2)
        .says("an image");
    splitbase
        .run(&["init", "x", "--file", "y.toml"])
        .expect(2)
        .says("--file");
    assert!(!exists(folder.path(), "x"));
}

#[test]
fn e2e_init_uses_dockerfiles_that_are_there() {
    let registry = Registry::start();
    let image = base_image(&registry);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let base = format!("FROM {image}\nARG TOOLKIT_REF=main\nCOPY rootfs/ /\nCOPY entrypoint.sh /bin/\n");
    let variant = "ARG PARENT\nFROM ${PARENT}\nARG INSTALL_OMOS=false\nARG INSTALL_PI=false\nRUN echo $INSTALL_OMOS $INSTALL_PI >/etc/kind\n";
    write("Dockerfile.base", &base);
    write("Dockerfile.variant", variant);
    write("rootfs/etc/x", "x\n");
    write("entrypoint.sh", "#!/bin/sh\n");
    let splitbase = Splitbase::new(folder.path());
    let repository = format!("{}/e2e/taken", registry.address());
    let run = splitbase.ok(&[
        "init",
        "--repository",
        &repository,
        "--platform",
        AMD64,
        "--variant",
        "base,omos,omos-with-pi",
    ]);
    run.shows("kept   Dockerfile.base")
        .says("used as they are")
        .says("TOOLKIT_REF");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("Dockerfile.base")).unwrap(),
        base
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("Dockerfile.variant")).unwrap(),
        variant
    );
    // What floats stops a release, with its name.
    splitbase.run(&["plan", "v1.0.0"]).expect(2).says("TOOLKIT_REF");
    write("Dockerfile.base", &base.replace("ARG TOOLKIT_REF=main\n", ""));
    splitbase.ok(&["release", "v1.0.0"]);
    for (tag, kind) in [
        (
            "v1.0.0",
            "false false
",
        ),
        (
            "v1.0.0-omos",
            "true false
",
        ),
        (
            "v1.0.0-omos-with-pi",
            "true true
",
        ),
    ] {
        assert!(files(&format!("{repository}:{tag}")).contains(kind), "{tag}");
    }
}

/// On a terminal, that `script` makes, a person is asked; in CI nobody is.
#[test]
fn e2e_init_asks_a_person_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let answers = folder.path().join("answers");
    std::fs::write(&answers, "No Name\nasked\n\nlinux/arm64\nbase, big\n\n").unwrap();
    let asked = |environment: &[(&str, &str)], dir: &str| {
        let command = format!("'{}' init {dir}", env!("CARGO_BIN_EXE_splitbase"));
        let output = std::process::Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(folder.path())
            .env_remove("CI")
            .envs(environment.iter().copied())
            .stdin(std::fs::File::open(&answers).unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        (
            said,
            std::fs::read_to_string(folder.path().join(dir).join("variants.toml")).unwrap(),
        )
    };
    let (said, written) = asked(&[], "one");
    for text in [
        "name of the family [one]",
        "a variant name",
        "repository that its tags go to [localhost:5000/asked]",
        "[debian:trixie-slim]",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    for text in [
        "\"asked\"",
        "\"localhost:5000/asked\"",
        "[\"linux/arm64\"]",
        "[variants.big]",
    ] {
        assert!(written.contains(text), "{text}: {written}");
    }
    let (said, written) = asked(&[("CI", "true")], "two");
    assert!(
        !said.contains("name of the family") && written.contains("\"two\""),
        "{said}{written}"
    );
}

/// Not a word of it is changed. Only `debian:…` is found in the test's own registry, by one more table: the machine need not reach Docker Hub.
#[test]
fn e2e_init_as_written_passes_validate() {
    let registry = Registry::start();
    let image = base_image(&registry);
    let folder = tempfile::tempdir().unwrap();
    let splitbase = Splitbase::new(folder.path());
    splitbase.ok(&["init"]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let dockerfile = read("Dockerfile.base");
    let from = dockerfile.lines().next().unwrap().strip_prefix("FROM ").unwrap();
    assert!(from.starts_with("debian:"), "{from}");
    let file = format!(
        "{}\n[base.build]\ncontexts = {{ \"{from}\" = \"docker-image://{image}\" }}\n",
        read("variants.toml")
    );
    std::fs::write(folder.path().join("variants.toml"), file).unwrap();
    registry.requests();
    let run = splitbase.ok(&["validate"]);
    let tested = run.steps_of("smoke/").len();
    assert!(
        tested >= 2 && run.steps_of("build/").len() == tested + 1,
        "{:?}",
        run.steps()
    );
    assert_eq!(registry.writes(), []);
}
