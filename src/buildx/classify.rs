//! What a failed build means: takes what buildx said apart, asks the [table](crate::failure), and finds the words.

use super::failure::{BuildFailure, FailedRun, last};
use super::progress::{Progress, Vertex};
use crate::failure::{self, FailureClass, FailureKind, Place, Source, Symptom};
use crate::plan::BuildStep;

/// Longest reason, in characters.
const LONGEST: usize = 500;

/// What the docker client ends with when it does not understand its command line.
const MISUSED: i32 = 125;

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
        .or_else(|| {
            // The client itself says first what it does not understand, and then how it is used.
            let mut lines = progress.text();
            let line = if evidence.exit_code == Some(MISUSED) {
                lines.next()
            } else {
                lines.next_back()
            };
            line.map(str::to_owned)
        })
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

/// What the table says, and the words for it.
fn verdict(evidence: &Evidence<'_>, vertex: Option<&Vertex>, text: &str) -> BuildFailure {
    let codes: Vec<String> = failure::code(text).map(str::to_owned).into_iter().collect();
    let log = vertex.map_or_else(String::new, joined);
    let source = source_of(evidence, vertex, text);
    let mut symptom = Symptom {
        status: failure::status(text),
        codes: &codes,
        exit_code: evidence.exit_code,
        text,
        log: &log,
        cache_read: evidence.had_cache_from,
        source,
        ..Symptom::at(vertex.map_or(Place::Buildx, Vertex::place))
    };
    let mut failure = BuildFailure::of(&symptom, "");
    let mut logged = None;
    if failure.class == FailureClass::Unknown && symptom.place == Place::Push {
        // The text of a registry's own error hides the status; BuildKit's log of its attempts has it.
        logged = log
            .lines()
            .rev()
            .find(|line| line.contains("unexpected status"))
            .and_then(|line| Some((failure::status(line)?, failure::request(line))));
        if let Some((status, request)) = &logged {
            symptom.status = Some(*status);
            failure = BuildFailure::of(&symptom, "");
            failure.request = failure.request.or_else(|| request.clone());
        }
    }
    failure.reason = match failure.kind {
        FailureKind::Cancelled => "the build was interrupted".to_owned(),
        FailureKind::CacheBroken => format!("a layer of the build cache cannot be read: {text}"),
        FailureKind::CacheEvicted | FailureKind::MissingSource if is_checksum(text) => {
            source_reason(evidence, vertex, text, source)
        }
        FailureKind::DiskFull | FailureKind::RunFailed if failure.rule.starts_with("run-") => {
            let run = failed_run(vertex, text);
            let reason = run_reason(failure.kind, &run, text);
            failure.run = Some(run);
            reason
        }
        _ => format!("{}{text}", attempted(evidence, vertex)),
    };
    if let Some((status, _)) = logged {
        failure.reason = format!("{} (status {status})", failure.reason);
    }
    failure
}

fn joined(vertex: &Vertex) -> String {
    let lines: Vec<&str> = vertex.tail.iter().map(String::as_str).collect();
    lines.join("\n")
}

/// What was being done, with a colon; empty where that cannot be told.
fn attempted(evidence: &Evidence<'_>, vertex: Option<&Vertex>) -> String {
    match vertex.map(Vertex::place) {
        Some(Place::Layout) => "export the image into the layout: ".to_owned(),
        Some(Place::Push) => format!(
            "push `{}`: ",
            evidence.step.repository.with_tag(&evidence.step.staging)
        ),
        _ => vertex.map_or_else(String::new, |vertex| format!("{}: ", vertex.name)),
    }
}

fn failed_run(vertex: Option<&Vertex>, text: &str) -> FailedRun {
    let name = vertex.map_or("", |vertex| vertex.name.as_str());
    FailedRun {
        command: name
            .split_once("] ")
            .map_or(name, |(_, command)| command)
            .to_owned(),
        exit_code: text.rsplit_once("exit code: ").and_then(|(_, code)| {
            let digits = code.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        }),
    }
}

fn run_reason(kind: FailureKind, run: &FailedRun, text: &str) -> String {
    let how = match run.exit_code {
        _ if kind == FailureKind::DiskFull => "no space left on device".to_owned(),
        Some(code) => format!("exit code {code}"),
        None => text
            .rsplit_once("did not complete successfully: ")
            .map_or_else(|| text.to_owned(), |(_, how)| how.to_owned()),
    };
    format!("`{}` failed: {how}", shortened(&run.command))
}

fn is_checksum(text: &str) -> bool {
    text.to_lowercase().contains("failed to calculate checksum")
}

/// The path in quotes that a text says was not found.
fn lost_path(text: &str) -> Option<&str> {
    let (_, path) = text
        .strip_suffix(": not found")?
        .strip_suffix('"')?
        .rsplit_once('"')?;
    Some(path)
}

/// The same words are said of a source that does not exist and of a cache that was collected while the build ran. A path stands in quotes; a
/// path that is there was not missing.
fn source_of(evidence: &Evidence<'_>, vertex: Option<&Vertex>, text: &str) -> Source {
    if !is_checksum(text) {
        return Source::NotSeen;
    }
    let Some(path) = lost_path(text) else {
        return Source::Unnamed;
    };
    if vertex.is_some_and(|vertex| vertex.name.contains("--from=")) {
        Source::OtherImage
    } else if (evidence.in_context)(path.trim_start_matches('/')) == Some(true) {
        Source::There
    } else {
        Source::NotSeen
    }
}

fn source_reason(evidence: &Evidence<'_>, vertex: Option<&Vertex>, text: &str, source: Source) -> String {
    let name = vertex.map_or("", |vertex| vertex.name.as_str());
    let path = lost_path(text).unwrap_or_default();
    let relative = path.trim_start_matches('/');
    let instruction = shortened(name.split_once("] ").map_or(name, |(_, rest)| rest));
    match source {
        Source::Unnamed => format!("{name}: {text}"),
        Source::OtherImage => {
            format!("`{instruction}`: `{path}` is not there in the image or stage that it copies from")
        }
        Source::There => {
            format!("`{instruction}`: the builder lost `{relative}`, which is in the build context")
        }
        Source::NotSeen => format!(
            "`{instruction}`: there is no `{relative}` in the build context `{}`",
            evidence.step.context
        ),
    }
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
