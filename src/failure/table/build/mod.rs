//! Builds: what `BuildKit`, buildx, and the registries behind them say.

mod engine;
mod numbers;
mod seen;
mod words;

use super::{FailureClass, FailureKind, IMPOSSIBLE_STATUS, NO_SPACE, PASSING, PASSING_STATUS, Rule};
use crate::failure::place::Place::{self, Base, Buildx, Copy, Layout, Push, Run, Step};
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

/// In this order: the first that fits decides.
pub(super) const RULES: [&[Rule]; 4] = [seen::RULES, numbers::RULES, engine::RULES, words::RULES];
