//! The docker client, the engine behind it, and the buildx plugin: one `docker info`.

use super::check::{Check, Kind};
use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended};
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that the question may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The oldest engine that splitbase is tested with.
const OLDEST_ENGINE: u32 = 28;
/// The oldest buildx that splitbase is tested with.
const TESTED_BUILDX: (u32, u32) = (0, 20);
/// The first buildx that knows `--progress=rawjson`.
const OLDEST_BUILDX: (u32, u32) = (0, 13);

/// What `docker info --format '{{json .}}'` tells, as far as it is of use here. Keys may be missing, and null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub(super) server_version: Option<String>,
    pub(super) operating_system: Option<String>,
    /// As the kernel spells it: `x86_64`, `aarch64`.
    pub(super) architecture: Option<String>,
    /// Name of the engine's machine.
    pub(super) name: Option<String>,
    pub(super) docker_root_dir: Option<String>,
    pub(super) driver_status: Option<Vec<(String, String)>>,
    pub(super) server_errors: Option<Vec<String>>,
    #[serde(rename = "ClientInfo")]
    pub(super) client: Option<Client>,
}

/// What it tells of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Client {
    pub(super) version: Option<String>,
    /// The docker context in use, which is also the name of the engine's own builder.
    pub(super) context: Option<String>,
    pub(super) plugins: Option<Vec<Plugin>>,
}

/// A plugin of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Plugin {
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// Why it cannot be used.
    pub(super) err: Option<serde_json::Value>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
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
    pub(super) fn engine(&self) -> Option<&Info> {
        match self {
            Self::Told(info, _) if info.reached() => Some(info),
            _ => None,
        }
    }
}

impl Info {
    fn reached(&self) -> bool {
        self.server_version
            .as_deref()
            .is_some_and(|version| !version.is_empty())
    }

    fn is_containerd(&self) -> bool {
        let status = self.driver_status.as_deref().unwrap_or_default();
        status
            .iter()
            .any(|(_, value)| value.starts_with("io.containerd.snapshotter"))
    }

    fn plugin(&self, name: &str) -> Option<&Plugin> {
        let plugins = self.client.as_ref()?.plugins.as_deref()?;
        plugins.iter().find(|plugin| plugin.name == name)
    }

    /// The docker context in use.
    pub(super) fn context(&self) -> Option<&str> {
        self.client.as_ref()?.context.as_deref()
    }
}

/// Asks.
pub(super) async fn ask(environment: &Environment, cancel: &CancellationToken) -> Answer {
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
    let redactor = environment.redactor();
    let said = |text: &str| redactor.line(last_line(text));
    let document = output.stdout.lines().find(|line| line.starts_with('{'));
    match document.map(serde_json::from_str) {
        Some(Ok(info)) => Answer::Told(info, said(&output.stderr)),
        Some(Err(error)) => Answer::Unclear(format!("the answer of `docker info`: {error}")),
        None => Answer::Unclear(format!("`docker info`: {}", said(&output.stderr))),
    }
}

/// The command with the environment's variables.
pub(super) fn with(command: Command, environment: &Environment) -> Command {
    command.within(&environment.for_child(Child::Docker))
}

/// The last line that says something.
pub(super) fn last_line(text: &str) -> &str {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or("no word").trim().trim_start_matches("ERROR: ")
}

/// The verdict on client and engine. `host` is `DOCKER_HOST`.
pub(super) fn judge(answer: &Answer, host: Option<&str>) -> Check {
    let error = |message: String| Check::error(Kind::Engine, message);
    let (info, said) = match answer {
        Answer::NoDocker => {
            return error("there is no program `docker`".to_owned()).mend(
                "install the docker client, version 28 or later, with its buildx plugin: https://docs.docker.com/engine/install/",
            );
        }
        Answer::TimedOut => {
            return error(format!(
                "`docker info` did not end within {} s",
                PATIENCE.as_secs()
            ))
            .mend(reach_mend(host));
        }
        Answer::Unclear(why) => return error(why.clone()).mend("run `docker info` by hand"),
        Answer::Told(info, said) => (info, said),
    };
    let Some(version) = info.server_version.as_deref().filter(|_| info.reached()) else {
        let why = info.server_errors.as_deref().unwrap_or_default().first();
        let why = why.map_or(said.as_str(), String::as_str);
        return error(why.to_owned()).mend(reach_mend(host));
    };
    let store = if info.is_containerd() {
        "containerd"
    } else {
        "classic"
    };
    let place = host.map_or_else(
        || format!("context {}", info.context().unwrap_or("default")),
        |host| format!("at {host}"),
    );
    let machine = info.architecture.as_deref().unwrap_or("unknown architecture");
    let system = info.operating_system.as_deref().unwrap_or("unknown system");
    let message = format!("Docker {version}, {store} image store, {system} ({machine}), {place}");
    if number(version).is_some_and(|(major, _)| major < OLDEST_ENGINE) {
        return Check::warning(Kind::Engine, message).mend(format!(
            "{OLDEST_ENGINE} is the oldest that splitbase is tested with: update the engine"
        ));
    }
    Check::ok(Kind::Engine, message)
}

fn reach_mend(host: Option<&str>) -> String {
    match host {
        Some(host) => format!("see whether an engine runs at DOCKER_HOST ({host}), or unset that variable"),
        None => "start it (`systemctl start docker`, Docker Desktop), and see with `docker info` that this user may use it".to_owned(),
    }
}

/// The verdict on buildx.
pub(super) fn judge_buildx(answer: &Answer) -> Check {
    let info = match answer {
        Answer::Told(info, _) => info,
        Answer::NoDocker => return Check::skipped(Kind::Buildx, "there is no docker client"),
        _ => return Check::skipped(Kind::Buildx, "the docker client gives no answer"),
    };
    let install = "install the buildx plugin, version 0.20 or later (package `docker-buildx` or `docker-buildx-plugin`)";
    let Some(plugin) = info.plugin("buildx") else {
        return Check::error(Kind::Buildx, "the docker client has no such plugin").mend(install);
    };
    if plugin.err.as_ref().is_some_and(|error| !error.is_null()) {
        return Check::error(Kind::Buildx, "the plugin cannot be used").mend(install);
    }
    let version = plugin
        .version
        .as_deref()
        .unwrap_or_default()
        .trim_start_matches('v');
    let message = version.to_owned();
    match number(version) {
        Some(known) if known < OLDEST_BUILDX => Check::error(
            Kind::Buildx,
            format!("{message} is too old: it does not know `--progress=rawjson`"),
        )
        .mend(install),
        Some(known) if known < TESTED_BUILDX => Check::warning(Kind::Buildx, message)
            .mend("0.20 is the oldest that splitbase is tested with: update the plugin"),
        Some(_) => Check::ok(Kind::Buildx, message),
        None => Check::warning(Kind::Buildx, "its version could not be read")
            .mend("see what `docker buildx version` says: 0.20 or later is needed"),
    }
}

/// Major and minor number of a version: `28.5.2+dfsg4`, `v0.29.1`.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version
        .trim_start_matches('v')
        .split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
