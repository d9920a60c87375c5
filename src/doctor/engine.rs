//! The docker client, the engine behind it, and the buildx plugin: one `docker info`.

use super::check::{Check, Kind};
use crate::engine::{Answer, PATIENCE};
/// The oldest engine that splitbase is tested with.
const OLDEST_ENGINE: u32 = 28;
/// The oldest buildx that splitbase is tested with.
const TESTED_BUILDX: (u32, u32) = (0, 20);
/// The first buildx that knows `--progress=rawjson`.
const OLDEST_BUILDX: (u32, u32) = (0, 13);

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
