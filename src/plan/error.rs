//! Why there is no plan.

use crate::config::TagError;
use crate::domain::{
    Digest, ExitCode, Identity, ImageId, Platform, PublicTag, Tag, TargetRef, VariantName, Version,
};

/// Why there is no plan. Everything here is found before anything is built or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A release tag holds something else than what would be released.
    #[error("release tag `{tag}` stands at {existing}, and {image} {planned}")]
    WriteOnce {
        /// The tag.
        tag: PublicTag,
        /// Of which image.
        image: ImageId,
        /// What stands there.
        existing: Digest,
        /// What would be written: `is at sha256:…`, `would be built anew`.
        planned: String,
    },
    /// What stands under an identity tag was built for another identity, or nobody knows for which.
    #[error("`{tag}` of {image} is the tag of identity {identity}, and what stands there {}", match found {
        Some(found) => format!("is of identity {found}"),
        None => "does not say of which identity it is".to_owned(),
    })]
    Collision {
        /// The identity tag.
        tag: Tag,
        /// Of which image.
        image: ImageId,
        /// Its identity.
        identity: Identity,
        /// The identity of what stands there.
        found: Option<Identity>,
    },
    /// Another release was begun and not ended.
    #[error("release `{version}` is unfinished: its record says `{state}`")]
    Unfinished {
        /// That release.
        version: Version,
        /// How far it came.
        state: &'static str,
    },
    /// The same release is being made by a process that is alive on this machine.
    #[error("release `{version}` is being made by process {process} on this machine")]
    Alive {
        /// The release.
        version: Version,
        /// The process.
        process: u32,
    },
    /// The same release may be on its way on another machine.
    #[error(
        "release `{version}` may be on its way elsewhere: its record was written {seconds} s ago, and its run has not said that it ended"
    )]
    Recent {
        /// The release.
        version: Version,
        /// How long ago, in seconds.
        seconds: u64,
    },
    /// A release that cannot be finished, undone or rolled back.
    #[error("{attempted} `{version}`: {reason}")]
    NotRecoverable {
        /// What was asked for: `finish release`.
        attempted: &'static str,
        /// The release.
        version: Version,
        /// Why not.
        reason: String,
        /// What to do about it.
        hint: String,
    },
    /// An alias points at something that no record knows.
    #[error("alias `{alias}` points at {digest}, and no record says which release that is")]
    UnknownAlias {
        /// The alias.
        alias: PublicTag,
        /// Where it points.
        digest: Digest,
    },
    /// An alias points at a release that cannot be compared with the one that is to be made.
    #[error("alias `{alias}` points at {there}, and it cannot be told whether {version} is newer")]
    Unordered {
        /// The alias.
        alias: PublicTag,
        /// The release that it points at.
        there: Version,
        /// The release that is to be made.
        version: Version,
    },
    /// The version does not follow the family's versioning.
    #[error("{0}")]
    Version(crate::domain::InvalidText),
    /// A release needs a version.
    #[error("a release needs a version, for example `v1.2.3`")]
    NoVersion,
    /// A variant that the family does not have.
    #[error("there is no variant `{name}`; there are: {known}")]
    UnknownVariant {
        /// What was asked for.
        name: VariantName,
        /// The variants that there are.
        known: String,
    },
    /// An image or platform to rebuild that the family does not have.
    #[error("there is no `{0}` to rebuild in this family")]
    UnknownRebuild(String),
    /// A variant is for a platform that its base is not for.
    #[error("{image} is for {platform}, but the base is not")]
    NoBasePlatform {
        /// The variant.
        image: ImageId,
        /// The platform.
        platform: Platform,
    },
    /// A variant is for a platform that its base from elsewhere is not for.
    #[error("{image} is for {platform}, and its base `{reference}` is only for {has}")]
    BaseImagePlatform {
        /// The variant.
        image: ImageId,
        /// The base as configured, with the digest that it was pinned to.
        reference: String,
        /// The platform.
        platform: Platform,
        /// The platforms that it has.
        has: String,
    },
    /// The builder cannot build for a platform.
    #[error("builder `{builder}` cannot build for {platform}; it can build for: {can}")]
    NoEmulation {
        /// The builder.
        builder: String,
        /// The platform that is wanted.
        platform: Platform,
        /// What it can build for.
        can: String,
    },
    /// The builder cannot write images into a folder.
    #[error(
        "builder `{builder}` cannot build into `{target}`: its engine keeps images in the classic store, which neither exports OCI layouts nor builds on them"
    )]
    NoLayout {
        /// The builder.
        builder: String,
        /// The target.
        target: TargetRef,
    },
    /// A tag that would not be one.
    #[error("the tag `{template}` of {image} cannot be used: {error}")]
    BadTag {
        /// Of which image.
        image: ImageId,
        /// As configured.
        template: String,
        /// What is wrong with it.
        error: TagError,
    },
    /// Two images would get the same tag.
    #[error("{first} and {second} would both get the tag `{tag}`")]
    SharedTag {
        /// The tag.
        tag: PublicTag,
        /// One image.
        first: ImageId,
        /// The other image.
        second: ImageId,
    },
    /// An image that is to be tested is not there.
    #[error("{image} for {platform} is not built yet, so it cannot be tested")]
    NotBuilt {
        /// Which image.
        image: ImageId,
        /// Which platform.
        platform: Platform,
    },
    /// A release that does not stand cannot be promoted.
    #[error("release `{version}` cannot be promoted: {reason}")]
    NotPromotable {
        /// The release.
        version: Version,
        /// Why not.
        reason: String,
    },
    /// A fact that the plan needs was not gathered: a saved facts file that does not fit.
    #[error("the facts do not hold {0}")]
    MissingFact(String),
}

