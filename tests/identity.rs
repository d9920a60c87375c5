//! Identities as the program computes them, beside those of `scripts/identity-reference`, which was written from `docs/identity.md` alone.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests stand outside of the program's layers, and end by panicking"
)]

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

fn program(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_splitbase"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SPLITBASE_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .args(["hash", "-o", "json"])
        .args(args);
    command
}

fn reference(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(root().join("scripts/identity-reference"));
    command.current_dir(folder).args(args);
    command
}

/// Image, format, identity and files, of each image.
fn images(document: &str, files: &str) -> Vec<(String, String, String, Value)> {
    let document: Value = serde_json::from_str(document).unwrap();
    let images = document["images"].as_array().unwrap().iter().map(|image| {
        let text = |key: &str| {
            image[key]
                .as_str()
                .unwrap_or_else(|| panic!("{image}"))
                .to_owned()
        };
        (
            text("image"),
            text("hash"),
            text("identity"),
            image[files].clone(),
        )
    });
    images.collect()
}

/// Compares both on the family in this folder.
fn same(folder: &Path, args: &[&str]) -> usize {
    let ours = said(&mut program(folder, args)).unwrap_or_else(|error| panic!("splitbase: {error}"));
    let theirs = said(&mut reference(folder, args)).unwrap_or_else(|error| panic!("the reference: {error}"));
    let (ours, theirs) = (images(&ours, "inputs"), images(&theirs, "files"));
    assert_eq!(ours, theirs);
    ours.len()
}

#[test]
fn the_reference_computes_the_vectors_of_the_document() {
    let told = said(&mut reference(root(), &["--vectors", "docs/identity.md"])).unwrap();
    assert_eq!(told, "2 tree vectors, 1 concat vectors\n");
}

#[test]
fn the_reference_ends_at_what_it_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let document = fs::read_to_string(root().join("docs/identity.md")).unwrap();
    let refused = |from: &str, to: &str| {
        let path = folder.path().join("identity.md");
        fs::write(&path, document.replacen(from, to, 1)).unwrap();
        said(reference(root(), &["--vectors"]).arg(path)).unwrap_err()
    };
    assert!(refused("\"kind\": \"sbom\"", "\"kind\": \"moon\"").contains("unknown kind"));
    assert!(refused("\"type\": \"file\"", "\"type\": \"pipe\"").contains("another form"));
    assert!(refused("\"size\": 13", "\"size\": 14").contains("another list"));
    let family = "schema = 1\n[family]\nname = \"x\"\n[variants.a]\ninputs = []\nmoon = 1\n";
    fs::write(folder.path().join("variants.toml"), family).unwrap();
    let error = said(&mut reference(folder.path(), &[])).unwrap_err();
    assert!(error.contains("the key `moon` is not known here"), "{error}");
}

/// Copies a folder as git has it: what is not tracked here are the programs of its images.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_families_of_this_repository() {
    for family in ["examples/tiny", "scripts/bench/family"] {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join(family), folder.path());
        for platform in ["amd64", "arm64"] {
            fs::write(folder.path().join(format!("busybox-{platform}")), platform).unwrap();
        }
        assert_eq!(same(folder.path(), &[]), 5, "{family}");
    }
    // Its `FROM` is pinned by a lock, which both read.
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "Dockerfile.base",
        "Dockerfile.variant",
        "entrypoint.sh",
        "entrypoint-user.sh",
        "variants.toml",
    ] {
        fs::copy(root().join(file), folder.path().join(file)).unwrap();
    }
    copy(&root().join("rootfs"), &folder.path().join("rootfs"));
    fs::create_dir(folder.path().join("scripts")).unwrap();
    fs::copy(
        root().join("scripts/smoke-test.sh"),
        folder.path().join("scripts/smoke-test.sh"),
    )
    .unwrap();
    let digest = "a".repeat(64);
    let lock = format!("schema = 1\n[upstream]\n\"debian:forky-slim\" = \"sha256:{digest}\"\n");
    fs::write(folder.path().join("variants.lock"), lock).unwrap();
    let versions = ["--set", "OMOS_VERSION=2.1.0", "--set", "PI_VERSION=0.87.1"];
    assert_eq!(same(folder.path(), &versions), 5);
}

/// How many lines of the table the reference refuses: those whose pattern has `\b`, `\Q`, `\p`, `\P`, `\x` or an octal number.
const REFUSED: usize = 18;

