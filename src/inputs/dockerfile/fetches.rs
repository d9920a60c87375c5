//! Commands that fetch packages, files and repositories, and whether what they name is settled.

use super::check::floats;
use super::shell::{Command, is_open};

/// A command that fetches what may be something else tomorrow.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) message: String,
    pub(super) hint: String,
    /// Whether a `git checkout` behind it settles it.
    pub(super) is_clone: bool,
}

impl Finding {
    fn new(message: String, hint: String) -> Self {
        Self {
            message,
            hint,
            is_clone: false,
        }
    }
}

/// What of a command floats.
pub(super) fn fetches(command: &Command) -> Vec<Finding> {
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let (program, words) = (command.program(), words.get(1..).unwrap_or_default());
    let found = match program {
        "npm" | "pnpm" | "yarn" | "bun" => node(program, words),
        "corepack" => corepack(words),
        "npx" | "bunx" => npx(program, words),
        "uv" => uv(words),
        "pipx" => pipx(words),
        "gem" => gem(words),
        "cargo" => cargo(words),
        "go" => go(words),
        "curl" | "wget" | "aria2c" => download(program, words),
        "git" => clone(words),
        name if is_numbered(name, "pip") => pip("pip install", words),
        name if is_numbered(name, "python") || name == "pypy3" => match words {
            ["-m", "pip", rest @ ..] => pip("pip install", rest),
            _ => None,
        },
        _ => None,
    };
    found.into_iter().collect()
}

/// `pip`, `pip3`, `pip3.12`.
fn is_numbered(program: &str, name: &str) -> bool {
    program
        .strip_prefix(name)
        .is_some_and(|rest| rest.chars().all(|char| char.is_ascii_digit() || char == '.'))
}

/// Words that are neither options nor their values.
fn operands<'w>(words: &[&'w str], valued: &[&str]) -> Vec<&'w str> {
    let mut found = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == "--" {
            found.extend(words.by_ref().copied());
        } else if word.starts_with('-') {
            if valued.contains(word) {
                words.next();
            }
        } else {
            found.push(*word);
        }
    }
    found
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// A command that installs the newest of these.
fn newest(command: &str, names: &[&str], separator: &str) -> Option<Finding> {
    let first = names.first()?;
    let message = format!("`{command}` takes whatever {} is at the moment", list(names));
    Some(Finding::new(
        message,
        format!("name its version, best as one of `[versions]`: `{first}{separator}${{VERSION}}`"),
    ))
}

const NODE_VALUED: [&str; 14] = [
    "--registry",
    "--prefix",
    "--cache",
    "--loglevel",
    "--userconfig",
    "--globalconfig",
    "--omit",
    "--include",
    "--tag",
    "--location",
    "--global-folder",
    "--modules-folder",
    "-C",
    "--dir",
];

fn node(program: &str, words: &[&str]) -> Option<Finding> {
    let all = operands(words, &NODE_VALUED);
    let (verb, rest) = all.split_first()?;
    let global = words
        .iter()
        .any(|word| matches!(*word, "-g" | "--global" | "--location=global"))
        || words.windows(2).any(|pair| pair == ["--location", "global"]);
    let (command, packages) = match (program, *verb, rest) {
        ("yarn", "global", ["add", packages @ ..]) => ("yarn global add".to_owned(), packages),
        ("npm", "install" | "i" | "in" | "add", packages)
        | ("pnpm" | "bun", "add" | "install" | "i", packages)
            if global =>
        {
            (format!("{program} {verb} -g"), packages)
        }
        ("pnpm", "dlx", [first, ..]) => ("pnpm dlx".to_owned(), std::slice::from_ref(first)),
        _ => return None,
    };
    let names: Vec<&str> = packages
        .iter()
        .filter_map(|package| npm_floats(package))
        .collect();
    newest(&command, &names, "@")
}

/// The name of a package whose version is not settled.
fn npm_floats(package: &str) -> Option<&str> {
    let (name, version) = match package.get(1..)?.find('@') {
        Some(at) => {
            let (name, version) = package.split_at(at + 1);
            (name, version.strip_prefix('@'))
        }
        None => (package, None),
    };
    let scoped = name.starts_with('@');
    let plain = !name.starts_with(['.', '-', '~', '/'])
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "@/._-".contains(char))
        && name.matches('/').count() == usize::from(scoped)
        && ![".tgz", ".tar.gz", ".tar"].iter().any(|end| name.ends_with(end));
    let open = version.is_none_or(|version| floats(version) || version == "canary" || version == "beta");
    (plain && open).then_some(name)
}

