//! The containers and images that a smoke test leaves in the engine.

use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that one question to the engine may take. An engine that removes images and unpacks others meanwhile is busy for seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// The same after an interrupt: short of the 5 s that an interrupt may take.
const IMPATIENCE: Duration = Duration::from_secs(4);

/// One test at a time of one image: what another test of the same bytes started could not be told from what this one left.
static RUNNING: LazyLock<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// Waits until no other test of this image runs in this process.
pub(super) async fn alone(image: &str) -> tokio::sync::OwnedMutexGuard<()> {
    let mutex = {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, mutex| Arc::strong_count(mutex) > 1);
        Arc::clone(running.entry(image.to_owned()).or_default())
    };
    mutex.lock_owned().await
}

/// What the engine holds of an image before its test.
#[derive(Debug)]
pub(super) struct Before {
    /// Containers of it; `None` when the engine did not tell, and then nothing is removed.
    containers: Option<BTreeSet<String>>,
    /// Whether it was there under this name.
    image: bool,
}

/// Looks what the engine holds of the image. Two children side by side, about 20 ms.
pub(super) async fn before(image: &str, environment: &Environment, cancel: &CancellationToken) -> Before {
    let question = ["image", "inspect", "--format", "{{.Id}}", image];
    let (containers, known) = tokio::join!(
        containers_of(image, environment, cancel),
        docker(&question, environment, cancel)
    );
    Before {
        containers,
        // When the engine does not tell, the image counts as somebody's.
        image: known.is_none_or(|output| output.ended == Ended::Exited(0)),
    }
}

/// Removes what came since: containers of the image with all that runs in them, and the image itself if it was not there before and is not
/// `held`. Returns how many containers were removed.
pub(super) async fn remove_new(
    image: &str,
    before: &Before,
    held: impl FnOnce(&str) -> bool,
    environment: &Environment,
    cancel: &CancellationToken,
) -> usize {
    let removed = end_new(image, before, environment, cancel).await;
    if before.containers.is_some() && !before.image && !held(image) {
        docker(&["image", "rm", image], environment, cancel).await;
    }
    removed
}

/// Removes the containers of the image that came since, with all that runs in them, and returns how many they were.
pub(super) async fn end_new(
    image: &str,
    before: &Before,
    environment: &Environment,
    cancel: &CancellationToken,
) -> usize {
    let Some(known) = &before.containers else {
        return 0;
    };
    let mut removed = 0;
    // `docker run` that was just killed may have been answered after the first look: look until nothing new is there.
    for _ in 0..3 {
        let Some(now) = containers_of(image, environment, cancel).await else {
            break;
        };
        let new: Vec<&str> = now.difference(known).map(String::as_str).collect();
        if new.is_empty() {
            break;
        }
        let mut args = vec!["rm", "--force", "--volumes"];
        args.extend(&new);
        docker(&args, environment, cancel).await;
        removed += new.len();
    }
    removed
}

/// Full ids of the containers, running or not, that were made from exactly this reference.
async fn containers_of(
    image: &str,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Option<BTreeSet<String>> {
    let args = ["ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Image}}"];
    let output = docker(&args, environment, cancel).await?;
    (output.ended == Ended::Exited(0)).then(|| {
        output
            .stdout
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, of)| *of == image)
            .map(|(id, _)| id.to_owned())
            .collect()
    })
}

/// Asks the engine, or has it clean up. An interrupt does not end it, for cleaning up is what an interrupt asks for; it only makes it impatient.
pub(super) async fn docker(
    args: &[&str],
    environment: &Environment,
    cancel: &CancellationToken,
) -> Option<process::Output> {
    let command = Command::new("docker")
        .args(args.iter().copied())
        .within(&environment.for_child(Child::Docker));
    let stop = CancellationToken::new();
    let asked = process::output(&command, Some(PATIENCE), &stop);
    let impatient = async {
        cancel.cancelled().await;
        tokio::time::sleep(IMPATIENCE).await;
        stop.cancel();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = asked => answer.ok(),
        never = impatient => match never {},
    }
}
