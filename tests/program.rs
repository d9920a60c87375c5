//! The program as it is called, where no engine is needed: help, completions, workflows, and the action that installs it.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests stand outside of the program's layers, and end by panicking"
)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn splitbase(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_splitbase"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPLITBASE_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Exit code, standard output, standard error.
fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    said(&splitbase(folder).args(args).output().unwrap())
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A repository with a family at its top.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tiny/variants.toml");
    std::fs::copy(example, folder.path().join("variants.toml")).unwrap();
    folder
}

fn read(folder: &Path, path: &str) -> String {
    std::fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("read `{path}`: {error}"))
}

// ----------------------------------------------------------------------------------------------- help

const SCREEN: (usize, usize) = (24, 80);

#[test]
fn the_first_page_of_help_fits_a_screen_and_leads_with_what_people_need() {
    let here = Path::new(".");
    let (code, page, _) = run(here, &["--help"]);
    assert_eq!(code, 0);
    assert!(page.lines().count() <= SCREEN.0, "{page}");
    assert!(
        page.lines().all(|line| line.chars().count() <= SCREEN.1),
        "{page}"
    );
    assert_eq!(run(here, &["-h"]).1, page);
    let commands: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect();
    let first = ["plan", "release", "validate", "promote", "recover"];
    let led: Vec<&str> = commands
        .iter()
        .copied()
        .take_while(|name| first.contains(name))
        .collect();
    let there = |name: &&str| run(here, &[name, "-h"]).0 == 0;
    assert_eq!(led, first.into_iter().filter(there).collect::<Vec<_>>(), "{page}");
}

#[test]
fn every_command_is_on_the_first_page_of_help() {
    let (_, page, _) = run(Path::new("."), &["--help"]);
    let words: Vec<&str> = page.split([' ', ',', '\n']).collect();
    for name in commands() {
        assert!(words.contains(&name.as_str()), "{name}:\n{page}");
    }
    assert!(!page.contains("others"), "a command is in no group:\n{page}");
}

#[test]
fn the_short_help_of_a_command_shows_its_own_flags_and_the_long_one_all() {
    for name in commands() {
        let mut command = splitbase(Path::new("."));
        let (code, short, _) = said(&command.args([&name, "-h"]).env("COLUMNS", "80").output().unwrap());
        assert_eq!(code, 0);
        // Those with many flags of their own need a few lines more.
        let lines = if ["plan", "release"].contains(&name.as_str()) {
            30
        } else {
            SCREEN.0
        };
        assert!(short.lines().count() <= lines, "{short}");
        assert!(
            short.lines().all(|line| line.chars().count() <= SCREEN.1),
            "{short}"
        );
        assert!(
            !short.contains("--log-file") && !short.contains("SPLITBASE_"),
            "{short}"
        );
        let (_, long, _) = run(Path::new("."), &[&name, "--help"]);
        assert!(
            long.contains("--log-file") && long.contains("[env: SPLITBASE_LOG_FILE]"),
            "{long}"
        );
    }
}

fn commands() -> Vec<String> {
    use clap::CommandFactory as _;
    let command = splitbase::cli::args::Cli::command();
    let names = command.get_subcommands().map(|sub| sub.get_name().to_owned());
    names.collect()
}

#[test]
fn an_empty_variable_is_as_if_it_were_not_set() {
    let folder = repository();
    let call = |name: &str, value: &str| {
        let mut command = splitbase(folder.path());
        said(
            &command
                .args(["ci", "--forge", "gitea", "--check"])
                .env(name, value)
                .output()
                .unwrap(),
        )
    };
    let (code, _, error) = call("SPLITBASE_OUTPUT", "nonsense");
    assert_eq!(code, 2, "{error}");
    for name in [
        "SPLITBASE_OUTPUT",
        "SPLITBASE_FORCE",
        "SPLITBASE_FILE",
        "SPLITBASE_PLATFORMS",
    ] {
        assert_eq!(call(name, "").0, 1, "{name}: {}", call(name, "").2);
    }
}

// ----------------------------------------------------------------------------------------------- completions