fn corepack(words: &[&str]) -> Option<Finding> {
    let all = operands(words, &["--install-directory", "-o"]);
    let [verb @ ("prepare" | "install" | "use"), packages @ ..] = all.as_slice() else {
        return None;
    };
    let floating = |package: &&&str| {
        package
            .split_once('@')
            .is_some_and(|(_, version)| floats(version))
    };
    let names: Vec<&str> = packages
        .iter()
        .filter(floating)
        .map(|package| package.split('@').next().unwrap_or(package))
        .collect();
    newest(&format!("corepack {verb}"), &names, "@")
}

/// Only where the newest is asked for by name: without, the one of the project is run.
fn npx(program: &str, words: &[&str]) -> Option<Finding> {
    let all = operands(words, &["-p", "--package", "-c", "--call"]);
    let first = all.first()?;
    let name = npm_floats(first).filter(|name| name.len() < first.len())?;
    newest(program, &[name], "@")
}

const PIP_VALUED: [&str; 58] = [
    "-i",
    "--index-url",
    "--extra-index-url",
    "--index",
    "--default-index",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "--prefix",
    "--root",
    "--python",
    "-p",
    "--platform",
    "--python-version",
    "--implementation",
    "--abi",
    "--cache-dir",
    "--trusted-host",
    "--no-binary",
    "--only-binary",
    "--timeout",
    "--retries",
    "--proxy",
    "--src",
    "-C",
    "--config-settings",
    "--config-setting",
    "--log",
    "--progress-bar",
    "--upgrade-strategy",
    "--report",
    "-e",
    "--editable",
    "--cert",
    "--upgrade-package",
    "--python-preference",
    "--index-strategy",
    "--keyring-provider",
    "--resolution",
    "--prerelease",
    "--exclude-newer",
    "--link-mode",
    "--refresh-package",
    "--reinstall-package",
    "--no-build-package",
    "--no-binary-package",
    "--extra",
    "--group",
    "--overrides",
    "--override",
    "--torch-backend",
    "--color",
    "--directory",
    "--project",
    "--config-file",
    "--allow-insecure-host",
    "--with",
];

fn pip(command: &str, words: &[&str]) -> Option<Finding> {
    let verb = words.iter().position(|word| !word.starts_with('-'))?;
    let ["install", words @ ..] = words.get(verb..)? else {
        return None;
    };
    // A file says which versions are meant, or nothing is fetched at all.
    let settled = |word: &&str| {
        let name = word.split('=').next().unwrap_or(word);
        matches!(
            name,
            "-c" | "--constraint"
                | "--constraints"
                | "--no-index"
                | "--require-hashes"
                | "--build-constraint"
        )
    };
    if words.iter().any(settled) {
        return None;
    }
    let mut valued = PIP_VALUED.to_vec();
    valued.extend(["-r", "--requirement", "--requirements"]);
    let all = operands(words, &valued);
    let repositories: Vec<&str> = all
        .iter()
        .copied()
        .filter(|package| package.contains("git+"))
        .collect();
    if let Some(repository) = repositories
        .iter()
        .find(|repository| python_git_floats(repository))
    {
        let message = format!("`{command}` takes whatever `{repository}` holds at the moment");
        let hint = format!("name a commit: `{repository}@COMMIT`");
        return Some(Finding::new(message, hint));
    }
    let names: Vec<&str> = all.iter().filter_map(|package| pip_floats(package)).collect();
    newest(command, &names, "==")
}

/// The name of a Python package whose version is not settled: neither by `==`, nor by where it is fetched from.
fn pip_floats(package: &str) -> Option<&str> {
    let end = package
        .find(|char: char| !(char.is_ascii_alphanumeric() || "._-".contains(char)))
        .unwrap_or(package.len());
    let (name, rest) = package.split_at(end);
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']')?.1,
        None => rest,
    };
    let file = name.starts_with(['.', '-'])
        || [".whl", ".gz", ".zip", ".txt"]
            .iter()
            .any(|end| name.ends_with(end));
    let rest = rest.split(';').next().unwrap_or(rest).trim();
    let known = rest.is_empty() || rest.starts_with(['>', '<', '~', '!']);
    (!name.is_empty() && !file && known && !is_open(package)).then_some(name)
}

