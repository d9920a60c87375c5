//! What BuildKit really copies from a build context, and what the identity counts of it: the same, whatever the ignore file says.

use crate::support::{sha256, try_program, variable};
use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use splitbase::inputs::{Dockerignore, EntryKind, InputError, Request, collect};
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// Named contexts in one build: each is a layer, and an image has at most some 120 of them.
const CONTEXTS: usize = 40;

/// What lies at a path: as entries of an identity have it.
type Files = BTreeMap<String, (EntryKind, bool, String)>;

#[derive(Debug, Clone)]
enum Node {
    File(String, bool),
    Link(&'static str),
    Folder,
}

#[derive(Debug, Clone)]
struct Context {
    nodes: Vec<(String, Node)>,
    /// `.dockerignore`, or none.
    rules: Option<String>,
}

/// Names that patterns, sorts and shells stumble over; some are junk.
fn name() -> impl Strategy<Value = String> {
    let ordinary = prop::sample::select(vec![
        "a",
        "b",
        "ab",
        "c",
        "x.md",
        "y.log",
        "README.md",
        ".b",
        "aa",
    ]);
    let hostile = prop::sample::select(vec![
        "é",
        "e\u{301}",
        "a b",
        " a",
        "*",
        "**",
        "[a]",
        "a\\b",
        "!a",
        "#a",
        "-rf",
        "a\nb",
        "..a",
        "@x",
        "$x",
        "'q'",
        "a|b",
        "{a}",
        "(a)",
        "^a",
        "a+",
        "a.",
        "?",
        "日本",
        "\u{feff}a",
        ".dockerignore",
        "Dockerfile",
        "a~",
        "z.pyc",
        "__pycache__",
    ]);
    prop_oneof![3 => ordinary, 1 => hostile].prop_map(str::to_owned)
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        6 => ("[a-z]{0,3}", any::<bool>()).prop_map(|(content, executable)| Node::File(content, executable)),
        1 => prop::sample::select(vec!["a", "../x", "nowhere", "/", "b/c"]).prop_map(Node::Link),
        1 => Just(Node::Folder),
    ]
}

/// A line: of a path that may be there, or of what is peculiar to BuildKit.
fn line() -> impl Strategy<Value = String> {
    let path = prop::collection::vec(
        prop_oneof![4 => name(), 1 => Just("*".to_owned()), 1 => Just("**".to_owned())],
        1..4,
    )
    .prop_map(|names| names.join("/"));
    let before = prop::sample::select(vec!["", "", "", "/", "./", "**/", "x/../", "*/", "../"]);
    let behind = prop::sample::select(vec!["", "", "", "/", "/*", "/**", "*", "/*/**", "/."]);
    let written = (before, path, behind).prop_map(|(before, path, behind)| format!("{before}{path}{behind}"));
    let peculiar = prop::sample::select(vec![
        "*",
        "**",
        "*",
        "**/*",
        "?",
        "[a-b]*",
        "[^a]",
        "a|b*",
        "*.{md,log}",
        "a{2}*",
        "**/*.md",
        "\\*",
        "\\[a]",
        "[*]",
        "^a*",
        "\\d*",
        "a\\b",
        "\\w?",
        "**a",
        "a**",
        "a**/b",
        ".*",
        "./!a",
        "# a",
        "",
        "\\#a",
        "[[:alpha:]]",
        "é*",
        "..",
        "/",
        ".",
    ]);
    let pattern = prop_oneof![2 => written, 1 => peculiar.prop_map(str::to_owned)];
    (prop::sample::select(vec!["", "", "!", "!", " ", "! "]), pattern)
        .prop_map(|(mark, pattern)| format!("{mark}{pattern}"))
}

fn rules() -> impl Strategy<Value = String> {
    let ends = prop::sample::select(vec!["\n", "\n", "\n", "\r\n"]);
    (prop::collection::vec(line(), 1..7), any::<bool>(), ends, 0..8).prop_map(|(mut lines, all, end, bom)| {
        if all {
            lines.insert(0, "*".to_owned());
        }
        let bom = if bom == 0 { "\u{feff}" } else { "" };
        format!("{bom}{}", lines.join(end))
    })
}

