//! Where a failure came up.

/// Where a failure came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A request of this program that reads from a registry.
    RegistryRead,
    /// A request of this program that writes to a registry.
    RegistryWrite,
    /// The export of a build that pushes: the vertex `exporting to image`.
    Push,
    /// The export of a build into a folder: `exporting to oci image format`.
    Layout,
    /// Metadata or layers of a base image or a frontend: `load metadata for …`, `FROM …`, `resolve image config for …`.
    Base,
    /// `exporting cache to …`.
    CacheExport,
    /// `COPY …` and `ADD …`.
    Copy,
    /// `RUN …`.
    Run,
    /// Any other vertex of a build.
    Step,
    /// No vertex: what buildx itself says.
    Buildx,
    /// The document of an npm package.
    NpmDocument,
    /// The archive of an npm package.
    NpmTarball,
    /// `git ls-remote`.
    GitRefs,
    /// A command that prints a version.
    Command,
    /// What a source said, whichever it is.
    Version,
}

impl Place {
    /// What the reference calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::RegistryRead => "registry, read",
            Self::RegistryWrite => "registry, write",
            Self::Push => "push",
            Self::Layout => "export into a layout",
            Self::Base => "base",
            Self::CacheExport => "cache export",
            Self::Copy => "`COPY`, `ADD`",
            Self::Run => "`RUN`",
            Self::Step => "other step",
            Self::Buildx => "buildx",
            Self::NpmDocument => "npm document",
            Self::NpmTarball => "npm archive",
            Self::GitRefs => "git",
            Self::Command => "command",
            Self::Version => "version",
        }
    }
}
