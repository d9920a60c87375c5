//! Builds: what `BuildKit`, buildx, and the registries behind them say.

use super::{FailureClass, FailureKind, IMPOSSIBLE_STATUS, NO_SPACE, PASSING, PASSING_STATUS, Rule};
use crate::failure::place::Place::{self, Base, Buildx, CacheExport, Copy, Layout, Push, Run, Step};
use crate::failure::rule::Sign;
use crate::failure::symptom::Source;
use crate::failure::trouble::Trouble;

/// All places of a build whose failure fails it.
const ANYWHERE: &[Place] = &[Push, Layout, Base, Copy, Run, Step, Buildx];

const RUN_FAILED: Sign = Sign::Says(&["did not complete successfully"]);

/// Reading a layer when it is needed: of the cache, or of a base.
const BROKEN_LAYER: Sign = Sign::Says(&["httpreadseeker", "failed to copy:", "content digest sha256:"]);

/// What was read is not what its digest names.
const DAMAGED: Sign = Sign::Says(&[
    "unexpected commit digest",
    "failed size validation",
    "unexpected digest",
    "unexpected content digest",
]);

const PASSING_OR_LIMITED: &[(u16, u16)] = &[
    (408, 408),
    (425, 425),
    (429, 429),
    (499, 500),
    (502, 504),
    (506, 599),
];

const CHECKSUM: Sign = Sign::Says(&["failed to calculate checksum"]);

const DENIED: Sign = Sign::Says(&[
    "unauthorized",
    "authentication required",
    "authorization failed",
    "denied",
    "forbidden",
    "insufficient_scope",
]);

const LIMITED: Sign = Sign::Says(&["toomanyrequests", "too many requests", "rate limit"]);

const CERTIFICATE: Sign = Sign::Says(&["x509:", "certificate"]);
const CERTIFICATE_DATE: Sign = Sign::Says(&["certificate has expired or is not yet valid"]);

const MEND_DISK: &str =
    "make room on the builder's disk: `docker buildx prune`, `docker system df` shows what takes it";
const MEND_EVICTED: &str =
    "the builder's garbage collection took what the build needed: make room on its disk";
const MEND_LOST: &str = "the engine's store has lost a layer that its build cache still names, and no build writes it again before that is forgotten: `docker buildx prune --all`";
const MEND_PUSH: &str = "log in with an account that may push there: `docker login`, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`";
const MEND_BASE: &str = "see whether the base image exists and this machine may read it: `docker buildx imagetools inspect IMAGE`";
const MEND_LIMIT: &str =
    "the registry limits the rate of requests: log in with an account that has a higher limit, or wait";