/// Each line of the table of cases: the reference says the same, or that it does not know the pattern.
#[test]
fn the_reference_knows_the_table_of_ignore_files() {
    let mut cases = Vec::new();
    for line in include_str!("../src/inputs/dockerignore_cases.txt").lines() {
        if line.starts_with('[') {
            let mut case: Vec<String> = serde_json::from_str(line).unwrap();
            let verdict = case.remove(0);
            if matches!(verdict.as_str(), "in" | "out" | "bad") {
                cases.push((verdict, case));
            }
        }
    }
    let asked: Vec<String> = cases
        .iter()
        .map(|(_, case)| serde_json::to_string(case).unwrap())
        .collect();
    let mut child = reference(root(), &["--ignores"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(asked.join("\n").as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stdout).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told.len(), cases.len());
    let mut refused = 0;
    for ((verdict, case), told) in cases.iter().zip(told) {
        match verdict.as_str() {
            "bad" => assert!(told.starts_with("error: "), "{case:?}: {told}"),
            _ if told.starts_with("error: ") => {
                assert!(told.contains("which is not known here"), "{case:?}: {told}");
                refused += 1;
            }
            verdict => assert_eq!(told, verdict, "{case:?}"),
        }
    }
    assert_eq!(refused, REFUSED);
}

/// What is no matter of the table: a file that would arrive empty, an ignore file that is a symlink, a line that is too long.
#[test]
fn the_reference_reads_ignore_files_as_the_program_does() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let family = "schema = 1\n[family]\nname = \"x\"\nrepository = \"localhost/x\"\n[base]\ndockerfile = \"Dockerfile\"\n[variants.a]\n\
        dockerfile = \"Dockerfile.variant\"\n";
    fs::write(at("variants.toml"), family).unwrap();
    fs::write(at("Dockerfile"), "FROM scratch\nCOPY . /\n").unwrap();
    fs::write(at("Dockerfile.variant"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n").unwrap();
    for file in ["a/c", "a/d", "rules/ignore"] {
        put(&at(file), &Node::File(b"a/d\n".to_vec(), false));
    }
    let both = || {
        (
            said(&mut program(folder.path(), &["--no-cache"])),
            said(&mut reference(folder.path(), &[])),
        )
    };
    fs::write(at(".dockerignore"), "a\n!a/c\na\n").unwrap();
    let (ours, theirs) = both();
    assert!(
        ours.unwrap_err()
            .contains("would reach the build as an empty file")
    );
    assert!(theirs.unwrap_err().contains("`a/c` would arrive empty"));
    fs::write(at("a/c"), "").unwrap();
    assert_eq!(same(folder.path(), &[]), 2);

    fs::write(at(".dockerignore"), "a".repeat(1 << 16)).unwrap();
    let (ours, theirs) = both();
    assert!(ours.is_err() && theirs.unwrap_err().contains("too long"));

    // Inside, round the top, and out of the context.
    let files = |text: &str| images(text, "files")[0].3.to_string();
    for (target, kept_out) in [
        ("rules/ignore", true),
        ("/rules/ignore", true),
        ("../../rules/./ignore", true),
        ("rules", false),
        ("gone", false),
    ] {
        fs::remove_file(at(".dockerignore")).unwrap();
        symlink(target, at(".dockerignore")).unwrap();
        same(folder.path(), &[]);
        let theirs = said(&mut reference(folder.path(), &[])).unwrap();
        assert_eq!(files(&theirs).contains("a/d"), !kept_out, "{target}");
    }
}

/// `inputs` or not, the whole context counts where a Dockerfile cannot be known. One family, a variant for each.
#[test]
fn the_reference_knows_which_dockerfiles_cannot_be_known() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let head = "schema = 1\n[family]\nname = \"x\"\nrepository = \"localhost/x\"\n[variant]\ninputs = [\"in\"]\n\
        args = { GIVEN = \"in\" }\nupstream = \"float\"\n";
    let mut family = head.to_owned();
    for (number, (text, _)) in DOCKERFILES.iter().enumerate() {
        let _ = writeln!(family, "[variants.v{number}]\ndockerfile = \"D{number}\"");
        fs::write(at(&format!("D{number}")), text).unwrap();
    }
    fs::write(at("variants.toml"), family).unwrap();
    fs::write(at("in"), "in").unwrap();
    fs::write(at("besides"), "besides").unwrap();
    assert_eq!(same(folder.path(), &[]), DOCKERFILES.len());
    let theirs = said(&mut reference(folder.path(), &[])).unwrap();
    for ((text, whole), image) in DOCKERFILES.iter().zip(images(&theirs, "files")) {
        assert_eq!(image.3.to_string().contains("besides"), *whole, "{text}");
    }
    // What the reference does not read, it does not judge.
    fs::write(
        at("variants.toml"),
        format!("{head}[variants.a]\ndockerfile = \"D\"\n"),
    )
    .unwrap();
    for text in ["FROM x\nCOPY ${A#b} /\n", "FROM x\nRUN \"a\" <<EOF\nEOF\n"] {
        fs::write(at("D"), text).unwrap();
        let error = said(&mut reference(folder.path(), &[])).unwrap_err();
        assert!(error.contains("not known here"), "{error}");
    }
}

/// Dockerfiles, and whether they have the whole context count.
const DOCKERFILES: &[(&str, bool)] = &[
    ("FROM x\nCOPY in /\n", false),
    (
        "# syntax=docker.io/docker/dockerfile-upstream:master@sha256:00\nFROM x\n",
        false,
    ),
    (
        "# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nCOPY `\n # comment\n\n in `\n  /\nRUN a\\\n",
        false,
    ),
    ("# syntax=ghcr.io/acme/front\nFROM x\n", true),
    ("# escape=`\n# escape=`\nFROM x\n", true),
    ("# escape=x\nFROM x\n", true),
    ("# a comment\n# syntax=ghcr.io/acme/front\nFROM x\n", false),
    ("FROM x\nINCLUDE y\n", true),
    ("FROM x\nONBUILD NEW y\n", true),
    ("FROM x\nRUN a \\\n  NEW b \\  \n c\n", false),
    (
        "FROM x\nRUN <<EOF\nNEW b\nEOF\nRUN 3<<-'EOF' cat\n\tNEW\n\tEOF\n",
        false,
    ),
    ("FROM x\nRUN <<EOF\nNEW b\n", true),
    ("FROM x\nRUN a <<EOF\n EOF\nEOF\nNEW\n", true),
    ("FROM x\nCOPY --new=1 in /\n", true),
    (
        "FROM x\nCOPY --chown=\"1 2\" --link in /\nHEALTHCHECK --new=1s CMD x\n",
        false,
    ),
    ("FROM x\nRUN --mount=type=image,source=a x\n", true),
    (
        "FROM x\nRUN --mount=type=bind,source=in,target=/x --network=none x\n",
        false,
    ),
    ("FROM x\nRUN --mount=source=$D,target=/x y\n", true),
    ("FROM x\nRUN --mount=type=cache,source=$D,target=/x y\n", false),
    ("FROM x\nCOPY $A /\n", true),
    ("FROM x\nCOPY '$A' \\$A /\n", false),
    ("FROM x\nCOPY \"$A\" /\n", true),
    ("FROM x\nCOPY [\"in$A\", \"/\"]\n", true),
    ("FROM x\nCOPY in /$A\n", false),
    ("FROM x\nCOPY ${A^^} /\n", true),
    ("FROM x\nCOPY ${A:-${B}} /\n", true),
    ("FROM x\nARG A=in B=in\nCOPY ${A:-${B:+x}} /\n", false),
    ("FROM x\nENV A in\nCOPY $A /\n", false),
    ("FROM x\nARG A\nCOPY $A /\n", true),
    ("FROM x\nARG GIVEN\nCOPY $GIVEN /\n", false),
    ("FROM x\nARG TARGETARCH\nCOPY in$TARGETARCH* /\n", false),
    ("ARG A=in\nFROM x\nARG A\nCOPY $A /\n", false),
    ("ARG A=in\nFROM x\nCOPY $A /\n", true),
    ("FROM scratch\nCOPY $A in /\n", false),
    ("ARG S=scratch\nFROM $S AS y\nFROM Y\nCOPY $A in /\n", false),
    ("FROM x AS y\nENV A=in\nFROM y\nCOPY $A /\n", false),
    ("FROM x AS y\nFROM y\nCOPY $A /\n", true),
    ("FROM x AS y\nONBUILD COPY $A /\nFROM scratch\n", false),
    ("FROM x AS y\nONBUILD COPY $A /\nFROM y\n", true),
    (
        "FROM x AS y-amd64\nENV A=1\nFROM x AS y-arm64\nENV A=1\nFROM y-$TARGETARCH\nCOPY $A /\n",
        true,
    ),
];

/// A family that is made up.
#[derive(Debug)]
struct Family {
    dockerfile: &'static str,
    files: Vec<(String, Node)>,
    ignore: Vec<String>,
    own_ignore: bool,
    base: String,
    dockerfile_elsewhere: bool,
}

#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>, bool),
    Link(String),
    Folder,
}

