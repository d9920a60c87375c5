//! One change after the other, on real trees and real configurations: each that can reach the image gives another identity, none of the others does, and
//! a state that comes again has its identity again.
#![expect(clippy::disallowed_methods, reason = "the tests write their own trees")]

use super::*;
use crate::config::{
    Build, BuildContext, HashFormat, Image, Provenance, Refresh, Sbom, Secret, SecretSource, Upstream,
};
use crate::domain::{Digest, Identity, ImageId, Period};
use crate::inputs::dockerfile::{Dockerfile, unclear};
use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What lies at a path of the context.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Node {
    File(Vec<u8>, bool),
    Link(String),
    Folder,
}

/// All that an identity is a function of.
#[derive(Debug, Clone)]
struct State {
    tree: BTreeMap<String, Node>,
    image: Image,
    args: IndexMap<String, String>,
    labels: IndexMap<String, String>,
    extra: Vec<String>,
    versions: BTreeMap<String, String>,
    upstream: BTreeMap<String, String>,
    base: Option<Identity>,
    base_image: Option<Digest>,
    period: Option<Period>,
    /// What `inputs` lists of the context's own folder: the Dockerfile, and all that begins with one of these letters. `None`: all.
    narrow: Option<String>,
}

/// A single change. Which file it is about is drawn from those that there are then.
#[derive(Debug, Clone)]
enum Edit {
    // What counts.
    Flip(Index, Index),
    Append(Index, u8),
    Cut(Index),
    /// The last byte of one file becomes the first of another.
    Move(Index, Index),
    Swap(Index, Index),
    Exec(Index),
    Rename(Index, String),
    Remove(Index),
    Add(String, Node),
    Become(Index, Node),
    Value(usize, String),
    // What does not.
    Times(Index, u64),
    Owner(Index, u32),
    /// The other bits of the mode, as another umask gives them.
    Mode(Index, u32),
    Junk(String),
    /// Of the whole tree, to another place, its files made in this or the other order.
    Clone(bool),
}

fn name() -> impl Strategy<Value = String> {
    // Folders (capitals) are never files as well.
    "([A-C]/){0,2}[a-c@é. -]{1,2}".prop_filter("a name", |path| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| name != "." && name != "..")
    })
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        4 => (prop::collection::vec(any::<u8>(), 0..4), any::<bool>()).prop_map(|(content, executable)| Node::File(content, executable)),
        1 => "[a-c/.]{1,3}".prop_map(Node::Link),
        1 => Just(Node::Folder),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let junk = vec![
        "x.pyc",
        "A/__pycache__",
        "._a",
        "B/z~",
        ".#a",
        "#b#",
        ".c.swp",
        ".DS_Store",
    ];
    let content = prop_oneof![
        (at(), at()).prop_map(|(file, bit)| Edit::Flip(file, bit)),
        (at(), any::<u8>()).prop_map(|(file, byte)| Edit::Append(file, byte)),
        at().prop_map(Edit::Cut),
        (at(), at()).prop_map(|(from, to)| Edit::Move(from, to)),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        at().prop_map(Edit::Exec),
    ];
    let tree = prop_oneof![
        (at(), name()).prop_map(|(file, name)| Edit::Rename(file, name)),
        at().prop_map(Edit::Remove),
        (name(), node()).prop_map(|(name, node)| Edit::Add(name, node)),
        (at(), node()).prop_map(|(file, node)| Edit::Become(file, node)),
    ];
    let value = (0..VALUES.len(), "[ab]{0,2}").prop_map(|(which, value)| Edit::Value(which, value));
    let nothing = prop_oneof![
        (at(), 1_u64..2_000_000_000).prop_map(|(file, time)| Edit::Times(file, time)),
        (at(), 0_u32..70_000).prop_map(|(file, owner)| Edit::Owner(file, owner)),
        (at(), 0_u32..0o100).prop_map(|(file, bits)| Edit::Mode(file, bits)),
        prop::sample::select(junk).prop_map(|name| Edit::Junk(name.to_owned())),
        any::<bool>().prop_map(Edit::Clone),
    ];
    prop_oneof![3 => content, 3 => tree, 3 => value, 1 => nothing]
}

