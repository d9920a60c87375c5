//! Bad input and failure: what is said, with which exit code, and that nothing is published.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, Run, docker, unique};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Fails unless the run ended with this exit code, said all of this, and no release tag or alias stands.
#[track_caller]
fn refused(run: Run, code: i32, says: &[&str], family: &Family, registry: &Registry) -> Run {
    println!("{}{}", run.stdout, run.stderr);
    let run = run.expect(code);
    for text in says {
        run.says(text);
    }
    assert_eq!(family.public_tags(registry), BTreeMap::new());
    run
}

/// As [`refused`], and before anything was built or written.
#[track_caller]
fn refused_at_once(run: Run, code: i32, says: &[&str], family: &Family, registry: &Registry) {
    let run = refused(run, code, says, family, registry);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.tags(registry), BTreeMap::new(), "not even machine tags");
}

fn remove(family: &Family, name: &str) {
    std::fs::remove_file(family.path(name)).unwrap();
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
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
    let registry = Registry::start();
    let address = format!("localhost:{}", closed_port());
    let family = Family::of(&address, &[AMD64], &["base"]);
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "connection refused, 2 attempts",
        &format!("hint: is the registry at {address} running?"),
    ];
    refused_at_once(run, 5, &says, &family, &registry);
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

#[test]
fn e2e_a_run_that_fails() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.append(
        "Dockerfile.variant",
        "RUN echo the last words; if [ \"$KIND\" = omos ]; then exit 7; fi\n",
    );
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: build/variant/omos/linux-amd64: `RUN echo the last words; if [ \"",
        "failed: exit code 7\n",
        "  | the last words\n",
    ];
    let run = refused(run, 1, &says, &family, &registry);
    // Not tried again; what does not depend on it went on, and is used by the next run.
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("variant-omos"))
            .count(),
        1
    );
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "failed");
    family.replace("Dockerfile.variant", "exit 7", "true");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps_of("build/base"), [""; 0]);
}

#[test]
fn e2e_a_run_that_fails_is_run_again_where_that_is_wanted() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .replace("variants.toml", "attempts = 2", "attempts = 2\nbuild = 1")
        .append("Dockerfile.variant", "RUN exit 7\n");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let run = refused(run, 1, &["failed: exit code 7"], &family, &registry);
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("variant-base"))
            .count(),
        2
    );
}

#[test]
fn e2e_a_smoke_test_that_fails() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke(
        "echo one line\nif [ \"$SPLITBASE_VARIANT\" = omos ]; then echo 'not ok: the marker'; exit 4; fi",
    );
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: smoke/variant/omos/linux-amd64: smoke test of variant/omos for linux/amd64 failed: exit code 4",
        "  | one line\n  | not ok: the marker\n",
        "hint: the whole output is in `",
        "hint: to look inside: `docker run -it --rm --platform linux/amd64 ",
    ];
    let run = refused(run, 3, &says, &family, &registry);
    let (_, rest) = run.stderr.split_once("the whole output is in `").unwrap();
    let log = std::fs::read_to_string(rest.split_once('`').unwrap().0).unwrap();
    assert_eq!(log, "one line\nnot ok: the marker\n");
    let (_, rest) = run.stderr.split_once("--platform linux/amd64 ").unwrap();
    let image = rest.split_once('`').unwrap().0;
    assert_eq!(
        docker(&["run", "--rm", image, "cat", "/etc/marker"]),
        family.read("marker").trim()
    );
    docker(&["image", "rm", image]);
    assert_eq!(run.steps_of("tag/"), [""; 0]);
    // The other's receipt stands.
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
}

#[test]
fn e2e_a_file_that_changes_during_the_build() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "RUN sleep 3\n");
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    running.wait_for("the sleep", |event| {
        event["event"] == "progress" && event["stage"].as_str().unwrap().contains("RUN sleep")
    });
    family.write("marker", "another\n");
    let says = [
        "error: build/base/linux-amd64: the inputs of base changed during the build: `marker` changed",
        "hint: let the sources rest, and run this again",
    ];
    refused(running.wait(), 1, &says, &family, &registry);
    let identity = |tag: &String| tag.starts_with("base-") && !tag.ends_with("-staging");
    assert!(
        !family.tags(&registry).keys().any(identity),
        "nothing stands under an identity"
    );
}

