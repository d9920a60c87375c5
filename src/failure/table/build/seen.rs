//! What is told before anything else: how a build was ended, what a `RUN` said of itself, a full disk, a cache that is broken, a source that is missing.

use super::{
    ANYWHERE, BROKEN_LAYER, CHECKSUM, DAMAGED, FailureClass, FailureKind, MEND_DISK, MEND_EVICTED, MEND_LOST,
    MEND_SOURCE, NO_SPACE, RUN_FAILED, Rule, Sign, Source, Trouble,
};
use crate::failure::place::Place::{Base, Buildx, Copy, Layout, Push, Run, Step};

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
];
