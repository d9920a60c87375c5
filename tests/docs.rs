//! Keeps the documents in step with the program: the reference of the command line is rendered from its declaration, examples of JSON are read back
//! into the types that write them, and whatever file a document names must exist. `SPLITBASE_UPDATE_DOCS=1 cargo test --test docs` writes what is rendered.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that reads the repository's own files, and fails where it cannot"
)]

use clap::{Arg, Command, CommandFactory as _};
use serde_json::Value;
use splitbase::cli::args::Cli;
use splitbase::domain::ExitCode;
use splitbase::failure::{Place, Rule, Sign, Source};
use splitbase::plan::Plan;
use splitbase::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("read `{path}`: {error}"))
}

// --------------------------------------------------------------------------------------------- the command line

/// The reference of the command line, as the declaration of its arguments has it.
fn command_line() -> String {
    let mut command = Cli::command();
    command.build();
    let mut page = String::from(
        "# Command line\n\nRendered from the program's own declaration by `SPLITBASE_UPDATE_DOCS=1 cargo test --test docs`. Each flag can be given by its \
        variable instead; a flag goes before its variable, and both before `variants.toml`. Where a flag may be given more than once, its variable holds \
        values with commas between them.\n\nData goes to standard output, everything else to standard error. What the process ends with: \
        [exit codes](exit-codes.md).\n\n| command | |\n| --- | --- |\n",
    );
    for sub in command.get_subcommands() {
        let _ = writeln!(
            page,
            "| [`{name}`](#splitbase-{name}) | {} |",
            about(sub),
            name = sub.get_name()
        );
    }
    page.push_str("\n## Flags of every command\n\n");
    page.push_str(&table(&command, |_| true));
    for sub in command.get_subcommands_mut() {
        let usage = sub.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        let _ = write!(
            page,
            "\n## `splitbase {}`\n\n{}.\n\n```text\n{usage}\n```\n",
            sub.get_name(),
            about(sub)
        );
        let own = table(sub, |arg| !arg.is_global_set());
        if !own.is_empty() {
            let _ = write!(page, "\n{own}");
        }
    }
    page.push_str(OTHER_VARIABLES);
    page
}

const OTHER_VARIABLES: &str = "
## Other variables

| variable | |
| --- | --- |
| `SPLITBASE_USERNAME`, `SPLITBASE_PASSWORD` | credentials for the host of the family's repository, before those of `docker login`. No child process gets the variable: docker gets the credential [through a private folder](../decisions/private-docker-config.md) |
| `DOCKER_CONFIG`, `DOCKER_AUTH_CONFIG`, `DOCKER_HOST` | as docker has them: where the login state is (`auths`, `credHelpers`, `credsStore`), and which engine |
| `XDG_RUNTIME_DIR`, `TMPDIR` | where that private folder is made: the first that there is, else `/tmp` |
| `BUILDX_BUILDER` | the builder, where `--builder` names none |
| `BUILDKIT_PROGRESS` | `plain` or `quiet`: how progress is shown, where `--progress` is `auto` |
| `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM` | whether colour is used, where `--color` is `auto` |
| `CI`, `GITHUB_ACTIONS`, `GITEA_ACTIONS` | plain lines, groups, annotations |
| `GITHUB_OUTPUT`, `GITHUB_STEP_SUMMARY` | files that get outputs and a summary |
| `GITHUB_REF_TYPE`, `GITHUB_REF_NAME` | the version, where none is given and a tag was pushed |
| `SPLITBASE_HUB_URL` | another address of Docker Hub's API, see [describe](describe.md#docker-hub) |
| `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY` | proxies; never for loopback |
| `NPM_CONFIG_REGISTRY` and others of npm | see [versions](versions.md#npm) |
";

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn table(command: &Command, wanted: impl Fn(&Arg) -> bool) -> String {
    let rows: Vec<String> = command
        .get_arguments()
        .filter(|arg| !matches!(arg.get_id().as_str(), "help" | "version") || arg.is_positional())
        .filter(|arg| wanted(arg))
        .map(row)
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "| flag | variable | default | |\n| --- | --- | --- | --- |\n{}",
        rows.concat()
    )
}