fn context() -> impl Strategy<Value = Context> {
    let path = prop::collection::vec(name(), 1..5).prop_map(|names| names.join("/"));
    let rules = prop::option::weighted(
        0.95,
        rules().prop_filter("BuildKit takes it", |rules| Dockerignore::parse(rules).is_ok()),
    );
    (prop::collection::vec((path, node()), 3..14), rules).prop_map(|(nodes, rules)| Context { nodes, rules })
}

/// Writes what fits: a name that is a file already is no folder as well.
fn write(folder: &Path, context: &Context) {
    std::fs::create_dir_all(folder).unwrap();
    if let Some(rules) = &context.rules {
        std::fs::write(folder.join(".dockerignore"), rules).unwrap();
    }
    for (path, node) in &context.nodes {
        let path = folder.join(path);
        let fits = std::fs::create_dir_all(path.parent().unwrap()).is_ok();
        if !fits
            || path.symlink_metadata().is_ok()
            || path.parent().unwrap() != path.parent().unwrap().canonicalize().unwrap()
        {
            continue;
        }
        match node {
            Node::Folder => std::fs::create_dir(path).unwrap(),
            Node::Link(target) => symlink(target, path).unwrap(),
            Node::File(content, executable) => {
                std::fs::write(&path, content).unwrap();
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// All below a folder, but for folders that are not empty, and what `junk` names or lies in it. Folders that hold nothing but junk stand apart: they may have
/// arrived for its sake alone.
fn files(folder: &Path, junk: &[String]) -> (Files, Files) {
    fn walk(top: &Path, folder: &Path, junk: &[String], found: &mut (Files, Files)) -> bool {
        let (mut empty, mut any) = (true, false);
        for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            empty = false;
            let metadata = path.symlink_metadata().unwrap();
            if junk.contains(&name) {
                continue;
            }
            if metadata.is_dir() {
                any |= walk(top, &path, junk, found);
                continue;
            }
            any = true;
            let entry = if metadata.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                let digest = sha256(target.to_str().unwrap().as_bytes());
                (EntryKind::Symlink, false, digest)
            } else {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                let digest = sha256(&std::fs::read(&path).unwrap());
                (EntryKind::File, executable, digest)
            };
            found.0.insert(name, entry);
        }
        if !any && folder != top {
            let name = folder.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
            let list = if empty { &mut found.0 } else { &mut found.1 };
            list.insert(name, (EntryKind::Directory, false, sha256(b"")));
        }
        any || empty
    }
    let mut found = (Files::new(), Files::new());
    walk(folder, folder, junk, &mut found);
    found
}

/// Asserts that what arrived in `copied` is what the identity counts of `context`, both relative to `root`.
fn compare(root: &Utf8Path, context: &str, dockerfile: &str, copied: &Path) {
    let request = Request {
        root,
        context: Utf8Path::new(context),
        dockerfile: Utf8Path::new(dockerfile),
        inputs: None,
        contexts: Vec::new(),
        given: Vec::new(),
    };
    let told = |what: &str| {
        let read = |name: String| std::fs::read_to_string(root.join(name)).ok();
        let general = read(format!("{context}/.dockerignore"));
        format!(
            "{what}: .dockerignore {general:?}, beside the Dockerfile {:?}",
            read(format!("{dockerfile}.dockerignore"))
        )
    };
    let collected = match collect(&request) {
        // A defect of BuildKit's, which is told instead of counted.
        Err(InputError::ArrivesEmpty { path, .. }) => {
            assert_ne!(std::fs::read(root.join(context).join(&path)).unwrap(), b"");
            assert_eq!(
                std::fs::read(copied.join(&path)).unwrap(),
                b"",
                "{}",
                told(path.as_str())
            );
            return;
        }
        other => other.unwrap_or_else(|error| panic!("{}", told(&error.to_string()))),
    };
    let plain = |path: &String| {
        path.strip_prefix("./@")
            .map_or_else(|| path.clone(), |path| format!("@{path}"))
    };
    let junk: Vec<String> = collected.junk.paths.iter().map(plain).collect();
    let (mut arrived, hollow) = files(copied, &junk);
    let mut counted: Files = collected
        .entries
        .iter()
        .map(|entry| {
            (
                plain(&entry.path),
                (entry.kind, entry.executable, entry.digest.to_string()),
            )
        })
        .collect();
    // The Dockerfile counts whether it arrives or not.
    let own = plain(&collected.dockerfile);
    if !arrived.contains_key(&own) {
        counted.remove(&own);
    }
    arrived.extend(hollow.into_iter().filter(|(path, _)| counted.contains_key(path)));
    assert_eq!(counted, arrived, "{}", told("counted, and what BuildKit copied"));
}

/// Builds a Dockerfile that copies its main context, and the others of these folders; where all that lies.
fn build(
    root: &Utf8Path,
    main: &str,
    dockerfile: &str,
    others: &[String],
) -> Result<tempfile::TempDir, String> {
    let copied = tempfile::tempdir().unwrap();
    let mut text = "FROM scratch\nCOPY . /main/\n".to_owned();
    let mut arguments: Vec<String> = ["buildx", "build", "--quiet", "--provenance=false"]
        .map(str::to_owned)
        .into();
    arguments.push(format!("--file={}", root.join(dockerfile)));
    for other in others {
        text.extend(["COPY --from=", other, " . /", other, "/\n"]);
        arguments.push(format!("--build-context={other}={}", root.join(other)));
    }
    std::fs::create_dir_all(root.join(dockerfile).parent().unwrap()).unwrap();
    std::fs::write(root.join(dockerfile), text).unwrap();
    arguments.push(format!("--output=type=local,dest={}", copied.path().display()));
    arguments.push(root.join(main).to_string());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    try_program("docker", &arguments).map(|_| copied)
}

fn number(name: &str, default: u64) -> u64 {
    variable(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("`{name}` is no number: {text}"))
    })
}

