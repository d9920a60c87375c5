//! What a failed build means, and whether another attempt can succeed. Texts are `BuildKit`'s and the registries' own, so this is a table
//! ([`super::rules`]): what it does not know is never tried again.

use super::failure::{BuildFailure, FailureClass, last};
use super::progress::{Progress, Vertex};
use super::rules::{PASSING, RULES, Rule};
use super::status::status;
use super::vertex_kind::VertexKind;
use crate::plan::BuildStep;

/// Longest reason, in characters.
const LONGEST: usize = 500;

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
    // What is the reason need not be said twice.
    let says_it = |line: &String| {
        line.strip_prefix("ERROR: ")
            .is_some_and(|text| failure.reason.contains(without_prefixes(text)))
    };
    failure.output.retain(|line| !says_it(line));
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
        Some(VertexKind::ImageExport)
            if vertex.is_some_and(|vertex| vertex.name.starts_with("exporting to oci image format")) =>
        {
            "export the image into the layout: ".to_owned()
        }
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
        // The text of a registry's own error hides the status; BuildKit's log of its attempts has it.
        let logged = vertex
            .filter(|_| kind == Some(VertexKind::ImageExport))
            .and_then(|vertex| {
                let line = vertex
                    .tail
                    .iter()
                    .rev()
                    .find(|line| line.contains("unexpected status"))?;
                status(line)
            });
        if let (Some(status), Some(class)) = (logged, by_status(kind, logged)) {
            return BuildFailure::new(class, format!("{reason} (status {status})"));
        }
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

fn without_prefixes(mut text: &str) -> &str {
    while let Some(rest) = [
        "failed to build: ",
        "failed to solve: ",
        "failed to receive status: ",
        "failed to run Build function: ",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildx::Redactor;
    use crate::buildx::Retry;
    use crate::domain::ExitCode;
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
            (
                PUSH,
                "image \"localhost:5000/acme/tiny:base-staging\": already exists",
                FailureClass::PushTransient,
            ),
            (
                PUSH,
                "tag invalid: The image tag \"v1\" already exists in the repository and cannot be overwritten",
                FailureClass::Unknown,
            ),
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
    fn a_status_that_only_the_log_has() {
        let push = |log: &str, error: &str| failure("exporting to image", error, log, "");
        let line = "error: failed commit on ref \"x\": unexpected status from PUT request to http://r/v2/x/manifests/t: 500 Internal Server Error\n";
        let got = push(line, "failed to push r/x:t: unknown: unknown error");
        assert_eq!(got.class, FailureClass::PushTransient);
        assert!(
            got.reason.ends_with("unknown: unknown error (status 500)"),
            "{got:?}"
        );
        assert_eq!(
            push("", "failed to push r/x:t: unknown: unknown error").class,
            FailureClass::Unknown
        );
        assert_eq!(
            push(line, "failed to push r/x:t: denied: no").class,
            FailureClass::PushPermanent
        );
    }

    #[test]
    fn a_pinned_base_is_a_base() {
        let name = "[context debian:13] docker.io/library/debian:13@sha256:0123";
        let got = failure(
            name,
            "unexpected status from GET request to http://r/v2/x: 503 Busy",
            "",
            "",
        );
        assert_eq!(got.class, FailureClass::PullTransient);
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
}
