//! Removal of what was found.

use super::engine::{docker, size};
use super::item::{Item, Outcome, Removal};
use crate::environment::Environment;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Removes an item, and notes in it what came of that. What went meanwhile is removed, too.
pub async fn remove(item: &mut Item, environment: &Environment, cancel: &CancellationToken) {
    let removed = match &item.removal {
        Removal::Prune(builder) => {
            let mut args = vec!["buildx", "prune", "--force"];
            args.extend(builder.iter().flat_map(|builder| ["--builder", builder]));
            docker(&args, environment, cancel).await.map(|text| {
                // What it says that it freed counts.
                let total = text.lines().rev().find_map(|line| line.strip_prefix("Total:"));
                total.and_then(size)
            })
        }
        Removal::Image(name) => match docker(&["image", "rm", name], environment, cancel).await {
            Err(why) if why.to_lowercase().contains("no such image") => Ok(None),
            removed => removed.map(|_| None),
        },
        Removal::Path(path) => {
            let path = path.clone();
            let removed = tokio::task::spawn_blocking(move || at(&path)).await;
            let removed = removed.unwrap_or_else(|error| Err(std::io::Error::other(error)));
            removed.map(|()| None).map_err(|error| error.to_string())
        }
    };
    match removed {
        Ok(freed) => {
            item.outcome = Outcome::Removed;
            item.bytes = freed.or(item.bytes);
        }
        Err(why) => {
            item.outcome = Outcome::Failed;
            item.message = Some(why);
        }
    }
}

fn at(path: &Path) -> std::io::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