impl Family {
    fn write(&self, folder: &Path) {
        let context = folder.join("context");
        fs::create_dir_all(context.join("given")).unwrap();
        fs::create_dir_all(folder.join("more")).unwrap();
        fs::write(context.join("given/kept-file"), "kept").unwrap();
        fs::write(folder.join("more/asset"), "asset").unwrap();
        for (path, node) in &self.files {
            put(&context.join(path), node);
            put(&folder.join("more").join(path), node);
        }
        let mut lines = self.ignore.join("\n");
        lines.push_str("\n!given\n!given/**\n");
        fs::write(context.join(".dockerignore"), &lines).unwrap();
        fs::write(folder.join("more/.dockerignore"), self.ignore.join("\n")).unwrap();
        let dockerfile = if self.dockerfile_elsewhere {
            folder.join("Dockerfile")
        } else {
            context.join("Dockerfile")
        };
        fs::write(&dockerfile, self.dockerfile).unwrap();
        if self.own_ignore {
            fs::write(
                dockerfile.with_extension("dockerignore"),
                "given\n!given/kept-file",
            )
            .unwrap();
        }
        fs::write(
            folder.join("Dockerfile.variant"),
            "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n",
        )
        .unwrap();
        let place = if self.dockerfile_elsewhere {
            "Dockerfile"
        } else {
            "context/Dockerfile"
        };
        let lock = format!("schema = 1\n[upstream]\nx = \"sha256:{}\"\n", "b".repeat(64));
        fs::write(folder.join("variants.lock"), lock).unwrap();
        let text = TEXT.replace("{dockerfile}", place).replace("{base}", &self.base);
        fs::write(folder.join("variants.toml"), text).unwrap();
    }
}