/// `SPLITBASE_TEST_IGNORE_BUILDS` builds (2), from the seed `SPLITBASE_TEST_IGNORE_SEED` (1); a failure names the seed of its build.
#[test]
fn e2e_what_buildkit_copies_is_what_counts() {
    let first = number("SPLITBASE_TEST_IGNORE_SEED", 1);
    for seed in first..first + number("SPLITBASE_TEST_IGNORE_BUILDS", 2) {
        println!("SPLITBASE_TEST_IGNORE_SEED={seed}");
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let others: Vec<String> = (0..CONTEXTS).map(|at| format!("c{at}")).collect();
        for other in &others {
            let context = context().new_tree(&mut runner).unwrap().current();
            write(root.join(other).as_std_path(), &context);
        }
        // The main context has its Dockerfile in it, and perhaps an ignore file beside that.
        let main = context().new_tree(&mut runner).unwrap().current();
        let beside = context().new_tree(&mut runner).unwrap().current().rules;
        write(root.join("main").as_std_path(), &main);
        let dockerfile = "main/docker dir/own.Dockerfile";
        std::fs::create_dir_all(root.join("main/docker dir")).unwrap();
        if let Some(rules) = beside.filter(|_| seed % 2 == 0) {
            std::fs::write(root.join(format!("{dockerfile}.dockerignore")), rules).unwrap();
        }
        let copied = build(root, "main", dockerfile, &others).unwrap_or_else(|error| panic!("{error}"));
        compare(root, "main", dockerfile, &copied.path().join("main"));
        // To named contexts, the ignore file beside the Dockerfile says nothing.
        std::fs::write(root.join("Dockerfile"), "").unwrap();
        for other in &others {
            compare(root, other, "Dockerfile", &copied.path().join(other));
        }
    }
}

