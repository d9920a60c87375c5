//! What each recorded failure is.

use crate::buildx::progress::Phase;
use crate::failure::FailureClass::{self, Permanent, Transient, Unknown};

/// A failure, and what the table has to make of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What was done.
    pub(super) about: &'static str,
    pub(super) rule: &'static str,
    pub(super) class: FailureClass,
    pub(super) status: Option<u16>,
    /// Words of the mend; empty where there is none.
    pub(super) mend: &'static str,
    /// Whether it is brought about anew whenever the tests run.
    pub(super) quick: bool,
}

const fn case(
    name: &'static str,
    about: &'static str,
    rule: &'static str,
    class: FailureClass,
    status: Option<u16>,
    mend: &'static str,
) -> Case {
    Case {
        name,
        about,
        rule,
        class,
        status,
        mend,
        quick: false,
    }
}

const fn quick(mut case: Case) -> Case {
    case.quick = true;
    case
}

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("push-500", "each PUT of a manifest is answered with 500", "push-busy", Transient, Some(500), ""),
    case("push-503", "each PUT of a manifest is answered with 503 and an HTML page", "push-busy", Transient, Some(503), ""),
    quick(case("push-429", "each PUT of a manifest is answered with 429", "push-rate-limit-in-words", Transient, None, "higher limit")),
    case("push-429-retry-after", "each PUT of a manifest is answered with 429 and Retry-After", "push-rate-limit-in-words", Transient, None, "higher limit"),
    case("push-401", "each PUT of a manifest is answered with 401", "push-denied-in-words", Permanent, None, "docker login"),
    quick(case("push-403", "each PUT of a manifest is answered with 403", "push-denied-in-words", Permanent, None, "docker login")),
    case("push-404", "each PUT of a manifest is answered with 404", "push-refused-in-words", Permanent, None, ""),
    case("push-400-html", "each PUT of a manifest is answered with 400 and an HTML page", "push-refused", Permanent, Some(400), ""),
    case("push-413", "each upload is answered with 413", "push-too-large", Permanent, Some(413), "larger than the registry"),
    case("push-child-unseen", "each PUT of a manifest is answered with MANIFEST_BLOB_UNKNOWN", "push-child-unseen", Transient, None, ""),
    case("push-reset", "the connection of each PUT of a manifest is reset", "push-line", Transient, None, ""),
    case("push-refused", "nobody listens", "push-line", Transient, None, ""),
    case("push-name", "the registry's name is in no DNS", "push-line", Transient, None, ""),
    case("push-odd", "an upload is opened with 200 and no address", "unknown", Unknown, None, "not known"),
    case("push-token-500", "the token server answers with 500", "push-busy", Transient, Some(500), ""),
    case("push-token-401", "the token server answers with 401", "push-denied", Permanent, Some(401), "docker login"),
    case("push-token-garbled", "the token server answers with an HTML page", "unknown", Unknown, None, "not known"),
    case("push-plain-http", "the registry speaks no TLS, and is not on the loopback network", "push-plain-http", Permanent, None, "speaks no TLS"),
    case("push-certificate", "the registry's certificate is of no known authority", "push-certificate", Permanent, None, "certs.d"),
    case("push-certificate-date", "the registry's certificate is not valid yet", "push-certificate-date", Permanent, None, "clock"),
    quick(case("base-404", "the base's manifest is answered with 404", "base-missing", Permanent, None, "imagetools inspect")),
    case("base-401", "the base's manifest is answered with 401", "base-refused", Permanent, Some(401), "imagetools inspect"),
    case("base-403", "the base's manifest is answered with 403", "base-refused", Permanent, Some(403), "imagetools inspect"),
    quick(case("base-500", "the base's manifest is answered with 500", "base-busy", Transient, Some(500), "")),
    case("base-429", "the base's manifest is answered with 429", "base-rate-limit", Transient, Some(429), "higher limit"),
    case("base-reset", "the connection is reset when the base's manifest is read", "base-line", Transient, None, ""),
    case("base-refused", "nobody listens where the base is", "base-line", Transient, None, ""),
    case("base-name", "the name of the base's registry is in no DNS", "base-line", Transient, None, ""),
    case("base-wrong-digest", "the base's manifest is another one than its digest says", "base-damaged", Permanent, None, "other bytes"),
    case("base-layer-503", "a layer of the base is answered with 503", "base-layer-busy", Transient, Some(503), ""),
    case("base-layer-404", "a layer of the base is answered with 404", "base-layer", Permanent, None, "imagetools inspect"),
    case("base-layer-damaged", "a layer of the base has other bytes", "base-damaged", Permanent, None, "other bytes"),
    case("base-token-500", "the token server answers with 500", "base-busy", Transient, Some(500), ""),
    case("base-platform", "the base is not there for the platform", "base-platform", Permanent, None, "platform"),
    case("base-frontend", "the image of `# syntax` is not there", "base-missing", Permanent, None, "imagetools inspect"),
    case("cache-layer-404", "layers of the imported cache are answered with 404", "cache-layer", Transient, None, "without `--cache-from`"),
    case("cache-layer-503", "layers of the imported cache are answered with 503", "cache-layer", Transient, Some(503), "without `--cache-from`"),
    quick(case("source-missing", "a COPY of what is not in the context", "source-missing", Permanent, None, ".dockerignore")),
    case("source-missing-in-stage", "a COPY of what is not in another stage", "source-missing-in-image", Permanent, None, ""),
    case("add-404", "an ADD of a URL that answers 404", "add-refused", Permanent, Some(404), "still there"),
    quick(case("add-503", "an ADD of a URL that answers 503", "add-busy", Transient, Some(503), "")),
    case("add-reset", "an ADD of a URL that resets the connection", "add-line", Transient, None, ""),
    quick(case("run-exit", "a RUN ends with 1", "run-failed", Permanent, None, "")),
    case("run-killed", "a RUN's program is killed", "run-killed", Permanent, None, "memory"),
    quick(case("run-no-space", "a RUN fills a small disk", "run-disk-full", Permanent, None, "make room")),
    case("run-other-platform", "a RUN of a program that the kernel cannot run", "run-other-platform", Permanent, None, "emulation"),
    case("run-no-program", "a RUN of a program that is not there", "run-failed", Permanent, None, ""),
    quick(case("dockerfile-unknown-instruction", "an instruction that there is not", "dockerfile", Permanent, None, "Dockerfile")),
    case("dockerfile-syntax", "a COPY with one argument", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-flag", "a COPY with a flag that there is not", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-stage", "a COPY from a stage that there is not", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-json", "a FROM without an image", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-missing", "a Dockerfile that is not there", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-target", "a target that there is not", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-empty", "an empty Dockerfile", "dockerfile", Permanent, None, "Dockerfile"),
    case("dockerfile-context", "a context that is not there", "dockerfile", Permanent, None, "Dockerfile"),
    case("flag-unknown", "a flag that buildx does not know", "dockerfile", Permanent, None, "Dockerfile"),
    quick(case("engine-not-there", "nobody listens on the engine's socket", "engine-not-there", Permanent, None, "docker info")),
    case("engine-permission", "a user who may not use the engine's socket", "engine-permission", Permanent, None, "group"),
    quick(case("engine-cut", "the connection to the engine ends while it builds", "engine-gone", Transient, None, "went away")),
    case("engine-killed", "the engine is killed while it builds", "engine-gone", Transient, None, "went away"),
    case("engine-layer-lost", "a layer that was built is gone from the engine's store when it is pushed elsewhere", "engine-layer-lost", Permanent, None, "buildx prune --all"),
    quick(case("builder-not-there", "a builder that there is not", "builder-not-there", Permanent, None, "buildx ls")),
    case("disk-full-context", "the engine's disk fills while the context is sent", "disk-full", Permanent, None, "make room"),
    case("disk-full-layer", "the engine's disk fills while a layer is written", "disk-full", Permanent, None, "make room"),
];

/// Builds that end well although the cache could not be exported, and what the export's failure is.
pub(super) const ENDS_WELL: &[(&str, FailureClass)] =
    &[("cache-export-400", Permanent), ("cache-export-500", Transient)];

/// Builds that would never end, and where they stand.
pub(super) const STALLS: &[(&str, Phase)] = &[
    ("push-stall", Phase::PushingManifest),
    ("cache-export-stall", Phase::Pushed),
];
