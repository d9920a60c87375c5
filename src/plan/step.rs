//! The steps of a plan. Each holds all that is needed to carry it out.

use crate::config::{Describe, Provenance, Sbom, Secret, Template};
use crate::domain::{ByteSize, Digest, Duration, Identity, ImageId, Platform, PublicTag, Repository, Tag};
use crate::record::RecordState;
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Names a step: `build/variant/omos/linux-amd64`, `tag/v1.2.3-omos`, `record/planned`. Shared, because every alias of a family needs
/// every release tag of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(Arc<str>);

impl StepId {
    /// The step that builds a platform image.
    #[must_use]
    pub fn build(image: &ImageId, platform: &Platform) -> Self {
        Self(format!("build/{image}/{}", platform.dashed()).into())
    }

    /// The step that tests a platform image.
    #[must_use]
    pub fn smoke(image: &ImageId, platform: &Platform) -> Self {
        Self(format!("smoke/{image}/{}", platform.dashed()).into())
    }

    /// The step that writes the index of an image.
    #[must_use]
    pub fn assemble(image: &ImageId) -> Self {
        Self(format!("assemble/{image}").into())
    }

    /// The step that signs an image.
    #[must_use]
    pub fn sign(image: &ImageId) -> Self {
        Self(format!("sign/{image}").into())
    }

    /// The step that writes a release tag.
    #[must_use]
    pub fn tag(tag: &PublicTag) -> Self {
        Self(format!("tag/{tag}").into())
    }

    /// The step that moves an alias.
    #[must_use]
    pub fn alias(alias: &PublicTag) -> Self {
        Self(format!("alias/{alias}").into())
    }

    /// The step that puts a release tag or alias where the record says.
    #[must_use]
    pub fn moving(tag: &PublicTag) -> Self {
        Self(format!("move/{tag}").into())
    }

    /// The step that writes the record in one of its states.
    #[must_use]
    pub fn record(state: RecordState) -> Self {
        Self(format!("record/{}", state.word()).into())
    }

    /// The step that makes the repository's page.
    #[must_use]
    pub fn describe() -> Self {
        Self("describe/page".into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One node of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The steps that must have ended well before it starts.
    pub needs: Vec<StepId>,
    /// Why it is done: one line.
    pub why: String,
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
}

impl Step {
    /// Whether the run is good without it, however it ends.
    #[must_use]
    pub const fn never_fails(&self) -> bool {
        matches!(self.action, Action::Describe(_))
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "details", rename_all = "lowercase")]
pub enum Action {
    /// Builds a platform image, pushes it to its staging tag and adopts it under its identity tag.
    Build(Box<BuildStep>),
    /// Tests a platform image by digest and writes the receipt.
    Smoke(SmokeStep),
    /// Writes the index of an image.
    Assemble(AssembleStep),
    /// Signs the index of an image.
    Sign(SignStep),
    /// Writes a release tag.
    Tag(TagStep),
    /// Moves an alias.
    Alias(AliasStep),
    /// Puts a release tag or alias from one digest to another, as a record says, whatever image that is of.
    Move(MoveStep),
    /// Writes the record.
    Record(RecordStep),
    /// Makes the repository's page. Never fails a release.
    Describe(DescribeStep),
}

/// How a variant's build refers to its base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseUse {
    /// The build argument that gets the base's platform image by digest.
    pub arg: String,
    /// The repository of a base from elsewhere; `None` where the family builds its base, which then is in the step's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
    /// The platform digest; `None` when the base is built in the same plan.
    pub digest: Option<Digest>,
}

impl BuildStep {
    /// The repository of the base that it is built on.
    #[must_use]
    pub fn base_repository(&self) -> &Repository {
        let base = self.base.as_ref();
        base.and_then(|base| base.repository.as_ref())
            .unwrap_or(&self.repository)
    }
}

/// A build of one platform image: one `docker buildx build`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStep {
    /// Which image.
    pub image: ImageId,
    /// For which platform.
    pub platform: Platform,
    /// The image's identity.
    pub identity: Identity,
    /// Where it is pushed.
    pub repository: Repository,
    /// The tag that buildx pushes to.
    pub staging: Tag,
    /// The platform identity tag that it is adopted under.
    pub tag: Tag,
    /// What the plan saw under that tag and does not want: it is replaced. Anything else there is adopted.
    pub replaces: Option<Digest>,
    /// The Dockerfile, relative to the family's root.
    pub dockerfile: Utf8PathBuf,
    /// The build context, relative to the family's root.
    pub context: Utf8PathBuf,
    /// Build arguments, without the base.
    pub args: BTreeMap<String, String>,
    /// The base, for variants.
    pub base: Option<BaseUse>,
    /// The stage to build.
    pub target: Option<String>,
    /// Network of `RUN`.
    pub network: Option<String>,
    /// Size of `/dev/shm` in `RUN`.
    pub shm_size: Option<String>,
    /// Named build contexts: a folder relative to the family's root, or `docker-image://…@sha256:…`.
    pub contexts: BTreeMap<String, String>,
    /// Secrets: where they are found, never their values.
    pub secrets: Vec<Secret>,
    /// SSH agents.
    pub ssh: Vec<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the image manifest.
    pub annotations: BTreeMap<String, String>,
    /// Provenance attestation.
    pub provenance: Provenance,
    /// Whether an SBOM is attested; the image that makes it is pinned where images from outside are.
    pub sbom: Sbom,
    /// Further buildx flags.
    pub flags: Vec<String>,
    /// Whether nothing may come from the build cache.
    pub no_cache: bool,
    /// Whether images that the Dockerfile names by tag are asked of their registry, though the engine has one of that name.
    #[serde(default)]
    pub pull: bool,
    /// `--cache-from` values.
    pub cache_from: Vec<String>,
    /// The `--cache-to` value.
    pub cache_to: Option<String>,
    /// Longest time that the build may take.
    pub timeout: Option<Duration>,
}

