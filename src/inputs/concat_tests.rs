use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

/// The shell line that is to be matched, with the junk filter as pipelines have it. Run under a locale that sorts otherwise, where there is one.
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
