//! What real programs said when they failed: files in `tests/recorded/`, written by `scripts/record-failures`.
//!
//! A file has lines of `name: value`, a line of four dashes, and the output as it came, standard output and standard error in one. What
//! differs from machine to machine and run to run is made the same: hosts, ports, folders, times, digests, names of the engine's own.

use super::{read, variable, witness, write};
use base64::Engine as _;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One failure.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// What is known of it: `about`, `exit`, and the versions of the programs.
    pub(crate) facts: BTreeMap<String, String>,
    /// The output, line by line.
    pub(crate) lines: Vec<String>,
}

impl Recorded {
    /// One of a program that ended with this code.
    pub(crate) fn of(about: &str, exit: Option<i32>, lines: Vec<String>) -> Self {
        let exit = exit.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        let facts = [("about".to_owned(), about.to_owned()), ("exit".to_owned(), exit)];
        Self {
            facts: facts.into(),
            lines,
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Option<i32> {
        self.facts["exit"].parse().ok()
    }

    /// All that was said, as one text.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn parse(text: &str) -> Self {
        let (facts, output) = text.split_once("\n----\n").expect("a line of four dashes");
        let fact = |line: &str| {
            let (name, value) = line.split_once(": ").expect("`name: value`");
            (name.to_owned(), value.to_owned())
        };
        Self {
            facts: facts.lines().map(fact).collect(),
            lines: output.lines().map(str::to_owned).collect(),
        }
    }

    /// Makes what differs from run to run the same. `own` are texts of this run and what stands for them.
    pub(crate) fn normalized(mut self, own: &[(String, &str)]) -> Self {
        let mut seen = Seen::default();
        self.lines = self
            .lines
            .iter()
            .map(|line| match serde_json::from_str::<Value>(line) {
                Ok(mut value @ Value::Object(_)) => {
                    same(&mut value, own, &mut seen);
                    value.to_string()
                }
                _ => seen.text(line, own),
            })
            .collect();
        self
    }

    /// Writes it where [`all`] finds it.
    pub(crate) fn keep(&self, folder: &str, name: &str) {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let text = format!("{}\n----\n{}\n", facts.join("\n"), self.lines.join("\n"));
        write(&place(folder).join(format!("{name}.txt")), text, false);
    }
}

/// Whether failures are to be recorded anew: `SPLITBASE_RECORD`.
pub(crate) fn recording() -> bool {
    variable("SPLITBASE_RECORD").is_some()
}

fn place(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(folder)
}

/// All that was recorded, by name.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that reads the repository's own files"
)]
pub(crate) fn all(folder: &str) -> BTreeMap<String, Recorded> {
    std::fs::read_dir(place(folder))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, Recorded::parse(&read(&path)))
        })
        .collect()
}

/// The versions of these programs: `engine`, `buildx`, `registry`, `git`.
pub(crate) fn versions_of(programs: &[&str]) -> BTreeMap<String, String> {
    let registry = variable("SPLITBASE_TEST_REGISTRY_BIN").unwrap_or_else(|| "docker-registry".to_owned());
    let asked: [(&str, &str, &[&str]); 4] = [
        (
            "engine",
            "docker",
            &["version", "--format", "{{.Server.Version}}"],
        ),
        ("buildx", "docker", &["buildx", "version"]),
        ("registry", &registry, &["--version"]),
        ("git", "git", &["--version"]),
    ];
    let version = Regex::new(r"\d+\.\d+[\w.+~-]*").unwrap();
    asked
        .iter()
        .filter(|(name, ..)| programs.contains(name))
        .map(|(name, program, args)| {
            let said = witness(program, args, &[]);
            let found = version.find(&said).map_or("unknown", |found| found.as_str());
            ((*name).to_owned(), found.to_owned())
        })
        .collect()
}

#[derive(Default)]
struct Seen {
    digests: Vec<String>,
}

impl Seen {
    fn text(&mut self, text: &str, own: &[(String, &str)]) -> String {
        let mut text = text.to_owned();
        for (from, to) in own {
            text = text.replace(from.as_str(), to);
        }
        let digest = Regex::new("[0-9a-f]{64}").unwrap();
        let text = digest.replace_all(&text, |found: &regex::Captures<'_>| {
            let hex = found[0].to_owned();
            let at = self.digests.iter().position(|seen| *seen == hex);
            let at = at.unwrap_or_else(|| {
                self.digests.push(hex);
                self.digests.len() - 1
            });
            format!("{:064x}", at + 1)
        });
        let mut text = text.into_owned();
        for (pattern, same) in [
            // Names of BuildKit's own: refs, sessions, uploads.
            (r"\b[a-z0-9]{25}\b", "0000000000000000000000000"),
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "00000000-0000-0000-0000-000000000000",
            ),
            (
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
                "2026-01-01T00:00:00Z",
            ),
            (r"127\.0\.0\.1:\d+->", "127.0.0.1:40000->"),
            (r"\[::1\]:\d+->", "[::1]:40000->"),
            (r"(?i)\b(lookup \S+) on [0-9a-f.:\[\]]+:53", "$1 on 192.0.2.53:53"),
            (r"_state=[\w%=-]+", "_state=STATE"),
        ] {
            let pattern = Regex::new(pattern).unwrap();
            text = pattern.replace_all(&text, same).into_owned();
        }
        text
    }
}

fn same(value: &mut Value, own: &[(String, &str)], seen: &mut Seen) {
    match value {
        Value::String(text) => *text = seen.text(text, own),
        Value::Array(items) => items.iter_mut().for_each(|item| same(item, own, seen)),
        Value::Object(fields) => {
            // Go writes bytes as base64.
            let engine = base64::engine::general_purpose::STANDARD;
            for (name, field) in fields {
                let bytes = field
                    .as_str()
                    .filter(|_| matches!(name.as_str(), "data" | "short"))
                    .and_then(|text| engine.decode(text).ok())
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                match bytes {
                    Some(text) => *field = engine.encode(seen.text(&text, own)).into(),
                    None => same(field, own, seen),
                }
            }
        }
        _ => {}
    }
}
