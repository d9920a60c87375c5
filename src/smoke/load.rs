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
    format!("{NAME}:{image}-{}-{}", platform.tag_suffix(), &digest.hex()[..12])
}

/// Loads the image, and makes sure that the engine holds exactly these bytes.
pub(super) async fn load(
    loading: &Loading,
    digest: Digest,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<Loaded, String> {
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
        .map_err(|error| error.to_string())?;
    let loaded = Loaded {
        reference: name.clone(),
        name,
    };
    let failed = match (output.ended, written) {
        // The engine may have seen the end before the last zeros were written.
        (Ended::Exited(0), Ok(())) => None,
        (Ended::Exited(0), Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => None,
        // The engine says it better, unless the archive itself was broken off.
        (_, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Some(error.to_string()),
        (Ended::TimedOut, _) => Some(format!("it took longer than {} minutes", PATIENCE.as_secs() / 60)),
        (Ended::Cancelled, _) => Some("interrupted".to_owned()),
        (ended, _) => {
            let said = output.stderr.lines().chain(output.stdout.lines());
            let said = said.map(str::trim).find(|line| !line.is_empty());
            let said = said.map(|line| environment.redactor().line(line));
            Some(said.unwrap_or_else(|| format!("docker load: {ended:?}")))
        }
    };
    if let Some(reason) = failed {
        loaded.remove(environment).await;
        return Err(reason);
    }
    match loaded.identify(loading, digest, &repository, environment).await {
        Ok(reference) => Ok(Loaded { reference, ..loaded }),
        Err(reason) => {
            loaded.remove(environment).await;
            Err(reason)
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
    ) -> Result<String, String> {
        let question = ["image", "inspect", "--format", "{{.Id}}", &self.name];
        let answer = docker(&question, environment).await;
        let id = answer.filter(|answer| answer.ended == Ended::Exited(0));
        let id = id
            .map(|answer| answer.stdout.trim().to_owned())
            .unwrap_or_default();
        if id == digest.to_string() {
            Ok(format!("{repository}@{digest}"))
        } else if id == loading.config.to_string() {
            Ok(self.name.clone())
        } else if id.is_empty() {
            Err("the engine does not say what it loaded".to_owned())
        } else {
            Err(format!("the engine holds {id} now, and not {digest}"))
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the image another name as well.
    pub(super) async fn keep(&self, name: &str, environment: &Environment) {
        docker(&["image", "tag", &self.name, name], environment).await;
    }

    /// Removes it from the engine, unless it has another name there.
    pub(super) async fn remove(&self, environment: &Environment) {
        docker(&["image", "rm", &self.name], environment).await;
    }
}