impl PlanError {
    /// The exit code of a run that this ends.
    #[must_use]
    pub const fn exit_code(&self) -> ExitCode {
        match self {
            Self::WriteOnce { .. }
            | Self::Collision { .. }
            | Self::Unfinished { .. }
            | Self::Alive { .. }
            | Self::Recent { .. }
            | Self::NotRecoverable { .. }
            | Self::UnknownAlias { .. }
            | Self::Unordered { .. }
            | Self::NotPromotable { .. } => ExitCode::Refused,
            Self::NoEmulation { .. } | Self::NoLayout { .. } | Self::NotBuilt { .. } => ExitCode::Failed,
            Self::Version(_)
            | Self::NoVersion
            | Self::UnknownVariant { .. }
            | Self::UnknownRebuild(_)
            | Self::NoBasePlatform { .. }
            | Self::BaseImagePlatform { .. }
            | Self::BadTag { .. }
            | Self::SharedTag { .. }
            | Self::MissingFact(_) => ExitCode::Usage,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::WriteOnce { .. } => vec![
                "release tags are written once: give this release a new version".to_owned(),
                "`--force` overwrites the tag; who has pulled it will not notice".to_owned(),
            ],
            Self::Collision {
                image,
                identity,
                found,
                ..
            } => {
                let alike = found.is_some_and(|found| found.short() == identity.short());
                let cause = if alike {
                    "their first 12 digits are the same: give the image another identity with `salt`"
                } else {
                    "somebody put another image there, which splitbase never does: look who did"
                };
                vec![
                    cause.to_owned(),
                    format!("or build it anew in place of what stands there: `--rebuild {image}`"),
                ]
            }
            Self::Unfinished { version, .. } => vec![
                format!("`splitbase release {version}` goes on with it"),
                "`splitbase recover` shows what is left to do, and finishes it; `splitbase recover --undo` takes it back".to_owned(),
                "`--force` sets it aside and goes on with this one".to_owned(),
            ],
            Self::Alive { .. } => vec!["wait for it to end, or end it; then run this again".to_owned()],
            Self::Recent { seconds, .. } => vec![
                format!(
                    "wait: {} s from now it counts as given up",
                    super::GIVEN_UP.saturating_sub(*seconds)
                ),
                "`--force` goes on at once, where you know that its run is gone".to_owned(),
            ],
            Self::NotRecoverable { hint, .. } => vec![hint.clone()],
            Self::UnknownAlias { alias, .. } | Self::Unordered { alias, .. } => vec![
                format!("`--adopt` takes `{alias}` over, whatever it points at"),
                "`--no-promote` writes the release tags and leaves all aliases alone".to_owned(),
            ],
            Self::NoEmulation { platform, .. } => vec![
                format!(
                    "install emulation: `docker run --privileged --rm tonistiigi/binfmt --install {}`",
                    platform.architecture()
                ),
                "or name a builder that has the platform: `--builder NAME`".to_owned(),
                "or leave the platform out: `--platform linux/amd64`".to_owned(),
            ],
            Self::NoLayout { .. } => vec![
                "turn on the engine's containerd image store: `\"features\": {\"containerd-snapshotter\": true}` in its `daemon.json`"
                    .to_owned(),
                "or build with a builder of its own: `docker buildx create --name layouts --driver docker-container`, then `--builder layouts`"
                    .to_owned(),
                "or release to a registry: leave out `--to`".to_owned(),
            ],
            Self::BaseImagePlatform { .. } => {
                vec!["take a base that is there for this platform, or leave the platform out".to_owned()]
            }
            // One variant has a repository of its own: in registries the tags are two.
            Self::SharedTag { .. } => vec![
                "a folder and a copy hold each tag once, whatever repository the images have: give each a tag of its own, as in `tags = [\"{version}-{variant}\"]`"
                    .to_owned(),
            ],
            Self::NotBuilt { .. } => vec!["`splitbase build` builds what is missing".to_owned()],
            Self::NoVersion => vec!["`splitbase release v1.2.3`".to_owned()],
            _ => Vec::new(),
        }
    }
}