fn row(arg: &Arg) -> String {
    let value = arg.get_value_names().unwrap_or_default().join(" ");
    let flag = match (arg.get_short(), arg.get_long()) {
        (_, None) => format!("`{value}`"),
        (short, Some(long)) => {
            let short = short.map_or_else(String::new, |short| format!("-{short}, "));
            let takes = arg.get_action().takes_values();
            let value = if takes { format!(" {value}") } else { String::new() };
            format!("`{short}--{long}{value}`")
        }
    };
    let variable = arg
        .get_env()
        .map_or_else(String::new, |name| format!("`{}`", name.to_string_lossy()));
    let takes = arg.get_action().takes_values();
    let default: Vec<_> = arg
        .get_default_values()
        .iter()
        .filter(|_| takes)
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let mut meaning = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter(|_| takes)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !possible.is_empty() {
        let _ = write!(meaning, ": {}", possible.join(", "));
    }
    let cells = [flag, variable, default.join(", "), meaning].map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn the_reference_of_the_command_line_is_what_the_program_understands() {
    let path = "docs/reference/cli.md";
    let rendered = command_line();
    if std::env::var_os("SPLITBASE_UPDATE_DOCS").is_some() {
        std::fs::write(root().join(path), &rendered).unwrap();
    }
    assert!(
        read(path) == rendered,
        "`{path}` is out of step: SPLITBASE_UPDATE_DOCS=1 cargo test --test docs"
    );
}

// --------------------------------------------------------------------------------------------- the table of failures

const FAILURES: &str = "# Failures

What each failure means: rendered from the table in `src/failure/table/` by `SPLITBASE_UPDATE_DOCS=1 cargo test --test docs`. Requests to registries, builds by buildx and \
sources of versions go through this one table; the first line that fits decides. Why it is so: [one table of failures](../decisions/failures.md).

- *transient*: tried again as [`[retry]`](variants-toml.md) says. A layer of an imported cache that cannot be read is the exception: the image is built once more at once, without that cache.
- *permanent*: not tried again. A failed `RUN` is only if `[retry] build` says so.
- *unknown*: what no line knows. Not tried again; the last lines of what was said are shown.

A status counts where an answer or a text has one, whatever words stand beside it. Texts are looked for in lower case. Queries are cut from URLs, wherever one is shown: they carry upload state and signatures.

`tests/recorded/` holds what the real programs said at each of these failures, with their versions. `scripts/record-failures` brings them about anew, on a real engine, behind a server that fails; each run of the tests does so for one of each class.
";

/// The table of failures, as the program has it.
fn failures() -> String {
    let parts = ["Requests to a registry", "Builds", "Sources of versions"];
    let mut lists: Vec<&[&str]> = Vec::new();
    let mut page = FAILURES.to_owned();
    for title in parts {
        let _ = write!(
            page,
            "\n## {title}\n\n| rule | where | what is seen | class | what to do |\n| --- | --- | --- | --- | --- |\n"
        );
        let part_of = |rule: &Rule| match rule.at[0] {
            Place::RegistryRead | Place::RegistryWrite => parts[0],
            Place::NpmDocument | Place::NpmTarball | Place::GitRefs | Place::Command | Place::Version => {
                parts[2]
            }
            _ => parts[1],
        };
        for rule in splitbase::failure::rules().filter(|rule| part_of(rule) == title) {
            let places = if rule.at.len() > 5 && title == parts[1] {
                "anywhere in a build".to_owned()
            } else {
                let words: Vec<&str> = rule.at.iter().map(|place| place.word()).collect();
                words.join("; ")
            };
            let signs: Vec<String> = rule.signs.iter().map(|sign| seen(sign, &mut lists)).collect();
            let signs = if signs.is_empty() {
                "any".to_owned()
            } else {
                signs.join(", **and** ")
            };
            let _ = writeln!(
                page,
                "| {} | {places} | {} | {} | {} |",
                rule.name,
                signs.replace('|', "\\|"),
                rule.class.word(),
                rule.mend
            );
        }
    }
    page.push_str("\n## Lists of texts\n");
    for (index, list) in lists.iter().enumerate() {
        let texts: Vec<String> = list.iter().map(|text| format!("`{text}`")).collect();
        let _ = write!(page, "\n{}. {}", index + 1, texts.join(", "));
    }
    page.push('\n');
    page
}

/// What a sign is in words; long lists of texts go to the end of the page.
fn seen(sign: &Sign, lists: &mut Vec<&'static [&'static str]>) -> String {
    let mut texts = |list: &'static [&'static str]| {
        if list.len() < 9 {
            let quoted: Vec<String> = list.iter().map(|text| format!("`{}`", text.trim())).collect();
            return quoted.join(" or ");
        }
        let at = lists.iter().position(|known| *known == list).unwrap_or_else(|| {
            lists.push(list);
            lists.len() - 1
        });
        format!("any of [list {}](#lists-of-texts)", at + 1)
    };
    match sign {
        Sign::Status(ranges) => {
            let shown: Vec<String> = ranges
                .iter()
                .map(|(from, to)| {
                    if from == to {
                        from.to_string()
                    } else {
                        format!("{from}–{to}")
                    }
                })
                .collect();
            format!("status {}", shown.join(", "))
        }
        Sign::Code(codes) => format!("code {}", texts(codes)),
        Sign::Trouble(troubles) => {
            let words: Vec<&str> = troubles.iter().map(|trouble| trouble.word()).collect();
            words.join("; ")
        }
        Sign::Exit(code) => format!("exit code {code}"),
        Sign::Is(text) => format!("it says just `{text}`"),
        Sign::Says(list) => format!("it says {}", texts(list)),
        Sign::Logs(list) => format!("it, or its log, says {}", texts(list)),
        Sign::CacheRead => "cache was imported".to_owned(),
        Sign::Source(source) => match source {
            Source::Unnamed => "the text names no path",
            Source::OtherImage => "the source is of another stage or image",
            Source::There => "the source is in the context, and no ignore file keeps it out",
            Source::NotSeen => "the source is not in the context",
        }
        .to_owned(),
    }
}