/// A Dockerfile, and what lies beside it as its ignore file.
type Beside<'a> = (&'a str, &'a dyn Fn(&Utf8PathBuf));

/// Where the rules come from: which file, and what a symlink in its place leads to.
#[test]
fn e2e_the_ignore_file_that_buildkit_reads_is_the_one_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    let mut contexts = Vec::new();
    let mut context = |ignore: &dyn Fn(&Utf8PathBuf)| {
        let name = format!("c{}", contexts.len());
        for file in ["x", "y", "z", "ignore/real", "x~"] {
            let rules = if file == "ignore/real" { "x\n" } else { "" };
            let path = root.join(&name).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, rules).unwrap();
        }
        ignore(&root.join(&name).join(".dockerignore"));
        contexts.push(name);
    };
    std::fs::write(root.join("outer"), "z\n").unwrap();
    let outer = root.join("outer");
    context(&|path| symlink("ignore/real", path).unwrap());
    context(&|path| symlink("/ignore/../ignore/real", path).unwrap());
    context(&|path| symlink("../../../ignore/real", path).unwrap());
    context(&|path| symlink("../outer", path).unwrap());
    context(&|path| symlink(&outer, path).unwrap());
    context(&|path| symlink(".dockerignore", path).unwrap());
    context(&|path| symlink("nowhere", path).unwrap());
    context(&|path| std::fs::create_dir(path).unwrap());
    context(&|path| std::fs::write(path, "").unwrap());
    context(&|path| std::fs::write(path, b"# Gr\xf6\xdfe\n\xff\ny\n").unwrap());
    // Of the main context: one beside the Dockerfile has precedence, though it is empty, and wherever the Dockerfile is.
    let beside: [Beside; 5] = [
        ("main/Dockerfile", &|_| {}),
        ("main/Dockerfile", &|path| std::fs::write(path, "x\n").unwrap()),
        ("main/docker/own", &|path| std::fs::write(path, "").unwrap()),
        ("elsewhere/own", &|path| std::fs::write(path, "z\ny\n").unwrap()),
        ("main/docker/own", &|path| {
            symlink("../.dockerignore", path).unwrap();
        }),
    ];
    for (dockerfile, ignore) in beside {
        let _ = std::fs::remove_dir_all(root.join("main"));
        for file in ["x", "y", "z"] {
            std::fs::create_dir_all(root.join("main")).unwrap();
            std::fs::write(root.join("main").join(file), "").unwrap();
        }
        std::fs::write(
            root.join("main/.dockerignore"),
            "y\n.dockerignore\n**/Dockerfile\n",
        )
        .unwrap();
        std::fs::create_dir_all(root.join(dockerfile).parent().unwrap()).unwrap();
        ignore(&Utf8PathBuf::from(format!(
            "{}.dockerignore",
            root.join(dockerfile)
        )));
        let copied = build(root, "main", dockerfile, &contexts).unwrap_or_else(|error| panic!("{error}"));
        compare(root, "main", dockerfile, &copied.path().join("main"));
        for name in &contexts {
            compare(root, name, dockerfile, &copied.path().join(name));
        }
        contexts.clear();
    }
}

/// What is refused here, BuildKit refuses as well.
#[test]
fn e2e_lines_that_buildkit_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    std::fs::create_dir(root.join("main")).unwrap();
    std::fs::write(root.join("main/a"), "").unwrap();
    for line in [
        "!",
        "[",
        "*\n!/",
        "[b-a]",
        "bin\\yes",
        "a{2}{3}*",
        "./!",
        &"x".repeat(65_536),
    ] {
        assert!(Dockerignore::parse(line).is_err(), "{line}");
        std::fs::write(root.join("main/.dockerignore"), line).unwrap();
        let error = build(root, "main", "main/Dockerfile", &[]).expect_err(line);
        assert!(error.contains("ERROR"), "{line}: {error}");
    }
}
