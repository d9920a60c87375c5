//! Writing files, whole or not at all, and never over one that is there.

use super::NewFile;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A file could not be written; those before it have been taken away again.
#[derive(Debug, thiserror::Error)]
#[error("write `{}`: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// Those of `paths` that are there already, whatever they are.
pub fn existing<'a>(folder: &Path, paths: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let there = |path: &&str| folder.join(path).symlink_metadata().is_ok();
    paths.into_iter().filter(there).collect()
}

/// Writes all of them, making the folders that are missing.
///
/// # Errors
/// One could not be written, or came to be there meanwhile. Then none of them is left.
pub fn write(folder: &Path, files: &[NewFile]) -> Result<(), WriteError> {
    let mut made = Made::default();
    for file in files {
        let path = folder.join(file.path);
        made.file(&path, file)
            .map_err(|source| WriteError { path, source })?;
    }
    made.kept = true;
    Ok(())
}

/// What was made so far. Taken away again unless it is kept.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    kept: bool,
}

impl Made {
    fn file(&mut self, path: &Path, file: &NewFile) -> std::io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        self.folder(parent)?;
        // What a umask leaves of these is what other programs give their files.
        let mode = if file.executable { 0o777 } else { 0o666 };
        let mut temporary = tempfile::Builder::new()
            .prefix(".splitbase-")
            .permissions(std::fs::Permissions::from_mode(mode))
            .tempfile_in(parent)?;
        temporary.write_all(file.text.as_bytes())?;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(path).map_err(|error| error.error)?;
        self.files.push(path.to_owned());
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> std::io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            std::fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
        // Those that hold something of others stay.
        for folder in self.folders.iter().rev() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}
