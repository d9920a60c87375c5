//! Build options: that each arrives at BuildKit, and that no secret leaves.

use crate::support::{AMD64, ARM64, Family, Registry, docker, sha256, try_program, unique};

/// Runs a command in a released image.
fn inside(family: &Family, registry: &Registry, tag: &str, command: &[&str]) -> String {
    let image = family.reference(registry, tag);
    let mut args = vec!["run", "--rm", "--pull", "always", "--quiet", &image];
    args.extend(command);
    let output = docker(&args);
    let _ = try_program("docker", &["image", "rm", &image]);
    output
}

#[test]
fn e2e_options_secrets_arrive_and_leave_no_trace() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let (from_env, from_file) = (format!("env-{}", unique()), format!("file-{}", unique()));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &from_file).unwrap();
    family
        .set(
            "build",
            "secrets = [{ id = \"token\", env = \"E2E_TOKEN\" }, { id = \"file\", file = \"{env.E2E_FILE}\" }, { id = \"none\", env = \"E2E_NONE\", optional = true }]\nprovenance = \"max\"",
        )
        .append(
            "Dockerfile.variant",
            "RUN --mount=type=secret,id=token --mount=type=secret,id=file --mount=type=secret,id=none \\\n  \
             cat /run/secrets/token /run/secrets/file && cd /run/secrets && test ! -e none && sha256sum token file >/etc/sums\n",
        );
    let splitbase = family
        .splitbase()
        .env("E2E_TOKEN", &from_env)
        .env("E2E_FILE", file.path());
    let run = splitbase.ok(&["release", "v1.0.0", "-v"]);
    let sums = inside(&family, &registry, "v1.0.0", &["cat", "/etc/sums"]);
    for value in [&from_env, &from_file] {
        let sum = sha256(value.as_bytes());
        assert!(sums.contains(sum.trim_start_matches("sha256:")), "{sums}");
        let text = format!("{}{}{:?}{:?}", run.stdout, run.stderr, run.events, run.docker);
        assert!(!text.contains(value.as_str()), "a secret was told: {text}");
        let holds = |blob: &Vec<u8>| blob.windows(value.len()).any(|part| part == value.as_bytes());
        assert!(!registry.blobs().iter().any(holds), "a secret is in the registry");
    }
    // A build that fails tells no more.
    family.append(
        "Dockerfile.variant",
        "RUN --mount=type=secret,id=token echo \"it is $(cat /run/secrets/token)\"; false\n",
    );
    let run = splitbase.run(&["release", "v1.1.0"]).expect(1);
    run.says("it is ");
    let text = format!("{}{}{:?}", run.stdout, run.stderr, run.events);
    assert!(!text.contains(&from_env), "a secret was told: {text}");
    // Another value is not another image; a missing one stops before anything is built.
    family.replace(
        "Dockerfile.variant",
        "RUN --mount=type=secret,id=token echo \"it is $(cat /run/secrets/token)\"; false\n",
        "",
    );
    let other = splitbase.clone().env("E2E_TOKEN", "another");
    assert_eq!(other.ok(&["release", "v1.2.0"]).builds(), [""; 0]);
    family.append("marker", "changed\n");
    let run = family
        .splitbase()
        .env("E2E_FILE", file.path())
        .run(&["release", "v1.3.0"])
        .expect(2);
    run.says("E2E_TOKEN");
    assert_eq!(run.builds(), [""; 0]);
    assert!(!family.tags(&registry).contains_key("v1.3.0"));
}

