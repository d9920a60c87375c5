//! The scripts that newcomers call, on a machine that has docker, git and a shell, and nothing else. Docker is played: what is asked of it is what is tested.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests stand outside of the program's layers, and end by panicking"
)]

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every Linux has: GNU's or busybox's. Neither apt-get nor any program that speaks to registries is among them.
const TOOLS: [&str; 34] = [
    "basename", "bash", "cat", "chmod", "cp", "cut", "date", "dirname", "env", "flock", "git", "grep",
    "head", "install", "ls", "mkdir", "mktemp", "mv", "paste", "readlink", "rm", "sed", "sh", "sleep",
    "sort", "stat", "tail", "tar", "timeout", "touch", "tr", "uname", "uniq", "wc",
];

/// An engine that is there already. `HUB` says how Docker Hub answers, `PLATFORMS` what is emulated, `BUILDX` whether the plugin is there.
const DOCKER: &str = r#"
echo "docker $*" >>"$CALLS"
case "$*" in
    "version --format {{.Server.Version}}") echo 29.0.0 ;;
    "version --format {{.Server.Arch}}") echo "$ARCHITECTURE" ;;
    "buildx version") [ "$BUILDX" = yes ] && echo "github.com/docker/buildx v0.29.1 0000" ;;
    "info --format {{.DriverStatus}}") echo "$STORE" ;;
    "buildx inspect splitbase-try") exit 1 ;;
    "buildx create --name splitbase-try --driver docker-container") ;;
    "buildx inspect" | "buildx inspect --bootstrap") printf 'Name: x\nDriver: docker\nPlatforms:        %s\n' "$PLATFORMS" ;;
    "buildx imagetools inspect debian:forky-slim") [ "$HUB" = there ] || { echo "ERROR: no such host" >&2; exit 1; } ;;
    *) echo "unexpected: docker $*" >&2; exit 99 ;;
esac
"#;

struct Machine {
    folder: tempfile::TempDir,
    /// Somebody else's, on the port that a registry would take.
    port: TcpListener,
}

struct Tried {
    code: Option<i32>,
    stderr: String,
    /// What docker and splitbase were called with.
    calls: String,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
            port: TcpListener::bind("127.0.0.1:0").unwrap(),
        };
        std::fs::create_dir(machine.path("bin")).unwrap();
        for tool in TOOLS {
            let from = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|folder| folder.join(tool))
                .find(|file| file.exists());
            symlink(
                from.unwrap_or_else(|| panic!("no `{tool}`")),
                machine.path("bin").join(tool),
            )
            .unwrap();
        }
        machine.program("docker", DOCKER);
        machine.program("id", "echo 1000");
        machine.program("splitbase", r#"echo "splitbase $*" >>"$CALLS""#);
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `scripts/try`, with an engine that differs from a good one by `engine`.
    fn tries(&self, arguments: &[&str], engine: &[(&str, &str)]) -> Tried {
        let calls = self.path("calls");
        std::fs::write(&calls, "").unwrap();
        let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/try"))
            .arg("--to")
            .arg(self.path("out"))
            .args(arguments)
            .env_clear()
            .env("PATH", self.path("bin"))
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("CALLS", &calls)
            .env("SPLITBASE", self.path("bin/splitbase"))
            .env("SPLITBASE_ENGINE_DIR", self.path("engine"))
            .env(
                "SPLITBASE_REGISTRY_PORT",
                self.port.local_addr().unwrap().port().to_string(),
            )
            .envs([
                ("ARCHITECTURE", native()),
                ("PLATFORMS", "linux/amd64*, linux/amd64/v2, linux/arm64"),
                ("STORE", "[[driver-type io.containerd.snapshotter.v1]]"),
                ("HUB", "there"),
                ("BUILDX", "yes"),
            ])
            .envs(engine.iter().copied())
            .output()
            .unwrap();
        let tried = Tried {
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            calls: std::fs::read_to_string(calls).unwrap(),
        };
        assert!(!tried.stderr.contains("command not found"), "{}", tried.stderr);
        tried
    }
}

