//! What the family does not say about its workflows. It is kept in their second line, so that nobody has to repeat it.

use crate::domain::Digest;
use camino::{Utf8Path, Utf8PathBuf};

const LINE: &str = "# Settings:";
const RUNNER: &str = "ubuntu-latest";

/// Where workflows run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// Gitea Actions, and Forgejo's, which reads the same folder.
    Gitea,
    /// GitHub Actions.
    Github,
}

impl Forge {
    /// The folder that it reads workflows from.
    #[must_use]
    pub fn folder(self) -> &'static Utf8Path {
        Utf8Path::new(match self {
            Self::Gitea => ".gitea/workflows",
            Self::Github => ".github/workflows",
        })
    }
}

/// What the family does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The family's file, relative to the top of the repository.
    pub file: Utf8PathBuf,
    /// The label of the runner.
    pub runner: String,
    /// The image that jobs run in; `None`: on the runner itself.
    pub container: Option<String>,
    /// The action that installs splitbase; `None`: it is there already.
    pub action: Option<String>,
}

/// A setting that cannot stand in a workflow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It would end the value, or be taken for an expression.
    #[error("write workflows: {what} `{value}` has a character that cannot stand in a workflow")]
    Character {
        /// Which setting.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// It would be whatever a branch or tag points at later, and run with the registry's credentials.
    #[error("write workflows: the action `{0}` is not pinned")]
    ActionNotPinned(String),
    /// The same for an image.
    #[error("write workflows: the container `{0}` is not pinned")]
    ContainerNotPinned(String),
}

impl SettingsError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Character { .. } => "letters, digits and any of `. _ - / : @ +` may stand there",
            Self::ActionNotPinned(_) => {
                "name the commit, OWNER/REPOSITORY@<40 hex digits>, or a folder of this repository: ./"
            }
            Self::ContainerNotPinned(_) => "add its digest: IMAGE:TAG@sha256:<64 hex digits>",
        }
    }
}

impl Settings {
    /// Those that were given; where one was not, that of `text`, a workflow that is there already.
    ///
    /// # Errors
    /// A value that cannot stand in a workflow, or an action that is not pinned.
    pub fn new(
        file: &Utf8Path,
        runner: Option<String>,
        container: Option<String>,
        action: Option<String>,
        text: Option<&str>,
    ) -> Result<Self, SettingsError> {
        let kept = |name: &str| text.and_then(|text| kept(text, name));
        let settings = Self {
            file: file.to_owned(),
            runner: runner
                .or_else(|| kept("runner"))
                .unwrap_or_else(|| RUNNER.to_owned()),
            container: container
                .or_else(|| kept("container"))
                .filter(|value| !value.is_empty()),
            action: action
                .or_else(|| kept("action"))
                .filter(|value| !value.is_empty()),
        };
        plain("the path", settings.file.as_str())?;
        plain("the runner", &settings.runner)?;
        if let Some(container) = &settings.container {
            plain("the container", container)?;
            let digest = container
                .rsplit_once('@')
                .map(|(_, digest)| digest.parse::<Digest>());
            if !matches!(digest, Some(Ok(_))) {
                return Err(SettingsError::ContainerNotPinned(container.clone()));
            }
        }
        if let Some(action) = &settings.action {
            plain("the action", action)?;
            let pinned = |commit: &str| commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            let own = action.starts_with("./");
            if !own && !action.rsplit_once('@').is_some_and(|(_, commit)| pinned(commit)) {
                return Err(SettingsError::ActionNotPinned(action.clone()));
            }
        }
        Ok(settings)
    }

    /// The line that keeps them.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{LINE} runner={}", self.runner);
        for (name, value) in [("container", &self.container), ("action", &self.action)] {
            if let Some(value) = value {
                line = format!("{line} {name}={value}");
            }
        }
        line
    }
}

/// The setting of this name that a workflow keeps.
fn kept(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(LINE))?;
    let mut words = line.split_ascii_whitespace();
    words
        .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        .map(str::to_owned)
}

/// Nothing that YAML or the forge would take for something else than text.
fn plain(what: &'static str, value: &str) -> Result<(), SettingsError> {
    let good = |char: char| char.is_ascii_alphanumeric() || "._-/:@+".contains(char);
    let start = |char: char| char.is_ascii_alphanumeric() || char == '.' || char == '/';
    if value.is_empty() || (value.chars().all(good) && value.starts_with(start) && !value.ends_with(':')) {
        return Ok(());
    }
    Err(SettingsError::Character {
        what,
        value: value.to_owned(),
    })
}
