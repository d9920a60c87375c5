//! `variants.lock`: what the floating versions and upstream images were when somebody last looked.

use super::{Given, Resolved, VersionError, source_text};
use crate::config::VersionSource;
use crate::domain::{Digest, ExitCode};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const SCHEMA: u64 = 1;
const HEAD: &str = "# Written by `splitbase resolve --write`; commit it.\n";

/// The content of a `variants.lock`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The versions, by their name in `[versions]`.
    pub versions: BTreeMap<String, Locked>,
    /// The digests of images outside the family, by the reference that names them.
    pub upstream: BTreeMap<String, Digest>,
}

/// One version in a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// The version.
    pub version: String,
    /// The source that said so, as in [`super::source_text`].
    pub source: String,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u64,
    #[serde(default)]
    versions: BTreeMap<String, Locked>,
    #[serde(default)]
    upstream: BTreeMap<String, Digest>,
}

/// A lock that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what a lock looks like.
    #[error("read {}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        reason: String,
    },
    /// It could not be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not fit `[versions]`.
    #[error("use `variants.lock` as it is: {}", list(.0))]
    Mismatch(Vec<Mismatch>),
}

/// One entry of `[versions]` that the lock does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The lock has no such entry.
    #[error("`{name}` is not locked")]
    Missing {
        /// The name in `[versions]`.
        name: String,
    },
    /// The lock has it from another source.
    #[error("`{name}` comes from {wanted}, but was locked from {locked}")]
    Source {
        /// The name in `[versions]`.
        name: String,
        /// The source now.
        wanted: String,
        /// The source then.
        locked: String,
    },
    /// It is a fixed value, and the lock has another.
    #[error("`{name}` is `{wanted}`, but `{locked}` was locked")]
    Value {
        /// The name in `[versions]`.
        name: String,
        /// The value now.
        wanted: String,
        /// The value then.
        locked: String,
    },
    /// The locked version does not have the form that its source promises.
    #[error(transparent)]
    Shape(VersionError),
}

fn list(mismatches: &[Mismatch]) -> String {
    let lines: Vec<String> = mismatches.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

impl LockError {
    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Read { .. } | Self::Invalid { .. } | Self::Mismatch(_) => ExitCode::Usage,
            Self::Write { .. } => ExitCode::Failed,
        }
    }

    /// What may help.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Mismatch(_) | Self::Invalid { .. } => {
                vec!["`splitbase resolve --write` writes the lock anew".to_owned()]
            }
            Self::Read { .. } | Self::Write { .. } => Vec::new(),
        }
    }
}

impl Lock {
    /// A lock of what `resolved` holds for these sources, and of upstream images just pinned.
    #[must_use]
    pub fn new(
        sources: &IndexMap<String, VersionSource>,
        resolved: &IndexMap<String, Resolved>,
        upstream: BTreeMap<String, Digest>,
    ) -> Self {
        let versions = sources
            .iter()
            .filter_map(|(name, source)| {
                let locked = Locked {
                    version: resolved.get(name)?.version.clone(),
                    source: source_text(source),
                };
                Some((name.clone(), locked))
            })
            .collect();
        Self { versions, upstream }
    }

    /// Reads a lock; `None` when there is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a lock.
    #[expect(clippy::disallowed_methods, reason = "`versions` owns the lock")]
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(LockError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        Self::parse(&text).map(Some).map_err(|reason| LockError::Invalid {
            path: path.to_owned(),
            reason,
        })
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // A later schema may have keys that this one does not know: that it is later is what the user must hear.
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        match table.get("schema").and_then(toml::Value::as_integer) {
            Some(schema) if u64::try_from(schema) != Ok(SCHEMA) => {
                return Err(format!(
                    "schema {schema} is not known to this version of splitbase"
                ));
            }
            _ => {}
        }
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        if file.schema != SCHEMA {
            return Err(format!("schema {} is not known", file.schema));
        }
        Ok(Self {
            versions: file.versions,
            upstream: file.upstream,
        })
    }

    /// The file's text: sorted, and the same bytes for the same content.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = format!("{HEAD}schema = {SCHEMA}\n");
        // Writing into a string does not fail.
        if !self.versions.is_empty() {
            text.push_str("\n[versions]\n");
            for (name, locked) in &self.versions {
                let _ = writeln!(
                    text,
                    "{} = {{ version = {}, source = {} }}",
                    key(name),
                    quoted(&locked.version),
                    quoted(&locked.source)
                );
            }
        }
        if !self.upstream.is_empty() {
            text.push_str("\n[upstream]\n");
            for (reference, digest) in &self.upstream {
                let _ = writeln!(text, "{} = {}", quoted(reference), quoted(&digest.to_string()));
            }
        }
        text
    }

    /// Writes the lock whole or not at all, and not when it is there already. Says whether the file changed.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn write(&self, path: &Path) -> Result<bool, LockError> {
        self.replace(path).map_err(|source| LockError::Write {
            path: path.to_owned(),
            source,
        })
    }

    #[expect(clippy::disallowed_methods, reason = "`versions` owns the lock")]
    fn replace(&self, path: &Path) -> std::io::Result<bool> {
        use std::os::unix::fs::PermissionsExt as _;
        let text = self.to_toml();
        // A link stays a link.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            return Ok(false);
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".variants.lock.")
            // As any new file: the user's mask decides.
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(true)
    }

    /// The versions as the lock has them, for `--locked`: each entry of `[versions]` must be there, from the same source.
    ///
    /// # Errors
    /// Names every entry that is missing or different.
    pub fn versions_of(
        &self,
        sources: &IndexMap<String, VersionSource>,
    ) -> Result<IndexMap<String, Resolved>, LockError> {
        let mut resolved = IndexMap::with_capacity(sources.len());
        let mut mismatches = Vec::new();
        for (name, source) in sources {
            match self.version_of(name, source) {
                Ok(version) => {
                    resolved.insert(name.clone(), version);
                }
                Err(mismatch) => mismatches.push(mismatch),
            }
        }
        if mismatches.is_empty() {
            Ok(resolved)
        } else {
            Err(LockError::Mismatch(mismatches))
        }
    }

    /// One version as the lock has it.
    ///
    /// # Errors
    /// It is not there, or different.
    pub fn version_of(&self, name: &str, source: &VersionSource) -> Result<Resolved, Mismatch> {
        let name = name.to_owned();
        let Some(locked) = self.versions.get(&name) else {
            return Err(Mismatch::Missing { name });
        };
        let wanted = source_text(source);
        if locked.source != wanted {
            let locked = locked.source.clone();
            return Err(Mismatch::Source { name, wanted, locked });
        }
        match source {
            VersionSource::Value { value } if *value != locked.version => Err(Mismatch::Value {
                name,
                wanted: value.clone(),
                locked: locked.version.clone(),
            }),
            _ => Resolved::given(&name, source, &locked.version, Given::Lock).map_err(Mismatch::Shape),
        }
    }
}

fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A basic string of TOML, always in one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
