#![expect(clippy::disallowed_methods, reason = "the tests write their own trees")]

use super::*;
use crate::inputs::EntryKind;
use camino::Utf8PathBuf;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

/// A family in a folder of its own.
struct Tree {
    folder: tempfile::TempDir,
    context: Utf8PathBuf,
    dockerfile: Utf8PathBuf,
    contexts: Vec<(String, Utf8PathBuf)>,
}

impl Tree {
    fn new(files: &[&str]) -> Self {
        let tree = Self {
            folder: tempfile::tempdir().unwrap(),
            context: ".".into(),
            dockerfile: "Dockerfile".into(),
            contexts: Vec::new(),
        };
        tree.write("Dockerfile", "FROM scratch\n");
        for file in files {
            tree.write(file, file);
        }
        tree
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn folder(&self, path: &str) {
        fs::create_dir_all(self.path(path)).unwrap();
    }

    fn collect(&self, inputs: Option<&[&str]>) -> Result<Collected, InputError> {
        let inputs: Option<Vec<Utf8PathBuf>> =
            inputs.map(|inputs| inputs.iter().map(Utf8PathBuf::from).collect());
        collect(&Request {
            root: Utf8Path::from_path(self.folder.path()).unwrap(),
            context: &self.context,
            dockerfile: &self.dockerfile,
            inputs: inputs.as_deref(),
            contexts: self
                .contexts
                .iter()
                .map(|(name, path)| (name.as_str(), path.as_path()))
                .collect(),
            given: Vec::new(),
        })
    }

    fn paths(&self, inputs: Option<&[&str]>) -> Vec<String> {
        self.collect(inputs)
            .unwrap()
            .entries
            .into_iter()
            .map(|entry| entry.path)
            .collect()
    }

    fn refused(&self, inputs: Option<&[&str]>) -> InputError {
        let error = self.collect(inputs).unwrap_err();
        assert!(!error.hint().is_empty() && !error.path().is_empty(), "{error}");
        error
    }
}

#[test]
fn the_whole_context_less_what_is_ignored() {
    let tree = Tree::new(&["a", "b/c", "b/d/e", "secret/key", "b/d/x.log", ".git/HEAD"]);
    tree.write(".dockerignore", "secret\n**/*.log\n.git\n.dockerignore\n");
    assert_eq!(tree.paths(None), ["Dockerfile", "a", "b/c", "b/d/e"]);
    tree.write(".dockerignore", "*\n!b\nb/d\n!b/d/e\n");
    assert_eq!(tree.paths(None), ["Dockerfile", "b/c", "b/d/e"]);
}

#[test]
fn an_ignore_file_of_the_dockerfile_has_precedence() {
    let tree = Tree::new(&["a", "b"]);
    tree.write(".dockerignore", "a\n.dockerignore\n");
    tree.write("Dockerfile.dockerignore", "b\n*.dockerignore\n.dockerignore\n");
    assert_eq!(tree.paths(None), ["Dockerfile", "a"]);
    tree.write("Dockerfile.dockerignore", "[");
    let error = tree.refused(None);
    assert_eq!(
        error.to_string(),
        "Dockerfile.dockerignore:1: `[` is not a valid pattern"
    );
}

#[test]
fn declared_inputs_and_the_dockerfile_alone() {
    let tree = Tree::new(&["rootfs/etc/motd", "rootfs/x", "run.sh", "other"]);
    assert_eq!(
        tree.paths(Some(&["./rootfs/", "run.sh", "rootfs/etc"])),
        ["Dockerfile", "rootfs/etc/motd", "rootfs/x", "run.sh"]
    );
    assert_eq!(tree.paths(Some(&[])), ["Dockerfile"]);
    assert_eq!(tree.paths(Some(&["."])), tree.paths(None));
}

#[test]
fn symlinks_are_not_followed_and_their_target_counts() {
    let tree = Tree::new(&["rootfs/a"]);
    symlink("a", tree.path("rootfs/link")).unwrap();
    symlink("nowhere", tree.path("rootfs/dangling")).unwrap();
    symlink("/", tree.path("rootfs/up")).unwrap();
    let collected = tree.collect(Some(&["rootfs"])).unwrap();
    let link = collected
        .entries
        .iter()
        .find(|entry| entry.path == "rootfs/link")
        .unwrap();
    assert_eq!(
        (link.kind, link.size, link.digest),
        (EntryKind::Symlink, 1, crate::domain::Digest::of(b"a"))
    );
    assert_eq!(collected.entries.len(), 5);
    let error = tree.refused(Some(&["rootfs/up/etc"]));
    assert!(
        matches!(&error, InputError::ThroughSymlink { link, .. } if link == "rootfs/up"),
        "{error}"
    );
    // Itself a symlink, an input is one entry.
    assert_eq!(tree.paths(Some(&["rootfs/up"])), ["Dockerfile", "rootfs/up"]);
}

#[test]
fn empty_folders_count_and_others_follow_from_their_files() {
    let tree = Tree::new(&["rootfs/a/b", "rootfs/ignored/x"]);
    tree.folder("rootfs/var/log");
    tree.folder("rootfs/junk/__pycache__");
    tree.write(".dockerignore", "**/__pycache__\nrootfs/ignored/*\n.dockerignore");
    let collected = tree.collect(Some(&["rootfs"])).unwrap();
    let kinds: Vec<_> = collected
        .entries
        .iter()
        .map(|entry| (entry.path.as_str(), entry.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("Dockerfile", EntryKind::File),
            ("rootfs/a/b", EntryKind::File),
            ("rootfs/ignored", EntryKind::Directory),
            ("rootfs/junk", EntryKind::Directory),
            ("rootfs/var/log", EntryKind::Directory),
        ]
    );
    assert!(collected.entries.iter().all(|entry| !entry.executable));
}

#[test]
fn the_exec_bit_is_the_owners() {
    let tree = Tree::new(&["run", "group"]);
    fs::set_permissions(tree.path("run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(tree.path("group"), fs::Permissions::from_mode(0o654)).unwrap();
    let entries = tree.collect(None).unwrap().entries;
    let executable: Vec<_> = entries
        .iter()
        .filter(|entry| entry.executable)
        .map(|entry| entry.path.as_str())
        .collect();
    assert_eq!(executable, ["run"]);
}

#[test]
fn what_is_missing_is_an_error_with_exit_code_2() {
    let tree = Tree::new(&["a"]);
    for (inputs, message) in [
        (Some(&["gone"][..]), "input `gone` does not exist"),
        (Some(&["a/b"][..]), "input `a/b` does not exist"),
    ] {
        let error = tree.refused(inputs);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.exit_code().code(), 2);
    }
    let mut tree = Tree::new(&[]);
    tree.dockerfile = "docker/Dockerfile".into();
    assert!(matches!(
        tree.refused(None),
        InputError::Missing {
            role: "Dockerfile",
            ..
        }
    ));
    tree.dockerfile = "Dockerfile".into();
    tree.contexts.push(("assets".into(), "assets".into()));
    assert!(matches!(
        tree.refused(None),
        InputError::Missing {
            role: "named build context",
            ..
        }
    ));
    tree.context = "app".into();
    assert!(matches!(
        tree.refused(None),
        InputError::Missing {
            role: "build context",
            ..
        }
    ));
}

#[test]
fn paths_stay_inside_the_context() {
    let tree = Tree::new(&["a/b"]);
    for path in ["..", "../x", "/etc/passwd", "a/../../x"] {
        assert!(
            matches!(tree.refused(Some(&[path])), InputError::Escapes { .. }),
            "{path}"
        );
    }
    assert!(matches!(
        tree.collect(Some(&[""])),
        Err(InputError::Escapes { .. })
    ));
    assert_eq!(tree.paths(Some(&["a/../a/b"])), ["Dockerfile", "a/b"]);
}

#[test]
fn an_input_that_is_kept_out_is_an_error_that_names_the_line() {
    let tree = Tree::new(&["rootfs/a", "x.pyc"]);
    tree.write(".dockerignore", "# nothing\nrootfs\n*.pyc\n");
    let error = tree.refused(Some(&["rootfs"]));
    assert_eq!(
        error.to_string(),
        "input `rootfs` never reaches the build: `.dockerignore:2` keeps it out"
    );
    let error = tree.refused(Some(&["x.pyc"]));
    assert_eq!(
        error.to_string(),
        "input `x.pyc` never reaches the build: it is junk (`**/*.pyc`)"
    );
    tree.write(".dockerignore", "rootfs\n!rootfs/a\n");
    assert_eq!(tree.paths(Some(&["rootfs"])), ["Dockerfile", "rootfs/a"]);
}

#[test]
fn special_files_and_foreign_names_are_errors_that_name_the_path() {
    use std::os::unix::ffi::OsStrExt as _;
    let tree = Tree::new(&["a/b"]);
    let socket = std::os::unix::net::UnixListener::bind(tree.path("a/socket")).unwrap();
    assert!(matches!(
        tree.refused(None),
        InputError::SpecialFile { kind: "socket", .. }
    ));
    drop(socket);
    tree.write(".dockerignore", "a/socket\n");
    assert!(tree.collect(None).is_ok());
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    fs::write(tree.path("a").join(name), "x").unwrap();
    let error = tree.refused(None);
    assert!(
        matches!(error, InputError::NotUtf8 { what: "name", .. }),
        "{error}"
    );
    assert!(error.path().ends_with("a/caf\u{fffd}"), "{}", error.path());
    fs::remove_file(tree.path("a").join(name)).unwrap();
    symlink(name, tree.path("link")).unwrap();
    assert!(matches!(
        tree.refused(None),
        InputError::NotUtf8 { what: "target", .. }
    ));
}

#[test]
fn junk_never_counts_and_is_reported_where_it_would_reach_a_build() {
    let clean = Tree::new(&["rootfs/a", "other/b"]);
    let dirty = Tree::new(&[
        "rootfs/a",
        "rootfs/__pycache__/x.pyc",
        "rootfs/sub/.a.swp",
        "other/b",
        "other/b~",
        "rootfs/.DS_Store",
    ]);
    fs::remove_dir_all(dirty.path("rootfs/sub")).unwrap();
    dirty.write("rootfs/._a", "");
    let declared = dirty.collect(Some(&["rootfs"])).unwrap();
    assert_eq!(
        declared.entries,
        clean.collect(Some(&["rootfs"])).unwrap().entries
    );
    assert_eq!(
        declared.junk.paths,
        ["rootfs/.DS_Store", "rootfs/._a", "rootfs/__pycache__"]
    );
    let lines: Vec<_> = declared
        .junk
        .lines
        .iter()
        .map(|line| (line.file.as_str(), line.line.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (".dockerignore", "**/.DS_Store"),
            (".dockerignore", "**/._*"),
            (".dockerignore", "**/__pycache__"),
        ]
    );
    let whole = dirty.collect(None).unwrap();
    assert_eq!(whole.entries, clean.collect(None).unwrap().entries);
    assert_eq!(whole.junk.paths.len(), 4);
    // With the lines that it asks for, nothing is left to ask.
    let lines: String = whole
        .junk
        .lines
        .iter()
        .flat_map(|line| [line.line.as_str(), "\n"])
        .collect();
    dirty.write(".dockerignore", &format!("{lines}.dockerignore\n"));
    let mended = dirty.collect(None).unwrap();
    assert!(mended.junk.is_empty(), "{:?}", mended.junk);
    assert_eq!(mended.entries, whole.entries);
    // An exception can let junk through again.
    dirty.write(".dockerignore", &format!("{lines}!rootfs/__pycache__/x.pyc\n"));
    assert_eq!(
        dirty.collect(None).unwrap().junk.paths,
        ["rootfs/__pycache__/x.pyc"]
    );
}

#[test]
fn named_contexts_have_paths_of_their_own() {
    let mut tree = Tree::new(&["app/@assets/x", "app/y", "assets/x", "assets/skip"]);
    tree.write("assets/.dockerignore", "skip\n.dockerignore\n");
    tree.write("assets/x~", "");
    tree.context = "app".into();
    tree.contexts.push(("assets".into(), "assets".into()));
    tree.contexts.push(("a/b".into(), "assets".into()));
    let collected = tree.collect(None).unwrap();
    let paths: Vec<_> = collected
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["./@assets/x", "@/Dockerfile", "@a%2Fb/x", "@assets/x", "y"]
    );
    assert_eq!(collected.dockerfile, "@/Dockerfile");
    assert_eq!(collected.junk.paths, ["@a%2Fb/x~", "@assets/x~"]);
    assert_eq!(collected.junk.lines[0].file, "assets/.dockerignore");
}

#[test]
fn a_dockerfile_that_is_a_symlink_counts_with_its_content() {
    let tree = Tree::new(&["docker/real"]);
    fs::remove_file(tree.path("Dockerfile")).unwrap();
    symlink("docker/real", tree.path("Dockerfile")).unwrap();
    let before = tree.collect(Some(&[])).unwrap();
    assert_eq!(before.dockerfile, "@/Dockerfile");
    tree.write("docker/real", "FROM other");
    assert_ne!(before.entries, tree.collect(Some(&[])).unwrap().entries);
}

#[test]
fn differences_are_found_again() {
    let tree = Tree::new(&["a", "b", "c"]);
    let root = Utf8Path::from_path(tree.folder.path()).unwrap();
    let request = Request {
        root,
        context: Utf8Path::new(""),
        dockerfile: Utf8Path::new("./Dockerfile"),
        inputs: None,
        contexts: Vec::new(),
        given: Vec::new(),
    };
    let before = collect(&request).unwrap().entries;
    assert!(fingerprint(&request, &before).unwrap().is_empty());
    tree.write("a", "other");
    fs::rename(tree.path("b"), tree.path("d")).unwrap();
    fs::set_permissions(tree.path("c"), fs::Permissions::from_mode(0o755)).unwrap();
    let found = fingerprint(&request, &before).unwrap();
    assert_eq!(found.changed, ["a", "c"]);
    assert_eq!(
        (found.added, found.removed),
        (vec!["d".to_owned()], vec!["b".to_owned()])
    );
    tree.folder("empty");
    tree.write("x.pyc", "");
    assert_eq!(
        context_listing(&request).unwrap().paths,
        ["Dockerfile", "a", "c", "d", "empty"]
    );
}