#[test]
fn the_reference_of_failures_is_the_table() {
    let path = "docs/reference/failures.md";
    let rendered = failures();
    if std::env::var_os("SPLITBASE_UPDATE_DOCS").is_some() {
        std::fs::write(root().join(path), &rendered).unwrap();
    }
    assert!(
        read(path) == rendered,
        "`{path}` is out of step: SPLITBASE_UPDATE_DOCS=1 cargo test --test docs"
    );
}

// ------------------------------------------------------------------------------------------------- exit codes

/// Every exit code. The match fails to compile when one is added.
fn exit_codes() -> Vec<u8> {
    use ExitCode::{
        CutOff, Done, Failed, Interrupted, PushFailed, Refused, SmokeFailed, SomethingToDo, Unknown, Usage,
    };
    let all = [
        Done,
        Failed,
        Usage,
        SmokeFailed,
        SomethingToDo,
        Unknown,
        PushFailed,
        Refused,
        CutOff,
        Interrupted,
    ];
    for code in all {
        match code {
            Done | Failed | Usage | SmokeFailed | SomethingToDo | Unknown | PushFailed | Refused | CutOff
            | Interrupted => {}
        }
    }
    all.map(ExitCode::code).to_vec()
}

/// The numbers in the first column of the tables of a section.
fn numbers(page: &str) -> Vec<u8> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()?.trim().parse().ok())
        .collect()
}

#[test]
fn every_exit_code_is_told() {
    assert_eq!(numbers(&read("docs/reference/exit-codes.md")), exit_codes());
    let readme = read("README.md");
    let section = readme.split("## Exit codes").nth(1).unwrap();
    assert_eq!(
        numbers(section.split("\n## ").next().unwrap()),
        exit_codes(),
        "README.md"
    );
    let help = Cli::command().render_long_help().to_string();
    let told = help.split("Exit codes:").nth(1).unwrap();
    for code in exit_codes() {
        assert!(
            told.split([',', ' ', '\n']).any(|word| word.parse() == Ok(code)),
            "{code} in --help"
        );
    }
}

// -------------------------------------------------------------------------------------------------------- JSON

/// The text of the code blocks of this kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let open = format!("```{kind}\n");
    page.split(open.as_str())
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .collect()
}

fn json_of(path: &str, kind: &str) -> Value {
    let page = read(path);
    let found = blocks(&page, kind);
    assert_eq!(found.len(), 1, "one `{kind}` block in `{path}`");
    serde_json::from_str(found[0]).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// Names of all keys; not those of tables whose keys are names of somebody's own.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    const OWN: [&str; 9] = [
        "versions",
        "upstream",
        "points",
        "args",
        "contexts",
        "labels",
        "annotations",
        "env",
        "env_open",
    ];
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                into.insert(key.clone());
                match value {
                    Value::Object(own) if OWN.contains(&key.as_str()) => {
                        own.values().for_each(|value| keys(value, into));
                    }
                    value => keys(value, into),
                }
            }
        }
        Value::Array(array) => array.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

fn every_key_is_described(path: &str, document: &Value) {
    let page = read(path);
    let mut names = BTreeSet::new();
    keys(document, &mut names);
    let missing: Vec<_> = names
        .iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "`{path}` says nothing of {missing:?}");
}

#[test]
fn the_record_is_as_documented() {
    let path = "docs/reference/record.md";
    let document = json_of(path, "json record");
    let record: Record = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), document);
    every_key_is_described(path, &document);
    let page = read(path);
    for state in ["planned", "publishing", "done", "not-promoted", "failed"] {
        assert!(page.contains(&format!("| `{state}` |")), "{state}");
    }
}

#[test]
fn the_plan_is_as_documented() {
    let path = "docs/reference/plan.md";
    let document = json_of(path, "json plan");
    let plan: Plan = serde_json::from_value(document.clone()).unwrap();
    let mut written = serde_json::to_value(&plan).unwrap();
    // The record in it has a page of its own.
    assert_eq!(document["record"], Value::Null);
    written["record"] = Value::Null;
    assert_eq!(written, document);
    every_key_is_described(path, &document);
}

