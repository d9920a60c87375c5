//! Where the inputs of one image are, and which ignore file is theirs.

use super::dockerfile::{Dockerfile, unclear};
use super::dockerignore::Dockerignore;
use super::error::InputError;
use super::place::{missing_or_unreadable, tidy, within};
use crate::config::{BuildContext, Image};
use camino::{Utf8Path, Utf8PathBuf};
use std::path::Path;

/// Where the inputs of one image are.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The family's root.
    pub root: &'a Utf8Path,
    /// The build context, relative to the root.
    pub context: &'a Utf8Path,
    /// The Dockerfile, relative to the root.
    pub dockerfile: &'a Utf8Path,
    /// Declared inputs, relative to the context; `None`: the whole context.
    pub inputs: Option<&'a [Utf8PathBuf]>,
    /// Named contexts that are folders, relative to the root.
    pub contexts: Vec<(&'a str, &'a Utf8Path)>,
    /// Names of the build arguments that the build gets.
    pub given: Vec<&'a str>,
}

impl<'a> Request<'a> {
    /// What the configuration says of an image.
    #[must_use]
    pub fn new(root: &'a Utf8Path, image: &'a Image) -> Self {
        let folder = |(name, context): (&'a String, &'a BuildContext)| match context {
            BuildContext::Folder(path) => Some((name.as_str(), path.as_path())),
            BuildContext::Image(_) => None,
        };
        Self {
            root,
            context: &image.context,
            dockerfile: &image.dockerfile,
            inputs: image.inputs.as_deref(),
            contexts: image.build.contexts.iter().filter_map(folder).collect(),
            given: [
                image.build.args.keys().collect(),
                image.versions.iter().collect::<Vec<_>>(),
            ]
            .concat()
            .into_iter()
            .map(String::as_str)
            .chain(image.base_arg.as_deref())
            .collect(),
        }
    }
}

impl Request<'_> {
    /// The Dockerfile's text.
    ///
    /// # Errors
    /// It is missing, or cannot be read as UTF-8.
    #[expect(
        clippy::disallowed_methods,
        reason = "the Dockerfile is read here and nowhere else"
    )]
    pub fn dockerfile_text(&self) -> Result<String, InputError> {
        let path = self.root.join(self.dockerfile);
        std::fs::read_to_string(&path).map_err(|source| missing_or_unreadable(&path, "Dockerfile", source))
    }

    /// What of the Dockerfile cannot be known: lines, from 1, and what is there. One that cannot be read is told where its own bytes are read.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the Dockerfile is read here and nowhere else"
    )]
    pub fn unclear(&self) -> Vec<(usize, String)> {
        let text = std::fs::read(self.root.join(self.dockerfile)).unwrap_or_default();
        let file = Dockerfile::parse(&String::from_utf8_lossy(&text));
        unclear(&file, &self.given)
    }

    /// Whether all of the context counts: where no inputs are declared, and where the Dockerfile holds what cannot be known.
    pub(super) fn whole_context_counts(&self) -> bool {
        self.inputs.is_none() || !self.unclear().is_empty()
    }
}

/// An ignore file, and the name that messages use for it.
pub(super) struct IgnoreFile {
    pub(super) name: Utf8PathBuf,
    pub(super) rules: Dockerignore,
}

impl IgnoreFile {
    /// `<Dockerfile>.dockerignore`, or else the context's `.dockerignore`.
    pub(super) fn of_context(request: &Request<'_>) -> Result<Self, InputError> {
        let beside = request.dockerfile.parent().unwrap_or(Utf8Path::new(""));
        let specific = format!(
            "{}.dockerignore",
            request.dockerfile.file_name().unwrap_or_default()
        );
        if let Some(file) = Self::read(request.root, beside, &specific)? {
            return Ok(file);
        }
        Self::of_named_context(request.root, request.context)
    }

    /// The `.dockerignore` of a folder.
    pub(super) fn of_named_context(root: &Utf8Path, folder: &Utf8Path) -> Result<Self, InputError> {
        let file = Self::read(root, folder, ".dockerignore")?;
        Ok(file.unwrap_or_else(|| Self::none(&folder.join(".dockerignore"))))
    }

    /// The file of this name in a folder, if BuildKit finds one there: it follows a symlink as if the folder were the root of all, and passes over what
    /// is no file.
    #[expect(
        clippy::disallowed_methods,
        reason = "ignore files are read here and nowhere else"
    )]
    fn read(root: &Utf8Path, folder: &Utf8Path, file: &str) -> Result<Option<Self>, InputError> {
        let name = tidy(&folder.join(file));
        let unreadable = |path: &Path, source| InputError::Read {
            path: path.to_owned(),
            source,
        };
        let folder = root.join(folder);
        let path = match within(folder.as_std_path(), file) {
            Ok(Some(path)) => path,
            Ok(None) => return Ok(None),
            Err(source) => return Err(unreadable(folder.join(file).as_std_path(), source)),
        };
        let text = std::fs::read(&path).map_err(|source| unreadable(&path, source))?;
        match Dockerignore::parse(&text) {
            Ok(rules) => Ok(Some(Self { name, rules })),
            Err(bad) => Err(InputError::IgnorePattern {
                file: name,
                line: bad.line,
                pattern: bad.text,
            }),
        }
    }

    pub(super) fn none(name: &Utf8Path) -> Self {
        Self {
            name: tidy(name),
            rules: Dockerignore::default(),
        }
    }
}