#[test]
fn e2e_options_contexts_labels_target_network_and_flags() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family
        .write("assets/hello", "from assets\n")
        .set("base.build", "network = \"none\"")
        .set(
            "variants.base.build",
            "target = \"wanted\"\nshm-size = \"96m\"\ncontexts = { assets = \"assets\" }\nlabels = { \"org.example.kind\" = \"{variant}\" }\n\
             flags = [\"--add-host=somewhere.example:192.0.2.7\"]",
        )
        .append("Dockerfile.base", "RUN ifconfig -a | grep -c encap >/etc/interfaces\n")
        .write(
            "Dockerfile.variant",
            "ARG BASE_IMAGE\nFROM ${BASE_IMAGE} AS wanted\nCOPY --from=assets hello /etc/hello\n\
             RUN df -k /dev/shm | tail -n 1 >/etc/shm; cat /etc/hosts >/etc/seen\nFROM wanted\nRUN false\n",
        );
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let seen = inside(
        &family,
        &registry,
        "v1.0.0",
        &["cat", "/etc/hello", "/etc/seen", "/etc/shm", "/etc/interfaces"],
    );
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(lines[0], "from assets");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("192.0.2.7") && line.contains("somewhere.example")),
        "{seen}"
    );
    assert!(seen.contains("98304"), "the size of /dev/shm: {seen}");
    assert_eq!(
        lines.last(),
        Some(&"1"),
        "with `network = \"none\"` there is the loopback interface alone: {seen}"
    );
    let index = family.index(&registry, "v1.0.0");
    let config = registry.config(&index.platforms[AMD64]);
    assert_eq!(config["config"]["Labels"]["org.example.kind"], "base");
    run.shows("built");

    // Each of them counts.
    for (from, to) in [
        ("from assets", "other assets"),
        ("96m", "97m"),
        ("192.0.2.7", "192.0.2.8"),
        ("\"{variant}\"", "\"other\""),
    ] {
        let file = if from == "from assets" {
            "assets/hello"
        } else {
            "variants.toml"
        };
        family.replace(file, from, to);
        let plan = family.splitbase().ok(&["plan", "v1.0.1", "-o", "json"]).json();
        assert_eq!(plan["images"][1]["presence"], "absent", "{from} → {to}");
        assert_eq!(plan["images"][0]["presence"], "present");
        family.replace(file, to, from);
    }
    family
        .splitbase()
        .run(&["plan", "v1.0.0", "--exit-code"])
        .expect(0);
}

#[test]
fn e2e_options_cache_has_a_reference_for_each_image_and_platform() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    family.replace("variants.toml", "to = \"none\"", "to = \"registry\"");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let tags = family.tags(&registry);
    let caches: Vec<_> = tags.keys().filter(|tag| tag.starts_with("cache-")).collect();
    let wanted = [
        "cache-base-amd64",
        "cache-base-arm64",
        "cache-variant-base-amd64",
        "cache-variant-base-arm64",
        "cache-variant-omos-amd64",
        "cache-variant-omos-arm64",
    ];
    assert_eq!(caches, wanted);
    for build in run.builds() {
        let caches: Vec<_> = wanted
            .iter()
            .filter(|cache| build.contains(&format!(":{cache},")) || build.contains(&format!(":{cache} ")))
            .collect();
        assert_eq!(caches.len(), 1, "{build}");
        assert!(build.contains("ignore-error=true"), "{build}");
    }
    let cache = registry.json(&tags["cache-base-amd64"]);
    assert!(
        cache
            .to_string()
            .contains("application/vnd.buildkit.cacheconfig.v0"),
        "{cache:#}"
    );
    // A rebuild of another identity reads it.
    registry.requests();
    family.append("Dockerfile.variant", "RUN true\n");
    family
        .splitbase()
        .ok(&["build", "--variant", "omos", "--platform", AMD64]);
    let read = registry.requests().iter().any(|request| {
        request.method != "PUT" && request.path.ends_with("/manifests/cache-variant-omos-amd64")
    });
    assert!(read, "the cache was not asked for");
}

#[test]
fn e2e_options_an_ssh_agent_reaches_the_run_that_asks_for_it() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.set("variants.base.build", "ssh = [\"default\"]").append(
        "Dockerfile.variant",
        "RUN --mount=type=ssh,required=true test -S \"$SSH_AUTH_SOCK\" && echo \"$SSH_AUTH_SOCK\" >/etc/agent\nRUN test -z \"$SSH_AUTH_SOCK\"\n",
    );
    // No agent: said before anything is built, and nothing is written.
    let run = family.splitbase().run(&["release", "v1.0.0"]).expect(2);
    run.says("build variant/base: hand the SSH agent `default` to the build: `SSH_AUTH_SOCK` is not set");
    run.says("ssh-agent");
    assert_eq!(run.builds(), [""; 0]);
    assert!(family.tags(&registry).is_empty());

    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let _agent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let with_agent = family.splitbase().env("SSH_AUTH_SOCK", &socket);
    with_agent.ok(&["release", "v1.0.0"]);
    let seen = inside(&family, &registry, "v1.0.0", &["cat", "/etc/agent"]);
    assert!(seen.starts_with("/run/"), "{seen}");
    // Another agent makes no other image.
    let other = folder.path().join("other");
    let _other = std::os::unix::net::UnixListener::bind(&other).unwrap();
    let run = family
        .splitbase()
        .env("SSH_AUTH_SOCK", &other)
        .ok(&["release", "v1.0.1"]);
    assert_eq!(run.builds(), [""; 0]);
}
