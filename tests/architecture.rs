//! Dependencies between modules point one way: the table of `docs/architecture.md`, held by reading the sources.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that reads the sources"
)]

use std::collections::BTreeSet;
use std::path::Path;

/// What each module may use. A module that is not listed, or uses what is not listed for it, fails the test.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("failure", &[]),
    ("environment", &[]),
    ("process", &["environment"]),
    ("config", &["domain", "environment"]),
    ("ci", &["config", "domain"]),
    ("credentials", &["environment", "process"]),
    ("digest_cache", &["clock", "domain", "environment"]),
    ("inputs", &["config", "digest_cache", "domain"]),
    ("pace", &["clock", "config", "domain"]),
    (
        "versions",
        &[
            "clock",
            "config",
            "domain",
            "environment",
            "failure",
            "pace",
            "process",
        ],
    ),
    (
        "target",
        &[
            "clock",
            "config",
            "credentials",
            "domain",
            "environment",
            "failure",
            "pace",
            "process",
        ],
    ),
    ("sign", &["config", "domain", "environment", "process"]),
    ("engine", &["domain", "environment", "process"]),
    (
        "reclaim",
        &[
            "clock",
            "digest_cache",
            "domain",
            "engine",
            "environment",
            "process",
        ],
    ),
    ("record", &["domain", "versions"]),
    ("holder", &["record"]),
    (
        "facts",
        &["config", "domain", "inputs", "record", "target", "versions"],
    ),
    (
        "plan",
        &["config", "domain", "facts", "record", "target", "versions"],
    ),
    (
        "buildx",
        &[
            "config",
            "domain",
            "environment",
            "facts",
            "failure",
            "inputs",
            "plan",
            "process",
        ],
    ),
    (
        "smoke",
        &["buildx", "config", "domain", "environment", "plan", "process"],
    ),
    (
        "gather",
        &[
            "buildx",
            "config",
            "digest_cache",
            "domain",
            "engine",
            "environment",
            "facts",
            "holder",
            "inputs",
            "plan",
            "process",
            "record",
            "smoke",
            "target",
            "versions",
        ],
    ),
    (
        "describe",
        &[
            "config",
            "credentials",
            "domain",
            "environment",
            "pace",
            "record",
            "target",
        ],
    ),
    (
        "prune",
        &[
            "config",
            "credentials",
            "domain",
            "environment",
            "gather",
            "pace",
            "record",
            "target",
        ],
    ),
    ("verify", &["config", "domain", "record", "sign", "target"]),
    (
        "execute",
        &[
            "config", "domain", "facts", "gather", "inputs", "plan", "record", "target",
        ],
    ),
    (
        "effects",
        &[
            "buildx",
            "config",
            "describe",
            "digest_cache",
            "domain",
            "engine",
            "environment",
            "execute",
            "failure",
            "holder",
            "inputs",
            "pace",
            "plan",
            "record",
            "sign",
            "smoke",
            "target",
        ],
    ),
    (
        "doctor",
        &[
            "buildx",
            "config",
            "credentials",
            "domain",
            "engine",
            "environment",
            "facts",
            "pace",
            "process",
            "target",
            "versions",
        ],
    ),
    ("init", &["domain", "environment", "inputs", "process"]),
    (
        "report",
        &[
            "clock",
            "config",
            "doctor",
            "domain",
            "environment",
            "execute",
            "plan",
            "prune",
            "reclaim",
            "record",
            "target",
            "verify",
            "versions",
        ],
    ),
];

/// Pure modules: what makes the planner pure may not even name the ways out.
const PURE: &[&str] = &["domain", "facts", "failure", "plan", "record"];
const WAYS_OUT: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "tokio",
    "reqwest",
    "Instant",
    "SystemTime",
];

const HARMLESS: &[&str] = &[
    "std::env::consts",
    "std::process::ExitCode",
    "std::net::Ipv6Addr",
    "reqwest::StatusCode",
    "reqwest::Error",
];

fn sources(path: &Path, found: &mut Vec<(std::path::PathBuf, String)>) {
    let mut entries: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            found.push((entry, text));
        }
    }
}

/// The module that a file belongs to, and its code without comments and tests.
fn code(path: &Path, text: &str) -> Option<(String, String)> {
    let relative = path.strip_prefix("src").ok()?;
    let module = relative
        .iter()
        .next()?
        .to_str()?
        .trim_end_matches(".rs")
        .to_owned();
    let is_test = relative.iter().any(|part| {
        let part = part.to_str().unwrap_or_default().trim_end_matches(".rs");
        part == "tests"
            || part.ends_with("_tests")
            || part == "e2e"
            || part == "fixture"
            || matches!(part, "testing" | "fuzz" | "fuzzing")
    });
    if is_test || matches!(module.as_str(), "main" | "lib" | "cli") {
        return None;
    }
    let text = text.split("#[cfg(test)]\nmod tests {").next()?;
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    Some((module, lines.collect::<Vec<_>>().join("\n")))
}

fn all() -> Vec<(std::path::PathBuf, String, String)> {
    let mut found = Vec::new();
    sources(Path::new("src"), &mut found);
    let all: Vec<_> = found
        .into_iter()
        .filter_map(|(path, text)| code(&path, &text).map(|(module, code)| (path, module, code)))
        .collect();
    assert!(all.len() > 100, "only {} files were read", all.len());
    all
}

fn used(code: &str) -> BTreeSet<String> {
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect::<String>()
    };
    code.split("crate::")
        .skip(1)
        .map(word)
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (path, module, code) in all() {
        let Some((_, may)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!(
                "{}: the module `{module}` is not in the table",
                path.display()
            ));
            continue;
        };
        for other in used(&code) {
            if other != module && !may.contains(&other.as_str()) {
                wrong.push(format!("{}: `{module}` may not use `{other}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_name_no_way_out() {
    let mut wrong = Vec::new();
    for (path, module, code) in all() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for way in WAYS_OUT {
            // Types and constants that are no way out by themselves.
            let code = HARMLESS
                .iter()
                .fold(code.clone(), |code, name| code.replace(name, ""));
            if code.contains(way) {
                wrong.push(format!("{}: `{module}` names `{way}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