#[test]
fn other_documents_describe_every_key_that_they_show() {
    let path = "docs/reference/json.md";
    let page = read(path);
    let shown = blocks(&page, "json");
    assert_eq!(shown.len(), 6, "hash, explain, release, status, doctor and init");
    for block in shown {
        every_key_is_described(path, &serde_json::from_str(block).unwrap());
    }
}

// ------------------------------------------------------------------------------------------------- what is named

fn documents() -> Vec<PathBuf> {
    let mut found = vec!["README.md".into(), "CHANGELOG.md".into()];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The page without its code blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let lines = page.lines().filter(|line| {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            return false;
        }
        !inside
    });
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// The anchors of a page's headings, as GitHub and Gitea make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        text.chars()
            .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
            .map(|char| if char == ' ' { '-' } else { char })
            .collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for path in documents() {
        let text = prose(&read(path.to_str().unwrap()));
        for rest in text.split("](").skip(1) {
            let Some(link) = rest.split(')').next() else {
                continue;
            };
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            let there = root().join(&target);
            if !there.exists() {
                wrong.push(format!("{}: {link}", path.display()));
            } else if !anchor.is_empty()
                && !anchors(&prose(&std::fs::read_to_string(there).unwrap())).contains(anchor)
            {
                wrong.push(format!("{}: no heading for {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every page can be come to from the README or from `docs/README.md`.
#[test]
fn every_page_is_listed() {
    let listed = read("docs/README.md");
    for path in documents() {
        if let Ok(inside) = path.strip_prefix("docs") {
            let inside = inside.to_str().unwrap();
            assert!(
                inside == "README.md" || listed.contains(&format!("({inside})")),
                "docs/README.md: {inside}"
            );
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    const FOLDERS: [&str; 6] = ["src/", "docs/", "scripts/", "examples/", "tests/", ".ci/"];
    let mut wrong = Vec::new();
    for path in documents() {
        let text = prose(&read(path.to_str().unwrap()));
        for code in text.split('`').skip(1).step_by(2) {
            // A command names a file as its first word, and may go on.
            let name = code.split_whitespace().next().unwrap_or_default();
            let ours = FOLDERS.iter().any(|folder| name.starts_with(folder));
            let pattern = name.contains(['*', '{', '<', '…']);
            // What a family has, in examples of `variants.toml`.
            let of_a_family = root().join("examples/tiny").join(name).exists();
            if ours && !pattern && !of_a_family && !root().join(name).exists() {
                wrong.push(format!("{}: `{name}`", path.display()));
            }
        }
    }
    wrong.retain(|name| !name.ends_with("`scripts/v`") && !name.ends_with("`scripts/tool-version`"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What each module may use, as `tests/architecture.rs` has it.
fn may_use() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("tests/architecture.rs");
    let table = text.split("const MAY_USE").nth(1).unwrap();
    let table = table.split("\n];").next().unwrap();
    let entries = table.split("= &[").nth(1).unwrap().split('(').skip(1);
    entries
        .map(|entry| {
            let mut names = entry.split('"').skip(1).step_by(2).map(str::to_owned);
            (names.next().unwrap(), names.collect())
        })
        .collect()
}

#[test]
fn the_table_of_modules_is_whole() {
    let page = read("docs/architecture.md");
    let section = page.split("## Modules").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut told = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let quoted =
            |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        let uses: BTreeSet<String> = quoted(cells.last().unwrap()).into_iter().collect();
        told.insert(quoted(cells[0])[0].clone(), uses);
    }
    let lib = read("src/lib.rs");
    let declared = lib.lines().filter_map(|line| {
        let rest = line
            .strip_prefix("pub mod ")
            .or_else(|| line.strip_prefix("mod "))?;
        rest.strip_suffix(';').map(str::to_owned)
    });
    assert_eq!(
        told.keys().cloned().collect::<BTreeSet<_>>(),
        declared.collect::<BTreeSet<_>>()
    );
    // These may use everything.
    told.retain(|name, _| !matches!(name.as_str(), "cli" | "fuzzing" | "testing"));
    assert_eq!(told, may_use());
}

#[test]
fn the_example_is_the_one_in_the_repository() {
    assert_eq!(
        blocks(&read("README.md"), "toml"),
        [read("examples/tiny/variants.toml").trim_end()]
    );
}

#[test]
fn the_change_log_knows_this_version() {
    let heading = format!("## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").contains(&heading), "{heading}");
}

#[test]
fn no_dependency_is_named_that_is_not_there() {
    let manifest = read("Cargo.toml");
    for path in ["README.md", "docs/decisions/retry.md"] {
        for name in ["backoff", "backon", "oci-client"] {
            assert!(
                !manifest.contains(&format!("\n{name} =")),
                "`{path}` says that {name} is not used"
            );
        }
    }
}
