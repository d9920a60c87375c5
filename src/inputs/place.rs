//! Whether what was named is where it should be, and the errors if not.

use super::error::InputError;
use super::pattern::{clean, down_to};
use camino::{Utf8Path, Utf8PathBuf};
use std::ffi::OsString;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Component, Path, PathBuf};

/// How many symlinks are followed, one from the other.
const MOST_LINKS: usize = 255;

/// The path without `./` and the like, for messages.
pub(super) fn tidy(path: &Utf8Path) -> Utf8PathBuf {
    clean(path.as_str()).into()
}

pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

pub(super) fn is_folder(path: &Utf8Path, role: &'static str) -> Result<(), InputError> {
    let wrong = || InputError::WrongKind {
        role,
        path: tidy(path),
        expected: "folder",
    };
    metadata(path, role)?.is_dir().then_some(()).ok_or_else(wrong)
}

/// What a path leads to, symlinks followed.
pub(super) fn metadata(path: &Utf8Path, role: &'static str) -> Result<std::fs::Metadata, InputError> {
    std::fs::metadata(path).map_err(|source| missing_or_unreadable(path, role, source))
}

/// The error for a named thing that could not be looked at.
pub(super) fn missing_or_unreadable(path: &Utf8Path, role: &'static str, source: io::Error) -> InputError {
    if is_absent(&source) {
        let path = tidy(path);
        return InputError::Missing { role, path };
    }
    let path = path.as_std_path().to_owned();
    InputError::Read { path, source }
}

/// A declared input without `.` and `..`; empty for the context itself.
pub(super) fn inside_context(input: &Utf8Path) -> Result<String, InputError> {
    let cleaned = clean(input.as_str());
    if cleaned.starts_with('/') || cleaned == ".." || cleaned.starts_with("../") || input.as_str().is_empty()
    {
        return Err(InputError::Escapes {
            path: input.to_owned(),
        });
    }
    Ok(if cleaned == "." { String::new() } else { cleaned })
}

/// Refuses a declared input that is not there, or lies behind a symlink.
pub(super) fn on_the_way(context: &Path, relative: &str, input: &Utf8Path) -> Result<(), InputError> {
    for way in down_to(relative).filter(|way| !way.is_empty()) {
        let path = context.join(way);
        let metadata = std::fs::symlink_metadata(&path)
            .map_err(|source| missing_or_unreadable(input, "input", source))?;
        if way != relative && metadata.is_symlink() {
            return Err(InputError::ThroughSymlink {
                path: input.to_owned(),
                link: way.into(),
            });
        }
    }
    Ok(())
}

/// The regular file that a name in `folder` leads to, symlinks followed as if the folder were the root of all; `None` if it leads to none.
pub(super) fn within(folder: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let mut links = 0;
    let mut inside = PathBuf::new();
    let mut rest: Vec<OsString> = vec![name.into()];
    while let Some(part) = rest.pop() {
        if part == ".." {
            inside.pop();
            continue;
        }
        let next = inside.join(&part);
        let metadata = match std::fs::symlink_metadata(folder.join(&next)) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !metadata.is_symlink() {
            inside = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Ok(None);
        }
        let target = std::fs::read_link(folder.join(&next))?;
        if target.is_absolute() {
            inside = PathBuf::new();
        }
        rest.extend(target.components().rev().filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        }));
    }
    let path = folder.join(inside);
    Ok(path.is_file().then_some(path))
}

/// The error for a socket, a device or a FIFO.
pub(super) fn special(kind: FileType, path: &Path) -> InputError {
    let kind = if kind.is_socket() {
        "socket"
    } else if kind.is_fifo() {
        "fifo"
    } else {
        "device"
    };
    InputError::SpecialFile {
        path: Utf8PathBuf::from(path.to_string_lossy().into_owned()),
        kind,
    }
}

/// An error of the walk, with the path that it is about.
pub(super) fn walk_error(error: walkdir::Error, top: &Path) -> InputError {
    let path = error.path().unwrap_or(top).to_owned();
    let source = error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other("the walk stopped"));
    InputError::Read { path, source }
}
