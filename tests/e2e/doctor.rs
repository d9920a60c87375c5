//! `doctor` on a real engine and registry, well and ill.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, ARM64, Family, Registry, Run, Splitbase, classic_host, docker, program};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// `us3r-name` with the password `r1ght-w0rd`.
const PASSWORDS: &str = "us3r-name:$2b$04$TChPbE9CEmlrb10r.ExMmOqlp9QBwzBUOeeyS0T51HHEgjYlDPVEm\n";

/// The checks of this kind in a document.
fn of<'a>(document: &'a Value, kind: &str) -> Vec<&'a Value> {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["check"] == kind).collect()
}

/// The one check of this kind; its status must be this, its message and mend must hold these.
#[track_caller]
fn found(document: &Value, kind: &str, status: &str, message: &str, mend: &str) {
    let checks = of(document, kind);
    assert_eq!(checks.len(), 1, "{kind} in {document:#}");
    says(checks[0], status, message, mend);
}

#[track_caller]
fn says(check: &Value, status: &str, message: &str, mend: &str) {
    assert_eq!(check["status"], status, "{check:#}");
    assert!(check["message"].as_str().unwrap().contains(message), "{check:#}");
    assert!(
        check["mend"].as_str().unwrap_or_default().contains(mend),
        "{check:#}"
    );
    // What is wrong can be mended; what could not be looked at is told by another check.
    let skipped = check["message"].as_str().unwrap().starts_with("not checked");
    assert!(
        status == "ok" || skipped || check["mend"].is_string(),
        "{check:#}"
    );
}

fn doctor(splitbase: &Splitbase, code: i32, args: &[&str]) -> (Value, Run) {
    let args: Vec<_> = ["doctor", "-o", "json"].iter().chain(args).copied().collect();
    let run = splitbase.run(&args).expect(code);
    (run.json(), run)
}

#[test]
fn e2e_doctor_finds_all_well_and_leaves_nothing() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    family.append("variants.toml", "\n[versions]\nNODE_MAJOR = { value = \"22\" }\n");
    let (document, run) = doctor(&family.splitbase(), 0, &[]);
    assert_eq!(document["schema"], 1);
    let kinds: Vec<_> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    let mut disks = kinds.clone();
    disks.dedup();
    assert_eq!(
        disks,
        [
            "family",
            "engine",
            "buildx",
            "builder",
            "platform",
            "disk",
            "credentials",
            "registry",
            "push",
            "clock",
            "version"
        ]
    );
    for check in document["checks"].as_array().unwrap() {
        let keys: BTreeSet<_> = check.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["check", "mend", "message", "status", "subject"].into());
        // The disk of the machine may be what it is.
        if check["check"] != "disk" {
            assert_eq!(
                (&check["status"], &check["mend"]),
                (&json!("ok"), &Value::Null),
                "{check:#}"
            );
        }
    }
    let platforms = of(&document, "platform");
    assert_eq!(
        (&platforms[0]["subject"], &platforms[0]["message"]),
        (&json!(AMD64), &json!("runs natively"))
    );
    assert_eq!(
        (&platforms[1]["subject"], &platforms[1]["message"]),
        (&json!(ARM64), &json!("runs, emulated"))
    );
    assert_eq!(of(&document, "version")[0]["subject"], "NODE_MAJOR");
    // Really run: one build for each platform, and nothing of them kept.
    let builds = run.builds();
    assert_eq!(builds.len(), 2, "{builds:?}");
    for build in builds {
        assert!(
            build.contains("--no-cache") && build.contains("--output=type=cacheonly"),
            "{build}"
        );
    }
    // An upload was opened and cancelled, and that is all that was written.
    let writes: Vec<_> = registry
        .writes()
        .into_iter()
        .map(|request| (request.method, request.status))
        .collect();
    assert_eq!(writes, [("POST".to_owned(), 202), ("DELETE".to_owned(), 204)]);
    assert!(family.tags(&registry).is_empty());

    let shown = family.splitbase().ok(&["doctor"]);
    shown
        .shows("platform     linux/arm64  runs, emulated")
        .shows("takes uploads");
    assert!(
        !shown.stdout.contains('\x1b'),
        "no colour in a file: {:?}",
        shown.stdout
    );
    let coloured = family.splitbase().ok(&["doctor", "--color", "always"]);
    coloured.shows("\x1b[32mok\x1b[0m");
}

