use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// The shell line that is to be matched, with the junk filter as pipelines have it. Its own `LC_ALL=C` is what sorts, whatever the locale.
const SHELL: &str = r#"
set -o pipefail
{
  cat Dockerfile.base
  cat "$1"
  find "$2" -type f ! -path '*/__pycache__/*' ! -name '*.pyc' ! -name '.DS_Store' ! -name '._*' -print0 | LC_ALL=C sort -z | xargs -0 cat
  cat entrypoint.sh entrypoint-user.sh
  shift 2
  for extra in "$@"; do printf '%s\n' "$extra"; done
} | sha256sum | cut -c1-64
"#;

#[expect(clippy::disallowed_methods, reason = "the shell is the witness")]
fn shell(folder: &Path, head: &str, tree: &str, extra: &[String]) -> String {
    let output = Command::new("bash")
        .args(["-c", SHELL, "bash", head, tree])
        .args(extra)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the test writes its own tree")]
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn family(folder: &Path) {
    write(&folder.join("Dockerfile.base"), b"FROM scratch\n");
    write(&folder.join("head file"), b"head");
    write(&folder.join("entrypoint.sh"), b"#!/bin/sh\n");
    write(&folder.join("entrypoint-user.sh"), b"");
    fs::create_dir_all(folder.join("rootfs")).unwrap();
}

fn hash(folder: &Path, tree: &str, extra: &[String]) -> Result<Concat, InputError> {
    let root = Utf8Path::from_path(folder).unwrap();
    let inputs: Vec<Utf8PathBuf> = ["head file", tree, "entrypoint.sh", "entrypoint-user.sh"]
        .map(Utf8PathBuf::from)
        .to_vec();
    concat(
        root,
        Utf8Path::new("."),
        Utf8Path::new("Dockerfile.base"),
        &inputs,
        extra,
    )
}

/// Names that shells and sorts stumble over.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            " ",
            "a b",
            "a\nb",
            "\n",
            "-rf",
            "--",
            "-n",
            "é",
            "É",
            "e",
            "Z",
            "a",
            "ä",
            "_",
            "a-b",
            "a.b",
            "ab",
            "a_b",
            "*",
            "?",
            "[a]",
            "$(x)",
            "`x`",
            "'",
            "\"",
            "\\",
            "日本",
            "\u{1F600}",
            "e\u{301}",
            "\t",
            "#x#",
            ".x.swp",
            "x~",
            "A.PYC",
            "x.pyc",
            ".pyc",
            ".DS_Store",
            "._x",
            "__pycache__",
            "pycache__",
            "DS_Store",
            "..a",
            "\u{ff5e}",
            "\u{10000}",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z0-9 _.\\-é\n]{1,6}".prop_filter("no `.` and `..`", |name| name != "." && name != ".."),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_same_as_the_shell_line(
        files in prop::collection::vec((prop::collection::vec(name(), 1..4), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
        links in prop::collection::vec(name(), 0..2),
        slash in any::<bool>(),
        extra in prop::collection::vec("\\PC{0,8}", 0..3),
    ) {
        let folder = tempfile::tempdir().unwrap();
        family(folder.path());
        let tree = folder.path().join("rootfs");
        for (names, content) in &files {
            let path = names.iter().fold(tree.clone(), |path, name| path.join(name));
            // A name that is a file already cannot be a folder as well.
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
                write(&path, content);
            }
        }
        for name in &links {
            let _ = symlink("../entrypoint.sh", tree.join(name));
        }
        let tree = if slash { "rootfs/" } else { "rootfs" };
        let ours = hash(folder.path(), tree, &extra).unwrap().identity.to_string();
        prop_assert_eq!(ours, shell(folder.path(), "head file", tree, &extra));
    }
}

#[test]
fn order_is_that_of_bytes_over_the_whole_path() {
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    // `a.b` sorts before `a/b` bytewise, after it name by name; `Z` before `a`, and `é` last.
    for (index, name) in ["a/b", "a.b", "a-b", "ab", "Z", "é", "e"].into_iter().enumerate() {
        write(
            &folder.path().join("rootfs").join(name),
            &[b'0' + u8::try_from(index).unwrap()],
        );
    }
    let ours = hash(folder.path(), "rootfs", &[]).unwrap().identity.to_string();
    assert_eq!(ours, shell(folder.path(), "head file", "rootfs", &[]));
}

#[test]
fn an_input_that_is_a_symlink_to_a_file_is_read_as_cat_does() {
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    fs::remove_file(folder.path().join("head file")).unwrap();
    symlink("entrypoint.sh", folder.path().join("head file")).unwrap();
    let ours = hash(folder.path(), "rootfs", &[]).unwrap().identity.to_string();
    assert_eq!(ours, shell(folder.path(), "head file", "rootfs", &[]));
}

#[test]
fn what_is_missing_is_an_error() {
    for name in ["Dockerfile.base", "rootfs", "entrypoint.sh"] {
        let folder = tempfile::tempdir().unwrap();
        family(folder.path());
        fs::rename(folder.path().join(name), folder.path().join("elsewhere")).unwrap();
        let error = hash(folder.path(), "rootfs", &[]).unwrap_err();
        assert!(matches!(error, InputError::Missing { .. }), "{error}");
        assert_eq!(error.exit_code().code(), 2);
    }
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    symlink("rootfs", folder.path().join("link")).unwrap();
    let error = hash(folder.path(), "link", &[]).unwrap_err();
    assert!(matches!(error, InputError::ThroughSymlink { .. }), "{error}");
}

