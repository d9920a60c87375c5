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
#[path = "classify_tests.rs"]
mod tests;
