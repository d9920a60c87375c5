//! The docker client and the engine behind it: one `docker info`.

use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended};
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that the question may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What `docker info --format '{{json .}}'` tells, as far as it is of use here. Keys may be missing, and null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// The engine's version; nothing where it did not answer.
    pub server_version: Option<String>,
    /// Its system, as it calls itself.
    pub operating_system: Option<String>,
    /// As the kernel spells it: `x86_64`, `aarch64`.
    pub architecture: Option<String>,
    /// Name of the engine's machine.
    pub name: Option<String>,
    /// Where it keeps its images.
    pub docker_root_dir: Option<String>,
    /// What its image store tells.
    pub driver_status: Option<Vec<(String, String)>>,
    /// Why it did not answer.
    pub server_errors: Option<Vec<String>>,
    /// The client.
    #[serde(rename = "ClientInfo")]
    pub client: Option<Client>,
}

/// What it tells of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Client {
    /// Its version.
    pub version: Option<String>,
    /// The docker context in use, which is also the name of the engine's own builder.
    pub context: Option<String>,
    /// Its plugins.
    pub plugins: Option<Vec<Plugin>>,
}

/// A plugin of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Why it cannot be used.
    pub err: Option<serde_json::Value>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is no docker client.
    NoDocker,
    /// The client could not be run, or said nothing that can be read: why.
    Unclear(String),
    /// It took too long.
    TimedOut,
    /// It answered. Without a `server_version` the engine did not, and the text may say why.
    Told(Box<Info>, String),
}

impl Answer {
    /// What the engine told, if it answered.
    #[must_use]
    pub fn engine(&self) -> Option<&Info> {
        match self {
            Self::Told(info, _) if info.reached() => Some(info),
            _ => None,
        }
    }
}

impl Info {
    /// Whether the engine answered.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.server_version
            .as_deref()
            .is_some_and(|version| !version.is_empty())
    }

    /// Whether its image store is that of containerd.
    #[must_use]
    pub fn is_containerd(&self) -> bool {
        let status = self.driver_status.as_deref().unwrap_or_default();
        status
            .iter()
            .any(|(_, value)| value.starts_with("io.containerd.snapshotter"))
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &str) -> Option<&Plugin> {
        let plugins = self.client.as_ref()?.plugins.as_deref()?;
        plugins.iter().find(|plugin| plugin.name == name)
    }

    /// The docker context in use.
    #[must_use]
    pub fn context(&self) -> Option<&str> {
        self.client.as_ref()?.context.as_deref()
    }
}

/// Asks.
pub async fn ask(environment: &Environment, cancel: &CancellationToken) -> Answer {
    let command = Command::new("docker").args(["info", "--format", "{{json .}}"]);
    let command = with(command, environment);
    let output = match process::output(&command, Some(PATIENCE), cancel).await {
        Ok(output) => output,
        Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Answer::NoDocker,
        Err(error) => return Answer::Unclear(error.to_string()),
    };
    if output.ended == Ended::TimedOut {
        return Answer::TimedOut;
    }
    let said = |text: &str| environment.redactor().line(last_line(text));
    let document = output.stdout.lines().find(|line| line.starts_with('{'));
    match document.map(serde_json::from_str) {
        Some(Ok(info)) => Answer::Told(info, said(&output.stderr)),
        Some(Err(error)) => Answer::Unclear(format!("the answer of `docker info`: {error}")),
        None => Answer::Unclear(format!("`docker info`: {}", said(&output.stderr))),
    }
}

/// Why the engine does not answer any more; `None` when it does.
pub(super) async fn gone(environment: &Environment, cancel: &CancellationToken) -> Option<String> {
    let command = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]);
    let answer = process::output(&with(command, environment), Some(PATIENCE), cancel).await;
    match answer {
        Ok(output) if output.ended == Ended::Exited(0) => None,
        Ok(output) if output.ended == Ended::TimedOut => {
            Some(format!("it does not answer within {} s", PATIENCE.as_secs()))
        }
        Ok(output) if output.ended == Ended::Cancelled => None,
        Ok(output) => Some(environment.redactor().line(last_line(&output.stderr))),
        // Without a client, nothing is known of the engine.
        Err(_) => None,
    }
}

/// The command with the environment's variables.
#[must_use]
pub fn with(command: Command, environment: &Environment) -> Command {
    command.within(&environment.for_child(Child::Docker))
}

/// The last line that says something.
#[must_use]
pub fn last_line(text: &str) -> &str {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("no word").trim().trim_start_matches("ERROR: ")
}
