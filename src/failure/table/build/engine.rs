//! The engine and its builder: not there, not allowed, gone, and what its own garbage collection took.

use super::{ANYWHERE, FailureClass, FailureKind, MEND_ABSENT, MEND_EVICTED, MEND_GONE, Rule, Sign};
use crate::failure::place::Place::Buildx;

pub(super) const RULES: &[Rule] = &[
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
];