/// `git+https://host/path` without `@ref`.
fn python_git_floats(package: &str) -> bool {
    let url = package.split_once("git+").map_or(package, |(_, url)| url);
    let url = url.split('#').next().unwrap_or(url);
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    match path.rsplit_once('@') {
        Some((_, reference)) => floats(reference),
        None => !is_open(package),
    }
}

fn uv(words: &[&str]) -> Option<Finding> {
    match words {
        ["pip", rest @ ..] => pip("uv pip install", rest),
        ["tool", "install", rest @ ..] => {
            let packages = operands(rest, &PIP_VALUED);
            let names: Vec<&str> = packages
                .iter()
                .filter_map(|package| match package.split_once('@') {
                    Some((name, version)) => floats(version).then_some(name),
                    None => pip_floats(package),
                })
                .collect();
            newest("uv tool install", &names, "==")
        }
        _ => None,
    }
}

fn pipx(words: &[&str]) -> Option<Finding> {
    let ["install", rest @ ..] = words else {
        return None;
    };
    let packages = operands(rest, &["--python", "--pip-args", "--suffix", "-i", "--index-url"]);
    let names: Vec<&str> = packages
        .iter()
        .filter_map(|package| pip_floats(package))
        .collect();
    newest("pipx install", &names, "==")
}

fn gem(words: &[&str]) -> Option<Finding> {
    let ["install" | "i", rest @ ..] = words else {
        return None;
    };
    let given = |word: &&str| {
        matches!(*word, "-v" | "--version") || word.starts_with("--version=") || word.starts_with("-v=")
    };
    if rest.iter().any(given) {
        return None;
    }
    let valued = [
        "-i",
        "--install-dir",
        "-n",
        "--bindir",
        "-s",
        "--source",
        "--platform",
        "-P",
        "-g",
    ];
    let packages = operands(rest, &valued);
    let plain = |name: &&str| {
        name.strip_suffix(".gem").is_none()
            && name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "._-".contains(char))
    };
    let names: Vec<&str> = packages.into_iter().filter(plain).collect();
    newest("gem install", &names, ":")
}

fn cargo(words: &[&str]) -> Option<Finding> {
    let words = match words {
        [toolchain, rest @ ..] if toolchain.starts_with('+') => rest,
        words => words,
    };
    let [verb @ ("install" | "binstall"), rest @ ..] = words else {
        return None;
    };
    let has = |names: &[&str]| {
        rest.iter()
            .any(|word| names.contains(&word.split('=').next().unwrap_or(word)))
    };
    if has(&["--path", "--version", "--vers", "--rev", "--tag", "--list"]) {
        return None;
    }
    if has(&["--git"]) {
        let message = format!("`cargo {verb} --git` takes whatever the repository holds at the moment");
        return Some(Finding::new(message, "name a commit: `--rev COMMIT`".to_owned()));
    }
    let valued = [
        "-F",
        "--features",
        "--root",
        "--target",
        "--bin",
        "--example",
        "--profile",
        "-j",
        "--jobs",
        "--registry",
        "--index",
        "--branch",
        "--target-dir",
        "--config",
        "-Z",
    ];
    let packages = operands(rest, &valued);
    let plain = |name: &&str| {
        name.chars()
            .all(|char| char.is_ascii_alphanumeric() || "_-".contains(char))
    };
    let names: Vec<&str> = packages.into_iter().filter(plain).collect();
    newest(&format!("cargo {verb}"), &names, "@")
}

fn go(words: &[&str]) -> Option<Finding> {
    let [verb @ ("install" | "get" | "run"), rest @ ..] = words else {
        return None;
    };
    let names: Vec<&str> = rest
        .iter()
        .filter_map(|word| word.split_once('@'))
        .filter(|(_, version)| floats(version))
        .map(|(name, _)| name)
        .collect();
    newest(&format!("go {verb}"), &names, "@")
}

