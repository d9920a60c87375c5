//! Makes the page of a release: reads the template, asks for what the record does not say, writes the page, pushes it to Docker Hub.

use super::compare::{Difference, difference};
use super::limit::{self, cut};
use super::page::{Released, render};
use super::template::{PageTemplate, Placeholder};
use crate::config::Family;
use crate::credentials::{Credential, Credentials};
use crate::domain::{ByteSize, ExitCode, Repository};
use crate::environment::Environment;
use crate::pace::Pace;
use crate::record::Record;
use crate::target::registry::{Descriptions, HUB, Hub, Observer, Options};
use crate::target::{Target, TargetError, images};
use camino::Utf8Path;
use futures_util::future::try_join_all;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The host of Docker Hub.
const DOCKER_HUB: &str = "docker.io";

/// A page could not be made, compared or pushed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DescribeError {
    /// What was attempted and why it failed: one line.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// The exit code that it asks for, where nothing else is done.
    pub exit_code: ExitCode,
}

impl DescribeError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hints: vec![hint.into()],
            exit_code: ExitCode::Usage,
        }
    }

    /// The page is made, and only not pushed.
    fn pushing(mut self) -> Self {
        self.exit_code = ExitCode::PushFailed;
        self
    }
}

impl From<TargetError> for DescribeError {
    fn from(error: TargetError) -> Self {
        Self {
            message: error.to_string(),
            exit_code: error.exit_code(),
            hints: error.hints,
        }
    }
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Whether the file is another one now.
    pub changed: bool,
    /// How long the page is, in bytes.
    pub bytes: usize,
    /// Whether it was pushed.
    pub pushed: bool,
    /// What is odd, but no error: what was cut.
    pub warnings: Vec<String>,
    /// What came of it, in one line.
    pub message: String,
}

/// The page of a family's repository.
#[derive(Debug, Clone)]
pub struct Page {
    family: Arc<Family>,
    /// The family's root, absolute.
    root: PathBuf,
    credentials: Credentials,
    /// Where Docker Hub's API is, where the repository is there.
    hub: Option<String>,
    pace: Pace,
}

impl Page {
    /// The page of this family, which has a `[describe]`. The repository is on Docker Hub, or on what `SPLITBASE_HUB_URL` names.
    #[must_use]
    pub fn new(family: Arc<Family>, environment: &Environment) -> Self {
        let host = family.repository.host();
        let hub = environment
            .get("SPLITBASE_HUB_URL")
            .or((host == DOCKER_HUB).then_some(HUB));
        Self {
            root: environment.directory().join(&family.root),
            credentials: Credentials::of(environment, Some(host)),
            hub: hub.map(str::to_owned),
            pace: Pace::of(&family.retry),
            family,
        }
    }

