//! What the builder can do, from one `docker buildx inspect`.

use crate::domain::Platform;
use crate::environment::{Child, Environment};
use crate::facts::{BuilderFacts, ImageStore};
use crate::failure::{FailureKind, Place, Symptom, classify};
use crate::process::{self, Command, Ended, SpawnError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that the question may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Labels that only a containerd worker has (moby's `builder-next`, `BuildKit`'s `worker/label`).
const CONTAINERD_LABELS: &[&str] = &[
    "org.mobyproject.buildkit.worker.containerd.",
    "org.mobyproject.buildkit.worker.snapshotter",
];

/// The builder could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum BuilderError {
    /// There is no docker client.
    #[error("run `docker`: there is no such program")]
    NoDocker,
    /// The client could not be started for another reason.
    #[error(transparent)]
    Spawn(SpawnError),
    /// The client has no buildx plugin.
    #[error("run `docker buildx`: the docker client has no such command")]
    NoBuildx,
    /// No builder has this name.
    #[error("use the builder `{name}`: there is none of that name")]
    NoBuilder {
        /// The name.
        name: String,
    },
    /// The engine behind it does not answer.
    #[error("ask the builder what it can do: {reason}")]
    Engine {
        /// Why: one line.
        reason: String,
    },
    /// The answer was not understood.
    #[error("ask the builder what it can do: `docker buildx inspect` {reason}")]
    Unclear {
        /// Why: one line.
        reason: String,
    },
    /// The run was interrupted.
    #[error("the run was interrupted")]
    Cancelled,
}

