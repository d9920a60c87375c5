//! Defaults that the folder suggests.

use crate::domain::{Repository, VariantName};
use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Forges, and the registries that belong to them.
const REGISTRIES: [(&str, &str); 3] = [
    ("github.com", "ghcr.io"),
    ("gitlab.com", "registry.gitlab.com"),
    ("codeberg.org", "codeberg.org"),
];

/// The name of a family in a folder of this name: in lower case, with `-` for what a name may not hold; `family` where nothing is left.
#[must_use]
pub fn name(folder: &str) -> VariantName {
    let lower = folder.to_lowercase();
    let text: String = lower
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._-".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(64)
        .collect();
    let text = text.trim_matches(['.', '_', '-']);
    text.parse().unwrap_or_else(|_| family())
}

#[expect(clippy::expect_used, reason = "a constant that is a name")]
fn family() -> VariantName {
    "family".parse().expect("`family` is a name")
}

/// Where a family's tags may go: the registry of the forge that `origin` of the folder's repository is on, where that is known; else a
/// registry on this machine, so that nothing goes anywhere unasked. Asks `git`.
pub async fn repository(
    folder: &Path,
    name: &VariantName,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Option<Repository> {
    let command = Command::new("git")
        .args(["remote", "get-url", "origin"])
        .within(&environment.for_child(Child::Local))
        .dir(folder);
    let asked = process::output(&command, Some(Duration::from_secs(5)), cancel).await;
    let origin = asked
        .ok()
        .filter(|output| output.ended == Ended::Exited(0))
        .and_then(|output| of_origin(output.stdout.trim()));
    // Components of a path are stricter than names: no `..`, no dash at the end.
    let here = || format!("localhost:5000/{name}").parse().ok();
    origin
        .or_else(here)
        .or_else(|| "localhost:5000/family".parse().ok())
}

/// `git@github.com:Acme/devbox.git`, `https://github.com/acme/devbox`: the repository on that forge's registry.
pub(super) fn of_origin(url: &str) -> Option<Repository> {
    let (host, path) = if url.contains("://") {
        let url = url::Url::parse(url).ok()?;
        (url.host_str()?.to_owned(), url.path().to_owned())
    } else {
        // As `ssh` and `scp` have it: `[USER@]HOST:PATH`.
        let (host, path) = url.split_once(':')?;
        let host = host.rsplit('@').next()?;
        (host.to_owned(), path.to_owned())
    };
    let (_, registry) = REGISTRIES.iter().find(|(forge, _)| *forge == host)?;
    let path = path.trim_matches('/').trim_end_matches(".git").to_lowercase();
    format!("{registry}/{path}").parse().ok()
}
