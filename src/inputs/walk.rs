//! Finds what counts as input of one image.

use super::dockerignore::Inherited;
use super::entry::{Differences, InputEntry};
use super::error::InputError;
use super::hash::{Found, What, read_all};
use super::junk::{self, Junk};
use super::pattern::clean;
use super::place::{inside_context, is_folder, metadata, on_the_way, special, tidy, walk_error};
use super::request::{IgnoreFile, Request};
use crate::digest_cache::DigestCache;
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The inputs of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Sorted bytewise by path, each path once.
    pub entries: Vec<InputEntry>,
    /// The path of the entry that is the Dockerfile.
    pub dockerfile: String,
    /// Junk that would reach the build.
    pub junk: Junk,
}

/// Finds and hashes the inputs of one image.
///
/// # Errors
/// Something is missing, of a kind that cannot be an input, or cannot be read.
pub fn collect(request: &Request<'_>) -> Result<Collected, InputError> {
    collect_with(request, &DigestCache::default())
}

/// The same, without reading what `digests` knows to be as it was.
///
/// # Errors
/// As [`collect`].
pub fn collect_with(request: &Request<'_>, digests: &DigestCache) -> Result<Collected, InputError> {
    let (entries, (dockerfile, junk)) = read_all(&digests.open(), |sink| {
        let mut finder = Finder::new(sink);
        let dockerfile = finder.all(request)?;
        Ok((dockerfile, finder.junk))
    })?;
    Ok(Collected {
        entries,
        dockerfile,
        junk,
    })
}

/// Finds and hashes `files` (files and folders relative to `root`), which no ignore file speaks of: those of a smoke test.
///
/// # Errors
/// As [`collect`].
pub fn collect_files(root: &Utf8Path, files: &[Utf8PathBuf]) -> Result<Vec<InputEntry>, InputError> {
    let ignore = IgnoreFile::none(Utf8Path::new(".dockerignore"));
    let (entries, ()) = read_all(&DigestCache::default().open(), |sink| {
        let mut finder = Finder::new(sink);
        files
            .iter()
            .try_for_each(|file| finder.declared(&base(root), file, &ignore))
    })?;
    Ok(entries)
}

/// Reads the inputs of one image again, all of them, and tells what differs from `before`.
///
/// # Errors
/// As [`collect`].
pub fn fingerprint(request: &Request<'_>, before: &[InputEntry]) -> Result<Differences, InputError> {
    Ok(Differences::between(before, &collect(request)?.entries))
}

/// What the build gets as its main context.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The paths of its files, symlinks and empty folders, sorted.
    pub paths: Vec<String>,
    /// What its symlinks point at.
    pub links: BTreeMap<String, String>,
}

/// Lists what the build gets as its main context; no file is read.
///
/// # Errors
/// As [`collect`].
pub fn context_listing(request: &Request<'_>) -> Result<Listing, InputError> {
    let context = request.root.join(request.context);
    is_folder(&context, "build context")?;
    let ignore = IgnoreFile::of_context(request)?;
    let mut listing = Listing::default();
    let mut sink = |found: Found| {
        let path = found.relative().to_owned();
        if let What::Symlink(target) = found.what {
            listing.links.insert(path.clone(), target);
        }
        listing.paths.push(path);
    };
    Finder::new(&mut sink).walk(&base(&context), "", "", &ignore, Start::Listing)?;
    listing.paths.sort_unstable();
    Ok(listing)
}

/// `@NAME/`, with `/` in the name escaped, so that no two names run into each other.
fn context_prefix(name: &str) -> String {
    format!("@{}/", name.replace('%', "%25").replace('/', "%2F"))
}

/// How a walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// At a context, which may itself be a symlink.
    Context,
    /// The same, without looking for junk.
    Listing,
    /// At a declared input.
    Declared,
}

/// A folder that the walk is in.
struct Level {
    inherited: Inherited,
    /// Whether it is kept out, and looked into for an exception's sake.
    ignored: bool,
    junk: Option<&'static str>,
    /// To be an entry if nothing is found in it.
    pending: Option<Found>,
}

fn base(path: &Utf8Path) -> Arc<Path> {
    Arc::from(path.as_std_path())
}

struct Finder<'a> {
    sink: &'a mut dyn FnMut(Found),
    count: usize,
    junk: Junk,
}

