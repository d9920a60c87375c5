//! What is around a release and is not there, or does not let it in: docker, buildx, engine, builder, emulation, registry.

use super::refused_at_once;
use crate::support::{AMD64, Family, Registry, closed_port};
#[test]
fn e2e_no_docker() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family
        .splitbase()
        .env("PATH", "/nonexistent")
        .run(&["release", "v1.0.0"]);
    let says = [
        "error: run `docker`: there is no such program",
        "hint: install the docker client",
    ];
    refused_at_once(run, 1, &says, &family, &registry);
}

/// The real client, in a mount namespace in which the folders of its plugins are empty.
#[test]
fn e2e_no_buildx() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let script = r#"#!/bin/sh
exec unshare --mount sh -c '
    for folder in "$HOME/.docker/cli-plugins" /usr/local/lib/docker/cli-plugins /usr/local/libexec/docker/cli-plugins \
            /usr/lib/docker/cli-plugins /usr/libexec/docker/cli-plugins; do
        if [ -d "$folder" ]; then mount -t tmpfs none "$folder" || exit 99; fi
    done
    exec "$0" "$@"' REAL "$@"
"#;
    let real = String::from_utf8(crate::support::program("sh", &["-c", "command -v docker"])).unwrap();
    family.write_script("bin/docker", script.replace("REAL", real.trim()));
    let path = format!(
        "{}:{}",
        family.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let run = family.splitbase().env("PATH", path).run(&["release", "v1.0.0"]);
    let says = [
        "error: run `docker buildx`: the docker client has no such command",
        "hint: install the buildx plugin",
    ];
    refused_at_once(run, 1, &says, &family, &registry);
}

#[test]
fn e2e_an_engine_that_does_not_answer() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family
        .splitbase()
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .run(&["release", "v1.0.0"]);
    let says = [
        "error: ask the builder what it can do: ",
        "/nonexistent/docker.sock",
        "hint: see whether the engine runs",
    ];
    refused_at_once(run, 1, &says, &family, &registry);
}

#[test]
fn e2e_a_builder_that_there_is_not() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family
        .splitbase()
        .run(&["release", "v1.0.0", "--builder", "nosuch"]);
    let says = [
        "error: use the builder `nosuch`: there is none of that name",
        "hint: `docker buildx ls`",
    ];
    refused_at_once(run, 1, &says, &family, &registry);
}

#[test]
fn e2e_no_emulation() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.replace("Dockerfile.base", "busybox-${TARGETARCH}", "busybox-amd64");
    let run = family
        .splitbase()
        .run(&["release", "v1.0.0", "--platform", "linux/s390x"]);
    let says = [
        "cannot build for linux/s390x; it can build for: linux/amd64",
        "hint: install emulation: ",
        "hint: or leave the platform out",
    ];
    refused_at_once(run, 1, &says, &family, &registry);
}

#[test]
fn e2e_a_registry_that_is_down() {
    let address = format!("localhost:{}", closed_port());
    let family = Family::of(&address, &[AMD64], &["base"]);
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(5);
    run.says("connection refused, 2 attempts")
        .says(&format!("hint: is the registry at {address} running?"));
    assert_eq!(run.builds(), [""; 0]);
}

/// `user` with the password `right`.
const PASSWORDS: &str = "user:$2b$04$TChPbE9CEmlrb10r.ExMmOBdHhdJ5VvYP0ODLD94/OCqSD/EmlNHu\n";

fn credentials(family: &Family, registry: &str, password: &str) -> String {
    use base64::Engine as _;
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("user:{password}"));
    family.write(
        "docker/config.json",
        format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#),
    );
    family.path("docker").display().to_string()
}

#[test]
fn e2e_wrong_credentials() {
    let registry = Registry::with_passwords(PASSWORDS);
    let family = Family::new(&registry);
    let login = format!("docker login {}", registry.address());
    for password in ["wr0ng-w0rd", ""] {
        let config = credentials(&family, registry.address(), password);
        let run = family
            .splitbase()
            .env("DOCKER_CONFIG", config)
            .run(&["release", "v1.0.0"]);
        assert!(!run.stderr.contains("wr0ng-w0rd"), "{}", run.stderr);
        assert!(
            !run.events.iter().any(|event| event["event"] == "retry"),
            "a 401 is not tried again"
        );
        refused_at_once(run, 5, &["error: read ", "hint: ", &login], &family, &registry);
    }
    let config = credentials(&family, registry.address(), "right");
    family
        .splitbase()
        .env("DOCKER_CONFIG", config)
        .ok(&["release", "v1.0.0"]);
}