fn put(path: &Path, node: &Node) {
    // What is in the way of another is left out.
    if fs::create_dir_all(path.parent().unwrap()).is_err() || path.symlink_metadata().is_ok() {
        return;
    }
    match node {
        Node::File(content, executable) => {
            fs::write(path, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::Folder => fs::create_dir(path).unwrap(),
    }
}

const TEXT: &str = r#"
schema = 1
[family]
name = "made-up"
repository = "localhost/made-up"
[base]
context = "context"
dockerfile = "{dockerfile}"
{base}
[versions]
TOOL = { value = "1.2.3" }
[build]
args = { COMMON = "all {family}", "ON" = true }
labels = { "org.example" = "{image}" }
[variant]
inputs = []
context = "context"
dockerfile = "Dockerfile.variant"
args = { SIZE = "small" }
[variants.base]
[variants.full]
args = { SIZE = "{versions.TOOL} {variant} {{}}" }
versions = ["TOOL"]
"#;

/// A few names that meet often, odd ones and junk among them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab", "a.b", "c", "Z", "é", "@", "@a", "[x]", "a b", "x\ny", "#", "-", "a-b", "%2F", "*", "\\"]),
        1 => prop::sample::select(vec!["__pycache__", "x.pyc", "._x", "x~", ".a.swp", "#x#", ".#x", ".DS_Store"]),
    ]
    .prop_map(str::to_owned)
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..4).prop_map(|names| names.join("/"))
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..8), any::<bool>()).prop_map(|(content, executable)| Node::File(content, executable)),
        1 => prop::sample::select(vec!["a", "../x", "/etc/passwd", "nowhere", "ü"]).prop_map(|target| Node::Link(target.to_owned())),
        1 => Just(Node::Folder),
    ]
}

/// Lines of an ignore file, all of them valid.
fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => prop::sample::select(vec!["a", "b", "ab", "c", "é", "Z", "a.b", "@a", "-"]).prop_map(str::to_owned),
        3 => prop::sample::select(vec!["*", "?", "**", "a*", "*b", "[a-c]", "[^a]", "a**", "**b", "a?b", "\\*", "\\[x\\]", "..", "."]).prop_map(str::to_owned),
    ];
    (
        prop::collection::vec(part, 1..4),
        prop::sample::select(vec!["", "", "!", "! ", "/", " "]),
        any::<bool>(),
    )
        .prop_map(|(parts, before, slash)| {
            format!("{before}{}{}", parts.join("/"), if slash { "/" } else { "" })
        })
}

