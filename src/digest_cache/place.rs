//! Where the file is.

use crate::environment::Environment;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folder of the cache, and whose it must be.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The user that this process acts as.
    pub(super) user: u32,
}

impl Place {
    /// `$XDG_CACHE_HOME/splitbase`, or else `~/.cache/splitbase`. A variable that is no absolute path is passed over, as the XDG Base Directory
    /// Specification wants it.
    pub(super) fn of(environment: &Environment) -> Option<Self> {
        let absolute = |path: PathBuf| path.is_absolute().then_some(path);
        let cache = environment
            .get("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .and_then(absolute);
        let cache = cache.or_else(|| absolute(environment.home()?).map(|home| home.join(".cache")))?;
        Some(Self {
            folder: cache.join("splitbase"),
            user: rustix::process::geteuid().as_raw(),
        })
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("file-digests")
    }

    /// Whether the folder is this user's; where it is still to be made, whether what it would be made in is not somebody else's: `sudo` with the home of
    /// a user must leave nothing there that the user could not replace.
    pub(super) fn is_ours(&self) -> bool {
        let owner = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.uid());
        match owner(&self.folder) {
            Ok(owner) => owner == self.user,
            Err(_) => self
                .folder
                .ancestors()
                .skip(1)
                .find_map(|folder| owner(folder).ok())
                .is_some_and(|owner| owner == self.user || owner == 0),
        }
    }
}