#[test]
fn what_it_cannot_see_is_told() {
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    let tree = folder.path().join("rootfs");
    symlink("x", tree.join("link")).unwrap();
    write(&tree.join("run"), b"x");
    fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let first = |name: &str| format!("rootfs/{name}");
    assert_eq!(
        hash(folder.path(), "rootfs", &[]).unwrap().blind,
        [
            Blind::Names,
            Blind::Values,
            Blind::Symlinks {
                count: 1,
                first: first("link")
            },
            Blind::EmptyFiles {
                count: 1,
                first: "entrypoint-user.sh".to_owned()
            },
            Blind::ExecBits {
                count: 1,
                first: first("run")
            },
        ]
    );
}

/// What keeps a tree from being hashed: sockets, devices and pipes, names that are not UTF-8, and what this user may not read.
fn obstacles(tree: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(tree) {
        match entry {
            Ok(entry) => {
                let kind = entry.file_type();
                let odd = !kind.is_file() && !kind.is_dir() && !kind.is_symlink();
                let unreadable =
                    || kind.is_file() && fs::File::options().read(true).open(entry.path()).is_err();
                if odd || entry.path().to_str().is_none() || unreadable() {
                    found.push(entry.into_path());
                }
            }
            Err(error) => found.push(error.path().unwrap_or(tree).to_owned()),
        }
    }
    found
}

/// Compares one tree of this machine. Where something in it cannot be hashed, that must be said, and the parts without obstacles are compared instead.
/// How many trees were compared.
fn compare_with_the_shell(folder: &Path, tree: &Path) -> usize {
    let obstacles = obstacles(tree);
    let relative = tree.strip_prefix("/").unwrap().to_str();
    let input = Utf8PathBuf::from(relative.unwrap_or_default());
    let ours = || {
        let (root, context) = (Utf8Path::from_path(folder).unwrap(), Utf8Path::new("/"));
        let inputs = [Utf8PathBuf::from("head file"), input.clone()];
        let inputs = [
            root.join(&inputs[0]).strip_prefix("/").unwrap().to_owned(),
            inputs[1].clone(),
        ];
        concat(root, context, Utf8Path::new("Dockerfile.base"), &inputs, &[])
    };
    if let Some(first) = obstacles.first() {
        let error = ours().expect_err("something in it cannot be hashed");
        assert!(
            obstacles
                .iter()
                .any(|path| error.path() == path.display().to_string()),
            "{error}: {}",
            first.display()
        );
        let parts = walkdir::WalkDir::new(tree)
            .min_depth(1)
            .max_depth(1)
            .into_iter()
            .flatten();
        let folders = parts.filter(|part| part.file_type().is_dir());
        return folders
            .map(|part| compare_with_the_shell(folder, part.path()))
            .sum();
    }
    // Somebody may be writing to it meanwhile: what counts is a time at which nobody did.
    for _ in 0..5 {
        let before = shell_on(folder, tree);
        let ours = ours().unwrap().identity.to_string();
        if before == shell_on(folder, tree) {
            assert_eq!(ours, before, "{}", tree.display());
            return 1;
        }
    }
    panic!("`{}` does not keep still", tree.display());
}

#[expect(clippy::disallowed_methods, reason = "the shell is the witness")]
fn shell_on(folder: &Path, tree: &Path) -> String {
    let script = SHELL
        .replace("cat entrypoint.sh entrypoint-user.sh\n", ":\n")
        .replace("find \"$2\"", "(cd / && find \"$2\"");
    let script = script.replace("xargs -0 cat\n", "xargs -0 cat)\n");
    let output = Command::new("bash")
        .args(["-c", &script, "bash", "head file"])
        .arg(tree.strip_prefix("/").unwrap())
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The first of these that is there, compared. A machine without any of them proves nothing, and fails.
fn on_a_real_tree(trees: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    let tree = trees.iter().map(Path::new).find(|tree| tree.is_dir());
    let tree = tree.unwrap_or_else(|| panic!("none of {trees:?} is there: install one"));
    // Symlinks to folders are errors in an input; what they point at is meant.
    let tree = tree.canonicalize().unwrap();
    let compared = compare_with_the_shell(folder.path(), &tree);
    assert!(compared > 0, "nothing in `{}` could be compared", tree.display());
}

#[test]
fn the_same_as_the_shell_line_on_perls_modules() {
    on_a_real_tree(&["/usr/share/perl", "/usr/share/perl5", "/usr/lib/python3"]);
}

#[test]
fn the_same_as_the_shell_line_on_headers() {
    on_a_real_tree(&["/usr/include", "/usr/share/doc"]);
}

#[test]
fn the_same_as_the_shell_line_on_the_machines_settings() {
    on_a_real_tree(&["/etc"]);
}

#[test]
fn a_tree_with_obstacles_is_compared_without_them() {
    let folder = tempfile::tempdir().unwrap();
    family(folder.path());
    let tree = folder.path().join("tree");
    write(&tree.join("good/a"), b"a");
    write(&tree.join("bad/b/c"), b"c");
    write(&tree.join("bad/d"), b"d");
    let _socket = std::os::unix::net::UnixListener::bind(tree.join("bad/socket")).unwrap();
    assert_eq!(compare_with_the_shell(folder.path(), &tree), 2);
}
