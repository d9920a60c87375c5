//! The builder: which, and what it cannot do.

use super::check::{Check, Kind};
use crate::buildx::BuilderError;
use crate::facts::{BuilderFacts, ImageStore};

/// The verdict.
pub(super) fn judge(answer: &Result<BuilderFacts, BuilderError>) -> Check {
    let builder = match answer {
        Ok(builder) => builder,
        // What these say, the checks of client, engine and plugin say better.
        Err(BuilderError::NoDocker) => return Check::skipped(Kind::Builder, "there is no docker client"),
        Err(BuilderError::NoBuildx) => return Check::skipped(Kind::Builder, "there is no buildx plugin"),
        Err(error) => {
            let check = Check::error(Kind::Builder, error.to_string());
            return match error.hints().into_iter().next() {
                Some(hint) => check.mend(hint),
                None => check,
            };
        }
    };
    let platforms: Vec<String> = builder
        .platforms
        .iter()
        // Levels of one instruction set say nothing that the platform does not say.
        .filter(|platform| platform.architecture() != "amd64" || platform.variant().is_none())
        .map(ToString::to_string)
        .collect();
    let builds = if platforms.is_empty() {
        "not started yet: what it builds for is not known".to_owned()
    } else {
        format!("builds for {}", platforms.join(", "))
    };
    let BuilderFacts { name, driver, .. } = builder;
    let message = format!("`{name}`, driver {driver}, {builds}");
    match builder.store {
        ImageStore::Classic => Check::warning(
            Kind::Builder,
            format!("{message}; with the classic image store: no attestations, no annotations, no build cache in the registry"),
        )
        .mend(
            "turn on the containerd image store: `{\"features\": {\"containerd-snapshotter\": true}}` in /etc/docker/daemon.json and a restart of the engine, or in the settings of Docker Desktop; or use a builder of the driver docker-container",
        ),
        ImageStore::Containerd | ImageStore::None if platforms.is_empty() => Check::warning(Kind::Builder, message)
            .mend(format!("start it: `docker buildx inspect --bootstrap {name}`")),
        ImageStore::Containerd | ImageStore::None => Check::ok(Kind::Builder, message),
    }
}
