//! What the floating versions of a family are right now.
//!
//! Each source is asked for what it says at this moment, and what it says is checked before anybody believes it. There is no fallback:
//! a source that cannot be read is an error, never an older value, a default branch or a guess.

mod client;
mod command;
mod error;
mod fetch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod git;
mod lock;
mod npm;
mod npmrc;
mod package;
mod redact;
mod retry;
mod shape;
#[cfg(test)]
mod tests;

pub use client::Patience;
pub use error::VersionError;
pub use fetch::Http;
pub use lock::{Lock, LockError, Locked, Mismatch};
pub use npmrc::Settings as NpmSettings;

use crate::config::{Retry, VersionSource};
use crate::environment::Environment;
use crate::pace::Pace;
use error::Failure;
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// How many sources are asked at once.
const SIDE_BY_SIDE: usize = 16;

/// A version that is known, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The version: not empty, no white space, at most 128 characters, and in the form that its source promises.
    pub version: String,
    /// Where it comes from: `npm:@scope/pkg@range`, `git:URL#ref`, `command:…`, `value`, `lock`, `set` or `record`.
    pub source: String,
    /// What the user ought to know about it, for example that the package is deprecated.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// How a version came to be known without its source being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It stands in `variants.lock`.
    Lock,
    /// The user said so: `--set NAME=VERSION`.
    Set,
    /// The record of this release pins it.
    Record,
}

impl Given {
    /// The word for [`Resolved::source`].
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Set => "set",
            Self::Record => "record",
        }
    }
}

impl Resolved {
    /// A version that was given instead of being asked for. It must have the form that its source promises.
    ///
    /// # Errors
    /// It does not have that form.
    pub fn given(
        name: &str,
        source: &VersionSource,
        version: impl Into<String>,
        how: Given,
    ) -> Result<Self, VersionError> {
        let version = version.into();
        match shape::check(source, &version) {
            Ok(()) => Ok(Self {
                version,
                source: how.word().to_owned(),
                warnings: Vec::new(),
            }),
            Err(failure) => Err(failure.usage().named(name, how.word().to_owned(), 1)),
        }
    }
}

/// Called with one line of text for each attempt that is made again, and why.
pub type Notice = Arc<dyn Fn(String) + Send + Sync>;

/// What resolving needs to know of the world.
#[derive(Clone)]
pub struct Context {
    http: Http,
    npm: Arc<OnceLock<Result<NpmSettings, String>>>,
    environment: Environment,
    root: PathBuf,
    cancel: CancellationToken,
    retry: Retry,
    notice: Notice,
}

impl Context {
    /// A context for the family in `root`. Nothing is read or connected to before a source needs it.
    #[must_use]
    pub fn new(
        root: impl Into<PathBuf>,
        environment: Environment,
        retry: Retry,
        cancel: CancellationToken,
        notice: Notice,
    ) -> Self {
        Self {
            http: Http::new(&environment).with_pace(Pace::of(&retry)),
            npm: Arc::default(),
            root: environment.directory().join(root.into()),
            environment,
            cancel,
            retry,
            notice,
        }
    }

    /// The same with another HTTP client, for example one that is shared with others.
    #[must_use]
    pub fn with_http(mut self, http: Http) -> Self {
        self.http = http;
        self
    }

    /// The same, with the manners of a run.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.http = self.http.with_pace(pace);
        self
    }

    fn root(&self) -> &Path {
        &self.root
    }

    /// npm's settings, read when they are first asked for.
    fn npm(&self) -> Result<&NpmSettings, Failure> {
        self.npm
            .get_or_init(|| NpmSettings::load(&self.root, &self.environment))
            .as_ref()
            .map_err(|reason| Failure::permanent(reason.clone()).usage())
    }
}

/// The text that stands for a source in plans, locks and messages. It never holds credentials.
#[must_use]
pub fn source_text(source: &VersionSource) -> String {
    match source {
        VersionSource::Npm { package, range } => format!("npm:{package}@{range}"),
        VersionSource::Git { url, reference } => format!("git:{}#{reference}", redact::url(url)),
        VersionSource::Command { command, .. } => {
            let words = command.iter().map(String::as_str);
            let line = shlex::try_join(words).unwrap_or_else(|_| command.join(" "));
            format!("command:{line}")
        }
        VersionSource::Value { .. } => "value".to_owned(),
    }
}

/// Asks one source for its version.
///
/// # Errors
/// The source could not be read after the retries of the policy, or said something that cannot be a version.
pub async fn resolve(
    name: &str,
    source: &VersionSource,
    context: &Context,
) -> Result<Resolved, VersionError> {
    let text = source_text(source);
    let label = format!("{name} from {text}");
    let (outcome, attempts) = match source {
        VersionSource::Npm { package, range } => {
            retry::run(context, &label, || npm::find(package, range, context)).await
        }
        VersionSource::Git { url, reference } => {
            retry::run(context, &label, || git::find(url, reference, context)).await
        }
        VersionSource::Command { command, pattern } => {
            retry::run(context, &label, || command::find(command, pattern, context)).await
        }
        VersionSource::Value { value } => (Ok(Found::plain(value.clone())), 1),
    };
    outcome
        .and_then(|found| {
            shape::check(source, &found.version)?;
            Ok(Resolved {
                version: found.version,
                source: text.clone(),
                warnings: found.warnings,
            })
        })
        .map_err(|failure| failure.named(name, text, attempts))
}

/// Asks all sources side by side.
///
/// # Errors
/// Every source that could not be resolved, in the order of the file.
pub async fn resolve_all(
    sources: &IndexMap<String, VersionSource>,
    context: &Context,
) -> Result<IndexMap<String, Resolved>, Vec<VersionError>> {
    let questions: Vec<_> = sources
        .iter()
        .map(|(name, source)| resolve(name, source, context))
        .collect();
    let answers: Vec<_> = futures_util::stream::iter(questions)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await;
    let mut resolved = IndexMap::with_capacity(sources.len());
    let mut errors = Vec::new();
    for (name, answer) in sources.keys().zip(answers) {
        match answer {
            Ok(version) => {
                resolved.insert(name.clone(), version);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(resolved)
    } else {
        Err(errors)
    }
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    version: String,
    warnings: Vec<String>,
}

impl Found {
    fn plain(version: String) -> Self {
        Self {
            version,
            warnings: Vec::new(),
        }
    }
}
