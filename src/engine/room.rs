//! Free space: of which places, how much, and whether that is enough to begin.

use super::info::Info;
use crate::domain::ByteSize;
use std::path::{Path, PathBuf};

const MB: u64 = 1_000_000;
const GB: u64 = 1_000 * MB;
/// With less inodes than this a disk counts as full, whatever else is free.
const FEW_FILES: u64 = 100;

/// What a file system has left for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Which file system: its device number.
    pub id: u64,
    /// In bytes.
    pub bytes: u64,
    /// Its size, in bytes.
    pub total: u64,
    /// Files that can still be made; `None` where there is no limit.
    pub files: Option<u64>,
}

impl Free {
    /// What counts: nothing, where no more files can be made.
    pub(super) fn room(&self) -> u64 {
        if self.no_files() { 0 } else { self.bytes }
    }

    fn no_files(&self) -> bool {
        self.files.is_some_and(|files| files < FEW_FILES)
    }

    /// Whether it is so full that what fails there most likely fails for that: 2 % of the disk and never more than 1 GB are free.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.room() < (self.total / 50).clamp(4 * MB, GB)
    }

    /// The figures: `3MB of 200MB`.
    #[must_use]
    pub fn figures(&self) -> String {
        if self.no_files() {
            let files = self.files.unwrap_or_default();
            return format!("{files} more files (inodes)");
        }
        format!("{} of {}", ByteSize(self.bytes), ByteSize(self.total))
    }
}

/// A folder that a plan writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is for: `engine`.
    pub what: &'static str,
    /// Where.
    pub path: PathBuf,
    /// Less than this stops a run before it begins, in bytes.
    pub least: u64,
    /// Less than this is worth a warning, in bytes.
    pub enough: u64,
}

impl Place {
    /// Where the engine keeps its images.
    pub(super) fn engine(path: PathBuf) -> Self {
        Self {
            what: "engine",
            path,
            least: 100 * MB,
            enough: 2 * GB,
        }
    }

    /// Where temporary files go.
    pub(super) fn temporary() -> Self {
        Self {
            what: "temporary files",
            path: std::env::temp_dir(),
            least: 10 * MB,
            enough: 200 * MB,
        }
    }

    /// The layout that a release goes into, or the folder in which it is to be made.
    pub(super) fn layout(folder: &Path) -> Self {
        let there = folder.ancestors().find(|path| path.exists());
        Self {
            what: "layout",
            path: there.unwrap_or(folder).to_owned(),
            least: 100 * MB,
            enough: GB,
        }
    }
}

/// The engine's folder, when it is on this machine and not on another one, or outside of the container that this runs in.
#[must_use]
pub fn local_root(info: &Info) -> Option<PathBuf> {
    let here = rustix::system::uname();
    let here = here.nodename().to_str().ok()?;
    let root = PathBuf::from(info.docker_root_dir.as_deref()?);
    (info.name.as_deref() == Some(here) && root.exists()).then_some(root)
}

/// That the disk of this engine cannot be looked at.
#[must_use]
pub fn elsewhere(info: &Info) -> String {
    let on = info
        .name
        .as_deref()
        .map_or(String::new(), |name| format!(" (`{name}`)"));
    format!(
        "the engine{on} keeps its images on another machine, or outside of this container: how full that disk is cannot be seen from here"
    )
}

/// What is free where this path is. Blocks while the file system does.
///
/// # Errors
/// The system does not say.
pub fn free(path: &Path) -> Result<Free, String> {
    use std::os::unix::fs::MetadataExt as _;
    let text = |error: std::io::Error| error.to_string();
    let found = rustix::fs::statvfs(path).map_err(|error| text(error.into()))?;
    Ok(Free {
        id: std::fs::metadata(path).map_err(text)?.dev(),
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// Whether a run should begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is room.
    Enough,
    /// It may not be enough: why.
    Scarce(String),
    /// Nothing can be built: why.
    Full(String),
}

/// Whether what is free in these places is enough to begin.
#[must_use]
pub fn verdict(places: &[(Place, Free)]) -> Verdict {
    let told = |place: &Place, free: &Free| {
        format!(
            "{} are free in `{}` ({})",
            free.figures(),
            place.path.display(),
            place.what
        )
    };
    let full = places.iter().find(|(place, free)| free.room() < place.least);
    if let Some((place, free)) = full {
        return Verdict::Full(told(place, free));
    }
    let scarce = places.iter().find(|(place, free)| free.room() < place.enough);
    scarce.map_or(Verdict::Enough, |(place, free)| {
        Verdict::Scarce(told(place, free))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: u64, total: u64, files: Option<u64>) -> Free {
        Free {
            id: 1,
            bytes,
            total,
            files,
        }
    }

    #[test]
    fn a_disk_is_short_by_its_size() {
        assert!(of(900 * MB, 200 * GB, None).is_short());
        assert!(!of(1_100 * MB, 200 * GB, None).is_short());
        assert!(of(300 * MB, 20 * GB, None).is_short());
        assert!(!of(500 * MB, 20 * GB, None).is_short());
        assert!(of(3 * MB, 100 * MB, None).is_short());
        assert!(!of(5 * MB, 100 * MB, None).is_short());
        assert!(of(100 * GB, 200 * GB, Some(3)).is_short());
        assert_eq!(of(100 * GB, 200 * GB, Some(3)).figures(), "3 more files (inodes)");
    }

    #[test]
    fn a_run_begins_where_there_is_room() {
        let engine = Place::engine(PathBuf::from("/e"));
        let judged = |bytes, files| verdict(&[(engine.clone(), of(bytes, 100 * GB, files))]);
        assert_eq!(judged(3 * GB, None), Verdict::Enough);
        assert_eq!(
            judged(GB, None),
            Verdict::Scarce("1GB of 100GB are free in `/e` (engine)".to_owned())
        );
        assert_eq!(
            judged(50 * MB, None),
            Verdict::Full("50MB of 100GB are free in `/e` (engine)".to_owned())
        );
        assert_eq!(
            judged(50 * GB, Some(2)),
            Verdict::Full("2 more files (inodes) are free in `/e` (engine)".to_owned())
        );
    }

    #[test]
    fn this_machine_says_what_is_free() {
        let free = free(Path::new("/")).unwrap();
        assert!(free.total > 0 && free.bytes <= free.total, "{free:?}");
        assert!(super::free(Path::new("/no/such/folder")).is_err());
    }
}
