//! Platforms: whether a program for them really runs where images are built, which is not always this machine.
//!
//! What a builder lists, and what is registered with this kernel, is what somebody believes. A build that runs a program for the platform is proof.

use super::check::{Check, Kind};
use super::program::program;
use crate::domain::Platform;
use crate::engine::{last_line, with};
use crate::environment::Environment;
use crate::process::{self, Command, Ended};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that one such build may take; a builder that is not started yet is started by it.
const PATIENCE: Duration = Duration::from_secs(120);
/// What the program is called in the image.
const PROGRAM: &str = "probe";

/// What came of running a program for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It ran.
    Ran,
    /// The machine does not know its format: neither native nor emulated.
    NotEmulated,
    /// The build failed otherwise: why, in one line.
    Failed(String),
    /// It did not end in time.
    TimedOut,
    /// There is no program for this architecture.
    NoProgram,
}

/// What is known of a platform.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) platform: Platform,
    /// Whether the builder says that it builds for it; `None` where it does not say what it builds for.
    pub(super) listed: Option<bool>,
    /// The architecture of the engine's machine, where it is the engine that builds.
    pub(super) machine: Option<String>,
    pub(super) outcome: Outcome,
}

/// Builds an image that runs a program for `platform`, and throws it away.
pub(super) async fn run(
    platform: &Platform,
    builder: Option<&str>,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Outcome {
    let Some(program) = program(platform) else {
        return Outcome::NoProgram;
    };
    let folder = match context(&program) {
        Ok(folder) => folder,
        Err(error) => return Outcome::Failed(format!("write a build context: {error}")),
    };
    let command = Command::new("docker")
        .args(["buildx", "build"])
        .args(builder.map(|builder| format!("--builder={builder}")))
        .arg(format!("--platform={platform}"))
        .args([
            "--no-cache",
            "--provenance=false",
            "--progress=plain",
            "--output=type=cacheonly",
        ])
        .arg(folder.path());
    let output = process::output(&with(command, environment), Some(PATIENCE), cancel).await;
    let output = match output {
        Ok(output) => output,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match output.ended {
        Ended::Exited(0) => Outcome::Ran,
        Ended::TimedOut => Outcome::TimedOut,
        _ if output.stderr.contains("exec format error") => Outcome::NotEmulated,
        _ => Outcome::Failed(environment.redactor().line(last_line(&output.stderr))),
    }
}

#[expect(clippy::disallowed_methods, reason = "a build context of this module's own")]
fn context(program: &[u8]) -> std::io::Result<tempfile::TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new().prefix("splitbase-doctor-").tempdir()?;
    let write = |path: &Path, content: &[u8]| std::fs::write(path, content);
    let path = folder.path().join(PROGRAM);
    write(&path, program)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let dockerfile = format!("FROM scratch\nCOPY {PROGRAM} /{PROGRAM}\nRUN [\"/{PROGRAM}\"]\n");
    write(&folder.path().join("Dockerfile"), dockerfile.as_bytes())?;
    Ok(folder)
}

/// The verdict on a platform that is built for ([`Kind::Platform`]), or tested on another machine than it is built on ([`Kind::Smoke`]).
pub(super) fn judge(kind: Kind, facts: &Facts) -> Check {
    let Facts { platform, .. } = facts;
    let does = if kind == Kind::Platform {
        "builds"
    } else {
        "smoke tests"
    };
    let check = match &facts.outcome {
        Outcome::Ran if facts.listed == Some(false) => Check::error(
            kind,
            "a program for it runs, but the builder does not list it, so nothing is built for it",
        )
        .mend("restart the engine or the builder: it looks for emulators when it starts"),
        Outcome::Ran => {
            let how = match facts.machine.as_deref().and_then(spelt) {
                None => "runs",
                Some(machine) if runs_natively(machine, platform) => "runs natively",
                Some(_) => "runs, emulated",
            };
            Check::ok(kind, how)
        }
        Outcome::NotEmulated => Check::error(
            kind,
            format!("does not run here, and is not emulated: {does} for it fail"),
        )
        .mend(emulate(platform)),
        Outcome::Failed(why) => Check::error(
            kind,
            format!("a build that runs one tiny program for it fails: {why}"),
        )
        .mend(if why.contains("to switch to context") {
            "a docker context is chosen with DOCKER_CONTEXT or `docker context use`, not as a builder"
        } else {
            "`docker buildx build` of any Dockerfile with a RUN will show more"
        }),
        Outcome::TimedOut => {
            let seconds = PATIENCE.as_secs();
            Check::error(
                kind,
                format!("a build that runs one tiny program for it did not end within {seconds} s"),
            )
            .mend("see whether the engine is overloaded or stuck: `docker info`, `docker buildx du`")
        }
        Outcome::NoProgram if facts.listed == Some(false) => {
            Check::error(kind, "the builder does not list it, so nothing is built for it")
                .mend(emulate(platform))
        }
        Outcome::NoProgram => Check::warning(
            kind,
            "not checked: there is no program to try for this architecture",
        ),
    };
    check.on(platform)
}

fn emulate(platform: &Platform) -> String {
    let architecture = platform.architecture();
    format!(
        "on the engine's machine: `docker run --privileged --rm tonistiigi/binfmt --install {architecture}`, or the package qemu-user-static and a restart of the engine; or name a builder that has such a machine (`--builder`)"
    )
}

/// The architecture that `docker info` names, in the spelling of platforms.
fn spelt(machine: &str) -> Option<&'static str> {
    match machine {
        "x86_64" | "amd64" => Some("amd64"),
        "aarch64" | "arm64" => Some("arm64"),
        "armv7l" | "armv6l" | "armhf" => Some("arm"),
        "i386" | "i686" => Some("386"),
        "ppc64le" => Some("ppc64le"),
        "s390x" => Some("s390x"),
        "riscv64" => Some("riscv64"),
        _ => None,
    }
}

/// Whether a machine runs a platform without help. Its 32-bit sibling runs on it as well, where the processor and kernel have that.
fn runs_natively(machine: &str, platform: &Platform) -> bool {
    machine == platform.architecture() || (machine == "amd64" && platform.architecture() == "386")
}
