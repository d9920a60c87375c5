//! Room on this machine: what splitbase and its builds have left in the engine and among temporary files, and its removal.
//!
//! What goes is found first, by name and size, and only what was found is removed. Nothing that a run may be using is among it.

mod engine;
mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod item;
mod remove;

#[cfg(test)]
mod tests;

pub use item::{Found, Item, Kind, Outcome};
pub use remove::remove;

use crate::environment::Environment;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An image that got its name later than this long ago may be that of a test that goes on.
const YOUNG_IMAGE: Duration = Duration::from_secs(60 * 60);
/// What was changed later than this long ago may be of a run that goes on: a folder does not change while a long build runs.
const YOUNG_FILE: Duration = Duration::from_secs(6 * 60 * 60);

/// Looks what can go. `builder` is the one that was asked for. What could not be looked at is told beside it.
pub async fn find(builder: Option<&str>, environment: &Environment, cancel: &CancellationToken) -> Found {
    let own = environment.clone();
    let files = tokio::task::spawn_blocking(move || files::find(&own, &std::env::temp_dir()));
    let (cache, images, files) = tokio::join!(
        engine::build_cache(builder, environment, cancel),
        engine::images(environment, cancel),
        files
    );
    let mut found = Found::default();
    for (part, what) in [
        // An engine on a disk without any room cannot remove a thing: first goes what needs no engine.
        (files.map_err(|error| error.to_string()), "temporary files"),
        (images, "images"),
        (cache, "the build cache"),
    ] {
        match part {
            Ok(items) => found.items.extend(items),
            Err(why) => found.notes.push(format!("{what} could not be looked at: {why}")),
        }
    }
    found
}
