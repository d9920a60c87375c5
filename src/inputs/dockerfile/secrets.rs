//! Secrets in a Dockerfile: `ARG` and `ENV` stand in the image's history, for all to read.

use super::check::{Checks, Problem};
use super::references::declared;
use super::stages::stages;
use crate::config::{looks_harmless, looks_like_secret, looks_like_token};
use crate::domain::Platform;
use std::collections::BTreeSet;

/// Whether a name is that of a secret: not of where it is (`NPM_TOKEN_FILE`), or of one that is public.
fn is_secret(name: &str) -> bool {
    looks_like_secret(name) && !looks_harmless(name)
}

/// Names and values that are secrets, in the stages that are built and before the first `FROM`.
pub(super) fn secrets(checks: &Checks<'_>, problems: &mut Vec<Problem>) {
    let native = Platform::native();
    let platform = checks.scope.platforms.first().unwrap_or(&native);
    let stages = stages(checks.file, &checks.scope, Some(platform));
    let reached = stages.iter().filter(|stage| stage.reached);
    let before = checks
        .file
        .instructions
        .iter()
        .take_while(|instruction| instruction.keyword != "FROM");
    let all = before.chain(reached.flat_map(|stage| stage.commands.iter().map(AsRef::as_ref)));
    let mut told = BTreeSet::new();
    for instruction in all {
        let pairs: Vec<(String, Option<String>)> = match instruction.keyword.as_str() {
            "ARG" => {
                let words = instruction.words();
                let pair = |word: &String| {
                    let (name, value) = declared(word);
                    (name.to_owned(), value.map(str::to_owned))
                };
                words.iter().map(pair).collect()
            }
            "ENV" => {
                let pairs = instruction.pairs().into_iter();
                pairs.map(|(name, value)| (name, Some(value))).collect()
            }
            _ => continue,
        };
        for (name, value) in pairs {
            let keyword = &instruction.keyword;
            let value = value.as_deref().map(|value| value.trim_matches(['"', '\'']));
            let harmless = keyword == "ENV"
                && value.is_some_and(|value| {
                    matches!(
                        value.to_ascii_lowercase().as_str(),
                        "" | "0" | "1" | "true" | "false" | "yes" | "no" | "on" | "off"
                    )
                });
            let message = if value.is_some_and(looks_like_token) {
                format!("the value of `{keyword} {name}` looks like a secret, and can be read in the image")
            } else if is_secret(&name) && !harmless {
                format!("`{keyword} {name}` looks like a secret, and can be read in the image")
            } else {
                continue;
            };
            if told.insert((instruction.of_base, instruction.line, message.clone())) {
                let id = name.to_ascii_lowercase();
                problems.push(checks.problem(
                    instruction,
                    message,
                    format!(
                        "use `[build] secrets = [{{ id = \"{id}\", env = \"{name}\" }}]` and `RUN --mount=type=secret,id={id}`"
                    ),
                ));
            }
        }
    }
}
