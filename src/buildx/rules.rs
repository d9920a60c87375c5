//! The table of what texts of `BuildKit` and of registries mean.

use super::failure::FailureClass;
use super::vertex_kind::VertexKind;

/// Where an error came up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
    Anywhere,
    Push,
    Base,
    Source,
    /// An error that belongs to no vertex.
    NoVertex,
}

impl At {
    pub(super) fn holds(self, vertex: Option<VertexKind>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Push => vertex == Some(VertexKind::ImageExport),
            Self::Base => matches!(vertex, Some(VertexKind::Metadata | VertexKind::From)),
            Self::Source => vertex == Some(VertexKind::Copy),
            Self::NoVertex => vertex.is_none(),
        }
    }
}

/// A line of the table: at such a vertex, any of these texts (in lower case; empty: any text) means this class.
pub(super) struct Rule {
    pub(super) at: At,
    pub(super) texts: &'static [&'static str],
    pub(super) class: FailureClass,
    /// What to do about it; empty for nothing.
    pub(super) hint: &'static str,
}

const fn rule(at: At, texts: &'static [&'static str], class: FailureClass, hint: &'static str) -> Rule {
    Rule {
        at,
        texts,
        class,
        hint,
    }
}

/// Texts of failures that pass. Statuses are read as numbers, see [`status`].
pub(super) const PASSING: &[&str] = &[
    "toomanyrequests",
    "too many requests",
    "rate limit",
    "connection reset",
    "connection refused",
    "broken pipe",
    "unexpected eof",
    ": eof",
    "i/o timeout",
    "handshake timeout",
    "deadline exceeded",
    "client.timeout",
    "no such host",
    "server misbehaving",
    "temporary failure",
    "network is unreachable",
    "no route to host",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "use of closed network connection",
    "http2: server sent goaway",
    "stream error",
];

/// Texts of refusals.
const REFUSED: &[&str] = &[
    "unauthorized",
    "authentication required",
    "authorization failed",
    "denied",
    "forbidden",
    "insufficient_scope",
    "name unknown",
    "name_unknown",
    "not found",
    "bad request",
    "entity too large",
    "x509:",
    "certificate",
    "method not allowed",
];

/// The first rule that holds decides.
pub(super) const RULES: &[Rule] = &[
    rule(
        At::Anywhere,
        &["no space left on device", "disk quota exceeded"],
        FailureClass::DiskFull,
        "make room on the builder's disk: `docker buildx prune`, `docker system df` shows what takes it",
    ),
    rule(
        At::Anywhere,
        &[
            "cannot connect to the docker daemon",
            "error reading from server",
            "transport is closing",
            "code = unavailable",
            "listing workers for build",
            "failed to find driver",
            "failed to initialize builder",
        ],
        FailureClass::EngineLost,
        "see whether the engine runs: `docker info`, `docker buildx inspect`",
    ),
    rule(
        At::NoVertex,
        &["no builder \""],
        FailureClass::EngineLost,
        "`docker buildx ls` shows the builders that there are",
    ),
    // What is not in quotes is no path: a snapshot, a lease, a blob.
    rule(
        At::Anywhere,
        &[
            "parent snapshot",
            "failed to get lease",
            "failed to prepare extraction snapshot",
        ],
        FailureClass::CacheEvicted,
        "the builder's garbage collection took what the build needed: make room on its disk",
    ),
    rule(
        At::Base,
        &["no match for platform", "no matching manifest"],
        FailureClass::BadBase,
        "the base image is not there for this platform: leave the platform out, or take another base",
    ),
    rule(At::Base, PASSING, FailureClass::PullTransient, ""),
    rule(
        At::Base,
        REFUSED,
        FailureClass::BadBase,
        "see whether the base image exists and this machine may read it: `docker buildx imagetools inspect IMAGE`",
    ),
    rule(
        At::Push,
        &[
            "unauthorized",
            "authentication required",
            "authorization failed",
            "denied",
            "forbidden",
            "insufficient_scope",
        ],
        FailureClass::PushPermanent,
        "log in with an account that may push there: `docker login`, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`",
    ),
    rule(
        At::Push,
        &["entity too large"],
        FailureClass::PushPermanent,
        "a layer is larger than the registry, or a proxy before it, takes",
    ),
    // The engine names its images before it pushes them, and two that name the same at once get into each other's way: `image "x": already
    // exists`. (A registry with immutable tags says it without the colon.)
    rule(At::Push, &["\": already exists"], FailureClass::PushTransient, ""),
    rule(At::Push, PASSING, FailureClass::PushTransient, ""),
    rule(At::Push, REFUSED, FailureClass::PushPermanent, ""),
    rule(
        At::Source,
        &["failed to calculate checksum", "failed to compute cache key"],
        FailureClass::MissingSource,
        "see whether the path exists in the build context and `.dockerignore` lets it through",
    ),
    rule(
        At::NoVertex,
        &[
            "dockerfile parse error",
            "unknown instruction",
            "failed to read dockerfile",
            "could not be found",
            "unknown flag",
            "failed to parse",
            "invalid reference",
            "invalid argument",
            "base name",
            "unsupported",
            "not supported",
            "is not a valid",
            "failed to process",
            "circular dependency",
        ],
        FailureClass::Frontend,
        "",
    ),
];