/// What the base says beside its place: format, inputs, build options.
fn base() -> impl Strategy<Value = String> {
    let options = prop::sample::subsequence(
        vec![
            "network = \"default\"",
            "shm-size = \"1g\"",
            "target = \"stage\"",
            "provenance = \"max\"",
            "sbom = true",
            "ssh = [\"default\", \"id=/socket\"]",
            "secrets = [{ id = \"npmrc\", env = \"TOKEN\" }]",
            "flags = [\"--add-host=a:127.0.0.1\", \"--ulimit=nofile=9\"]",
            "contexts = { \"more/x%\" = \"more\" }",
            "labels = { b = \"\", a = \"é\" }",
        ],
        0..10,
    );
    let format = prop_oneof![
        2 => Just(""),
        2 => Just("inputs = [\"given\", \"given/kept-file\"]"),
        1 => Just("inputs = [\"given/kept-file\", \"./given/\"]\nhash = \"concat\""),
    ];
    let more = prop_oneof![
        Just(""),
        Just("salt = \"pepper\"\nextra = [\"x\", \"{versions.TOOL}\"]\nupstream = \"float\""),
        Just("refresh = \"weekly\""),
        Just("refresh = \"monthly\"\nsalt = \"pepper\"\nextra = [\"x\"]"),
    ];
    (format, more, options).prop_map(|(format, more, options)| {
        let mut text = format!("{format}\n{more}\n[base.build]\n");
        for option in options {
            let _ = writeln!(text, "{option}");
        }
        text
    })
}

fn family() -> impl Strategy<Value = Family> {
    let place =
        (any::<bool>(), path()).prop_map(|(given, path)| if given { format!("given/{path}") } else { path });
    (
        prop::collection::vec((place, node()), 0..12),
        prop::collection::vec(pattern(), 0..6),
        any::<bool>(),
        base(),
        any::<bool>(),
        prop_oneof![
            Just("FROM scratch\nCOPY . /\n"),
            // Which stage a platform names, the reference does not know.
            prop::sample::select(DOCKERFILES.to_vec())
                .prop_map(|(text, _)| text)
                .prop_filter("a stage", |text| !text.contains("FROM y-$")),
        ],
    )
        .prop_map(
            |(files, ignore, own_ignore, base, dockerfile_elsewhere, dockerfile)| Family {
                dockerfile,
                files,
                ignore,
                own_ignore,
                base,
                dockerfile_elsewhere,
            },
        )
}

/// The same families each time; `SPLITBASE_FAMILIES` makes more of them.
#[test]
fn families_that_are_made_up() {
    let cases = std::env::var("SPLITBASE_FAMILIES").map_or(40, |cases| cases.parse().unwrap());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let compared = std::cell::Cell::new(0);
    let outcome = runner.run(&family(), |family| {
        let folder = tempfile::tempdir().unwrap();
        family.write(folder.path());
        let (ours, theirs) = (
            said(&mut program(
                folder.path(),
                &["--no-cache", "--today", "2027-01-02"],
            )),
            said(&mut reference(folder.path(), &["--today", "2027-01-02"])),
        );
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(images(&ours, "inputs"), images(&theirs, "files"));
                compared.set(compared.get() + 1);
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "only one of them refuses:\n{:?}\n{:?}", ours, theirs),
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // Most families are good ones: a test of errors would prove little.
    assert!(
        compared.get() * 10 >= cases * 7,
        "only {} of {cases} were compared",
        compared.get()
    );
}

/// Several processes, one cache: the first writes it while the others read, write, or find it half way.
#[test]
fn processes_share_a_cache_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    copy(&root().join("examples/tiny"), folder.path());
    for platform in ["amd64", "arm64"] {
        fs::write(folder.path().join(format!("busybox-{platform}")), platform).unwrap();
    }
    // The inputs are to be clearly older than the runs.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let cache: PathBuf = folder.path().join("cache");
    let hash = || {
        let mut command = program(folder.path(), &[]);
        command
            .env("XDG_CACHE_HOME", &cache)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let plain = said(hash().arg("--no-cache")).unwrap();
    assert!(!cache.exists(), "--no-cache writes none");
    for round in 0..5 {
        let _ = fs::remove_dir_all(&cache);
        let children: Vec<_> = (0..6).map(|_| hash().spawn().unwrap()).collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), plain, "round {round}");
        }
        let left: Vec<_> = fs::read_dir(cache.join("splitbase"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["file-digests"]);
    }
    // What is in it is of use: the files themselves are not opened.
    let before = fs::metadata(cache.join("splitbase/file-digests"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(said(&mut hash()).unwrap(), plain);
    assert_eq!(
        fs::metadata(cache.join("splitbase/file-digests"))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
}
