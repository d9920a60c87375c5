//! `variants.lock`.

use super::super::{Given, Lock, LockError, Locked, Resolved};
use super::{npm, value, write};
use crate::config::VersionSource;
use crate::domain::ExitCode;
use indexmap::IndexMap;
use std::collections::BTreeMap;

fn sources() -> IndexMap<String, VersionSource> {
    [
        (
            "PI_VERSION".to_owned(),
            npm("@earendil-works/pi-coding-agent", "latest"),
        ),
        ("NODE_MAJOR".to_owned(), value("22")),
    ]
    .into()
}

fn lock() -> Lock {
    let given = |name: &str, version: &str| {
        let resolved = Resolved::given(name, &sources()[name], version, Given::Set).unwrap();
        (name.to_owned(), resolved)
    };
    let resolved = [given("PI_VERSION", "1.5.2"), given("NODE_MAJOR", "22")].into();
    let digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let upstream = BTreeMap::from([("docker.io/library/debian:13".to_owned(), digest)]);
    Lock::new(&sources(), &resolved, upstream)
}

#[test]
fn the_bytes_are_stable() {
    insta::assert_snapshot!(lock().to_toml(), @r#"
    # Written by `splitbase resolve --write`; commit it.
    schema = 1

    [versions]
    NODE_MAJOR = { version = "22", source = "value" }
    PI_VERSION = { version = "1.5.2", source = "npm:@earendil-works/pi-coding-agent@latest" }

    [upstream]
    "docker.io/library/debian:13" = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    "#);
}

#[test]
fn what_was_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variants.lock");
    assert_eq!(Lock::read(&path).unwrap(), None);
    assert!(lock().write(&path).unwrap());
    assert!(
        !lock().write(&path).unwrap(),
        "the same content was written again"
    );
    assert_eq!(Lock::read(&path).unwrap(), Some(lock()));
    assert!(Lock::default().write(&path).unwrap());
    assert_eq!(Lock::read(&path).unwrap(), Some(Lock::default()));
    let mut entries = folder.path().read_dir().unwrap();
    assert_eq!(entries.next().unwrap().unwrap().file_name(), "variants.lock");
    assert!(entries.next().is_none(), "something was left behind");
}

#[test]
fn a_write_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = lock()
        .write(&folder.path().join("none/variants.lock"))
        .unwrap_err();
    assert!(matches!(error, LockError::Write { .. }), "{error}");
    let link = folder.path().join("link");
    let target = folder.path().join("target");
    write(&target, "old");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    lock().write(&link).unwrap();
    assert!(link.is_symlink());
    assert_eq!(Lock::read(&target).unwrap(), Some(lock()));
}

#[test]
fn any_text_survives() {
    let mut lock = Lock::default();
    for (name, source) in [
        ("A", "command:x 'a b' \"c\" \\d"),
        ("odd name", "tab\there\u{7f}"),
        ("ü", "line\nbreak é 🦀"),
    ] {
        let locked = Locked {
            version: "1".into(),
            source: source.into(),
        };
        lock.versions.insert(name.into(), locked);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variants.lock");
    lock.write(&path).unwrap();
    assert_eq!(Lock::read(&path).unwrap(), Some(lock));
}

#[test]
fn a_file_that_is_no_lock_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variants.lock");
    for (text, part) in [
        ("", "schema"),
        ("schema = 2\nlater = true\n", "schema 2 is not known"),
        ("schema = 1\nversion = {}\n", "unknown field"),
        ("schema = 1\n[versions]\nA = { version = \"1\" }\n", "source"),
        ("schema = 1\n[upstream]\n\"x\" = \"latest\"\n", "latest"),
        ("schema = 1\n[versions\n", "line 2"),
    ] {
        write(&path, text);
        let error = Lock::read(&path).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert_eq!(error.exit_code(), ExitCode::Usage);
    }
}

#[test]
fn locked_means_every_version_from_the_same_source() {
    let resolved = lock().versions_of(&sources()).unwrap();
    assert_eq!(resolved["PI_VERSION"].version, "1.5.2");
    assert_eq!(resolved["PI_VERSION"].source, "lock");
    assert_eq!(resolved.keys().collect::<Vec<_>>(), ["PI_VERSION", "NODE_MAJOR"]);
    let mut changed = sources();
    changed["PI_VERSION"] = npm("@earendil-works/pi-coding-agent", "^2");
    changed["NODE_MAJOR"] = value("24");
    changed.insert("NEW".into(), npm("new", "latest"));
    let error = lock().versions_of(&changed).unwrap_err();
    assert_eq!(
        error.to_string(),
        "use `variants.lock` as it is: `PI_VERSION` comes from npm:@earendil-works/pi-coding-agent@^2, but was locked from \
         npm:@earendil-works/pi-coding-agent@latest; `NODE_MAJOR` is `24`, but `22` was locked; `NEW` is not locked"
    );
    assert_eq!(error.exit_code(), ExitCode::Usage);
    assert!(!error.hints().is_empty());
}

#[test]
fn a_locked_version_is_checked_like_any_other() {
    let mut lock = lock();
    if let Some(locked) = lock.versions.get_mut("PI_VERSION") {
        locked.version = "1.5.2 && true".into();
    }
    let error = lock.versions_of(&sources()).unwrap_err();
    assert!(error.to_string().contains("white space"), "{error}");
}
