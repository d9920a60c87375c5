//! What the engine holds that can go: build cache, and images that tests have left.

use super::YOUNG_IMAGE;
use super::item::{Item, Kind, Removal};
use crate::domain::ByteSize;
use crate::engine::{last_line, with};
use crate::environment::Environment;
use crate::process::{self, Command, Ended};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that one question may take: an engine counts for long where it holds much.
const PATIENCE: Duration = Duration::from_secs(120);
/// Names of the images that splitbase loads for tests begin so, as `smoke` makes them.
pub(super) const LOADED: &str = "localhost/splitbase-smoke";

/// Runs `docker`, and gives what it prints; or why it failed, in one line.
pub(super) async fn docker(
    args: &[&str],
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<String, String> {
    let command = with(Command::new("docker").args(args.iter().copied()), environment);
    let output = process::output(&command, Some(PATIENCE), cancel)
        .await
        .map_err(|error| error.to_string())?;
    match output.ended {
        Ended::Exited(0) => Ok(output.stdout),
        Ended::TimedOut => Err(format!(
            "`docker {}` did not end within {} s",
            args.join(" "),
            PATIENCE.as_secs()
        )),
        _ => Err(last_line(&output.stderr).to_owned()),
    }
}

/// What no image needs of the builder's cache.
pub(super) async fn build_cache(
    builder: Option<&str>,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<Vec<Item>, String> {
    let mut args = vec!["buildx", "du"];
    args.extend(builder.iter().flat_map(|builder| ["--builder", builder]));
    let text = docker(&args, environment, cancel).await?;
    let bytes = reclaimable(&text).ok_or("`docker buildx du` names no `Reclaimable:`")?;
    if bytes == 0 {
        return Ok(Vec::new());
    }
    let name = builder.map_or_else(
        || "build cache of the builder in use".to_owned(),
        |builder| format!("build cache of `{builder}`"),
    );
    let why = "the next builds take longer without it: `docker buildx prune`";
    let removal = Removal::Prune(builder.map(str::to_owned));
    Ok(vec![Item::new(Kind::BuildCache, name, Some(bytes), why, removal)])
}

/// The line `Reclaimable: 937.7MB` at the end of `docker buildx du`.
pub(super) fn reclaimable(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("Reclaimable:"))?;
    size(line)
}

/// A size as docker writes it: `8.192kB`, `0B`, `1.2GB`.
pub(super) fn size(text: &str) -> Option<u64> {
    text.trim().parse().ok().map(|ByteSize(bytes)| bytes)
}

/// A line of `docker image ls`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(rename = "ID")]
    id: String,
    repository: String,
    tag: String,
    size: String,
}

/// Images that tests have left, and those without a name.
pub(super) async fn images(
    environment: &Environment,
    cancel: &CancellationToken,
) -> Result<Vec<Item>, String> {
    let all = ["image", "ls", "--no-trunc", "--format", "{{json .}}"];
    let nameless = [
        "image",
        "ls",
        "--no-trunc",
        "--filter",
        "dangling=true",
        "--format",
        "{{json .}}",
    ];
    let (all, nameless) = tokio::try_join!(
        docker(&all, environment, cancel),
        docker(&nameless, environment, cancel)
    )?;
    let mut items = Vec::new();
    for image in listed(&all)? {
        let name = format!("{}:{}", image.repository, image.tag);
        if !image.repository.starts_with(LOADED) || image.tag == "<none>" {
            continue;
        }
        let kept = image.repository == LOADED;
        if !kept && is_young(&name, environment, cancel).await {
            continue;
        }
        let why = if kept {
            "kept after its test, to look inside"
        } else {
            "loaded for a test that was killed"
        };
        items.push(Item::new(
            Kind::Image,
            &name,
            size(&image.size),
            why,
            Removal::Image(name.clone()),
        ));
    }
    let mut known = BTreeSet::new();
    for image in listed(&nameless)? {
        if known.insert(image.id.clone()) {
            let why = "has no name any more";
            let bytes = size(&image.size);
            items.push(Item::new(
                Kind::Image,
                &image.id,
                bytes,
                why,
                Removal::Image(image.id.clone()),
            ));
        }
    }
    Ok(items)
}

pub(super) fn listed(text: &str) -> Result<Vec<Listed>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|error| format!("`docker image ls`: {error}")))
        .collect()
}

/// Whether an image may be that of a test that runs. One of which the engine does not say when it got its name counts as that.
async fn is_young(name: &str, environment: &Environment, cancel: &CancellationToken) -> bool {
    let question = [
        "image",
        "inspect",
        "--format",
        "{{json .Metadata.LastTagTime}}",
        name,
    ];
    let Ok(answer) = docker(&question, environment, cancel).await else {
        return true;
    };
    let named = answer.trim().trim_matches('"').parse::<Timestamp>();
    named.map_or(true, |named| {
        crate::clock::now_exactly().duration_since(named).unsigned_abs() < YOUNG_IMAGE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_writes_them() {
        let text = "ID\tRECLAIMABLE\tSIZE\nx\ttrue\t1MB\nShared:\t\t11.58MB\nReclaimable:\t937.7MB\nTotal:\t\t949.2MB\n";
        assert_eq!(reclaimable(text), Some(937_700_000));
        assert_eq!(reclaimable("Total: 3MB"), None);
        assert_eq!(size("8.192kB"), Some(8_192));
        assert_eq!(size("0B"), Some(0));
        assert_eq!(size("N/A"), None);
    }
}