impl<'a> Finder<'a> {
    fn new(sink: &'a mut dyn FnMut(Found)) -> Self {
        Self {
            sink,
            count: 0,
            junk: Junk::default(),
        }
    }

    fn found(&mut self, found: Found) {
        self.count += 1;
        (self.sink)(found);
    }

    /// Finds all inputs; the path of the Dockerfile's entry.
    fn all(&mut self, request: &Request<'_>) -> Result<String, InputError> {
        let dockerfile = self.dockerfile(request)?;
        let context = request.root.join(request.context);
        is_folder(&context, "build context")?;
        let ignore = IgnoreFile::of_context(request)?;
        let context = base(&context);
        for input in request.inputs.unwrap_or_default() {
            self.declared(&context, input, &ignore)?;
        }
        if request.whole_context_counts() {
            self.walk(&context, "", "", &ignore, Start::Context)?;
        }
        for (name, folder) in &request.contexts {
            let path = request.root.join(folder);
            is_folder(&path, "named build context")?;
            let ignore = IgnoreFile::of_named_context(request.root, folder)?;
            self.walk(&base(&path), "", &context_prefix(name), &ignore, Start::Context)?;
        }
        Ok(dockerfile)
    }

    /// The Dockerfile is always an input, wherever it is and whatever keeps it out of the context. One that is a symlink, or lies outside the
    /// context, is an entry of its own.
    fn dockerfile(&mut self, request: &Request<'_>) -> Result<String, InputError> {
        let file = request.root.join(request.dockerfile);
        if !metadata(&file, "Dockerfile")?.is_file() {
            return Err(InputError::WrongKind {
                role: "Dockerfile",
                path: tidy(&file),
                expected: "file",
            });
        }
        let (context, dockerfile) = (
            clean(request.context.as_str()),
            clean(request.dockerfile.as_str()),
        );
        let relative = match context.as_str() {
            "." => Some(dockerfile.as_str()),
            context => dockerfile
                .strip_prefix(context)
                .and_then(|rest| rest.strip_prefix('/')),
        };
        let relative =
            relative.filter(|path| !path.starts_with("../") && !path.starts_with('/') && !file.is_symlink());
        let (base, path, relative_at, what) = if let Some(relative) = relative {
            let (path, at) = in_context("", relative);
            (base(&request.root.join(request.context)), path, at, What::File)
        } else {
            let name = file.file_name().unwrap_or("Dockerfile");
            (
                base(file.parent().unwrap_or(request.root)),
                format!("@/{name}"),
                2,
                What::Followed,
            )
        };
        self.found(Found {
            path: path.clone(),
            relative_at,
            base,
            what,
        });
        Ok(path)
    }

    fn declared(
        &mut self,
        base: &Arc<Path>,
        input: &Utf8Path,
        ignore: &IgnoreFile,
    ) -> Result<(), InputError> {
        let relative = inside_context(input)?;
        on_the_way(base, &relative, input)?;
        let before = self.count;
        self.walk(base, &relative, "", ignore, Start::Declared)?;
        if self.count > before {
            return Ok(());
        }
        let reason = if let Some(line) = junk::line_for_path(&relative) {
            format!("it is junk (`{line}`)")
        } else if let Some(line) = ignore.rules.line_for(&relative) {
            format!("`{}:{line}` keeps it out", ignore.name)
        } else {
            "nothing lies in it".to_owned()
        };
        Err(InputError::KeptOut {
            path: input.to_owned(),
            reason,
        })
    }

