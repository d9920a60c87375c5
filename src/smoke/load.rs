//! An image that is in no registry: it is loaded into the engine for its test, under a name of its own, and removed afterwards.

use super::containers::docker;
use crate::domain::{Digest, Platform};
use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that loading an image may take.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// How often a load is tried that fails because of what others do in the engine.
const ATTEMPTS: u32 = 4;
/// Pause after the first attempt; it grows by as much with each.
const PAUSE: Duration = Duration::from_millis(300);
/// Beginning of the names of loaded images. Nothing is ever pulled by it: no registry is called `localhost` without a port.
const NAME: &str = "localhost/splitbase-smoke";

/// Writes the archive that `docker load` reads; its image has the name that is given.
pub type WriteArchive = Arc<dyn Fn(&str, &mut dyn Write) -> io::Result<()> + Send + Sync>;

/// A platform image that is to be loaded.
#[derive(Clone)]
pub struct Loading {
    /// Digest of its config: the classic image store's name for it.
    pub config: Digest,
    /// Writes its archive.
    pub archive: WriteArchive,
}

impl std::fmt::Debug for Loading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// An image in the engine.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Its name there.
    name: String,
    /// What `docker run` gets: by digest where the engine knows it by its own.
    pub(super) reference: String,
}

/// What `docker run` gets of an image whose test failed, and which is kept.
pub(super) fn kept_name(image: &str, platform: &Platform, digest: Digest) -> String {
    format!("{NAME}:{image}-{}-{}", platform.tag_suffix(), digest.short())
}

/// Loads the image, and makes sure that the engine holds exactly these bytes.
///
/// The engine does not guard what it finds unpacked already: when the last image with those layers is removed by somebody else just then, a
/// load fails, or ends well and leaves nothing. That passes, so it is loaded again.
pub(super) async fn load(
    loading: &Loading,
    digest: Digest,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<Loaded, String> {
    let mut attempt = 1;
    loop {
        let failed = match once(loading, digest, environment, cancel).await {
            Ok(loaded) => return Ok(loaded),
            Err(failed) => failed,
        };
        if !failed.passes || attempt == ATTEMPTS || cancel.is_cancelled() {
            return Err(failed.reason);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE * attempt) => {}
            () = cancel.cancelled() => return Err(failed.reason),
        }
        attempt += 1;
    }
}

/// A load that failed.
#[derive(Debug)]
struct NotLoaded {
    reason: String,
    /// Whether another attempt can succeed.
    passes: bool,
}

impl NotLoaded {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            passes: false,
        }
    }

    /// What the engine says when something that it was about to use was removed meanwhile, or was made by somebody else.
    fn of_engine(reason: String) -> Self {
        let low = reason.to_lowercase();
        let passes = [
            "not found",
            "does not exist",
            "no such",
            "already exists",
            "unexpected eof",
        ];
        Self {
            passes: passes.iter().any(|text| low.contains(text)) && !low.contains("no space left"),
            reason,
        }
    }
}

async fn once(
    loading: &Loading,
    digest: Digest,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<Loaded, NotLoaded> {
    // Of this test alone: what another process loads or removes meanwhile has another name.
    let random = std::hash::RandomState::new().build_hasher().finish();
    let repository = format!("{NAME}-{random:016x}");
    let name = format!("{repository}:test");
    let command = Command::new("docker")
        .args(["image", "load", "--quiet"])
        .within(&environment.for_child(Child::Docker));
    let (archive, called) = (loading.archive.clone(), name.clone());
    let input: process::Input = Box::new(move |to| archive(&called, to));
    let (output, written) = process::feed(&command, input, Some(PATIENCE), cancel)
        .await
        .map_err(|error| NotLoaded::new(error.to_string()))?;
    let loaded = Loaded {
        reference: name.clone(),
        name,
    };
    let failed = match (output.ended, written) {
        // The engine may have seen the end before the last zeros were written.
        (Ended::Exited(0), Ok(())) => None,
        (Ended::Exited(0), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => None,
        // The engine says it better, unless the archive itself was broken off.
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Some(NotLoaded::new(error.to_string()))
        }
        (Ended::TimedOut, _) => Some(NotLoaded::new(format!(
            "it took longer than {} minutes",
            PATIENCE.as_secs() / 60
        ))),
        (Ended::Cancelled, _) => Some(NotLoaded::new("interrupted")),
        (ended, _) => {
            let said = output.stderr.lines().chain(output.stdout.lines());
            let said = said.map(str::trim).find(|line| !line.is_empty());
            Some(said.map_or_else(
                || NotLoaded::new(format!("docker load: {ended:?}")),
                |said| NotLoaded::of_engine(environment.redactor().line(said)),
            ))
        }
    };
    let identified = match failed {
        Some(failed) => Err(failed),
        None => {
            loaded
                .identify(loading, digest, &repository, environment, cancel)
                .await
        }
    };
    match identified {
        Ok(reference) => Ok(Loaded { reference, ..loaded }),
        Err(failed) => {
            loaded.remove(environment, cancel).await;
            Err(failed)
        }
    }
}

impl Loaded {
    /// What `docker run` gets: the containerd image store knows an image by its platform digest, the classic store by its config's.
    async fn identify(
        &self,
        loading: &Loading,
        digest: Digest,
        repository: &str,
        environment: &Environment,
        cancel: &CancellationToken,
    ) -> Result<String, NotLoaded> {
        let question = ["image", "inspect", "--format", "{{.Id}}", &self.name];
        let what = "the engine does not say what it loaded";
        let answer = docker(&question, environment, cancel).await;
        let answer = answer.ok_or_else(|| NotLoaded::new(what))?;
        let id = answer.stdout.trim();
        if answer.ended != Ended::Exited(0) {
            let said = answer.stderr.lines().map(str::trim).find(|line| !line.is_empty());
            let said = said.map_or_else(|| format!("{:?}", answer.ended), str::to_owned);
            return Err(NotLoaded::of_engine(format!("{what}: {said}")));
        }
        if id == digest.to_string() {
            Ok(format!("{repository}@{digest}"))
        } else if id == loading.config.to_string() {
            Ok(self.name.clone())
        } else if id.is_empty() {
            Err(NotLoaded::new(what))
        } else {
            Err(NotLoaded::new(format!(
                "the engine holds {id} now, and not {digest}"
            )))
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the image another name as well.
    pub(super) async fn keep(&self, name: &str, environment: &Environment, cancel: &CancellationToken) {
        docker(&["image", "tag", &self.name, name], environment, cancel).await;
    }

    /// Removes it from the engine, unless it has another name there.
    pub(super) async fn remove(&self, environment: &Environment, cancel: &CancellationToken) {
        docker(&["image", "rm", &self.name], environment, cancel).await;
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