    /// The same, with the manners of a run.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    fn template(&self) -> Result<PageTemplate, DescribeError> {
        let path = &self.configured()?.template;
        let text = read(&self.root, path)?.ok_or_else(|| {
            DescribeError::new(
                format!("read the template `{path}`: there is no such file"),
                "`[describe] template` is relative to the folder of the configuration file",
            )
        })?;
        let versions: Vec<&str> = self.family.versions.keys().map(String::as_str).collect();
        PageTemplate::parse(&text, &versions).map_err(|problems| {
            let mut problems = problems.iter().map(|problem| format!("{path}:{problem}"));
            let first = problems.next().unwrap_or_default();
            let more: Vec<_> = problems.collect();
            let mut error = DescribeError::new(
                first,
                "only `{splitbase.NAME}` is a placeholder; every other brace is what it is",
            );
            error
                .hints
                .splice(0..0, more.into_iter().map(|problem| format!("also: {problem}")));
            error
        })
    }

    fn configured(&self) -> Result<&crate::config::Describe, DescribeError> {
        self.family.describe.as_ref().ok_or_else(|| {
            DescribeError::new(
                "the family has no page: there is no `[describe]`",
                "add `[describe]` with `template` and `output`",
            )
        })
    }

    /// Compares the page that is kept with what its template makes; asks nobody, and passes over what only a release fills in.
    ///
    /// # Errors
    /// The template is missing or wrong, or one of the files could not be read.
    pub fn check(&self) -> Result<Option<Difference>, DescribeError> {
        let template = self.template()?;
        let page = read(&self.root, &self.configured()?.output)?;
        let missing = || Difference {
            line: 1,
            expected: Some(
                render(&template, &self.family, None)
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            ),
            found: None,
        };
        Ok(match page {
            Some(page) => difference(&template, &self.family, &page),
            None => Some(missing()),
        })
    }

    /// Makes the page of a release, or of a family that has none yet, and writes it.
    ///
    /// # Errors
    /// The template is missing or wrong, the registry could not be asked for sizes, or the page could not be written.
    pub async fn write<T: Target>(
        &self,
        target: &T,
        record: Option<Record>,
    ) -> Result<(Described, String), DescribeError> {
        let output = &self.configured()?.output;
        let template = self.template()?;
        let released = match record {
            Some(record) => Some(released(&template, target, record).await?),
            None => None,
        };
        let page = render(&template, &self.family, released.as_ref());
        let changed = read(&self.root, output)?.as_ref() != Some(&page);
        if changed {
            write(&self.root.join(output), &page).map_err(|error| {
                DescribeError::new(
                    format!("write the page `{output}`: {error}"),
                    "`[describe] output` is relative to the folder of the configuration file",
                )
            })?;
        }
        let mut warnings = Vec::new();
        if self.hub.is_some() && page.len() > limit::PAGE {
            let over = page.len() - limit::PAGE;
            warnings.push(format!(
                "`{output}` is {over} bytes longer than the {} that Docker Hub takes: the end is cut there",
                limit::PAGE
            ));
        }
        let word = if changed { "written" } else { "is as it was" };
        let described = Described {
            changed,
            bytes: page.len(),
            pushed: false,
            warnings,
            message: format!("`{output}` {word}"),
        };
        Ok((described, page))
    }

    /// Pushes a page to Docker Hub; of any other registry only the message tells. Gives what is odd.
    ///
    /// # Errors
    /// It was not accepted, or Docker Hub could not be reached.
    pub async fn push(
        &self,
        page: &str,
        described: &mut Described,
        observer: &Observer,
    ) -> Result<(), DescribeError> {
        let repository = &self.family.repository;
        let Some(hub) = &self.hub else {
            described.message = format!(
                "{}; {} has no pages that could be changed: it is in the file only",
                described.message,
                repository.host()
            );
            return Ok(());
        };
        let (username, password) = self.account(repository).await.map_err(DescribeError::pushing)?;
        if repository.path().split('/').count() != 2 {
            let error = DescribeError::new(
                format!("change the page of `{repository}`: on Docker Hub a repository is `NAMESPACE/NAME`"),
                "leave `[describe]` out, or take the page from its file",
            );
            return Err(error.pushing());
        }
        let hub = Hub::new(
            hub,
            self.family.retry.clone(),
            observer.clone(),
            Options {
                pace: self.pace.clone(),
                ..Options::default()
            },
        )
        .map_err(|reason| {
            DescribeError::new(
                format!("use SPLITBASE_HUB_URL: {reason}"),
                "leave it unset for Docker Hub itself",
            )
        })?;
        let (page, _) = cut(page, limit::PAGE);
        let short = self
            .configured()?
            .short
            .as_deref()
            .map(|short| cut(short, limit::SHORT));
        if let Some((_, over @ 1..)) = short {
            described.warnings.push(format!(
                "the short description is {over} bytes longer than the {} that Docker Hub takes: its end is cut",
                limit::SHORT
            ));
        }
        let descriptions = Descriptions {
            page,
            short: short.map(|(short, _)| short),
        };
        hub.describe(repository, &username, &password, &descriptions)
            .await?;
        described.pushed = true;
        described.message = format!("{}, and the page of `{repository}` is that", described.message);
        Ok(())
    }

    async fn account(
        &self,
        repository: &Repository,
    ) -> Result<(String, crate::credentials::Secret), DescribeError> {
        let host = repository.host();
        let attempted = format!("change the page of `{repository}`");
        let found = self.credentials.for_host(host).await;
        match found
            .map_err(|error| DescribeError::new(format!("{attempted}: {error}"), error.hint.clone()))?
        {
            Some(Credential::Password { username, password }) => Ok((username, password)),
            Some(Credential::IdentityToken(_)) => Err(DescribeError::new(
                format!(
                    "{attempted}: the login holds an identity token, and a password or access token is needed"
                ),
                "`docker login --username NAME` with an access token, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`",
            )),
            None => Err(DescribeError::new(
                format!("{attempted}: nobody is logged in to {host}"),
                "`docker login`, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`",
            )),
        }
    }
}

/// The record with the sizes, where the template wants them.
async fn released<T: Target>(
    template: &PageTemplate,
    target: &T,
    record: Record,
) -> Result<Released, DescribeError> {
    let wanted = template
        .placeholders()
        .any(|placeholder| *placeholder == Placeholder::Sizes);
    let all = record
        .images
        .iter()
        .filter(|image| wanted && !(image.tags.is_empty() && image.aliases.is_empty()));
    let platforms = all.flat_map(|image| image.platforms.iter().map(move |platform| (image, platform)));
    let repository = &record.repository;
    let sizes = platforms.map(|(image, platform)| async move {
        let layers = images::layers(target, repository, platform.digest).await?;
        let ByteSize(bytes) = layers.iter().map(|layer| layer.size).sum();
        Ok::<_, TargetError>(((image.image.clone(), platform.platform.clone()), bytes))
    });
    let sizes = try_join_all(sizes).await?;
    Ok(Released {
        sizes: sizes.into_iter().collect(),
        record,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the template and the page are this module's files"
)]
fn read(root: &Path, path: &Utf8Path) -> Result<Option<String>, DescribeError> {
    match std::fs::read_to_string(root.join(path)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DescribeError::new(
            format!("read `{path}`: {error}"),
            "it must be a text file in UTF-8 that this user may read",
        )),
    }
}

/// Writes a file, whole or not at all; one that is there keeps its mode.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = path
        .metadata()
        .map_or(0o644, |metadata| metadata.permissions().mode() & 0o777);
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.persist(path)?;
    Ok(())
}