#[test]
fn e2e_a_second_process_with_the_same_version() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append("Dockerfile.base", "RUN sleep 5\n");
    let mut first = family.splitbase().start(&["release", "v1.0.0"]);
    first.wait_for_start("build/base/linux-amd64");
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        &*format!(
            "error: release `v1.0.0` is being made by process {} on this machine",
            first.id()
        ),
        "hint: wait for it to end",
    ];
    let run = refused(run, 7, &says, &family, &registry);
    assert_eq!(run.builds(), [""; 0]);
    let other = family.splitbase().run(&["release", "v1.0.1"]);
    refused(
        other,
        7,
        &["error: release `v1.0.0` is being made by process"],
        &family,
        &registry,
    );
    let _ = first.wait().expect(0);
    assert_eq!(family.public_tags(&registry).len(), 3);
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

// ------------------------------------------------------------------------------------------------------------- retries

/// A family whose base holds a random word that its `RUN` makes, in a repository behind a proxy.
fn random(proxy: &Proxy) -> Family {
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.append(
        "Dockerfile.base",
        "RUN echo \"random=$(cat /proc/sys/kernel/random/uuid)\" >/etc/random\n",
    );
    family
}

/// The random words in all layers that ever reached the registry.
fn words(registry: &Registry) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for blob in registry.blobs() {
        let text = String::from_utf8_lossy(&blob).into_owned();
        words.extend(
            text.split("random=")
                .skip(1)
                .map(|rest| rest.chars().take(36).collect::<String>()),
        );
    }
    words.retain(|word| word.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
    words
}

/// Pushes that fail with this status until splitbase tries again.
fn push_again(status: u16, reason: &str) {
    let registry = Registry::start();
    let healed = Arc::new(AtomicBool::new(false));
    let fault = {
        let healed = healed.clone();
        move |request: &crate::support::proxy::Request| {
            let broken = request.puts("-staging") && !healed.load(Ordering::SeqCst);
            if broken {
                Fault::Status(status)
            } else {
                Fault::Pass
            }
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = random(&proxy);
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    let retry = running.wait_for("another attempt", |event| event["event"] == "retry");
    healed.store(true, Ordering::SeqCst);
    let run = running.wait().expect(0);
    println!("{}", run.stderr);
    assert_eq!(retry["step"], "build/base/linux-amd64");
    assert!(retry["reason"].as_str().unwrap().contains(reason), "{retry}");
    assert_eq!((&retry["attempt"], &retry["of"]), (&1.into(), &2.into()));
    run.says("build/base/linux-amd64: ")
        .says(reason)
        .says("again in 1s");
    // The step was done twice, its instructions once.
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("Dockerfile.base"))
            .count(),
        2
    );
    let built = &run.events[run.at("finished", "build/base/linux-amd64")];
    assert_eq!(
        (&built["outcome"], &built["run"]),
        (&"done".into(), &0.into()),
        "{built}"
    );
    assert!(built["cached"].as_u64().unwrap() >= 4, "{built}");
    assert_eq!(words(&registry).len(), 1);
    assert_eq!(family.public_tags(&registry).len(), 3);
}

#[test]
fn e2e_a_push_that_is_told_to_slow_down_is_pushed_again_and_not_built_again() {
    push_again(429, "toomanyrequests");
}

#[test]
fn e2e_a_push_that_meets_server_errors_is_pushed_again_and_not_built_again() {
    push_again(503, "503");
}

#[test]
fn e2e_a_push_that_keeps_failing() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.puts("-staging") {
            Fault::Status(429)
        } else {
            Fault::Pass
        }
    });
    let family = random(&proxy);
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: build/base/linux-amd64: push `",
        "toomanyrequests",
        "2 attempts",
        "hint: run this again later: what was built is kept",
    ];
    let run = refused(run, 6, &says, &family, &registry);
    assert_eq!(run.builds().len(), 2);
    assert_eq!(words(&registry).len(), 1);
}

#[test]
fn e2e_a_push_that_is_refused_is_not_tried_again() {
    let registry = Registry::start();
    for status in [401, 403] {
        let proxy = Proxy::start(registry.address(), move |request| {
            if request.method == "POST" && !request.is_ours() {
                Fault::Answer(
                    status,
                    "Content-Type: application/json\r\nWWW-Authenticate: Basic realm=\"test\"\r\n",
                    r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
                )
            } else {
                Fault::Pass
            }
        });
        let family = random(&proxy);
        let run = family.splitbase().run(&["release", "v1.0.0"]);
        let says = [
            "error: build/base/linux-amd64: push `",
            "hint: log in with an account that may push there: `docker login",
        ];
        let run = refused(run, 6, &says, &family, &registry);
        assert_eq!(run.builds().len(), 1, "{status}");
    }
}

