//! Free space: where the sources are, where temporary files go, and where the engine keeps its images, when that is this machine.

use super::check::{Check, Kind};
use crate::domain::ByteSize;
use crate::engine::{Free, Info, elsewhere, free, local_root};
use std::path::{Path, PathBuf};

const MB: u64 = 1_000_000;
const GB: u64 = 1_000_000_000;

/// A folder, and what is free there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What it is for: `engine`.
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    /// Less than this is worth a warning, in bytes.
    pub(super) enough: u64,
    /// Why that much.
    pub(super) why: &'static str,
    /// What is free there; or why that is not known.
    pub(super) free: Result<Free, String>,
}

/// Looks. Blocks while a file system does.
pub(super) fn look(context: &Path, engine: Option<&Info>) -> Vec<Place> {
    let place = |what, path: PathBuf, enough, why| Place {
        free: free(&path),
        what,
        path,
        enough,
        why,
    };
    let mut places = vec![
        place(
            "sources",
            context.components().collect(),
            100 * MB,
            "results are written there",
        ),
        place(
            "temporary files",
            std::env::temp_dir(),
            2 * GB,
            "layers pass through it",
        ),
    ];
    if let Some(root) = engine.and_then(local_root) {
        places.push(place(
            "engine",
            root,
            10 * GB,
            "a heavy base and its build cache take that soon",
        ));
    }
    places
}

/// Where the engine's disk cannot be looked at, that is said too.
pub(super) fn unseen(engine: Option<&Info>) -> Option<Check> {
    let info = engine.filter(|info| local_root(info).is_none())?;
    Some(Check::ok(Kind::Disk, elsewhere(info)).mend("`docker system df` says what it holds"))
}

/// The verdict: one line for each file system.
pub(super) fn judge(places: &[Place]) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut told: Vec<u64> = Vec::new();
    for place in places {
        let free = match &place.free {
            Ok(free) => *free,
            Err(why) => {
                let message = format!(
                    "`{}` ({}) could not be looked at: {why}",
                    place.path.display(),
                    place.what
                );
                checks.push(Check::warning(Kind::Disk, message).mend("see which mount it is on: `df`"));
                continue;
            }
        };
        if told.contains(&free.id) {
            continue;
        }
        told.push(free.id);
        let here: Vec<&Place> = places
            .iter()
            .filter(|other| other.free.as_ref().is_ok_and(|other| other.id == free.id))
            .collect();
        checks.push(one(free, &here));
    }
    checks
}

fn one(free: Free, here: &[&Place]) -> Check {
    let place = |place: &&Place| format!("`{}` ({})", place.path.display(), place.what);
    let paths: Vec<String> = here.iter().map(place).collect();
    let message = format!("{} free in {}", ByteSize(free.bytes), paths.join(", "));
    let short = here
        .iter()
        .filter(|place| free.bytes < place.enough)
        .max_by_key(|place| place.enough);
    let mend = "make room: `splitbase doctor --reclaim` shows what can go";
    if free.bytes < 100 * MB {
        Check::error(Kind::Disk, message).mend(mend)
    } else if let Some(short) = short {
        let message = format!(
            "{message}: less than {}, and {}",
            ByteSize(short.enough),
            short.why
        );
        Check::warning(Kind::Disk, message).mend(mend)
    } else if free.files.is_some_and(|files| files < 10_000) {
        let files = free.files.unwrap_or_default();
        Check::warning(
            Kind::Disk,
            format!("{message}, but only {files} more files can be made (inodes)"),
        )
        .mend(mend)
    } else {
        Check::ok(Kind::Disk, message)
    }
}