fn download(program: &str, words: &[&str]) -> Option<Finding> {
    let url = words
        .iter()
        .find(|word| word.contains("://") && floating_url(word))?;
    let url = shown(url);
    Some(Finding::new(
        format!("`{program} {url}` fetches another version at any time"),
        "name a version in the URL, best as one of `[versions]`, and check what came".to_owned(),
    ))
}

/// A URL without what may be secret of it: user and password, query.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = host.rsplit('@').next().unwrap_or(host);
    format!("{scheme}://{host}{path}")
}

/// Whether a URL names whatever is the newest: `latest` in its path, or a branch where a forge serves files of one.
pub(super) fn floating_url(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let mut parts = rest.split('/');
    let host = parts.next().unwrap_or_default().to_ascii_lowercase();
    let path: Vec<&str> = parts.collect();
    if path.iter().any(|part| part.eq_ignore_ascii_case("latest")) {
        return true;
    }
    let branch = |part: &&str| matches!(*part, "main" | "master" | "HEAD");
    match host.as_str() {
        "raw.githubusercontent.com" => match path.as_slice() {
            [_, _, "refs", "heads", ..] => true,
            [_, _, reference, _, ..] => branch(reference),
            _ => false,
        },
        "github.com" => match path.as_slice() {
            [_, _, "archive", "refs", "heads", ..] => true,
            [_, _, "archive" | "raw", reference, ..] => {
                branch(reference) || reference.split('.').next().is_some_and(|name| branch(&name))
            }
            _ => false,
        },
        _ => path
            .windows(3)
            .any(|part| matches!(part, ["-", "raw", reference] if branch(reference))),
    }
}

fn clone(words: &[&str]) -> Option<Finding> {
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        rest = match *word {
            "-C" | "-c" | "--git-dir" | "--work-tree" => behind.get(1..).unwrap_or_default(),
            word if word.starts_with('-') => behind,
            _ => break,
        };
    }
    let ["clone", rest @ ..] = rest else { return None };
    let valued = [
        "-b",
        "--branch",
        "-c",
        "--config",
        "-o",
        "--origin",
        "--depth",
        "-j",
        "--jobs",
        "--reference",
        "--filter",
        "--shallow-since",
        "--shallow-exclude",
        "--separate-git-dir",
        "-u",
        "--template",
        "--revision",
    ];
    let value = |names: &[&str]| {
        let apart = rest.windows(2).find_map(|pair| match pair {
            [name, value] if names.contains(name) => Some(*value),
            _ => None,
        });
        let joined = rest.iter().find_map(|word| {
            let (name, value) = word.split_once('=')?;
            names.contains(&name).then_some(value)
        });
        apart.or(joined)
    };
    let reference = value(&["-b", "--branch", "--revision"]);
    let settled = reference.is_some_and(|name| !floats(name) && !matches!(name, "develop" | "dev" | "trunk"));
    let operands = operands(rest, &valued);
    let url = operands.first()?;
    // A folder on this machine is no other tomorrow than the image that it is in.
    let remote = url.contains("://") || url.contains('@') || url.contains(':');
    if settled || !remote || url.starts_with("file:") {
        return None;
    }
    let url = shown(url);
    Some(Finding {
        is_clone: true,
        ..Finding::new(
            format!("`git clone {url}` takes whatever is there at the moment"),
            "check a commit out behind it, best as one of `[versions]`: `git checkout ${COMMIT}`".to_owned(),
        )
    })
}

/// Whether a git repository as `ADD` takes it names no commit or tag.
pub(super) fn git_url_floats(url: &str) -> bool {
    if is_open(url) {
        return false;
    }
    if let Some((_, query)) = url.split_once('?') {
        let names = ["ref=", "tag=", "commit=", "checksum="];
        let value = query
            .split(['&', '#'])
            .find_map(|part| names.iter().find_map(|name| part.strip_prefix(name)));
        if let Some(value) = value {
            return floats(value);
        }
    }
    let reference = url.split_once('#').map_or("", |(_, fragment)| fragment);
    let reference = reference.split(':').next().unwrap_or(reference);
    reference.is_empty() || floats(reference.rsplit('/').next().unwrap_or(reference))
}