#[test]
fn e2e_doctor_without_docker_or_engine_or_builder() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let empty = family.path("files");
    std::fs::create_dir(&empty).unwrap();
    let (document, _) = doctor(&family.splitbase().env("PATH", &empty), 1, &[]);
    found(&document, "engine", "error", "no program `docker`", "install");
    found(&document, "buildx", "warning", "not checked", "");
    found(&document, "builder", "warning", "not checked", "");
    found(&document, "platform", "warning", "not checked", "");
    found(&document, "push", "ok", "takes uploads", "");

    let closed = format!("unix://{}", family.path("no.sock").display());
    let splitbase = family.splitbase().env("DOCKER_HOST", &closed);
    let (document, _) = doctor(&splitbase, 1, &[]);
    found(
        &document,
        "engine",
        "error",
        "connect to the Docker daemon",
        &closed,
    );
    found(&document, "buildx", "ok", "", "");
    found(&document, "builder", "warning", "not checked", "");
    splitbase
        .run(&["doctor"])
        .expect(1)
        .shows("not ready: ")
        .shows("hint: see whether an engine runs");

    let (document, _) = doctor(&family.splitbase(), 1, &["--builder", "nobody"]);
    found(&document, "engine", "ok", "Docker", "");
    found(&document, "builder", "error", "nobody", "docker buildx ls");

    // A docker client without its plugin.
    let tools = family.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let info = r#"{"ServerVersion":"28.5.2","Architecture":"x86_64","ClientInfo":{"Version":"28.5.2","Plugins":[]}}"#;
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = info ]; then echo '{info}'; else echo 'docker: unknown command: docker buildx' >&2; exit 1; fi\n"
    );
    family.write_script("tools/docker", script);
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let (document, _) = doctor(&family.splitbase().env("PATH", path), 1, &[]);
    found(&document, "buildx", "error", "no such plugin", "docker-buildx");
    found(&document, "builder", "warning", "not checked", "");
}

#[test]
fn e2e_doctor_finds_a_platform_that_is_not_emulated() {
    let registry = Registry::start();
    let listed = docker(&["buildx", "inspect"]);
    let foreign = ["linux/s390x", "linux/ppc64le", "linux/riscv64", "linux/mips64le"]
        .into_iter()
        .find(|platform| !listed.contains(platform))
        .expect("everything is emulated here: nothing to find");
    let family = Family::of(registry.address(), &[AMD64, foreign], &["base"]);
    let (document, _) = doctor(&family.splitbase(), 1, &[]);
    let platforms = of(&document, "platform");
    says(platforms[0], "ok", "runs natively", "");
    assert_eq!(platforms[1]["subject"], foreign);
    let architecture = foreign.trim_start_matches("linux/");
    says(
        platforms[1],
        "error",
        "not emulated",
        &format!("--install {architecture}"),
    );
    // The same without a family, for platforms that are asked for.
    let folder = tempfile::tempdir().unwrap();
    let (document, _) = doctor(&Splitbase::new(folder.path()), 1, &["--platform", foreign]);
    found(&document, "platform", "error", "not emulated", "--install");
}

#[test]
fn e2e_doctor_without_a_family_and_with_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let splitbase = Splitbase::new(folder.path());
    let (document, _) = doctor(&splitbase, 0, &[]);
    found(
        &document,
        "family",
        "warning",
        "registry and versions are not",
        "splitbase init",
    );
    found(&document, "engine", "ok", "containerd image store", "");
    assert!(!of(&document, "platform").is_empty(), "{document:#}");
    for kind in ["credentials", "registry", "push", "clock", "version"] {
        assert_eq!(of(&document, kind), [&Value::Null; 0], "{kind}");
    }
    splitbase
        .run(&["doctor", "--file", "other.toml"])
        .expect(2)
        .says("other.toml");

    std::fs::write(folder.path().join("variants.toml"), "schema = 1\nnonsense = 2\n").unwrap();
    let (document, run) = doctor(&splitbase, 1, &[]);
    found(&document, "family", "error", "problem", "standard error");
    found(&document, "engine", "ok", "", "");
    run.says("nonsense").says("variants.toml:2:1");
}

#[test]
fn e2e_doctor_on_the_classic_store() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    let (document, _) = doctor(&family.splitbase().classic(), 0, &[]);
    found(&document, "engine", "ok", "classic image store", "");
    found(
        &document,
        "builder",
        "warning",
        "no attestations",
        "containerd-snapshotter",
    );
    says(of(&document, "platform")[1], "ok", "runs, emulated", "");
}

