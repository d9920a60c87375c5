//! The sources of floating versions: each is asked.

use super::check::{Check, Kind};
use crate::config::VersionSource;
use crate::versions::{Context, Resolved, VersionError, resolve, source_text};
use futures_util::StreamExt as _;
use indexmap::IndexMap;
use std::time::Duration;

/// Longest time for one source.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many are asked at once.
const SIDE_BY_SIDE: usize = 16;

/// Asks all sources; each is one check.
pub(super) async fn examine(sources: &IndexMap<String, VersionSource>, context: &Context) -> Vec<Check> {
    let questions: Vec<_> = sources
        .iter()
        .map(|(name, source)| async move {
            let answer = tokio::time::timeout(PATIENCE, resolve(name, source, context)).await;
            judge(name, source, answer.ok().as_ref())
        })
        .collect();
    futures_util::stream::iter(questions)
        .buffered(SIDE_BY_SIDE)
        .collect()
        .await
}

/// The verdict; without an answer, there was none in time.
fn judge(name: &str, source: &VersionSource, answer: Option<&Result<Resolved, VersionError>>) -> Check {
    let check = match answer {
        None => Check::error(
            Kind::Version,
            format!(
                "{}: no answer within {} s",
                source_text(source),
                PATIENCE.as_secs()
            ),
        )
        .mend(mend_entry(name)),
        Some(Err(error)) => {
            let hint = error.hints.first().cloned();
            let hint = hint.unwrap_or_else(|| mend_entry(name));
            Check::error(Kind::Version, error.to_string()).mend(hint)
        }
        Some(Ok(resolved)) => {
            let message = format!("{} from {}", resolved.version, resolved.source);
            match resolved.warnings.first() {
                Some(warning) => Check::warning(Kind::Version, format!("{message}: {warning}"))
                    .mend("name another package or version in `[versions]`"),
                None => Check::ok(Kind::Version, message),
            }
        }
    };
    check.on(name)
}

fn mend_entry(name: &str) -> String {
    format!(
        "see whether its source in `[versions]` is right and can be reached; `--set {name}=VERSION` does without it"
    )
}