const MEND_LARGE: &str = "a layer is larger than the registry, or a proxy before it, takes";
const MEND_CLOCK: &str = "see whether the clock of the engine's machine is right: `date`; else the registry's certificate has to be renewed";
const MEND_CERTIFICATE: &str = "the engine does not trust the registry's certificate: its authority belongs into the engine's `certs.d` folder";
const MEND_PLAIN: &str = "the registry speaks no TLS: the engine has to be told so (`insecure-registries`), or the registry given a certificate";
const MEND_GONE: &str = "the engine, or the connection to it, went away while it built: see whether it runs and why it ended: `docker info`, its log";
const MEND_ABSENT: &str = "see whether the engine runs: `docker info`, `docker buildx inspect`";
const MEND_SOURCE: &str = "see whether the path exists and `.dockerignore` lets it through";
const MEND_DOCKERFILE: &str = "nothing but a change of the Dockerfile, or of `[build]`, mends this";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "build-interrupted",
        at: ANYWHERE,
        signs: &[Sign::Is("context canceled")],
        kind: FailureKind::Cancelled,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "buildx-interrupted",
        at: ANYWHERE,
        signs: &[Sign::Exit(130)],
        kind: FailureKind::Cancelled,
        class: FailureClass::Permanent,
        mend: "",
    },
    // What this program sees itself.
    Rule {
        name: "build-ended",
        at: ANYWHERE,
        signs: &[Sign::Trouble(&[Trouble::Interrupted])],
        kind: FailureKind::Cancelled,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "docker-not-there",
        at: &[Buildx],
        signs: &[Sign::Trouble(&[Trouble::NoProgram])],
        kind: FailureKind::EngineLost,
        class: FailureClass::Permanent,
        mend: "install the docker client and its buildx plugin",
    },
    Rule {
        name: "build-secret",
        at: &[Buildx],
        signs: &[Sign::Trouble(&[Trouble::Absent])],
        kind: FailureKind::MissingSecret,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "build-too-long",
        at: &[Step],
        signs: &[Sign::Trouble(&[Trouble::TimedOut])],
        kind: FailureKind::TimedOut,
        class: FailureClass::Permanent,
        mend: "raise `timeout` in `[build]` if it needs more time",
    },
    Rule {
        name: "push-stalled",
        at: &[Push],
        signs: &[Sign::Trouble(&[Trouble::TimedOut])],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "base-other-platform",
        at: &[Base],
        signs: &[Sign::Says(&["invalidbaseimageplatform"])],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: "a base that is not there for the platform makes an image that does not run on it",
    },
    // What a RUN says of itself comes before everything else: its log may hold any of the texts below.
    Rule {
        name: "run-disk-full",
        at: &[Run],
        signs: &[RUN_FAILED, Sign::Logs(NO_SPACE)],
        kind: FailureKind::DiskFull,
        class: FailureClass::Permanent,
        mend: MEND_DISK,
    },
    Rule {
        name: "run-other-platform",
        at: &[Run],
        signs: &[RUN_FAILED, Sign::Logs(&["exec format error"])],
        kind: FailureKind::RunFailed,
        class: FailureClass::Permanent,
        mend: "the builder cannot run programs of this platform: register its emulation, or build on a machine of that kind",
    },
    Rule {
        name: "run-killed",
        at: &[Run],
        signs: &[RUN_FAILED, Sign::Says(&["exit code: 137"])],
        kind: FailureKind::RunFailed,
        class: FailureClass::Permanent,
        mend: "137 is what a killed process ends with: perhaps it ran out of memory",
    },
    Rule {
        name: "run-failed",
        at: &[Run],
        signs: &[RUN_FAILED],
        kind: FailureKind::RunFailed,
        class: FailureClass::Permanent,
        mend: "",
    },
    // A full disk of the registry is told by its status, below.
    Rule {
        name: "disk-full",
        at: &[Layout, Base, Copy, Run, Step, Buildx],
        signs: &[Sign::Says(NO_SPACE)],
        kind: FailureKind::DiskFull,
        class: FailureClass::Permanent,
        mend: MEND_DISK,
    },
    // containerd knows the blob, and the file is gone: after a power cut, or because somebody cleaned up by hand. A build without cache
    // does not help: what it makes has the same digest, and is taken to be there.
    Rule {
        name: "engine-layer-lost",
        at: ANYWHERE,
        signs: &[Sign::Says(&["blob sha256:"]), Sign::Says(&["expected at "])],
        kind: FailureKind::CacheLost,
        class: FailureClass::Permanent,
        mend: MEND_LOST,
    },
    // A push that fails while it writes a layer says `failed to copy:` too.
    Rule {
        name: "cache-layer-in-push",
        at: &[Push],
        signs: &[
            Sign::CacheRead,
            Sign::Says(&["httpreadseeker", "content digest sha256:"]),
        ],
        kind: FailureKind::CacheBroken,
        class: FailureClass::Transient,
        mend: "it is built once more at once, without `--cache-from`",
    },
    Rule {
        name: "cache-layer",
        at: &[Layout, Base, Copy, Run, Step, Buildx],
        signs: &[Sign::CacheRead, BROKEN_LAYER],
        kind: FailureKind::CacheBroken,
        class: FailureClass::Transient,
        mend: "it is built once more at once, without `--cache-from`",
    },
    Rule {
        name: "cache-layer-damaged",
        at: &[Copy, Run, Step],
        signs: &[Sign::CacheRead, DAMAGED],
        kind: FailureKind::CacheBroken,
        class: FailureClass::Transient,
        mend: "it is built once more at once, without `--cache-from`",
    },
    Rule {
        name: "cache-layer-key",
        at: ANYWHERE,
        signs: &[
            Sign::CacheRead,
            Sign::Says(&["failed to load cache key"]),
            Sign::Says(&["blob"]),
        ],
        kind: FailureKind::CacheBroken,
        class: FailureClass::Transient,
        mend: "it is built once more at once, without `--cache-from`",
    },
    // A missing source and a cache that was collected while the build ran are told in the same words. A path stands in quotes, and one that
    // is there was not missing.
    Rule {
        name: "source-lost-unnamed",
        at: ANYWHERE,
        signs: &[CHECKSUM, Sign::Source(Source::Unnamed)],
        kind: FailureKind::CacheEvicted,
        class: FailureClass::Transient,
        mend: MEND_EVICTED,
    },
    Rule {
        name: "source-lost",
        at: ANYWHERE,
        signs: &[CHECKSUM, Sign::Source(Source::There)],
        kind: FailureKind::CacheEvicted,
        class: FailureClass::Transient,
        mend: MEND_EVICTED,
    },
    Rule {
        name: "source-missing-in-image",
        at: ANYWHERE,
        signs: &[CHECKSUM, Sign::Source(Source::OtherImage)],
        kind: FailureKind::MissingSource,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "source-missing",
        at: ANYWHERE,
        signs: &[CHECKSUM],
        kind: FailureKind::MissingSource,
        class: FailureClass::Permanent,
        mend: MEND_SOURCE,
    },
    // A number says more than words, which registries choose freely.
    Rule {
        name: "push-child-unseen",
        at: &[Push],
        signs: &[Sign::Says(&["blob unknown"])],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "push-rate-limit",
        at: &[Push],
        signs: &[Sign::Status(&[(429, 429)])],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: MEND_LIMIT,
    },
    Rule {
        name: "push-busy",
        at: &[Push],
        signs: &[Sign::Status(PASSING_STATUS)],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "push-denied",
        at: &[Push],
        signs: &[Sign::Status(&[(401, 401), (403, 403)])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_PUSH,
    },
    Rule {
        name: "push-too-large",
        at: &[Push],
        signs: &[Sign::Status(&[(413, 413)])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_LARGE,
    },
    Rule {
        name: "push-refused",
        at: &[Push],
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "push-cannot",
        at: &[Push],
        signs: &[Sign::Status(IMPOSSIBLE_STATUS)],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "base-rate-limit",
        at: &[Base],
        signs: &[Sign::Status(&[(429, 429)])],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: MEND_LIMIT,
    },
    Rule {
        name: "base-busy",
        at: &[Base],
        signs: &[Sign::Status(PASSING_STATUS)],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "base-refused",
        at: &[Base],
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_BASE,
    },
    Rule {
        name: "base-cannot",
        at: &[Base],
        signs: &[Sign::Status(IMPOSSIBLE_STATUS)],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: "",
    },
    // A layer of the base itself, read when a step needs it.
    Rule {
        name: "base-layer-busy",
        at: &[Copy, Run, Step],
        signs: &[BROKEN_LAYER, Sign::Status(PASSING_OR_LIMITED)],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "base-layer-line",
        at: &[Base, Copy, Run, Step],
        signs: &[BROKEN_LAYER, Sign::Says(PASSING)],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "base-layer",
        at: &[Base, Copy, Run, Step],
        signs: &[BROKEN_LAYER],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_BASE,
    },
    Rule {
        name: "base-damaged",
        at: &[Base, Copy, Run, Step],
        signs: &[DAMAGED],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: "the registry, or a mirror or proxy before it, gives other bytes than the digest names: push the base anew, or take another mirror",
    },
    Rule {
        name: "add-busy",
        at: &[Copy],
        signs: &[Sign::Status(PASSING_OR_LIMITED)],
        kind: FailureKind::MissingSource,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "add-refused",
        at: &[Copy],
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::MissingSource,
        class: FailureClass::Permanent,
        mend: "see whether what `ADD` fetches is still there",
    },
    Rule {
        name: "push-disk-full",
        at: &[Push],
        signs: &[Sign::Says(NO_SPACE)],
        kind: FailureKind::DiskFull,
        class: FailureClass::Permanent,
        mend: MEND_DISK,
    },
    Rule {
        name: "engine-permission",
        at: ANYWHERE,
        signs: &[Sign::Says(&[
            "permission denied while trying to connect",
            "dial unix /var/run/docker.sock: connect: permission denied",
        ])],
        kind: FailureKind::EngineLost,
        class: FailureClass::Permanent,
        mend: "this user may not use the engine's socket: add the user to its group (`docker`), or run as one who may",
    },
    Rule {
        name: "engine-not-there",
        at: ANYWHERE,
        signs: &[Sign::Says(&[
            "cannot connect to the docker daemon",
            "failed to connect to the docker api",
            "error during connect",
            "listing workers for build",
            "failed to find driver",
            "failed to initialize builder",
        ])],
        kind: FailureKind::EngineLost,
        class: FailureClass::Permanent,
        mend: MEND_ABSENT,
    },
    Rule {
        name: "engine-gone",
        at: ANYWHERE,
        signs: &[Sign::Says(&[
            "error reading from server",
            "transport is closing",
            "closing transport",
            "code = unavailable",
            "graceful_stop",
        ])],
        kind: FailureKind::EngineLost,
        class: FailureClass::Transient,
        mend: MEND_GONE,
    },
    Rule {
        name: "builder-not-there",
        at: &[Buildx],
        signs: &[Sign::Says(&["no builder \""])],
        kind: FailureKind::EngineLost,
        class: FailureClass::Permanent,
        mend: "`docker buildx ls` shows the builders that there are",
    },
    // What is not in quotes is no path: a snapshot, a lease, a blob.
    Rule {
        name: "cache-collected",
        at: ANYWHERE,
        signs: &[Sign::Says(&[
            "parent snapshot",
            "failed to get lease",
            "failed to prepare extraction snapshot",
            "snapshot extract-",
        ])],
        kind: FailureKind::CacheEvicted,
        class: FailureClass::Transient,
        mend: MEND_EVICTED,
    },
    Rule {
        name: "snapshot-collected",
        at: ANYWHERE,
        signs: &[Sign::Says(&["snapshot "]), Sign::Says(&[" does not exist"])],
        kind: FailureKind::CacheEvicted,
        class: FailureClass::Transient,
        mend: MEND_EVICTED,
    },
    Rule {
        name: "base-platform",
        at: &[Base],
        signs: &[Sign::Says(&["no match for platform", "no matching manifest"])],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: "the base image is not there for this platform: leave the platform out, or take another base",
    },
    Rule {
        name: "base-certificate-date",
        at: &[Base],
        signs: &[CERTIFICATE_DATE],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_CLOCK,
    },
    Rule {
        name: "base-certificate",
        at: &[Base],
        signs: &[CERTIFICATE],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_CERTIFICATE,
    },
    Rule {
        name: "base-plain-http",
        at: &[Base],
        signs: &[Sign::Says(&["server gave http response to https client"])],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_PLAIN,
    },
    Rule {
        name: "base-rate-limit-in-words",
        at: &[Base],
        signs: &[LIMITED],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: MEND_LIMIT,
    },
    Rule {
        name: "base-line",
        at: &[Base],
        signs: &[Sign::Says(PASSING)],
        kind: FailureKind::Base,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "base-denied",
        at: &[Base],
        signs: &[DENIED],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_BASE,
    },
    Rule {
        name: "base-missing",
        at: &[Base],
        signs: &[Sign::Says(&[
            "name unknown",
            "name_unknown",
            "manifest unknown",
            "not found",
            "bad request",
            "entity too large",
            "method not allowed",
        ])],
        kind: FailureKind::Base,
        class: FailureClass::Permanent,
        mend: MEND_BASE,
    },
    Rule {
        name: "push-certificate-date",
        at: &[Push],
        signs: &[CERTIFICATE_DATE],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_CLOCK,
    },
    Rule {
        name: "push-certificate",
        at: &[Push],
        signs: &[CERTIFICATE],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_CERTIFICATE,
    },
    Rule {
        name: "push-plain-http",
        at: &[Push],
        signs: &[Sign::Says(&["server gave http response to https client"])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_PLAIN,
    },
    Rule {
        name: "push-denied-in-words",
        at: &[Push],
        signs: &[DENIED],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_PUSH,
    },
    Rule {
        name: "push-too-large-in-words",
        at: &[Push],
        signs: &[Sign::Says(&["entity too large"])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: MEND_LARGE,
    },
    // The engine names its images before it pushes them, and two that name the same at once get into each other's way: `image "x": already
    // exists`. (A registry with immutable tags says it without the colon.)
    Rule {
        name: "push-name-taken",
        at: &[Push],
        signs: &[Sign::Says(&["\": already exists"])],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "push-rate-limit-in-words",
        at: &[Push],
        signs: &[LIMITED],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: MEND_LIMIT,
    },
    Rule {
        name: "push-line",
        at: &[Push],
        signs: &[Sign::Says(PASSING)],
        kind: FailureKind::Push,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "push-refused-in-words",
        at: &[Push],
        signs: &[Sign::Says(&[
            "name unknown",
            "name_unknown",
            "not known to registry",
            "not found",
            "bad request",
            "method not allowed",
        ])],
        kind: FailureKind::Push,
        class: FailureClass::Permanent,
        mend: "",
    },
    Rule {
        name: "source-missing-key",
        at: &[Copy],
        signs: &[Sign::Says(&["failed to compute cache key"])],
        kind: FailureKind::MissingSource,
        class: FailureClass::Permanent,
        mend: MEND_SOURCE,
    },
    Rule {
        name: "dockerfile",
        at: &[Buildx],
        signs: &[Sign::Says(&[
            "dockerfile parse error",
            "unknown instruction",
            "failed to read dockerfile",
            "could not be found",
            "invalid stage index",
            "dockerfile cannot be empty",
            "unable to prepare context",
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
        ])],
        kind: FailureKind::Frontend,
        class: FailureClass::Permanent,
        mend: MEND_DOCKERFILE,
    },
    Rule {
        name: "add-line",
        at: &[Copy],
        signs: &[Sign::Says(PASSING)],
        kind: FailureKind::MissingSource,
        class: FailureClass::Transient,
        mend: "",
    },
    // Reported, and never the end of a build.
    Rule {
        name: "cache-export-busy",
        at: &[CacheExport],
        signs: &[Sign::Status(PASSING_OR_LIMITED)],
        kind: FailureKind::CacheExport,
        class: FailureClass::Transient,
        mend: "",
    },
    Rule {
        name: "cache-export-refused",
        at: &[CacheExport],
        signs: &[Sign::Status(&[(400, 499)])],
        kind: FailureKind::CacheExport,
        class: FailureClass::Permanent,
        mend: "a registry that takes no build cache can be spared it: `[cache] to = \"none\"`",
    },
    Rule {
        name: "cache-export-line",
        at: &[CacheExport],
        signs: &[Sign::Says(PASSING)],
        kind: FailureKind::CacheExport,
        class: FailureClass::Transient,
        mend: "",
    },
];
