//! Tests of the version sources against servers, repositories and commands of their own.

mod command;
mod git;
mod lock;
mod npm;
mod npm_failures;
mod npm_real;
mod npmrc;
mod patience;
mod recorded;
mod units;

use super::{Context, Notice, Resolved, VersionError, resolve};
use crate::config::{Retry, VersionSource};
use crate::domain::Duration;
use crate::environment::Environment;
use crate::pace::{Limits, Pace};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// A family's folder, its context, and what was noticed.
struct World {
    folder: tempfile::TempDir,
    context: Context,
    notices: Arc<Mutex<Vec<String>>>,
}

impl World {
    /// A world with this `.npmrc` and these variables, whose retries do not wait.
    fn new(npmrc: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join(".npmrc"), npmrc);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&notices);
        let notice: Notice = Arc::new(move |line| sink.lock().unwrap().push(line));
        let retry = Retry {
            attempts: 3,
            delays: vec![Duration::from_secs(0)],
            ..Retry::default()
        };
        let context = Context::new(
            folder.path(),
            Environment::of(variables.iter().copied()),
            retry,
            CancellationToken::new(),
            notice,
        )
        .with_pace(Pace::new(Limits {
            jitter: || 0.0,
            ..Limits::default()
        }));
        Self {
            folder,
            context,
            notices,
        }
    }

    /// A world whose registry is this one.
    fn with_registry(registry: &str) -> Self {
        Self::new(&format!("registry={registry}\n"), &[])
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap().clone()
    }

    async fn resolve(&self, source: &VersionSource) -> Result<Resolved, VersionError> {
        resolve("TOOL", source, &self.context).await
    }

    async fn npm(&self, package: &str, range: &str) -> Result<Resolved, VersionError> {
        self.resolve(&npm(package, range)).await
    }
}

fn npm(package: &str, range: &str) -> VersionSource {
    VersionSource::Npm {
        package: package.into(),
        range: range.into(),
    }
}

fn value(value: &str) -> VersionSource {
    VersionSource::Value { value: value.into() }
}

#[expect(clippy::disallowed_methods, reason = "a test makes its files")]
fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
