//! What a `variants.toml` says, checked and with its defaults filled in. Everything after loading works on this.

use super::{Sbom, Template};
use crate::domain::{
    ByteSize, Duration, ImageId, Period, Platform, PublicTag, Repository, Tag, TagPattern, Versioning,
};
use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// A family: its images, and how they are built, tested and released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// The configuration file, as it was named.
    pub file: Utf8PathBuf,
    /// The folder that its paths are relative to.
    pub root: Utf8PathBuf,
    /// The family's name.
    pub name: String,
    /// Where release tags and aliases go, but those of variants that name their own; and machine tags, where there is no other place for them.
    pub repository: Repository,
    /// Where machine tags go, when not to `repository`. On the same registry.
    #[serde(default)]
    pub work_repository: Option<Repository>,
    /// Repositories that every release is copied to once it is done. On any registry.
    #[serde(default)]
    pub mirrors: Vec<Repository>,
    /// The base as a reference, where it is an image from elsewhere; pinned to its digest at plan time.
    #[serde(default)]
    pub base_image: Option<String>,
    /// The platforms of every image that does not name its own.
    pub platforms: Vec<Platform>,
    /// How versions are ordered.
    pub versioning: Versioning,
    /// The base, if there is one, then the variants in the order of the file.
    pub images: Vec<Image>,
    /// Build arguments whose value comes from somewhere, in the order of the file.
    pub versions: IndexMap<String, VersionSource>,
    /// Build cache.
    pub cache: Cache,
    /// How a release ends.
    pub release: Release,
    /// What is tried again, and how often.
    pub retry: Retry,
    /// The repository's page, where it has one that is made.
    #[serde(default)]
    pub describe: Option<Describe>,
    /// What `prune` keeps.
    #[serde(default)]
    pub prune: Prune,
    /// How what is published is signed, where it is.
    #[serde(default)]
    pub sign: Option<Sign>,
}

impl Family {
    /// The base image, where the family builds one.
    #[must_use]
    pub fn base(&self) -> Option<&Image> {
        self.images.iter().find(|image| image.id == ImageId::Base)
    }

    /// Where machine tags go.
    #[must_use]
    pub fn work(&self) -> &Repository {
        self.work_repository.as_ref().unwrap_or(&self.repository)
    }

    /// Variables that hold the values of build secrets.
    pub fn secret_variables(&self) -> impl Iterator<Item = &str> {
        let secrets = self.images.iter().flat_map(|image| &image.build.secrets);
        secrets.filter_map(|secret| match &secret.source {
            SecretSource::Env(name) => Some(name.as_str()),
            SecretSource::File(_) => None,
        })
    }

    /// Everything that it is in: each repository once.
    #[must_use]
    pub fn repositories(&self) -> Vec<Repository> {
        let of_images = self.images.iter().filter_map(|image| image.repository.as_ref());
        let mut all = vec![self.repository.clone()];
        for repository in self.work_repository.iter().chain(of_images) {
            if !all.contains(repository) {
                all.push(repository.clone());
            }
        }
        all
    }

    /// Where the release tags and aliases of one of its images go.
    #[must_use]
    pub fn repository_of<'a>(&'a self, image: &'a Image) -> &'a Repository {
        image.repository.as_ref().unwrap_or(&self.repository)
    }

    /// A release tag or alias of one of its images.
    #[must_use]
    pub fn public_tag(&self, image: &Image, tag: Tag) -> PublicTag {
        PublicTag::new(&self.repository, self.repository_of(image), tag)
    }

    /// The image of this name.
    #[must_use]
    pub fn image(&self, id: &ImageId) -> Option<&Image> {
        self.images.iter().find(|image| image.id == *id)
    }
}