#[test]
fn e2e_doctor_finds_a_registry_that_is_down_or_read_only() {
    let registry = Registry::start();
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("localhost:{}", listener.local_addr().unwrap().port())
    };
    let family = Family::of(&address, &[AMD64], &["base"]);
    let (document, run) = doctor(&family.splitbase(), 1, &[]);
    found(&document, "registry", "error", "connection refused", "running");
    found(&document, "push", "warning", "not checked", "");
    found(&document, "clock", "warning", "not checked", "");
    assert!(run.took < Duration::from_secs(30), "{:?}", run.took);

    for (status, mend) in [
        (401, "docker login"),
        (403, "docker login"),
        (405, "read-only"),
        (500, ""),
    ] {
        let proxy = Proxy::start(registry.address(), move |request| {
            if request.method == "POST" {
                Fault::Status(status)
            } else {
                Fault::Pass
            }
        });
        let family = Family::of(proxy.address(), &[AMD64], &["base"]);
        let args: Vec<_> = ["doctor", "-o", "json"].into();
        let run = family.splitbase().run(&args).expect(1);
        let document = run.json();
        found(&document, "registry", "ok", "holds nothing yet", "");
        found(&document, "push", "error", &status.to_string(), mend);
        assert_eq!(registry.writes(), []);
    }
}

#[test]
fn e2e_doctor_tells_credentials_apart_and_shows_none() {
    let registry = Registry::with_passwords(PASSWORDS);
    let family = Family::new(&registry);
    let login = format!("docker login {}", registry.address());
    let (document, _) = doctor(&family.splitbase(), 1, &[]);
    found(&document, "credentials", "ok", "anonymously", "");
    found(&document, "registry", "error", "401", &login);
    found(&document, "push", "error", "401", &login);

    let given = |password: &str| {
        family
            .splitbase()
            .env("SPLITBASE_USERNAME", "us3r-name")
            .env("SPLITBASE_PASSWORD", password)
    };
    let (document, run) = doctor(&given("wr0ng-w0rd"), 1, &[]);
    found(&document, "credentials", "ok", "SPLITBASE_PASSWORD", "");
    found(
        &document,
        "push",
        "error",
        "401",
        "from SPLITBASE_USERNAME and SPLITBASE_PASSWORD are refused",
    );
    assert!(!format!("{run:?}").contains("wr0ng-w0rd"), "{run:?}");
    let (document, run) = doctor(&given("r1ght-w0rd"), 0, &[]);
    found(&document, "push", "ok", "takes uploads", "");
    assert!(!format!("{run:?}").contains("r1ght-w0rd"), "{}", run.stdout);
    let half = family.splitbase().env("SPLITBASE_USERNAME", "us3r-name");
    let (document, _) = doctor(&half, 1, &[]);
    found(
        &document,
        "credentials",
        "error",
        "SPLITBASE_PASSWORD is not",
        "both",
    );
    found(&document, "push", "warning", "not checked", "");

    // "us3r-name:r1ght-w0rd"
    let auths = format!(
        r#"{{"auths":{{"{}":{{"auth":"dXMzci1uYW1lOnIxZ2h0LXcwcmQ="}}}}}}"#,
        registry.address()
    );
    family.write("docker/config.json", auths);
    let logged_in = family.splitbase().env("DOCKER_CONFIG", family.path("docker"));
    let (document, run) = doctor(&logged_in, 0, &[]);
    found(&document, "credentials", "ok", "docker/config.json", "");
    assert!(!run.stdout.contains("dXMzci1uYW"), "{}", run.stdout);

    let helper = r#"echo '{"Username":"us3r-name","Secret":"r1ght-w0rd"}'"#;
    family.write_script(
        "tools/docker-credential-e2e",
        format!("#!/bin/sh\ncat >/dev/null\n{helper}\n"),
    );
    family.write("docker/config.json", r#"{"credsStore":"e2e"}"#);
    let path = format!(
        "{}:{}",
        family.path("tools").display(),
        std::env::var("PATH").unwrap()
    );
    let (document, _) = doctor(&logged_in.env("PATH", path), 0, &[]);
    found(&document, "credentials", "ok", "`docker-credential-e2e`", "");
    found(&document, "push", "ok", "takes uploads", "");
}

#[test]
fn e2e_doctor_asks_version_sources_and_the_clock() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.path.ends_with("/tags/list") {
            Fault::Answer(200, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "{}")
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.append(
        "variants.toml",
        "\n[versions]\nGOOD = { command = [\"echo\", \"1.2.3\"], pattern = '^\\d+\\.\\d+\\.\\d+$' }\nGONE = { git = \"file:///nowhere/at/all\", ref = \"main\" }\n",
    );
    let (document, _) = doctor(&family.splitbase(), 1, &[]);
    found(
        &document,
        "clock",
        "warning",
        "ahead of the registry's",
        "timedatectl",
    );
    let versions = of(&document, "version");
    assert_eq!(
        (&versions[0]["subject"], &versions[1]["subject"]),
        (&json!("GOOD"), &json!("GONE"))
    );
    says(versions[0], "ok", "1.2.3 from command:echo", "");
    says(versions[1], "error", "file:///nowhere/at/all", "");
    // Who sets a version does not need its source.
    let (document, _) = doctor(
        &family.splitbase(),
        0,
        &["--set", "GONE=0123456789abcdef0123456789abcdef01234567"],
    );
    found(&document, "version", "ok", "1.2.3", "");
}

/// An engine and a registry that take the connection and never answer: both at once, because the test waits for it.
#[test]
fn e2e_doctor_does_not_wait_for_what_hangs() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |_| Fault::Stall);
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let socket = std::os::unix::net::UnixListener::bind(family.path("docker.sock")).unwrap();
    let host = format!("unix://{}", family.path("docker.sock").display());
    let (document, run) = doctor(&family.splitbase().env("DOCKER_HOST", host), 1, &[]);
    found(
        &document,
        "engine",
        "error",
        "did not end within 20 s",
        "DOCKER_HOST",
    );
    found(&document, "builder", "warning", "not checked", "");
    found(&document, "registry", "error", "did not answer in time", "");
    assert!(run.took < Duration::from_secs(40), "{:?}", run.took);
    drop(socket);
}