/// A smoke test of one platform image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeStep {
    /// Which image.
    pub image: ImageId,
    /// For which platform.
    pub platform: Platform,
    /// Where it is.
    pub repository: Repository,
    /// The platform digest; `None` when the image is built in the same plan.
    pub digest: Option<Digest>,
    /// The tag that is the receipt.
    pub receipt: Tag,
    /// Program and arguments; a program with a slash is relative to the family's root.
    pub command: Vec<String>,
    /// Environment of the command, `EXPECTED_*` included, without `SPLITBASE_*`.
    pub env: BTreeMap<String, String>,
    /// Environment whose `{env.NAME}` is filled in when the test runs: what it stands for is in no plan.
    #[serde(default)]
    pub env_open: BTreeMap<String, Template>,
    /// Longest time that the test may take.
    pub timeout: Duration,
    /// Greatest sum of the uncompressed layers.
    pub max_size: Option<ByteSize>,
}

/// Writing the index of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssembleStep {
    /// Which image.
    pub image: ImageId,
    /// Its identity.
    pub identity: Identity,
    /// Where it goes.
    pub repository: Repository,
    /// The identity tag.
    pub tag: Tag,
    /// The platforms that it must hold.
    pub platforms: Vec<Platform>,
    /// The index that is extended, where there is one.
    pub extends: Option<Digest>,
}

/// Signing the index of one image, before a tag leads to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignStep {
    /// Which image.
    pub image: ImageId,
    /// The repository that users pull it from: signatures are kept beside what they sign.
    pub repository: Repository,
    /// Where its index is, when not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Repository>,
}

/// Writing one release tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagStep {
    /// Which image.
    pub image: ImageId,
    /// Where it goes.
    pub repository: Repository,
    /// Where the index is, if not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Repository>,
    /// The release tag.
    pub tag: PublicTag,
    /// What the plan saw there; only with `--force` anything else than nothing.
    pub replaces: Option<Digest>,
}

/// Moving one alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasStep {
    /// Which image.
    pub image: ImageId,
    /// Where it goes.
    pub repository: Repository,
    /// Where the index is, if not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Repository>,
    /// The alias.
    pub alias: PublicTag,
    /// What the plan saw there: the alias only moves from here.
    pub from: Option<Digest>,
}

/// Putting a release tag or alias from one digest to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveStep {
    /// Where it is.
    pub repository: Repository,
    /// Where the manifest is, if not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Repository>,
    /// The release tag or alias.
    pub tag: PublicTag,
    /// What the plan saw there: it only moves from here.
    pub from: Option<Digest>,
    /// Where it goes; null: it is deleted, where the target deletes tags.
    pub to: Option<Digest>,
}

/// Writing the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordStep {
    /// The state that it is written in.
    pub state: RecordState,
}

/// Making the repository's page, when the release is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribeStep {
    /// Whose page it is.
    pub repository: Repository,
    /// What it is made from and where it is written.
    #[serde(flatten)]
    pub describe: Describe,
}