#[test]
fn completions_are_scripts_that_know_the_commands() {
    let marks = [
        ("bash", "complete -F _splitbase"),
        ("zsh", "#compdef splitbase"),
        ("fish", "complete -c splitbase"),
    ];
    for (shell, mark) in marks {
        let (code, script, _) = run(Path::new("."), &["completions", shell]);
        assert_eq!(code, 0);
        for word in [mark, "release", "completions", "no-promote"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    assert_eq!(run(Path::new("."), &["completions", "cmd"]).0, 2);
}

#[test]
fn bash_completes_commands_and_flags() {
    let complete = |words: &str, at: usize| {
        let script = format!(
            "source <(\"$0\" completions bash); COMP_WORDS=({words}); COMP_CWORD={at}; \
             _splitbase splitbase \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &script, env!("CARGO_BIN_EXE_splitbase")])
            .output()
            .unwrap();
        let (code, words, error) = said(&output);
        assert_eq!((code, error.as_str()), (0, ""));
        words
    };
    assert_eq!(complete("splitbase rele", 1), "release\n");
    assert_eq!(complete("splitbase release --no-p", 2), "--no-promote\n");
    assert_eq!(complete("splitbase ci --forge git", 3), "gitea\ngithub\n");
}

// ----------------------------------------------------------------------------------------------- ci

const ALL: [&str; 4] = [
    ".gitea/workflows/release.yml",
    ".gitea/workflows/validate.yml",
    ".github/workflows/release.yml",
    ".github/workflows/validate.yml",
];

#[test]
fn ci_writes_what_check_then_finds_in_order() {
    let folder = repository();
    let top = folder.path();
    let (code, out, error) = run(top, &["ci", "--check"]);
    assert_eq!(code, 1);
    assert_eq!(out, ALL.map(|path| format!("{path}: absent\n")).concat());
    assert!(error.contains("4 workflows differ"), "{error}");
    let (code, out, error) = run(top, &["ci"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(out, ALL.map(|path| format!("{path}  written\n")).concat());
    let (code, out, _) = run(top, &["ci"]);
    assert_eq!(code, 0);
    assert_eq!(out, ALL.map(|path| format!("{path}  unchanged\n")).concat());
    // From a folder below, and of one forge alone.
    std::fs::create_dir(top.join("below")).unwrap();
    let (code, out, _) = run(
        &top.join("below"),
        &[
            "ci",
            "--check",
            "--forge",
            "gitea",
            "-f",
            "../variants.toml",
            "-o",
            "json",
        ],
    );
    assert_eq!(code, 0);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        document,
        serde_json::json!({"schema": 1, "files": [
            {"path": ALL[0], "outcome": "unchanged"}, {"path": ALL[1], "outcome": "unchanged"}]})
    );
}

#[test]
fn ci_says_what_differs_and_follows_the_family() {
    let folder = repository();
    let top = folder.path();
    run(top, &["ci", "--forge", "github", "--runner", "builder-1"]);
    let family = read(top, "variants.toml").replace("localhost:5000/acme/tiny", "ghcr.io/acme/tiny");
    std::fs::write(top.join("variants.toml"), family).unwrap();
    let (code, out, error) = run(top, &["ci", "--check"]);
    assert_eq!(code, 1);
    assert!(out.contains("+      packages: write"), "{out}");
    assert!(!out.contains("gitea"), "of the forge that has some:\n{out}");
    assert!(error.contains("1 workflow differs"), "{error}");
    let (code, out, _) = run(top, &["ci"]);
    assert_eq!(code, 0);
    assert_eq!(out, format!("{}  overwritten\n{}  unchanged\n", ALL[2], ALL[3]));
    assert!(
        read(top, ALL[2]).contains("runs-on: builder-1\n"),
        "settings are kept"
    );
    assert!(!top.join(".gitea").exists());
}

#[test]
fn ci_keeps_what_was_changed_by_hand() {
    let folder = repository();
    let top = folder.path();
    run(top, &["ci", "--forge", "gitea"]);
    let changed = read(top, ALL[0]).replace("contents: read", "contents: write");
    std::fs::write(top.join(ALL[0]), &changed).unwrap();
    std::fs::write(top.join(ALL[1]), "on: push\n").unwrap();
    let (code, out, error) = run(top, &["ci"]);
    assert_eq!((code, out.as_str()), (7, ""));
    assert!(
        error.contains("changed by hand") && error.contains("not written by splitbase"),
        "{error}"
    );
    assert!(error.contains("splitbase ci --force"), "{error}");
    assert_eq!(read(top, ALL[0]), changed);
    let (code, out, _) = run(top, &["ci", "--check"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("-      contents: write\n+      contents: read\n"),
        "{out}"
    );
    let (code, out, _) = run(top, &["ci", "--force"]);
    assert_eq!(code, 0);
    assert_eq!(out, format!("{}  overwritten\n{}  overwritten\n", ALL[0], ALL[1]));
    assert_eq!(run(top, &["ci", "--check"]).0, 0);
}

#[test]
fn ci_needs_a_repository() {
    let folder = repository();
    std::fs::remove_dir(folder.path().join(".git")).unwrap();
    let (code, _, error) = run(folder.path(), &["ci"]);
    assert_eq!(code, 2);
    assert!(error.contains("`.git`") && error.contains("hint: "), "{error}");
    let (code, _, error) = run(folder.path(), &["ci", "--container", "acme/tool:latest"]);
    assert_eq!(code, 2, "{error}");
}

// ----------------------------------------------------------------------------------------------- the action

/// The action's only script, run as a runner would; its variables.
fn action(env: &[(&str, &str)], folder: &Path) -> (i32, String, String) {
    let text = read(Path::new(env!("CARGO_MANIFEST_DIR")), "action.yml");
    let document = yaml_rust2::YamlLoader::load_from_str(&text).unwrap().remove(0);
    let steps = document["runs"]["steps"].as_vec().unwrap();
    assert_eq!(steps.len(), 1);
    let script = steps[0]["run"].as_str().unwrap();
    assert!(!script.contains("${{"), "{script}");
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).env("RUNNER_TEMP", folder);
    command.env("GITHUB_PATH", folder.join("path"));
    for name in ["VERSION", "EXPECTED", "FOLDER_URL", "ACTION_REPOSITORY"] {
        command.env(name, "");
    }
    said(&command.envs(env.iter().copied()).output().unwrap())
}

fn sha256sum(folder: &Path, file: &str) -> String {
    let output = Command::new("sha256sum")
        .arg(file)
        .current_dir(folder)
        .output()
        .unwrap();
    said(&output).1
}

#[test]
fn the_action_installs_what_its_checksum_says() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("acme/splitbase/releases/download/v9.8.7");
    std::fs::create_dir_all(&release).unwrap();
    let file = format!("splitbase-{}-unknown-linux-musl", std::env::consts::ARCH);
    std::fs::copy(env!("CARGO_BIN_EXE_splitbase"), release.join(&file)).unwrap();
    let sum = sha256sum(&release, &file);
    std::fs::write(
        release.join("SHA256SUMS"),
        format!("{}  other\n{sum}", "0".repeat(64)),
    )
    .unwrap();

    let server = format!("file://{}", folder.path().display());
    let forge = [
        ("GITHUB_SERVER_URL", server.as_str()),
        ("GITHUB_REPOSITORY", "somebody/else"),
        ("ACTION_REPOSITORY", "acme/splitbase"),
        ("VERSION", "v9.8.7"),
    ];
    let (code, out, error) = action(&forge, folder.path());
    assert_eq!(code, 0, "{out}{error}");
    let bin = read(folder.path(), "path");
    let version = Command::new(Path::new(bin.trim()).join("splitbase"))
        .arg("--version")
        .output();
    assert_eq!(
        said(&version.unwrap()).1,
        format!("splitbase {}\n", env!("CARGO_PKG_VERSION"))
    );

    let url = format!("file://{}", release.display());
    let hex = &sum[..64];
    assert_eq!(
        action(&[("FOLDER_URL", &url), ("EXPECTED", hex)], folder.path()).0,
        0
    );
    let (code, out, _) = action(
        &[("FOLDER_URL", &url), ("EXPECTED", &"1".repeat(64))],
        folder.path(),
    );
    assert_eq!(code, 1);
    assert!(out.contains("::error::get splitbase: "), "{out}");
    std::fs::write(
        release.join("SHA256SUMS"),
        format!("{}  {file}\n", "1".repeat(64)),
    )
    .unwrap();
    assert_eq!(action(&forge, folder.path()).0, 1, "another checksum");
    std::fs::write(release.join("SHA256SUMS"), "").unwrap();
    assert_eq!(action(&forge, folder.path()).0, 1, "no checksum");
    std::fs::remove_file(release.join(&file)).unwrap();
    let (code, out, _) = action(&forge, folder.path());
    assert_eq!(code, 1);
    assert!(out.contains("could not be fetched"), "{out}");
    assert_eq!(
        read(folder.path(), "path").lines().count(),
        2,
        "only what was good is on the path"
    );
}

#[test]
fn the_action_installs_this_version() {
    let text = read(Path::new(env!("CARGO_MANIFEST_DIR")), "action.yml");
    let document = yaml_rust2::YamlLoader::load_from_str(&text).unwrap().remove(0);
    let default = document["inputs"]["version"]["default"].as_str().unwrap();
    assert_eq!(default, concat!("v", env!("CARGO_PKG_VERSION")));
}

// ----------------------------------------------------------------------------------------------- identity

#[test]
fn identities_are_those_of_a_clone_under_another_umask_and_locale() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sh = |script: &str| {
        let done = Command::new("sh")
            .args(["-ec", script, "sh"])
            .args([here.path(), there.path()])
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let family = r#"schema = 1
[family]
name = "f"
repository = "localhost:5000/a/f"
[base]
dockerfile = "Dockerfile"
[variant]
dockerfile = "Dockerfile"
base-arg = "BASE_IMAGE"
[variants.a]
tags = ["{version}"]
"#;
    std::fs::write(here.path().join("variants.toml"), family).unwrap();
    sh(r#"
        cd "$1"
        umask 022
        printf 'ARG BASE_IMAGE=scratch\nFROM ${BASE_IMAGE}\nCOPY . /\n' >Dockerfile
        printf '.git\nignored\n' >.dockerignore
        mkdir -p B/é a_b a
        for name in B/é/x a_b/I a/i a-b Z 'ı' z; do echo "$name" >"$name"; done
        chmod +x Z
        ln -s Z link
        git init --quiet
        git add .
        git -c user.name=a -c user.email=a@example.org commit --quiet --message=first
        umask 077
        git clone --quiet "$1" "$2/clone"
        echo other >ignored
        touch -d 2001-01-01 z
    "#);
    let hash = |folder: &Path| {
        let mut command = splitbase(folder);
        command.env("LC_ALL", "C").env("LANG", "C");
        let (code, out, error) = said(&command.args(["hash", "--output", "json"]).output().unwrap());
        assert_eq!(code, 0, "{error}");
        out
    };
    let first = hash(here.path());
    assert!(
        first.contains("\"a_b/I\"") && first.contains("\"executable\": true"),
        "{first}"
    );
    // Locales that are really there: they sort otherwise, or their bytes are other characters.
    let locales = tempfile::tempdir().unwrap();
    for (locale, charmap) in [("tr_TR", "UTF-8"), ("de_DE", "ISO-8859-1")] {
        let name = format!("{locale}.{charmap}");
        let made = Command::new("localedef")
            .args(["-i", locale, "-f", charmap])
            .arg(locales.path().join(&name))
            .output()
            .unwrap_or_else(|error| panic!("localedef: {error}; `scripts/engine install` installs it"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let witness = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command.env("LOCPATH", locales.path()).env("LC_ALL", &name);
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        assert_eq!(witness("locale charmap").trim(), charmap);
        assert_eq!(
            witness("printf 'Z\\na\\n' | sort"),
            "a\nZ\n",
            "{name} does not sort by bytes"
        );
        let there = there.path().join("clone");
        let mut command = splitbase(&there);
        command
            .env("LOCPATH", locales.path())
            .env("LC_ALL", &name)
            .env("LANG", &name);
        let (code, out, error) = said(&command.args(["hash", "--output", "json"]).output().unwrap());
        assert_eq!(code, 0, "{error}");
        assert_eq!(out, first, "{name}");
    }
    let at = |path: &str| {
        first
            .find(&format!("\"{path}\""))
            .unwrap_or_else(|| panic!("{path}"))
    };
    let paths = ["B/é/x", "Z", "a-b", "a/i", "a_b/I", "z", "ı"];
    assert!(
        paths.windows(2).all(|pair| at(pair[0]) < at(pair[1])),
        "the order is that of bytes: {first}"
    );
}

// --------------------------------------------------------------------------------------------- limits

/// A registry that holds nothing, and says of each answer what its limit leaves, as Docker Hub does.
fn registry_with_a_limit(remaining: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let _ = client.read(&mut head);
            let body = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"none"}]}"#;
            let _ = write!(
                client,
                "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nratelimit-limit: 100;w=21600\r\n\
                 ratelimit-remaining: {remaining};w=21600\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            if !head.starts_with(b"HEAD") {
                let _ = client.write_all(body.as_bytes());
            }
        }
    });
    address
}

#[test]
fn a_limit_that_leaves_little_is_told_at_the_end() {
    for (remaining, told) in [("76", false), ("12", true)] {
        let folder = repository();
        let address = registry_with_a_limit(remaining);
        let repository = format!("{address}/acme/tiny");
        let (code, _, stderr) = run(folder.path(), &["history", "--repository", &repository]);
        let line = format!("{address}: 12 of 100 requests are left of what its limit allows in 6h");
        assert_eq!((code, stderr.contains(&line)), (0, told), "{stderr}");
    }
}