fn put(map: &mut IndexMap<String, String>, name: &str, value: &str) {
    // Empty stands for none here, so that a state can come again.
    if value.is_empty() {
        map.shift_remove(name);
    } else {
        map.insert(name.to_owned(), value.to_owned());
    }
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

/// The ways in which a value changes what is built.
type Value = fn(&mut State, &str);
const VALUES: [Value; 25] = [
    |state, value| put(&mut state.args, "A", value),
    |state, value| put(&mut state.args, "AB", value),
    |state, value| put(&mut state.args, value, "x"),
    |state, value| put(&mut state.labels, "a", value),
    |state, value| state.extra = value.chars().map(String::from).collect(),
    |state, value| drop(state.versions.insert("A".to_owned(), value.to_owned())),
    |state, value| drop(state.versions.insert("TOOL".to_owned(), value.to_owned())),
    |state, value| drop(state.upstream.insert("debian".to_owned(), value.to_owned())),
    |state, value| {
        state.base = some(value).map(|value| Identity::from_bytes(*Digest::of(value.as_bytes()).as_bytes()));
    },
    |state, value| state.base_image = some(value).map(|value| Digest::of(value.as_bytes())),
    |state, value| state.image.base_arg = some(value),
    |state, value| value.clone_into(&mut state.image.salt),
    |state, value| state.image.build.target = some(value),
    |state, value| state.image.build.network = some(value),
    |state, value| state.image.build.shm_size = some(value),
    |state, value| state.image.build.flags = value.chars().map(String::from).collect(),
    |state, value| state.image.build.ssh = some(value).into_iter().collect(),
    |state, value| state.image.build.sbom = if value.len() == 1 { Sbom::On } else { Sbom::Off },
    |state, value| {
        state.image.build.provenance = [Provenance::Off, Provenance::Min, Provenance::Max][value.len()];
    },
    |state, value| {
        let secret = |id| Secret {
            id,
            source: SecretSource::Env("X".to_owned()),
            optional: false,
        };
        state.image.build.secrets = some(value).map(secret).into_iter().collect();
    },
    |state, value| {
        let image = |value| ("other".to_owned(), BuildContext::Image(value));
        state.image.build.contexts = some(value).map(image).into_iter().collect();
    },
    |state, value| {
        // The context's own folder, under a name.
        let folder = |name| (name, BuildContext::Folder(".".into()));
        state.image.build.contexts = some(value).map(folder).into_iter().collect();
    },
    |state, value| {
        let digits = value.bytes().map(|letter| (letter - b'a' + 1).cast_signed());
        let month = digits.fold(0, |number, digit| number * 3 + digit);
        state.period = (month > 0).then_some(Period::Month { year: 2026, month });
    },
    |state, value| state.narrow = some(value),
    |state, value| {
        state.image.id = if value.is_empty() {
            ImageId::Base
        } else {
            format!("variant/{value}").parse().unwrap()
        }
    },
];

impl State {
    fn new() -> Self {
        Self {
            tree: BTreeMap::from([(
                "Dockerfile".to_owned(),
                Node::File(b"FROM scratch\n".to_vec(), false),
            )]),
            image: Image {
                id: ImageId::Base,
                repository: None,
                dockerfile: "Dockerfile".into(),
                context: ".".into(),
                base_arg: None,
                inputs: None,
                hash: HashFormat::Tree,
                extra: Vec::new(),
                versions: vec!["A".to_owned(), "TOOL".to_owned()],
                upstream: Upstream::Pin,
                refresh: Refresh::Never,
                salt: String::new(),
                publish_inputs: true,
                build: Build::default(),
                platforms: Vec::new(),
                tags: Vec::new(),
                aliases: Vec::new(),
                smoke: None,
            },
            args: IndexMap::new(),
            labels: IndexMap::new(),
            extra: Vec::new(),
            versions: [
                ("A".to_owned(), String::new()),
                ("TOOL".to_owned(), String::new()),
            ]
            .into(),
            upstream: [("debian".to_owned(), String::new())].into(),
            base: None,
            base_image: None,
            period: None,
            narrow: None,
        }
    }

    /// What is listed in `inputs`.
    fn inputs(&self) -> Option<Vec<Utf8PathBuf>> {
        let letters = self.narrow.as_ref()?.to_uppercase() + self.narrow.as_ref()?;
        let tops = self.tree.keys().filter_map(|path| path.split('/').next());
        let tops: BTreeSet<&str> = tops
            .filter(|top| *top == "Dockerfile" || top.starts_with(|first| letters.contains(first)))
            .collect();
        Some(tops.into_iter().map(Utf8PathBuf::from).collect())
    }

    /// Whether a path of the tree counts as one of the build context.
    fn counts(&self, path: &str) -> bool {
        let Some(inputs) = self.inputs() else { return true };
        let Some(Node::File(text, _)) = self.tree.get("Dockerfile") else {
            return true;
        };
        let file = Dockerfile::parse(&String::from_utf8_lossy(text));
        inputs.iter().any(|input| Utf8Path::new(path).starts_with(input)) || !unclear(&file, &[]).is_empty()
    }

    /// Equal states and no others have equal keys. What follows from other entries is no part of it: a folder in which something lies.
    fn key(&self) -> String {
        let mut same = self.clone();
        same.narrow = None;
        same.args.sort_keys();
        same.tree.retain(|path, node| {
            *node != Node::Folder
                || !self
                    .tree
                    .keys()
                    .any(|other| other.starts_with(&format!("{path}/")))
        });
        let folder = |context: &BuildContext| matches!(context, BuildContext::Folder(_));
        let named = self.image.build.contexts.values().any(folder);
        // Under the name of a context, all of it counts.
        let named = named.then(|| same.tree.clone());
        same.tree.retain(|path, _| self.counts(path));
        format!("{same:?} {named:?}")
    }

    fn identity(&self, root: &Utf8Path) -> Identity {
        let image = Image {
            inputs: self.inputs(),
            ..self.image.clone()
        };
        let collected = collect(&Request::new(root, &image)).unwrap();
        let resolved = Resolved {
            args: &self.args,
            labels: &self.labels,
            extra: &self.extra,
            versions: &self.versions,
            upstream: &self.upstream,
            base: self.base.as_ref(),
            base_image: self.base_image.as_ref(),
            period: self.period,
        };
        let inputs = IdentityInputs {
            files: collected.entries,
            dockerfile: collected.dockerfile,
            values: values_of(&self.image, &resolved).unwrap(),
        };
        CanonicalList::new(&self.image.id, inputs).identity()
    }

    /// The path of one of those that are there, but for the Dockerfile.
    fn path(&self, at: Index) -> Option<String> {
        let paths: Vec<&String> = self.tree.keys().filter(|path| *path != "Dockerfile").collect();
        (!paths.is_empty()).then(|| (*at.get(&paths)).clone())
    }

    /// A file that is there; the Dockerfile is one.
    fn file(&mut self, at: Index) -> (String, &mut Vec<u8>, &mut bool) {
        let mut files: Vec<_> = self
            .tree
            .iter_mut()
            .filter_map(|(path, node)| match node {
                Node::File(content, executable) => Some((path.clone(), content, executable)),
                _ => None,
            })
            .collect();
        files.swap_remove(at.index(files.len()))
    }

    /// Changes the state and the tree on the disk; whether it was a change that counts.
    fn apply(&mut self, edit: &Edit, root: &Path) {
        match edit.clone() {
            Edit::Flip(at, bit) => {
                let (_, content, _) = self.file(at);
                if content.is_empty() {
                    content.push(0);
                }
                let bit = bit.index(content.len() * 8);
                content[bit / 8] ^= 1 << (bit % 8);
            }
            Edit::Append(at, byte) => self.file(at).1.push(byte),
            Edit::Cut(at) => drop(self.file(at).1.pop()),
            Edit::Move(from, to) => {
                if let Some(byte) = self.file(from).1.pop() {
                    self.file(to).1.insert(0, byte);
                }
            }
            Edit::Swap(one, other) => {
                let moved = std::mem::take(self.file(one).1);
                let moved = std::mem::replace(self.file(other).1, moved);
                self.file(one).1.extend(moved);
            }
            Edit::Exec(at) => *self.file(at).2 ^= true,
            Edit::Rename(at, name) => {
                if let Some(path) = self.path(at)
                    && !self.tree.contains_key(&name)
                    && let Some(node) = self.tree.remove(&path)
                {
                    self.tree.insert(name, node);
                }
            }
            Edit::Remove(at) => drop(self.path(at).and_then(|path| self.tree.remove(&path))),
            Edit::Add(name, node) => drop(self.tree.insert(name, node)),
            Edit::Become(at, node) => drop(self.path(at).and_then(|path| self.tree.insert(path, node))),
            Edit::Value(which, value) => VALUES[which](self, &value),
            Edit::Times(at, time) => {
                let (path, ..) = self.file(at);
                let file = fs::File::options().write(true).open(root.join(path)).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(time))
                    .unwrap();
            }
            Edit::Owner(at, owner) => {
                let path = root.join(self.path(at).unwrap_or_else(|| "Dockerfile".to_owned()));
                // Only root may give files away; anybody else's run does without.
                let _ = std::os::unix::fs::lchown(path, Some(owner), Some(owner / 2));
            }
            Edit::Mode(at, bits) => {
                let (path, ..) = self.file(at);
                let path = root.join(path);
                let mode = fs::metadata(&path).unwrap().mode() & 0o700;
                fs::set_permissions(path, fs::Permissions::from_mode(mode | bits)).unwrap();
            }
            Edit::Junk(name) => {
                let path = root.join(name);
                // A folder for it alone would be an empty folder more.
                if path.parent().unwrap().is_dir() {
                    fs::write(path, "junk").unwrap();
                }
            }
            Edit::Clone(_) => {}
        }
    }
}