/// A builder that is not the engine's own builds, and the engine tests: each is tried. Such builders need an image from outside, so that here
/// the engine's own builder goes by another name.
#[test]
fn e2e_doctor_tries_the_engine_too_where_another_one_builds() {
    let registry = Registry::start();
    let family = Family::for_both(&registry);
    let real = String::from_utf8(program("sh", &["-c", "command -v docker"])).unwrap();
    let log = family.path("docker.log");
    let script = format!(
        r#"#!/bin/sh
echo "$*" >>'{log}'
case "$*" in
    "buildx inspect"*)
        printf 'Name: big\nDriver: docker-container\n\nNodes:\nName: big0\nStatus: running\nPlatforms: linux/amd64, linux/arm64\n'
        exit ;;
    *--builder=big*)
        for arg; do
            shift
            [ "$arg" = --builder=big ] || set -- "$@" "$arg"
        done ;;
esac
exec {real} "$@"
"#,
        log = log.display(),
        real = real.trim()
    );
    family.write_script("tools/docker", script);
    let path = format!(
        "{}:{}",
        family.path("tools").display(),
        std::env::var("PATH").unwrap()
    );
    let (document, _) = doctor(&family.splitbase().env("PATH", path), 0, &["--builder", "big"]);
    found(&document, "builder", "ok", "`big`, driver docker-container", "");
    for kind in ["platform", "smoke"] {
        let checks = of(&document, kind);
        let subjects: Vec<_> = checks
            .iter()
            .map(|check| check["subject"].as_str().unwrap())
            .collect();
        assert_eq!(subjects, [AMD64, ARM64], "{kind}");
        says(checks[1], "ok", "runs", "");
    }
    let log = family.read("docker.log");
    let on = |builder: &str| log.matches(&format!("--builder={builder} ")).count();
    assert_eq!((on("big"), on("default")), (2, 2), "{log}");
}

/// buildx lists docker contexts among its builders, and refuses to use them by name.
#[test]
fn e2e_doctor_finds_that_a_context_is_no_builder() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.write("docker/config.json", "{}");
    let config = family.path("docker").display().to_string();
    let endpoint = format!("host={}", classic_host());
    docker(&[
        "--config",
        &config,
        "context",
        "create",
        "elsewhere",
        "--docker",
        &endpoint,
    ]);
    let splitbase = family.splitbase().env("DOCKER_CONFIG", &config);
    let (document, _) = doctor(&splitbase, 1, &["--builder", "elsewhere"]);
    found(
        &document,
        "platform",
        "error",
        "switch to context",
        "DOCKER_CONTEXT",
    );
    let (document, _) = doctor(&splitbase.env("DOCKER_CONTEXT", "elsewhere"), 0, &[]);
    found(&document, "engine", "ok", "context elsewhere", "");
    found(&document, "builder", "warning", "`elsewhere`", "");
    found(&document, "platform", "ok", "runs natively", "");
}

#[test]
fn e2e_doctor_can_be_interrupted() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let socket = std::os::unix::net::UnixListener::bind(family.path("docker.sock")).unwrap();
    let host = format!("unix://{}", family.path("docker.sock").display());
    let running = family.splitbase().env("DOCKER_HOST", host).start(&["doctor"]);
    // The engine's first answer is waited for.
    let _connection = socket.accept().unwrap();
    running.signal(rustix::process::Signal::INT);
    let run = running.wait().expect(130);
    run.says("interrupted");
    assert!(run.took < Duration::from_secs(10), "{:?}", run.took);
}