fn native() -> &'static str {
    if std::env::consts::ARCH == "aarch64" {
        "arm64"
    } else {
        "amd64"
    }
}

fn foreign() -> &'static str {
    if native() == "amd64" { "arm64" } else { "amd64" }
}

#[test]
fn try_needs_docker_and_a_shell_and_nothing_else() {
    let machine = Machine::new();
    let tried = machine.tries(&[], &[]);
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    let line = tried
        .calls
        .lines()
        .find(|line| line.starts_with("splitbase "))
        .unwrap();
    assert!(line.starts_with("splitbase release v0.1.0 -f "), "{line}");
    assert!(
        line.ends_with(&format!(" --to oci:{}", machine.path("out").display())),
        "{line}"
    );
    // What comes next is what this machine can do, and nothing was started that would have to end.
    assert!(tried.stderr.contains("-c . | docker load\n"), "{}", tried.stderr);
    for word in [
        "skopeo",
        "crane",
        "cosign",
        "registry",
        "busybox",
        "scripts/engine down",
        "left out",
    ] {
        assert!(!tried.stderr.contains(word), "{word}: {}", tried.stderr);
    }
}

#[test]
fn try_leaves_out_what_is_not_emulated_and_says_so() {
    let machine = Machine::new();
    let alone = [("PLATFORMS", "linux/386")];
    let tried = machine.tries(&["v0.2.0", "--fail-fast"], &alone);
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    let own = format!(" --fail-fast --platform linux/{}\n", native());
    assert!(tried.calls.contains(&own), "{}", tried.calls);
    let mend = format!("tonistiigi/binfmt --install {}\n", foreign());
    assert!(
        tried.stderr.contains(&format!("linux/{} is left out", foreign())),
        "{}",
        tried.stderr
    );
    assert_eq!(
        tried.stderr.matches(&mend).count(),
        2,
        "first and last: {}",
        tried.stderr
    );
    // Somebody who asks for a platform gets that one, or splitbase's own word on it.
    let tried = machine.tries(&["--platform=linux/arm64"], &alone);
    assert!(
        tried.calls.contains(" --platform=linux/arm64\n"),
        "{}",
        tried.calls
    );
    assert!(!tried.stderr.contains("left out"), "{}", tried.stderr);
}

#[test]
fn try_makes_a_builder_where_the_engine_cannot_export() {
    let tried = Machine::new().tries(&[], &[("STORE", "[[Backing Filesystem extfs]]")]);
    assert_eq!(tried.code, Some(0), "{}", tried.stderr);
    assert!(
        tried.calls.contains("buildx create --name splitbase-try"),
        "{}",
        tried.calls
    );
    assert!(
        tried.stderr.contains("BUILDX_BUILDER=splitbase-try"),
        "{}",
        tried.stderr
    );
    assert!(
        tried.stderr.contains("    docker buildx rm splitbase-try\n"),
        "{}",
        tried.stderr
    );
    assert!(
        tried.stderr.contains("skopeo is to be installed"),
        "{}",
        tried.stderr
    );
}

#[test]
fn try_asks_for_a_registry_only_where_docker_hub_is_out_of_reach() {
    let tried = Machine::new().tries(&[], &[("HUB", "gone")]);
    assert_eq!(tried.code, Some(1), "{}", tried.stderr);
    for words in [
        "    docker-registry: ",
        "hint: let this machine reach Docker Hub, and no registry is needed",
    ] {
        assert!(tried.stderr.contains(words), "{words}: {}", tried.stderr);
    }
    for word in ["skopeo:", "crane:", "cosign:", "busybox"] {
        assert!(!tried.stderr.contains(word), "{word}: {}", tried.stderr);
    }
}

#[test]
fn try_names_what_is_missing_and_only_that() {
    let tried = Machine::new().tries(&[], &[("BUILDX", "no")]);
    assert_eq!(tried.code, Some(1), "{}", tried.stderr);
    assert!(
        tried
            .stderr
            .contains("missing:\n    docker buildx: the buildx plugin, version 0.20 or later\nhint: "),
        "{}",
        tried.stderr
    );
    assert!(!tried.calls.contains("splitbase "), "{}", tried.calls);
}