#[test]
fn e2e_a_record_that_cannot_be_written() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.is_ours() && request.method == "POST" {
            Fault::Status(503)
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = ["error: record/planned: write ", "503", "2 attempts"];
    refused_at_once(run, 6, &says, &family, &registry);
}

/// An image for one platform that the engine does not hold.
fn upstream(registry: &Registry, name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        crate::support::busybox().join("busybox-amd64"),
        folder.path().join("busybox"),
    )
    .unwrap();
    let dockerfile = format!(
        "FROM scratch\nCOPY busybox /bin/busybox\nLABEL word={}\n",
        unique()
    );
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    let reference = format!("{}/{name}", registry.address());
    let output = format!("type=image,name={reference},push=true,oci-mediatypes=true");
    docker(&[
        "buildx",
        "build",
        "--quiet",
        "--provenance=false",
        "--output",
        &output,
        folder.path().to_str().unwrap(),
    ]);
    docker(&["image", "rm", &reference]);
    reference
}

#[test]
fn e2e_a_pull_that_meets_server_errors_is_tried_again() {
    let registry = Registry::start();
    upstream(&registry, "library/up:1");
    let healed = Arc::new(AtomicBool::new(false));
    let fault = {
        let healed = healed.clone();
        move |request: &crate::support::proxy::Request| {
            let pull = !request.is_ours() && request.path.contains("/library/up/manifests/");
            if pull && !healed.load(Ordering::SeqCst) {
                Fault::Status(503)
            } else {
                Fault::Pass
            }
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.replace(
        "Dockerfile.base",
        "FROM scratch",
        &format!("FROM {}/library/up:1", proxy.address()),
    );
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    let retry = running.wait_for("another attempt", |event| event["event"] == "retry");
    healed.store(true, Ordering::SeqCst);
    let _ = running.wait().expect(0);
    assert_eq!(retry["step"], "build/base/linux-amd64");
    assert!(retry["reason"].as_str().unwrap().contains("503"), "{retry}");
}

#[test]
fn e2e_reads_that_meet_server_errors_are_tried_again() {
    let registry = Registry::start();
    let seen = std::sync::Mutex::new(BTreeSet::new());
    let proxy = Proxy::start(registry.address(), move |request| {
        let first =
            request.is_ours() && request.reads("") && seen.lock().unwrap().insert(request.path.clone());
        match (first, request.number % 2) {
            (false, _) => Fault::Pass,
            (true, 0) => Fault::Status(503),
            (true, _) => Fault::Reset,
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let reasons: Vec<_> = run
        .events
        .iter()
        .filter(|event| event["event"] == "retry")
        .map(|event| &event["reason"])
        .collect();
    let has = |text: &str| {
        reasons
            .iter()
            .any(|reason| reason.as_str().unwrap().contains(text))
    };
    assert!(has("503") && (has("reset") || has("broke")), "{reasons:?}");
    assert_eq!(family.public_tags(&registry).len(), 3);
}

/// A 404 that is no registry's: of a proxy, of a captive portal, of a path that is not served.
#[test]
fn e2e_unknown_is_not_absent() {
    let registry = Registry::start();
    for (status, headers, body) in [
        (404, "Content-Type: text/html\r\n", "<html>404</html>"),
        (404, "Content-Type: text/plain\r\n", "404 page not found"),
        (400, "Content-Type: text/html\r\n", "<html>400</html>"),
        (200, "Content-Type: text/html\r\n", "<html>Please log in</html>"),
    ] {
        let proxy = Proxy::start(registry.address(), move |request| {
            let probe = request.is_ours() && (request.reads("base-") || request.reads("variant-"));
            if probe {
                Fault::Answer(status, headers, body)
            } else {
                Fault::Pass
            }
        });
        let family = Family::of(proxy.address(), &[AMD64], &["base"]);
        let run = family.splitbase().run(&["release", "v1.0.0"]);
        refused_at_once(run, 5, &["error: read `"], &family, &registry);
    }
}

#[test]
fn e2e_a_slow_registry_is_only_slow() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.is_ours() {
            Fault::Delay(Duration::from_millis(200))
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(!run.events.iter().any(|event| event["event"] == "retry"));
}
