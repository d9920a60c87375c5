//! `hash = "concat"`: the hash that shell pipelines compute, byte for byte, so that the tags that they already have keep hitting.
//!
//! `{ cat HEAD…; find TREE -type f <junk filter> -print0 | LC_ALL=C sort -z | xargs -0 cat; cat TAIL…; echo EXTRA…; } | sha256sum`

use super::error::InputError;
use super::hash::{is_executable, stream};
use super::place::{inside_context, metadata, missing_or_unreadable, on_the_way, special, walk_error};
use crate::domain::Identity;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The hash of a base in concat format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concat {
    /// Its identity; the first 12 hex digits are those of the shell pipeline.
    pub identity: Identity,
    /// What it cannot see.
    pub blind: Vec<Blind>,
}

/// Something that a concat hash cannot see, though it reaches the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Blind {
    /// Names, and where one file ends and the next begins.
    #[error(
        "names of files do not count in a concat hash: renaming a file, or moving bytes from one into the next, keeps the tag"
    )]
    Names,
    /// Build arguments, options, versions, upstream digests.
    #[error(
        "build arguments and options, versions and upstream digests do not count in a concat hash, unless `extra` holds them"
    )]
    Values,
    /// A symlink: how many, and the first.
    #[error("{count} symlinks do not count in a concat hash, `{first}` among them")]
    Symlinks {
        /// How many.
        count: usize,
        /// The first by path.
        first: String,
    },
    /// An empty file.
    #[error("{count} empty files do not count in a concat hash, `{first}` among them")]
    EmptyFiles {
        /// How many.
        count: usize,
        /// The first by path.
        first: String,
    },
    /// A file that may be executed.
    #[error("the exec bit does not count in a concat hash: {count} files have it, `{first}` among them")]
    ExecBits {
        /// How many.
        count: usize,
        /// The first by path.
        first: String,
    },
}

/// Hashes the Dockerfile (relative to `root`), then `inputs` (relative to `context`, which is relative to `root`) in their order, a folder standing for its
/// regular files sorted bytewise by path, then each of `extra` and a line feed. `.dockerignore` is not asked, as no shell pipeline does.
///
/// # Errors
/// Something is missing, or cannot be read; where the shell would go on with what there is.
pub fn concat(
    root: &Utf8Path,
    context: &Utf8Path,
    dockerfile: &Utf8Path,
    inputs: &[Utf8PathBuf],
    extra: &[String],
) -> Result<Concat, InputError> {
    let mut hasher = Hasher::new();
    hasher.named(&root.join(dockerfile), dockerfile, "Dockerfile")?;
    let context = root.join(context);
    for input in inputs {
        let relative = inside_context(input)?;
        on_the_way(context.as_std_path(), &relative, input)?;
        let path = if relative.is_empty() {
            context.clone()
        } else {
            context.join(&relative)
        };
        if metadata(&path, "input")?.is_dir() {
            hasher.folder(&path, context.as_std_path(), input)?;
        } else {
            hasher.named(&path, input, "input")?;
        }
    }
    for value in extra {
        hasher.hash.update(value.as_bytes());
        hasher.hash.update(b"\n");
    }
    Ok(hasher.finish())
}

struct Hasher {
    hash: Sha256,
    buffer: Vec<u8>,
    symlinks: Vec<String>,
    empty: Vec<String>,
    executable: Vec<String>,
}

impl Hasher {
    fn new() -> Self {
        Self {
            hash: Sha256::new(),
            buffer: vec![0; 128 * 1024],
            symlinks: Vec::new(),
            empty: Vec::new(),
            executable: Vec::new(),
        }
    }

    /// A file that was named: `cat` follows symlinks.
    fn named(&mut self, path: &Utf8Path, name: &Utf8Path, role: &'static str) -> Result<(), InputError> {
        let kind = metadata(path, role)?.file_type();
        if kind.is_dir() {
            return Err(InputError::WrongKind {
                role,
                path: name.to_owned(),
                expected: "file",
            });
        }
        if !kind.is_file() {
            return Err(special(kind, path.as_std_path()));
        }
        self.file(path.as_std_path(), true, name.as_str())
    }

    fn file(&mut self, path: &Path, follow: bool, name: &str) -> Result<(), InputError> {
        let hash = &mut self.hash;
        let read = stream(path, follow, &mut self.buffer, |bytes| hash.update(bytes))?;
        if read.size == 0 {
            self.empty.push(name.to_owned());
        }
        if is_executable(&read.before) {
            self.executable.push(name.to_owned());
        }
        Ok(())
    }

    /// What `find TREE -type f` prints, sorted. `find` does not follow a symlink that it is given, and prints nothing then: an error here.
    fn folder(&mut self, top: &Utf8Path, context: &Path, input: &Utf8Path) -> Result<(), InputError> {
        let itself =
            std::fs::symlink_metadata(top).map_err(|source| missing_or_unreadable(top, "input", source))?;
        if itself.is_symlink() && top.as_std_path() != context {
            return Err(InputError::ThroughSymlink {
                path: input.to_owned(),
                link: input.to_owned(),
            });
        }
        let top = top.as_std_path();
        let mut files: Vec<(String, PathBuf)> = Vec::new();
        for entry in walkdir::WalkDir::new(top).follow_links(false) {
            let entry = entry.map_err(|error| walk_error(error, top))?;
            let kind = entry.file_type();
            if kind.is_dir() {
                continue;
            }
            let relative = entry.path().strip_prefix(top).unwrap_or(entry.path());
            let Some(relative) = relative.to_str() else {
                return Err(InputError::NotUtf8 {
                    what: "name",
                    path: entry.into_path(),
                });
            };
            // `find` begins each path with the folder as it was named, which `*/__pycache__/*` needs.
            let name = format!("{}/{relative}", input.as_str().trim_end_matches('/'));
            if is_filtered(&name) {
                continue;
            }
            if kind.is_file() {
                files.push((name, entry.into_path()));
            } else if kind.is_symlink() {
                self.symlinks.push(name);
            } else {
                return Err(special(kind, entry.path()));
            }
        }
        files.sort_unstable();
        files
            .iter()
            .try_for_each(|(name, path)| self.file(path, false, name))
    }

    fn finish(self) -> Concat {
        let mut blind = vec![Blind::Names, Blind::Values];
        let some = |mut names: Vec<String>| {
            names.sort_unstable();
            let count = names.len();
            names.into_iter().next().map(|first| (count, first))
        };
        blind.extend(some(self.symlinks).map(|(count, first)| Blind::Symlinks { count, first }));
        blind.extend(some(self.empty).map(|(count, first)| Blind::EmptyFiles { count, first }));
        blind.extend(some(self.executable).map(|(count, first)| Blind::ExecBits { count, first }));
        Concat {
            identity: Identity::from_bytes(self.hash.finalize().into()),
            blind,
        }
    }
}

/// `! -path '*/__pycache__/*' ! -name '*.pyc' ! -name '.DS_Store' ! -name '._*'`, turned round.
fn is_filtered(path: &str) -> bool {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    path.contains("/__pycache__/")
        || name.as_bytes().ends_with(b".pyc")
        || name == ".DS_Store"
        || name.starts_with("._")
}

#[cfg(test)]
#[path = "concat_tests.rs"]
mod tests;