/// One image of the family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Which.
    pub id: ImageId,
    /// Where its release tags and aliases go, when not to the family's repository. On the same registry.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// The Dockerfile, relative to the family's root.
    pub dockerfile: Utf8PathBuf,
    /// The build context, relative to the family's root; `.` unless said otherwise.
    pub context: Utf8PathBuf,
    /// Build argument that gets the base's platform image by digest; `None` for the base and for variants of a family without one.
    pub base_arg: Option<String>,
    /// Declared inputs relative to the context, in the order of the file; `None`: the whole context less `.dockerignore`.
    pub inputs: Option<Vec<Utf8PathBuf>>,
    /// How the identity is computed.
    pub hash: HashFormat,
    /// Values that count in the identity and reach nothing else; may hold `{versions.NAME}`.
    pub extra: Vec<Template>,
    /// Names in `[versions]` that this image's build gets as arguments.
    pub versions: Vec<String>,
    /// What happens to `FROM` images outside the family.
    pub upstream: Upstream,
    /// How often it is built anew though nothing else changed; only of a base.
    #[serde(default)]
    pub refresh: Refresh,
    /// An input that serves to change the identity by hand; empty for none.
    pub salt: String,
    /// Whether the list of what counted in its identity is kept in the registry.
    #[serde(default = "kept")]
    pub publish_inputs: bool,
    /// Build options.
    pub build: Build,
    /// The platforms it is built for.
    pub platforms: Vec<Platform>,
    /// Release tags, written once.
    pub tags: Vec<Template>,
    /// Aliases, moved at the end of a release.
    pub aliases: Vec<Template>,
    /// The smoke test, where there is one.
    pub smoke: Option<Smoke>,
}

/// The default of `publish-inputs`.
const fn kept() -> bool {
    true
}

/// Format of the canonical list of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashFormat {
    /// Canonical, length-framed list; see `docs/identity.md`.
    #[default]
    Tree,
    /// The bytes of the files one after the other, as the shell pipelines hash them. Base only.
    Concat,
}

/// What happens to `FROM` images that are not of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Upstream {
    /// Their digest at plan time counts in the identity, and is what is built.
    #[default]
    Pin,
    /// Whatever their tag points at when the build runs.
    Float,
}

/// How often an image is built anew though nothing else changed. Each period is an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Refresh {
    /// Only a change of its inputs builds it anew.
    #[default]
    Never,
    /// In each ISO week.
    Weekly,
    /// In each month.
    Monthly,
}

impl Refresh {
    /// The period that this day of UTC is in.
    #[must_use]
    pub fn period(self, day: jiff::civil::Date) -> Option<Period> {
        match self {
            Self::Never => None,
            Self::Weekly => Some(Period::week_of(day)),
            Self::Monthly => Some(Period::month_of(day)),
        }
    }

    /// Whether periods are of this kind.
    #[must_use]
    pub const fn is_of(self, period: Period) -> bool {
        matches!(
            (self, period),
            (Self::Weekly, Period::Week { .. }) | (Self::Monthly, Period::Month { .. })
        )
    }
}

/// Options of a build. All of it counts in the identity, but the values of secrets and ssh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Build arguments, in the order of the file.
    pub args: IndexMap<String, Template>,
    /// Stage to build; the last one when `None`.
    pub target: Option<String>,
    /// Network of `RUN`: `default`, `none`, `host`.
    pub network: Option<String>,
    /// Size of `/dev/shm` in `RUN`.
    pub shm_size: Option<String>,
    /// Named build contexts.
    pub contexts: IndexMap<String, BuildContext>,
    /// Secrets handed to `RUN --mount=type=secret`.
    pub secrets: Vec<Secret>,
    /// SSH agents handed to `RUN --mount=type=ssh`.
    pub ssh: Vec<String>,
    /// Labels of the image.
    pub labels: IndexMap<String, Template>,
    /// Provenance attestation.
    pub provenance: Provenance,
    /// Whether an SBOM is attested, and by what.
    pub sbom: Sbom,
    /// Further buildx flags, as they are.
    pub flags: Vec<String>,
    /// Longest time that one build may take.
    pub timeout: Option<Duration>,
}

/// A named build context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuildContext {
    /// A folder relative to the family's root; its content counts in the identity.
    Folder(Utf8PathBuf),
    /// An image, by its reference without `docker-image://`; pinned to its digest at plan time.
    Image(String),
}

/// A secret of a build: where its value is found, never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The id that the Dockerfile names.
    pub id: String,
    /// Where its value comes from.
    #[serde(flatten)]
    pub source: SecretSource,
    /// Whether the build goes on without it.
    pub optional: bool,
}

