//! What a failed build means, and whether another attempt can succeed. Texts are `BuildKit`'s and the registries' own, so this is a table:
//! what it does not know is never tried again.

use super::progress::{Progress, Vertex, VertexKind};
use crate::domain::ExitCode;
use crate::plan::BuildStep;

/// Lines of output that a failure carries.
const TAIL: usize = 20;
/// Longest reason, in characters.
const LONGEST: usize = 500;

/// What kind of failure it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureClass {
    /// A `RUN` ended with an error.
    RunFailed {
        /// The command as the Dockerfile has it, redacted.
        command: String,
        /// Its exit code, where it had one.
        exit_code: Option<i32>,
    },
    /// A `COPY` or `ADD` source does not exist.
    MissingSource,
    /// What a build needed was collected as garbage while it ran: the disk is nearly full.
    CacheEvicted,
    /// A push failed in a way that passes.
    PushTransient,
    /// A push was refused.
    PushPermanent,
    /// Reading a base image failed in a way that passes.
    PullTransient,
    /// A base image does not exist, may not be read, or is not for the platform.
    BadBase,
    /// A layer of a `--cache-from` image cannot be read.
    CacheFromBroken,
    /// No space is left.
    DiskFull,
    /// The engine or builder cannot be reached.
    EngineLost,
    /// The Dockerfile, or a flag, is wrong.
    Frontend,
    /// A secret that the build needs is not there.
    MissingSecret,
    /// It took longer than the step's `timeout`.
    TimedOut,
    /// The run was interrupted.
    Cancelled,
    /// Anything else.
    Unknown,
}

/// Whether another attempt can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After a pause. What was built comes from the cache, so this only pushes or pulls again.
    Transient,
    /// At once, without `--cache-from`; once.
    WithoutCacheFrom,
    /// Not at all. (A failed `RUN` may still be run again when `[retry] build` says so.)
    Never,
}

/// A build that failed. Texts hold no secrets and no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct BuildFailure {
    /// What kind of failure it is.
    pub class: FailureClass,
    /// Why: one line.
    pub reason: String,
    /// The end of the output.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether another attempt can succeed.
    pub retry: Retry,
    /// What was odd before it failed.
    pub warnings: Vec<String>,
}

impl BuildFailure {
    /// The exit code that this failure asks for.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.class {
            FailureClass::PushTransient | FailureClass::PushPermanent => ExitCode::PushFailed,
            FailureClass::Cancelled => ExitCode::Interrupted,
            FailureClass::MissingSecret => ExitCode::Usage,
            _ => ExitCode::Failed,
        }
    }

    /// A failure without output.
    pub(super) fn new(class: FailureClass, reason: impl Into<String>) -> Self {
        let retry = match class {
            FailureClass::PushTransient | FailureClass::PullTransient | FailureClass::CacheEvicted => {
                Retry::Transient
            }
            FailureClass::CacheFromBroken => Retry::WithoutCacheFrom,
            _ => Retry::Never,
        };
        Self {
            class,
            reason: reason.into(),
            output: Vec::new(),
            hints: Vec::new(),
            retry,
            warnings: Vec::new(),
        }
    }

    pub(super) fn with_hint(mut self, hint: &str) -> Self {
        self.hints.push(hint.to_owned());
        self
    }

    pub(super) fn with_output_of(mut self, progress: &Progress) -> Self {
        let lines: Vec<&str> = progress.text().collect();
        self.output = last(&lines);
        self.warnings = progress.warnings().to_vec();
        self
    }
}

/// Where an error came up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Anywhere,
    Push,
    Base,
    Source,
    /// An error that belongs to no vertex.
    NoVertex,
}