    /// Takes in all that counts at or below `start`.
    fn walk(
        &mut self,
        base: &Arc<Path>,
        start: &str,
        prefix: &str,
        ignore: &IgnoreFile,
        how: Start,
    ) -> Result<(), InputError> {
        let root: &Path = base;
        let top = if start.is_empty() {
            root.to_owned()
        } else {
            root.join(start)
        };
        let mut leaked: Vec<(String, &'static str)> = Vec::new();
        let mut levels: Vec<Level> = Vec::new();
        // Nothing of what lies in a folder that is passed over reaches the build.
        let Some(above) = ignore.rules.above(start) else {
            return Ok(());
        };
        let junk_above = junk::line_for_path(start.rsplit_once('/').map_or("", |(parent, _)| parent));
        let follow_root = how != Start::Declared || start.is_empty();
        let mut entries = walkdir::WalkDir::new(&top)
            .follow_links(false)
            .follow_root_links(follow_root)
            .into_iter();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // BuildKit does not mind either: the folder is kept out.
                Err(error) if is_denied(&error) && is_in_ignored(&levels, &error) => continue,
                Err(error) => return Err(walk_error(error, &top)),
            };
            self.leave(&mut levels, entry.depth());
            let relative = relative_path(entry.path(), root)?;
            if relative.is_empty() {
                levels.push(Level {
                    inherited: Inherited::default(),
                    ignored: false,
                    junk: None,
                    pending: None,
                });
                continue;
            }
            let level = levels.last();
            let (ignored, inherited) = ignore
                .rules
                .check(relative, level.map_or(&above, |level| &level.inherited));
            let name = relative.rsplit_once('/').map_or(relative, |(_, name)| name);
            let junk = level
                .map_or(junk_above, |level| level.junk)
                .or_else(|| junk::line_for_name(name));
            let kind = entry.file_type();
            let (path, relative_at) = in_context(prefix, relative);
            if let Some(line) = junk.filter(|_| !ignored) {
                if how != Start::Listing {
                    leaked.push((path, line));
                }
                if kind.is_dir() {
                    entries.skip_current_dir();
                }
                continue;
            }
            let what = if kind.is_dir() { None } else { Some(kind) };
            let found = |what| Found {
                path,
                relative_at,
                base: Arc::clone(base),
                what,
            };
            match what {
                None if ignored && ignore.rules.passes_over(relative) => entries.skip_current_dir(),
                None => levels.push(Level {
                    inherited,
                    ignored,
                    junk,
                    pending: (!ignored).then(|| found(What::Directory)),
                }),
                Some(_) if ignored => {}
                Some(kind) => {
                    let what = leaf(kind, entry.path(), how)?;
                    if matches!(what, What::File)
                        && how != Start::Listing
                        && let Some(line) = ignore.rules.empties(relative)
                        && entry.metadata().is_ok_and(|metadata| metadata.len() > 0)
                    {
                        return Err(InputError::ArrivesEmpty {
                            path: relative.into(),
                            file: ignore.name.clone(),
                            line,
                        });
                    }
                    for level in levels.iter_mut().rev() {
                        level.pending = None;
                    }
                    self.found(found(what));
                }
            }
        }
        self.leave(&mut levels, 0);
        self.junk.extend(ignore.name.as_str(), leaked);
        Ok(())
    }

    /// Closes the folders at `depth` and below.
    fn leave(&mut self, levels: &mut Vec<Level>, depth: usize) {
        while levels.len() > depth {
            let Some(pending) = levels.pop().and_then(|level| level.pending) else {
                continue;
            };
            for level in levels.iter_mut() {
                level.pending = None;
            }
            self.found(pending);
        }
    }
}

/// Whether the system did not let us look into a folder.
fn is_denied(error: &walkdir::Error) -> bool {
    error
        .io_error()
        .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Whether the folder that could not be read is one that is kept out.
fn is_in_ignored(levels: &[Level], error: &walkdir::Error) -> bool {
    levels.get(error.depth()).is_some_and(|level| level.ignored)
}

/// An entry's path, and where in it the part begins that is relative to the folder.
fn in_context(prefix: &str, relative: &str) -> (String, usize) {
    let prefix = if prefix.is_empty() && relative.starts_with('@') {
        "./"
    } else {
        prefix
    };
    (format!("{prefix}{relative}"), prefix.len())
}

fn relative_path<'a>(path: &'a Path, root: &Path) -> Result<&'a str, InputError> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.to_str().ok_or_else(|| InputError::NotUtf8 {
        what: "name",
        path: path.to_owned(),
    })
}

/// What a thing is that is no folder.
fn leaf(kind: FileType, path: &Path, how: Start) -> Result<What, InputError> {
    if kind.is_file() || (how == Start::Listing && !kind.is_symlink()) {
        return Ok(What::File);
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(path).map_err(|source| InputError::Read {
            path: path.to_owned(),
            source,
        })?;
        return match target.into_os_string().into_string() {
            Ok(target) => Ok(What::Symlink(target)),
            Err(_) if how == Start::Listing => Ok(What::File),
            Err(_) => Err(InputError::NotUtf8 {
                what: "target",
                path: path.to_owned(),
            }),
        };
    }
    Err(special(kind, path))
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
