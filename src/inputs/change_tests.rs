use super::*;
use crate::config::HashFormat;
use crate::domain::{Identity, ImageId};
use crate::inputs::{EntryKind, IdentityInputs};

fn file(path: &str, content: &str, executable: bool) -> InputEntry {
    InputEntry {
        path: path.to_owned(),
        kind: EntryKind::File,
        executable,
        size: content.len() as u64,
        digest: Digest::of(content.as_bytes()),
    }
}

fn value(kind: ValueKind, name: &str, value: &str) -> NamedValue {
    NamedValue {
        kind,
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn list(dockerfile: &str, files: Vec<InputEntry>, values: Vec<NamedValue>) -> InputList {
    let inputs = IdentityInputs {
        files,
        dockerfile: dockerfile.to_owned(),
        values,
    };
    InputList::new(
        &ImageId::Base,
        Identity::from_bytes([1; 32]),
        HashFormat::Tree,
        inputs,
    )
}

fn lines(before: &InputList, after: &InputList) -> Vec<String> {
    let sources = BTreeMap::from([("OMOS_VERSION".to_owned(), "oh-my-opencode-slim".to_owned())]);
    let found = changes(before, after, &sources);
    assert_eq!(found.is_empty(), before == after);
    found.iter().flat_map(Change::lines).collect()
}

#[test]
fn every_kind_of_change_is_named() {
    let mut link = file("link", "target", false);
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    let before = list(
        "Dockerfile",
        vec![
            file("a", "1", false),
            file("b", "1", false),
            file("c", "1", false),
            file("d", "1", true),
            link.clone(),
            file("same", "1", true),
        ],
        vec![
            value(ValueKind::Arg, "KIND", "none"),
            value(ValueKind::Arg, "OLD", "x"),
            value(ValueKind::Secret, "npmrc", ""),
            value(ValueKind::Upstream, "debian:13", &digest("1")),
            value(ValueKind::Version, "OMOS_VERSION", "2.2.23"),
            value(ValueKind::Version, "TOOLKIT_REF", &"a1".repeat(20)),
            value(ValueKind::Sbom, "", "false"),
        ],
    );
    link.kind = EntryKind::Symlink;
    let after = list(
        "Dockerfile.base",
        vec![
            file("a", "2", false),
            file("c", "1", true),
            file("d", "2", false),
            file("e", "", false),
            link,
            file("same", "1", true),
        ],
        vec![
            value(ValueKind::Arg, "KIND", "omos"),
            value(ValueKind::Arg, "NEW", ""),
            value(ValueKind::Label, "org.x", "y"),
            value(ValueKind::Upstream, "debian:13", &digest("2")),
            value(ValueKind::Version, "OMOS_VERSION", "2.2.24"),
            value(ValueKind::Version, "TOOLKIT_REF", &"b2".repeat(20)),
            value(ValueKind::Sbom, "", "true"),
        ],
    );
    assert_eq!(
        lines(&before, &after),
        [
            "dockerfile Dockerfile → Dockerfile.base",
            "a changed",
            "b removed",
            "c changed: exec bit",
            "d changed: content and exec bit",
            "e added",
            "link changed: type",
            "KIND none → omos",
            "NEW \"\" added",
            "OLD x removed",
            "label org.x y added",
            "sbom false → true",
            "secret npmrc removed",
            "debian:13 sha256:6b86b273ff34 → sha256:d4735e3a265e",
            "oh-my-opencode-slim 2.2.23 → 2.2.24",
            "TOOLKIT_REF a1a1a1a1a1a1 → b2b2b2b2b2b2",
        ]
    );
    assert_eq!(lines(&before, &before), [""; 0]);
    assert_eq!(short(&changes(&before, &before, &BTreeMap::new())), None);
    let all = changes(&before, &after, &BTreeMap::new());
    assert_eq!(short(&all[1..3]).unwrap(), "a changed, 1 more");
    assert_eq!(short(&all[1..2]).unwrap(), "a changed");
}

#[test]
fn flags_have_no_name_but_their_place() {
    let flags = |flags: &[&str]| {
        let values = flags.iter().enumerate();
        let values = values.map(|(at, flag)| value(ValueKind::Flag, &at.to_string(), flag));
        list("Dockerfile", Vec::new(), values.collect())
    };
    assert_eq!(
        lines(&flags(&["--b", "--c"]), &flags(&["--a", "--b", "--c"])),
        ["flag --a added"]
    );
    assert_eq!(
        lines(&flags(&["--a", "--b", "--b"]), &flags(&["--b"])),
        ["flag --a removed", "flag --b removed"]
    );
    assert_eq!(
        lines(&flags(&["--a", "--b"]), &flags(&["--a", "--c"])),
        ["flag --b → --c"]
    );
    // Another order is another build, too.
    assert_eq!(
        lines(&flags(&["--a", "--b"]), &flags(&["--b", "--a"])),
        ["flag --a → --b", "flag --b → --a"]
    );
}

#[test]
fn a_base_says_what_is_behind_it() {
    let on = |base: [u8; 1]| {
        let base = Identity::from_bytes([base[0]; 32]).to_string();
        list("Dockerfile", Vec::new(), vec![value(ValueKind::Base, "", &base)])
    };
    let mut found = changes(&on([1]), &on([2]), &BTreeMap::new());
    assert_eq!(short(&found).unwrap(), "base changed");
    let before = list(
        "Dockerfile",
        vec![file("rootfs/etc/profile", "1", false)],
        Vec::new(),
    );
    let after = list(
        "Dockerfile",
        vec![file("rootfs/etc/profile", "2", false), file("z", "", false)],
        Vec::new(),
    );
    found[0].because = changes(&before, &after, &BTreeMap::new());
    assert_eq!(short(&found).unwrap(), "base: rootfs/etc/profile changed, 1 more");
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json[0]["kind"], "base");
    assert_eq!(json[0]["because"][0]["kind"], "file");
    assert_eq!(serde_json::from_value::<Vec<Change>>(json).unwrap(), found);
}

#[test]
fn long_values_are_cut() {
    assert_eq!(shown(&"é".repeat(61)), format!("{}…", "é".repeat(60)));
    assert_eq!(shown(&"é".repeat(60)), "é".repeat(60));
}