/// Where a secret's value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; `{env.*}` is filled in. Empty when a variable in it is not set.
    File(String),
}

/// Provenance attestation of a build (BuildKit, `docs/attestations/slsa-provenance.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// None.
    Off,
    /// Without build arguments.
    #[default]
    Min,
    /// With build arguments and the Dockerfile.
    Max,
}

/// Where a version comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionSource {
    /// An npm package.
    Npm {
        /// Its name, with scope.
        package: String,
        /// Dist-tag, exact version or range; `latest` unless said otherwise.
        range: String,
    },
    /// A ref of a git repository; the version is its commit, 40 hex digits.
    Git {
        /// URL of the repository.
        url: String,
        /// Branch, tag or full ref.
        reference: String,
    },
    /// What a command prints.
    Command {
        /// Program and arguments; a program with a slash is relative to the family's root.
        command: Vec<String>,
        /// Regular expression that the whole output must match.
        pattern: String,
    },
    /// A fixed value.
    Value {
        /// The value.
        value: String,
    },
}

/// Build cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// References to read, on top of splitbase's own.
    pub from: Vec<String>,
    /// Where to write.
    pub to: CacheTo,
}

/// Where build cache is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CacheTo {
    /// Nowhere.
    None,
    /// To one reference per image and platform in the family's repository: `cache-<image>-<arch>`.
    Registry,
    /// Any `--cache-to` value, with `{image}` and `{arch}`.
    Custom(Template),
}

/// How what is published is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Arguments of `cosign sign`, before the digest.
    pub cosign: Vec<String>,
    /// Arguments of `cosign verify`, before the digest.
    pub verify: Option<Vec<String>>,
}

/// How a release ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Whether aliases move.
    pub promote: bool,
    /// Whether aliases move for a pre-release as well.
    pub prereleases_take_aliases: bool,
    /// Whether the version may be written into images.
    pub stamp_version: bool,
}

/// What is tried again, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all; at least 1.
    pub attempts: u32,
    /// The pause after the first attempt, the second, …; the last one repeats.
    pub delays: Vec<Duration>,
    /// How often a build whose `RUN` failed is run again.
    pub build: u32,
    /// All pauses of a run together; those at the same time count once.
    #[serde(default = "usual_budget")]
    pub budget: Duration,
}

/// Plans of earlier versions say nothing of it.
const fn usual_budget() -> Duration {
    Duration::from_secs(15 * 60)
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 3,
            delays: vec![Duration::from_secs(15), Duration::from_secs(30)],
            build: 0,
            budget: usual_budget(),
        }
    }
}

impl Retry {
    /// The pause after attempt number `attempt` (from 1); `None` when there is no further attempt.
    #[must_use]
    pub fn pause_after(&self, attempt: u32) -> Option<std::time::Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay = self.delays.get(index).or(self.delays.last());
        Some(delay.map_or(std::time::Duration::ZERO, |delay| delay.0))
    }
}

/// What `prune` keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// How many of the newest releases; at least 1.
    pub keep_releases: u32,
    /// Releases and machine tags that are younger than this.
    pub keep_younger_than: Duration,
    /// Tags that match one of these.
    pub keep: Vec<TagPattern>,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            keep_releases: 10,
            keep_younger_than: Duration::from_secs(30 * 24 * 3600),
            keep: Vec::new(),
        }
    }
}

/// The page of the repository on Docker Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Describe {
    /// What it is made from, relative to the family's root.
    pub template: Utf8PathBuf,
    /// Where it is written, relative to the family's root.
    pub output: Utf8PathBuf,
    /// The short description; left as it is when `None`.
    pub short: Option<String>,
}

/// A smoke test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smoke {
    /// Program and arguments; a program with a slash is relative to the family's root.
    pub command: Vec<Template>,
    /// Files and folders whose content makes a test another one, relative to the family's root.
    pub inputs: Vec<Utf8PathBuf>,
    /// Platforms that are tested.
    pub platforms: Vec<Platform>,
    /// Environment of the command.
    pub env: IndexMap<String, Template>,
    /// Longest time that one test may take.
    pub timeout: Duration,
    /// Greatest sum of the uncompressed layers.
    pub max_size: Option<ByteSize>,
}