impl At {
    fn holds(self, vertex: Option<VertexKind>) -> bool {
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
struct Rule {
    at: At,
    texts: &'static [&'static str],
    class: FailureClass,
    hint: &'static str,
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
const PASSING: &[&str] = &[
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
const RULES: &[Rule] = &[
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
        "log in with an account that may push there: `docker login`",
    ),
    rule(
        At::Push,
        &["entity too large"],
        FailureClass::PushPermanent,
        "a layer is larger than the registry, or a proxy before it, takes",
    ),
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

/// What is known of a build that did not end well.
pub(super) struct Evidence<'a> {
    pub(super) step: &'a BuildStep,
    pub(super) progress: &'a Progress,
    /// buildx' exit code.
    pub(super) exit_code: Option<i32>,
    /// Whether the attempt read build cache from a registry.
    pub(super) had_cache_from: bool,
    /// Whether this path is in the build context on this machine, and nothing can have kept it out; `None` when that cannot be told.
    pub(super) in_context: &'a dyn Fn(&str) -> Option<bool>,
}

/// What the failure means.
pub(super) fn classify(evidence: &Evidence<'_>) -> BuildFailure {
    let progress = evidence.progress;
    let vertex = culprit(progress);
    let said = progress
        .text()
        .rev()
        .find_map(|line| line.strip_prefix("ERROR: "))
        .map(|text| without_prefixes(text).to_owned());
    let text = vertex
        .and_then(|vertex| vertex.error.clone())
        .or(said)
        .or_else(|| progress.text().next_back().map(str::to_owned))
        .unwrap_or_else(|| match evidence.exit_code {
            Some(code) => format!("buildx ended with exit code {code} and no word"),
            None => "buildx was killed".to_owned(),
        });
    let mut failure = verdict(evidence, vertex, &text).with_output_of(progress);
    failure.reason = shortened(&failure.reason);
    if let Some(vertex) = vertex.filter(|vertex| !vertex.tail.is_empty()) {
        let lines: Vec<&str> = vertex.tail.iter().map(String::as_str).collect();
        failure.output = last(&lines);
    }
    failure
}

fn verdict(evidence: &Evidence<'_>, vertex: Option<&Vertex>, text: &str) -> BuildFailure {
    let kind = vertex.map(|vertex| vertex.kind);
    let low = text.to_lowercase();
    if low == "context canceled" || evidence.exit_code == Some(130) {
        return BuildFailure::new(FailureClass::Cancelled, "the build was interrupted");
    }
    if let Some(vertex) = vertex.filter(|vertex| vertex.kind == VertexKind::Run)
        && low.contains("did not complete successfully")
    {
        return run_failed(vertex, text);
    }
    if evidence.had_cache_from && is_broken_layer(&low) {
        return BuildFailure::new(
            FailureClass::CacheFromBroken,
            format!("a layer of the build cache cannot be read: {text}"),
        );
    }
    if low.contains("failed to calculate checksum") {
        return missing_source(evidence, vertex, text);
    }
    let place = match kind {
        Some(VertexKind::ImageExport) => {
            format!(
                "push `{}`: ",
                evidence.step.repository.with_tag(&evidence.step.staging)
            )
        }
        _ => vertex.map_or_else(String::new, |vertex| format!("{}: ", vertex.name)),
    };
    let reason = format!("{place}{text}");
    // A number says more than words, which registries choose freely.
    if let (Some(status), Some(class)) = (status(text), by_status(kind, status(text))) {
        let mut failure = BuildFailure::new(class, reason);
        if let Some(rule) = matching(kind, &low, Some(&failure.class)) {
            failure = failure.with_hint(rule.hint);
        } else if matches!(status, 401 | 403) {
            failure = failure.with_hint("log in with an account that may do this: `docker login`");
        }
        return failure;
    }
    let Some(rule) = matching(kind, &low, None) else {
        return if kind.is_some_and(|kind| kind != VertexKind::ImageExport) && is_broken_layer(&low) {
            // A layer of the base itself.
            let class = if PASSING.iter().any(|text| low.contains(text)) {
                FailureClass::PullTransient
            } else {
                FailureClass::BadBase
            };
            BuildFailure::new(class, reason)
        } else {
            BuildFailure::new(FailureClass::Unknown, reason)
        };
    };
    let failure = BuildFailure::new(rule.class.clone(), reason);
    if rule.hint.is_empty() {
        failure
    } else {
        failure.with_hint(rule.hint)
    }
}

fn matching(kind: Option<VertexKind>, low: &str, class: Option<&FailureClass>) -> Option<&'static Rule> {
    RULES.iter().find(|rule| {
        rule.at.holds(kind)
            && rule.texts.iter().any(|text| low.contains(text))
            && class.is_none_or(|class| *class == rule.class && !rule.hint.is_empty())
    })
}

fn by_status(kind: Option<VertexKind>, status: Option<u16>) -> Option<FailureClass> {
    let passes = match status? {
        408 | 425 | 429 | 500..=599 => true,
        400..=499 => false,
        _ => return None,
    };
    match (kind?, passes) {
        (VertexKind::ImageExport, true) => Some(FailureClass::PushTransient),
        (VertexKind::ImageExport, false) => Some(FailureClass::PushPermanent),
        (VertexKind::Metadata | VertexKind::From, true) => Some(FailureClass::PullTransient),
        (VertexKind::Metadata | VertexKind::From, false) => Some(FailureClass::BadBase),
        _ => None,
    }
}

fn run_failed(vertex: &Vertex, text: &str) -> BuildFailure {
    let command = vertex
        .name
        .split_once("] ")
        .map_or(vertex.name.as_str(), |(_, command)| command)
        .to_owned();
    let exit_code: Option<i32> = text
        .rsplit_once("exit code: ")
        .and_then(|(_, code)| code.trim().parse().ok());
    let in_log = |needle: &str| {
        vertex
            .tail
            .iter()
            .any(|line| line.to_lowercase().contains(needle))
    };
    let shown = shortened(&command);
    if in_log("no space left on device") {
        return BuildFailure::new(
            FailureClass::DiskFull,
            format!("`{shown}` failed: no space left on device"),
        )
        .with_hint(
            "make room on the builder's disk: `docker buildx prune`, `docker system df` shows what takes it",
        );
    }
    let how = match exit_code {
        Some(code) => format!("exit code {code}"),
        None => text
            .rsplit_once("did not complete successfully: ")
            .map_or_else(|| text.to_owned(), |(_, how)| how.to_owned()),
    };
    let failure = BuildFailure::new(
        FailureClass::RunFailed { command, exit_code },
        format!("`{shown}` failed: {how}"),
    );
    if in_log("exec format error") || text.contains("exec format error") {
        failure.with_hint("the builder cannot run programs of this platform: register its emulation, or build on a machine of that kind")
    } else if exit_code == Some(137) {
        failure.with_hint("137 is what a killed process ends with: perhaps it ran out of memory")
    } else {
        failure
    }
}

/// The same words are said of a source that does not exist and of a cache that was collected while the build ran. A path stands in quotes; a
/// path that is there was not missing.
fn missing_source(evidence: &Evidence<'_>, vertex: Option<&Vertex>, text: &str) -> BuildFailure {
    let name = vertex.map_or("", |vertex| vertex.name.as_str());
    let path = text
        .strip_suffix(": not found")
        .and_then(|text| text.strip_suffix('"'))
        .and_then(|text| text.rsplit_once('"'))
        .map(|(_, path)| path);
    let evicted = |reason: String| {
        BuildFailure::new(FailureClass::CacheEvicted, reason)
            .with_hint("the builder's garbage collection took what the build needed: make room on its disk")
    };
    let Some(path) = path else {
        return evicted(format!("{name}: {text}"));
    };
    let relative = path.trim_start_matches('/');
    if name.contains("--from=") {
        return BuildFailure::new(
            FailureClass::MissingSource,
            format!(
                "`{}`: `{path}` is not there in the image or stage that it copies from",
                instruction(name)
            ),
        );
    }
    if (evidence.in_context)(relative) == Some(true) {
        return evicted(format!(
            "`{}`: the builder lost `{relative}`, which is in the build context",
            instruction(name)
        ));
    }
    BuildFailure::new(
        FailureClass::MissingSource,
        format!(
            "`{}`: there is no `{relative}` in the build context `{}`",
            instruction(name),
            evidence.step.context
        ),
    )
    .with_hint("see whether the path exists and `.dockerignore` lets it through")
}

fn instruction(name: &str) -> String {
    shortened(name.split_once("] ").map_or(name, |(_, rest)| rest))
}

/// Reading a layer lazily: of the cache, or of a base.
fn is_broken_layer(low: &str) -> bool {
    low.contains("httpreadseeker")
        || low.contains("failed to copy:")
        || (low.contains("failed to load cache key") && low.contains("blob"))
        || low.contains("content digest") && low.contains("not found")
}

/// The vertex that failed first; one that was cancelled because of another does not count.
fn culprit(progress: &Progress) -> Option<&Vertex> {
    let cancelled = |vertex: &&Vertex| {
        vertex
            .error
            .as_deref()
            .is_some_and(|error| error.contains("context canceled") || error == "cancelled")
    };
    progress
        .failed()
        .find(|vertex| !cancelled(vertex))
        .or_else(|| progress.failed().next())
}

/// The HTTP status in a text: `401 Unauthorized`, `status: 500`, `status code 503`.
fn status(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    for at in 0..bytes.len().saturating_sub(2) {
        let digits = &bytes[at..at + 3];
        let alone = (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
            && bytes.get(at + 3).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if !alone || !matches!(digits[0], b'4' | b'5') || !digits.iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Some(number) = text.get(at..at + 3).and_then(|digits| digits.parse().ok()) else {
            continue;
        };
        let before = text[..at].to_lowercase();
        let told = ["status: ", "status ", "status code: ", "status code ", "http "]
            .iter()
            .any(|word| before.ends_with(word));
        let named = reqwest::StatusCode::from_u16(number)
            .ok()
            .and_then(|status| status.canonical_reason())
            .is_some_and(|reason| {
                text[at + 3..]
                    .trim_start()
                    .to_lowercase()
                    .starts_with(&reason.to_lowercase())
            });
        if told || named {
            return Some(number);
        }
    }
    None
}

fn without_prefixes(mut text: &str) -> &str {
    while let Some(rest) = [
        "failed to build: ",
        "failed to solve: ",
        "failed to receive status: ",
    ]
    .iter()
    .find_map(|prefix| text.strip_prefix(prefix))
    {
        text = rest;
    }
    text
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST).collect();
    short.push('…');
    short
}

fn last(lines: &[&str]) -> Vec<String> {
    lines[lines.len().saturating_sub(TAIL)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::Redactor;
    use crate::testing::build_step;

    fn failure(name: &str, error: &str, log: &str, said: &str) -> BuildFailure {
        full(name, error, log, said, true, None)
    }

    fn full(
        name: &str,
        error: &str,
        log: &str,
        said: &str,
        had_cache_from: bool,
        there: Option<bool>,
    ) -> BuildFailure {
        use base64::Engine as _;
        let mut progress = Progress::new(Redactor::default());
        if !name.is_empty() {
            let vertex = serde_json::json!({"vertexes": [{"digest": "v", "name": name, "error": error}],
                "logs": [{"vertex": "v", "data": base64::engine::general_purpose::STANDARD.encode(log)}]});
            progress.feed(&vertex.to_string(), &mut |_| {});
        }
        progress.feed(said, &mut |_| {});
        classify(&Evidence {
            step: &build_step("localhost:5000/acme/tiny"),
            progress: &progress,
            exit_code: Some(1),
            had_cache_from,
            in_context: &|_| there,
        })
    }

    #[test]
    fn a_failed_run() {
        let got = failure(
            "[linux/arm64 stage-0 2/3] RUN npm ci",
            "process \"/bin/sh -c npm ci\" did not complete successfully: exit code: 7",
            "npm error 503 Service Unavailable\n",
            "ERROR: failed to build: failed to solve: process …",
        );
        let class = FailureClass::RunFailed {
            command: "RUN npm ci".into(),
            exit_code: Some(7),
        };
        assert_eq!((&got.class, got.retry), (&class, Retry::Never));
        assert_eq!(got.reason, "`RUN npm ci` failed: exit code 7");
        assert_eq!(got.output, ["npm error 503 Service Unavailable"]);
        assert_eq!(got.exit_code(), ExitCode::Failed);
    }

    #[test]
    fn runs_that_fail_for_another_reason() {
        let run = |log: &str, code: i32| {
            failure(
                "[2/3] RUN x",
                &format!("process \"x\" did not complete successfully: exit code: {code}"),
                log,
                "",
            )
        };
        assert_eq!(
            run("dd: writing: No space left on device\n", 1).class,
            FailureClass::DiskFull
        );
        assert!(run("exec /bin/sh: exec format error\n", 255).hints[0].contains("emulation"));
        assert!(run("Killed\n", 137).hints[0].contains("memory"));
    }

    #[test]
    fn the_table() {
        const PUSH: &str = "exporting to image";
        const META: &str = "[internal] load metadata for docker.io/library/debian:12";
        for (name, error, class) in [
            (
                PUSH,
                "failed to push x: unexpected status from PUT request to https://r/v2/x: 500 Internal Server Error",
                FailureClass::PushTransient,
            ),
            (
                PUSH,
                "failed to push x: unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized",
                FailureClass::PushPermanent,
            ),
            (
                PUSH,
                "failed to push x: unexpected status: 413 Request Entity Too Large",
                FailureClass::PushPermanent,
            ),
            (
                PUSH,
                "failed to push x: unexpected status from POST request to http://r: 400 Bad Request",
                FailureClass::PushPermanent,
            ),
            (PUSH, "toomanyrequests: slow down", FailureClass::PushTransient),
            (
                PUSH,
                "failed to push x: denied: requested access to the resource is denied",
                FailureClass::PushPermanent,
            ),
            (
                PUSH,
                "push access denied, repository does not exist or may require authorization: server message: insufficient_scope",
                FailureClass::PushPermanent,
            ),
            (
                PUSH,
                "failed to authorize: failed to fetch anonymous token: unexpected status: 503 Service Unavailable",
                FailureClass::PushTransient,
            ),
            (
                PUSH,
                "failed to do request: Head \"https://localhost:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused",
                FailureClass::PushTransient,
            ),
            (
                PUSH,
                "failed to do request: Put \"https://r/\": read: connection reset by peer",
                FailureClass::PushTransient,
            ),
            (PUSH, "unknown: something new", FailureClass::Unknown),
            (PUSH, "write /x: no space left on device", FailureClass::DiskFull),
            (
                META,
                "docker.io/library/debian:12: not found",
                FailureClass::BadBase,
            ),
            (
                META,
                "pull access denied, repository does not exist or may require authorization",
                FailureClass::BadBase,
            ),
            (
                META,
                "unexpected status from HEAD request to https://r: 503 Service Unavailable",
                FailureClass::PullTransient,
            ),
            (
                META,
                "failed to do request: Head \"x\": dial tcp: lookup r: i/o timeout",
                FailureClass::PullTransient,
            ),
            (
                META,
                "no match for platform in manifest: not found",
                FailureClass::BadBase,
            ),
            (
                "[2/2] RUN x",
                "failed to copy: httpReadSeeker: failed open: unexpected status code 503 Service Unavailable",
                FailureClass::CacheFromBroken,
            ),
            (
                PUSH,
                "failed to copy: httpReadSeeker: failed open: could not fetch content: not found",
                FailureClass::CacheFromBroken,
            ),
            (
                "[2/2] RUN x",
                "failed to prepare x: parent snapshot y does not exist: not found",
                FailureClass::CacheEvicted,
            ),
            ("[2/2] RUN x", "context canceled", FailureClass::Cancelled),
            (
                "[2/2] RUN x",
                "rpc error: code = Unavailable desc = error reading from server: EOF",
                FailureClass::EngineLost,
            ),
        ] {
            let got = failure(name, error, "", "");
            assert_eq!(got.class, class, "{name}: {error}: {got:?}");
        }
        for (said, class) in [
            (
                "ERROR: failed to build: failed to solve: dockerfile parse error on line 1: unknown instruction: FROMM (did you mean FROM?)",
                FailureClass::Frontend,
            ),
            (
                "ERROR: failed to build: failed to solve: failed to read dockerfile: open nofile: no such file or directory",
                FailureClass::Frontend,
            ),
            (
                "ERROR: Cannot connect to the Docker daemon at unix:///nosock. Is the docker daemon running?",
                FailureClass::EngineLost,
            ),
            ("ERROR: no builder \"nosuch\" found", FailureClass::EngineLost),
            ("ERROR: who knows", FailureClass::Unknown),
            ("", FailureClass::Unknown),
        ] {
            assert_eq!(failure("", "", "", said).class, class, "{said}");
        }
    }

    #[test]
    fn a_broken_layer_without_cache_is_the_base() {
        let text = "failed to copy: httpReadSeeker: failed open: unexpected status code https://r/x: 503 Service Unavailable";
        let got = full("[1/2] FROM x", text, "", "", false, None);
        assert_eq!(got.class, FailureClass::PullTransient);
        let got = full("[1/2] FROM x", text, "", "", true, None);
        assert_eq!(got.retry, Retry::WithoutCacheFrom);
    }

    #[test]
    fn a_missing_source_is_told_from_a_lost_cache() {
        let text = "failed to calculate checksum of ref a::b: \"/etc/x\": not found";
        let copy = "[1/2] COPY etc/x /";
        assert_eq!(failure(copy, text, "", "").class, FailureClass::MissingSource);
        assert_eq!(
            full(copy, text, "", "", true, Some(false)).class,
            FailureClass::MissingSource
        );
        let lost = full(copy, text, "", "", true, Some(true));
        assert_eq!(
            (lost.class, lost.retry),
            (FailureClass::CacheEvicted, Retry::Transient)
        );
        let lost = failure(
            copy,
            "failed to calculate checksum of ref a::b: snapshot x does not exist: not found",
            "",
            "",
        );
        assert_eq!(lost.class, FailureClass::CacheEvicted);
        let stage = full("[1/2] COPY --from=one /x /", text, "", "", true, Some(true));
        assert_eq!(stage.class, FailureClass::MissingSource);
    }

    #[test]
    fn statuses_are_read_where_they_are_said() {
        for (text, number) in [
            ("x: 401 Unauthorized", Some(401)),
            ("unexpected status code 503", Some(503)),
            ("unexpected status: 429 Too Many Requests", Some(429)),
            ("layer of 500 bytes", None),
            ("localhost:443: EOF", None),
            ("sha256:404abc", None),
            ("übergröße 404 not found", Some(404)),
        ] {
            assert_eq!(status(text), number, "{text}");
        }
    }
}
