//! Identities of real trees: any change that can reach an image counts, and nothing else does.
#![expect(clippy::disallowed_methods, reason = "the tests write their own trees")]

use super::*;
use crate::domain::{Identity, ImageId};
use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File { content: Vec<u8>, executable: bool },
    Link(String),
    Empty,
}

type Tree = BTreeMap<String, Node>;

fn write(root: &Path, path: &str, node: &Node) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match node {
        Node::Empty => fs::create_dir_all(path).unwrap(),
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::File { content, executable } => {
            fs::write(&path, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// The identity of a tree that is written in this order, its times set to something else each time.
fn identity<'a>(nodes: impl Iterator<Item = (&'a String, &'a Node)>, age: u64, junk: &[&str]) -> Identity {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "Dockerfile", &Node::Link("real".to_owned()));
    fs::write(root.join("real"), "FROM scratch\n").unwrap();
    fs::create_dir(root.join("tree")).unwrap();
    for (path, node) in nodes {
        write(&root.join("tree"), path, node);
        if let (Node::File { .. }, Ok(file)) = (node, fs::File::open(root.join("tree").join(path))) {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(age))
                .unwrap();
        }
    }
    for name in junk {
        write(&root.join("tree"), name, &Node::Link("junk".to_owned()));
    }
    let inputs = [Utf8PathBuf::from("tree")];
    let request = Request {
        root: Utf8Path::from_path(root).unwrap(),
        context: Utf8Path::new("."),
        dockerfile: Utf8Path::new("Dockerfile"),
        inputs: Some(&inputs),
        contexts: Vec::new(),
        given: Vec::new(),
    };
    let collected = collect(&request).unwrap();
    assert_eq!(collected.junk.paths.len(), junk.len());
    let inputs = IdentityInputs {
        files: collected.entries,
        dockerfile: collected.dockerfile,
        values: Vec::new(),
    };
    CanonicalList::new(&ImageId::Base, inputs).identity()
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..20), any::<bool>())
            .prop_map(|(content, executable)| Node::File { content, executable }),
        1 => "[a-z/.]{1,8}".prop_map(Node::Link),
        1 => Just(Node::Empty),
    ]
}

/// Trees whose folders (capitals) are never files as well.
fn tree() -> impl Strategy<Value = Tree> {
    prop::collection::btree_map("([A-C]/){0,2}[a-eé @-]{1,3}", node(), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn order_times_and_junk_do_not_count(tree in tree(), age in 1_u64..1_000_000) {
        let one = identity(tree.iter(), 0, &[]);
        let other = identity(tree.iter().rev(), age, &[]);
        prop_assert_eq!(one, other);
        let junk = identity(tree.iter(), age, &["x.pyc", "__pycache__", "._y", "z~", ".#a", "#b#", ".c.swp"]);
        prop_assert_eq!(one, junk);
    }

    #[test]
    fn every_single_change_counts(tree in tree(), at in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let before = identity(tree.iter(), 0, &[]);
        let (path, node) = tree.iter().nth(at.index(tree.len())).unwrap();
        let mut others: Vec<Tree> = Vec::new();
        let mut with = |edit: &dyn Fn(&mut Tree)| {
            let mut other = tree.clone();
            edit(&mut other);
            others.push(other);
        };
        with(&|other| { let node = other.remove(path).unwrap(); other.insert(format!("{path}x"), node); });
        with(&|other| drop(other.insert("new".to_owned(), Node::File { content: Vec::new(), executable: false })));
        with(&|other| drop(other.insert("new".to_owned(), Node::Empty)));
        match node.clone() {
            Node::File { content, executable } => {
                with(&|other| drop(other.insert(path.clone(), Node::File { content: content.clone(), executable: !executable })));
                let mut longer = content.clone();
                longer.push(0);
                with(&|other| drop(other.insert(path.clone(), Node::File { content: longer.clone(), executable })));
                if !content.is_empty() {
                    let mut flipped = content.clone();
                    flipped[bit.index(content.len())] ^= 1;
                    with(&|other| drop(other.insert(path.clone(), Node::File { content: flipped.clone(), executable })));
                }
                let text = String::from_utf8(content).unwrap_or_default();
                if !text.is_empty() && !text.contains('\0') {
                    with(&|other| drop(other.insert(path.clone(), Node::Link(text.clone()))));
                }
            }
            Node::Link(target) => with(&|other| drop(other.insert(path.clone(), Node::Link(format!("{target}x"))))),
            Node::Empty => with(&|other| drop(other.insert(path.clone(), Node::File { content: Vec::new(), executable: false }))),
        }
        for other in others {
            prop_assert_ne!(identity(other.iter(), 0, &[]), before, "{:?}", other);
        }
    }
}

/// What the shell hash cannot see (`docs/identity.md`, concat) is seen.
#[test]
fn what_shell_hashes_are_blind_to() {
    let file = |content: &str| Node::File {
        content: content.as_bytes().to_vec(),
        executable: false,
    };
    let trees = [
        vec![("a", file("12")), ("b", file("3"))],
        vec![("a", file("1")), ("b", file("23"))],
        vec![("a", file("12")), ("c", file("3"))],
        vec![("a", file("12")), ("b", file("3")), ("empty", file(""))],
        vec![
            ("a", file("12")),
            ("b", file("3")),
            ("link", Node::Link("a".to_owned())),
        ],
    ];
    let mut seen = Vec::new();
    for tree in trees {
        let tree: Tree = tree
            .into_iter()
            .map(|(path, node)| (path.to_owned(), node))
            .collect();
        let identity = identity(tree.iter(), 0, &[]);
        assert!(!seen.contains(&identity), "{tree:?}");
        seen.push(identity);
    }
}