impl BuilderError {
    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoDocker => "install the docker client, version 28 or later, with its buildx plugin",
            Self::Spawn(_) => "see whether `docker` on the PATH can be run",
            Self::NoBuildx => {
                "install the buildx plugin, version 0.20 or later (package `docker-buildx` or `docker-buildx-plugin`)"
            }
            Self::NoBuilder { .. } => "`docker buildx ls` shows the builders that there are",
            Self::Engine { .. } => {
                "see whether the engine runs and this user may use it: `docker info`; DOCKER_HOST and `docker context` say which one is asked"
            }
            Self::Unclear { .. } => "run `docker buildx inspect` by hand",
            Self::Cancelled => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// Asks the builder what it can do; starts none. Of a builder that has not been started yet, platforms may be empty.
///
/// # Errors
/// No docker, no buildx, no such builder, no engine behind it.
pub async fn inspect(
    builder: Option<&str>,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<BuilderFacts, BuilderError> {
    let command = Command::new("docker")
        .args(["buildx", "inspect"])
        .args(builder)
        .within(&environment.for_child(Child::Docker));
    let asked = process::output(&command, Some(PATIENCE), cancel);
    let output = asked.await.map_err(|error| match error.source.kind() {
        std::io::ErrorKind::NotFound => BuilderError::NoDocker,
        _ => BuilderError::Spawn(error),
    })?;
    let said = output.stderr.trim();
    let redactor = environment.redactor();
    match output.ended {
        Ended::Exited(0) => facts(&output.stdout),
        Ended::Cancelled => Err(BuilderError::Cancelled),
        Ended::TimedOut => Err(BuilderError::Engine {
            reason: format!("no answer within {} s", PATIENCE.as_secs()),
        }),
        Ended::Signalled(signal) => Err(BuilderError::Unclear {
            reason: format!("was ended by signal {signal}"),
        }),
        Ended::Exited(code) => Err(refusal(builder, code, &redactor.masked(said.to_owned()))),
    }
}

fn refusal(builder: Option<&str>, code: i32, said: &str) -> BuilderError {
    let low = said.to_lowercase();
    let rule = classify(&Symptom {
        text: said,
        exit_code: Some(code),
        ..Symptom::at(Place::Buildx)
    });
    let line = said
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim_start_matches("ERROR: ")
        .to_owned();
    if low.contains("unknown command: docker buildx")
        || low.contains("'buildx' is not a docker command")
        || low.contains("unknown command \"buildx\"")
    {
        BuilderError::NoBuildx
    } else if rule.name == "builder-not-there" {
        BuilderError::NoBuilder {
            name: builder.unwrap_or("default").to_owned(),
        }
    } else if rule.kind == FailureKind::EngineLost
        || low.contains("daemon")
        || low.contains("connect")
        || low.contains("permission denied")
    {
        BuilderError::Engine { reason: line }
    } else if line.is_empty() {
        BuilderError::Unclear {
            reason: format!("ended with exit code {code} and no word"),
        }
    } else {
        BuilderError::Unclear {
            reason: format!("ended with exit code {code}: {line}"),
        }
    }
}

/// Reads the text: it has no other form. Keys before `Nodes:` are the builder's, those after it each node's.
pub(super) fn facts(text: &str) -> Result<BuilderFacts, BuilderError> {
    let (mut name, mut driver, mut buildkit) = (String::new(), String::new(), String::new());
    let mut platforms: Vec<Platform> = Vec::new();
    let (mut in_nodes, mut containerd, mut answered) = (false, false, false);
    let mut error = None;
    for line in text.lines() {
        // Labels are indented, and so are the details of GC policies.
        if line.starts_with(' ') {
            let label = line.trim_start();
            containerd |= CONTAINERD_LABELS.iter().any(|known| label.starts_with(known));
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key {
            "Nodes" => in_nodes = true,
            "Name" if !in_nodes => value.clone_into(&mut name),
            "Driver" => value.clone_into(&mut driver),
            "Error" => error = Some(value.to_owned()),
            "Status" => answered |= !value.is_empty(),
            "BuildKit version" | "Buildkit" if buildkit.is_empty() => value.clone_into(&mut buildkit),
            "Platforms" => {
                for platform in value.split(',') {
                    // `*` marks what was configured rather than detected.
                    let platform = platform.trim().trim_end_matches('*');
                    // Other systems than Linux are left out.
                    if let Ok(platform) = platform.parse::<Platform>()
                        && !platforms.contains(&platform)
                    {
                        platforms.push(platform);
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(reason) = error.filter(|_| !answered || driver.is_empty()) {
        return Err(BuilderError::Engine { reason });
    }
    if name.is_empty() || driver.is_empty() {
        return Err(BuilderError::Unclear {
            reason: "did not name a builder and its driver".to_owned(),
        });
    }
    let store = match (driver.as_str(), containerd) {
        ("docker", true) => ImageStore::Containerd,
        ("docker", false) => ImageStore::Classic,
        _ => ImageStore::None,
    };
    // What an engine's own BuildKit says of itself when its build did not stamp it.
    if buildkit.starts_with("v0.0.0") {
        buildkit.clear();
    }
    Ok(BuilderFacts {
        name,
        driver,
        store,
        buildkit,
        buildx: String::new(),
        engine: String::new(),
        platforms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &str = "Name:          default
Driver:        docker
Last Activity: 2026-11-20 21:51:57 +0000 UTC

Nodes:
Name:             default
Endpoint:         default
Status:           running
BuildKit version: v0.0.0+unknown
Platforms:        linux/amd64, linux/amd64/v2, linux/arm64
Labels:
 org.mobyproject.buildkit.worker.containerd.namespace: moby
 org.mobyproject.buildkit.worker.snapshotter:          overlayfs
GC Policy rule#0:
 All:            false
";

    #[test]
    fn an_engine_with_either_store() {
        let got = facts(ENGINE).unwrap();
        assert_eq!((got.name.as_str(), got.driver.as_str()), ("default", "docker"));
        assert_eq!(got.store, ImageStore::Containerd);
        assert!(got.platforms.contains(&"linux/arm64".parse().unwrap()));
        let classic = ENGINE
            .replace("containerd.namespace", "moby.host-gateway-ip")
            .replace(
                " org.mobyproject.buildkit.worker.snapshotter:          overlayfs\n",
                "",
            );
        let got = facts(&classic).unwrap();
        assert_eq!(got.store, ImageStore::Classic);
        assert!(!got.attests() && !got.exports_cache());
    }

    #[test]
    fn nodes_are_joined() {
        let text = "Name:   many\nDriver: docker-container\n\nNodes:\nName: a\nStatus: running\nBuildKit version: v0.24.0\nPlatforms: linux/amd64*, linux/386\n\nName: b\nStatus: running\nPlatforms: linux/arm64\n";
        let got = facts(text).unwrap();
        assert_eq!((got.name.as_str(), got.store), ("many", ImageStore::None));
        assert_eq!(got.buildkit, "v0.24.0");
        assert_eq!(got.platforms.len(), 3);
        let one_dead = text.replace("Name: a\nStatus: running", "Name: a\nError: gone");
        assert!(facts(&one_dead).is_ok());
    }

    #[test]
    fn failures_are_told_apart() {
        let dead = "Name:          default\nDriver:        \nError:         Cannot connect to the Docker daemon at tcp://127.0.0.1:1. Is the docker daemon running?\n";
        assert!(matches!(facts(dead), Err(BuilderError::Engine { .. })));
        assert!(matches!(facts(""), Err(BuilderError::Unclear { .. })));
        let refused = |said: &str| refusal(Some("big"), 1, said);
        assert!(matches!(
            refused("docker: unknown command: docker buildx\n\nRun 'docker --help'"),
            BuilderError::NoBuildx
        ));
        assert!(matches!(
            refused("docker: 'buildx' is not a docker command."),
            BuilderError::NoBuildx
        ));
        assert!(matches!(
            refused("ERROR: no builder \"big\" found"),
            BuilderError::NoBuilder { .. }
        ));
        assert!(matches!(
            refused("ERROR: permission denied while trying to connect"),
            BuilderError::Engine { .. }
        ));
    }
}