/// Writes the difference between two trees. Of junk, only what lies in the context's own folder survives that of its folder.
fn write(root: &Path, before: &BTreeMap<String, Node>, after: &BTreeMap<String, Node>) {
    for (path, node) in before {
        if after.get(path) == Some(node) {
            continue;
        }
        let at = root.join(path);
        match node {
            Node::Folder => fs::remove_dir_all(&at).unwrap(),
            _ => fs::remove_file(&at).unwrap(),
        }
        // Folders that nothing is in any more go as well, as in git.
        let mut parent = at.parent().unwrap().to_owned();
        while parent != root && !after.keys().any(|path| root.join(path).starts_with(&parent)) {
            let _ = fs::remove_dir_all(&parent);
            parent.pop();
        }
    }
    for (path, node) in after {
        if before.get(path) == Some(node) {
            continue;
        }
        create(&root.join(path), node);
    }
}

fn create(path: &Path, node: &Node) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    match node {
        Node::Folder => fs::create_dir_all(path).unwrap(),
        Node::Link(target) => symlink(target, path).unwrap(),
        Node::File(content, executable) => {
            fs::write(path, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// In memory where there is such a place: ten thousand trees are many files.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Edits in one case, each of which is a change or none.
const EDITS: usize = 100;

/// So many changes of what is built are looked at, those not counted that change nothing.
const CHANGES: usize = 10_000;

#[test]
fn identities_differ_where_what_is_built_does() {
    let changes = Cell::new(0);
    while changes.get() < CHANGES {
        let mut runner = TestRunner::new(ProptestConfig::with_cases(10));
        let outcome = runner.run(&prop::collection::vec(edit(), EDITS), |edits| {
            let mut place = folder();
            let mut state = State::new();
            write(place.path(), &BTreeMap::new(), &state.tree);
            let mut seen: HashMap<String, Identity> = HashMap::new();
            let mut keys: HashMap<Identity, String> = HashMap::new();
            for edit in &edits {
                let before = state.clone();
                state.apply(edit, place.path());
                if let Edit::Clone(reversed) = edit {
                    // A clone: other inodes, other times, another order in its folders, another place.
                    let clone = folder();
                    let mut nodes: Vec<_> = state.tree.iter().collect();
                    if *reversed {
                        nodes.reverse();
                    }
                    for (path, node) in nodes {
                        create(&clone.path().join(path), node);
                    }
                    place = clone;
                } else {
                    write(place.path(), &before.tree, &state.tree);
                }
                let identity = state.identity(Utf8Path::from_path(place.path()).unwrap());
                let key = state.key();
                changes.set(changes.get() + usize::from(key != before.key()));
                let known = *seen.entry(key.clone()).or_insert(identity);
                prop_assert_eq!(
                    known,
                    identity,
                    "the same state has another identity after {:?}: {}",
                    edit,
                    key
                );
                let other = keys.entry(identity).or_insert_with(|| key.clone());
                prop_assert_eq!(&*other, &key, "two states have one identity after {:?}", edit);
            }
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Each of [`VALUES`] is one that counts.
#[test]
fn every_value_counts() {
    let place = folder();
    let mut state = State::new();
    for name in ["a", "b"] {
        state.tree.insert(name.to_owned(), Node::Folder);
    }
    write(place.path(), &BTreeMap::new(), &state.tree);
    let root = Utf8Path::from_path(place.path()).unwrap();
    for (at, change) in VALUES.iter().enumerate() {
        let [mut one, mut other] = [state.clone(), state.clone()];
        change(&mut one, "a");
        change(&mut other, "bb");
        assert_ne!(one.identity(root), other.identity(root), "{at}");
    }
}
