use super::*;
use crate::domain::Digest;
use crate::inputs::{EntryKind, ValueKind};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DOCUMENT: &str = include_str!("../../docs/identity.md");

/// The fenced blocks of the document with this word behind the fence.
fn blocks(word: &str) -> Vec<&'static str> {
    let fence = format!("```{word}\n");
    DOCUMENT
        .split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

#[derive(serde::Deserialize)]
struct Vector {
    image: ImageId,
    #[serde(flatten)]
    inputs: IdentityInputs,
}

#[test]
fn vectors_of_the_document() {
    let (vectors, lists, identities) = (
        blocks("json vector"),
        blocks("text list"),
        blocks("text identity"),
    );
    assert_eq!((vectors.len(), lists.len(), identities.len()), (2, 2, 3));
    for ((vector, list), identity) in vectors.iter().zip(lists).zip(identities) {
        let vector: Vector = serde_json::from_str(vector).unwrap();
        let canonical = CanonicalList::new(&vector.image, vector.inputs);
        assert_eq!(String::from_utf8(canonical.bytes()).unwrap(), list);
        assert_eq!(canonical.identity().to_string(), identity);
    }
}

#[derive(serde::Deserialize)]
struct ConcatVector {
    files: BTreeMap<String, String>,
    dockerfile: camino::Utf8PathBuf,
    inputs: Vec<camino::Utf8PathBuf>,
    extra: Vec<String>,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test writes its own tree")]
fn concat_vector_of_the_document() {
    let vector: ConcatVector = serde_json::from_str(blocks("json concat")[0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = camino::Utf8Path::from_path(folder.path()).unwrap();
    for (path, content) in &vector.files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let context = camino::Utf8Path::new(".");
    let found =
        crate::inputs::concat(root, context, &vector.dockerfile, &vector.inputs, &vector.extra).unwrap();
    assert_eq!(found.identity.to_string(), blocks("text identity")[2]);
}

#[test]
fn explained() {
    let inputs = IdentityInputs {
        files: vec![entry("b\n", 1), entry("Dockerfile", 0)],
        dockerfile: "Dockerfile".to_owned(),
        values: vec![value(ValueKind::Arg, "A", "x \"y\"")],
    };
    let text = CanonicalList::new(&ImageId::Base, inputs).explain();
    let empty = Digest::of(&[]);
    let one = Digest::of(&[1]);
    assert_eq!(
        text,
        format!(
            "format splitbase-tree/1\nimage base\ndockerfile \"Dockerfile\"\nfile - 0 {empty} \"Dockerfile\"\n\
             file - 1 {one} \"b\\n\"\narg \"A\" \"x \\\"y\\\"\"\n"
        )
    );
}

#[test]
fn kinds_sort_as_their_words_do() {
    use ValueKind as K;
    let all = [
        K::Arg,
        K::Base,
        K::BaseArg,
        K::Context,
        K::Extra,
        K::Flag,
        K::Label,
        K::Network,
        K::Provenance,
        K::Refresh,
        K::Salt,
        K::Sbom,
        K::Secret,
        K::ShmSize,
        K::Ssh,
        K::Target,
        K::Upstream,
        K::Version,
    ];
    assert!(
        all.windows(2)
            .all(|pair| pair[0] < pair[1] && pair[0].as_str() < pair[1].as_str())
    );
    for kind in all {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

fn entry(path: &str, size: u8) -> InputEntry {
    InputEntry {
        path: path.to_owned(),
        kind: EntryKind::File,
        executable: false,
        size: size.into(),
        digest: Digest::of(&vec![1; size.into()]),
    }
}

fn value(kind: ValueKind, name: &str, text: &str) -> NamedValue {
    NamedValue {
        kind,
        name: name.to_owned(),
        value: text.to_owned(),
    }
}

/// Text in which framing could go wrong: digits, colons, commas, nothing.
fn text() -> impl Strategy<Value = String> {
    "[0-9:,a\n]{0,4}"
}

fn any_inputs() -> impl Strategy<Value = IdentityInputs> {
    let kind = prop::sample::select(vec![EntryKind::File, EntryKind::Symlink, EntryKind::Directory]);
    let file = (text(), kind, any::<bool>(), 0_u64..20, 0_u8..3).prop_map(
        |(path, kind, executable, size, content)| InputEntry {
            path,
            kind,
            executable,
            size,
            digest: Digest::of(&[content]),
        },
    );
    let kind = prop::sample::select(vec![ValueKind::Arg, ValueKind::Label, ValueKind::Extra]);
    let value = (kind, text(), text()).prop_map(|(kind, name, value)| NamedValue { kind, name, value });
    (
        prop::collection::vec(file, 0..5),
        text(),
        prop::collection::vec(value, 0..4),
    )
        .prop_map(|(files, dockerfile, values)| IdentityInputs {
            files,
            dockerfile,
            values,
        })
}

fn identity(inputs: &IdentityInputs) -> Identity {
    CanonicalList::new(&ImageId::Base, inputs.clone()).identity()
}

/// The fields of a list, read back; `None` if it is no list of fields.
fn fields(mut bytes: &[u8]) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let colon = bytes.iter().position(|&byte| byte == b':')?;
        let length: usize = std::str::from_utf8(&bytes[..colon]).ok()?.parse().ok()?;
        let (field, rest) = bytes[colon + 1..].split_at_checked(length)?;
        fields.push(String::from_utf8(field.to_vec()).ok()?);
        bytes = rest.strip_prefix(b",")?;
    }
    Some(fields)
}

/// The inputs, read back from their list.
fn read_back(bytes: &[u8]) -> Option<IdentityInputs> {
    let mut fields = fields(bytes)?.into_iter();
    let mut next = || fields.next();
    (next()? == TREE_FORMAT && next()? == "base").then_some(())?;
    let mut inputs = IdentityInputs {
        dockerfile: next()?,
        ..IdentityInputs::default()
    };
    for _ in 0..next()?.parse().ok()? {
        let json = serde_json::json!({
            "path": next()?, "type": next()?, "executable": next()? == "x", "size": next()?.parse::<u64>().ok()?, "digest": next()?,
        });
        inputs.files.push(serde_json::from_value(json).ok()?);
    }
    for _ in 0..next()?.parse().ok()? {
        let json = serde_json::json!({ "kind": next()?, "name": next()?, "value": next()? });
        inputs.values.push(serde_json::from_value(json).ok()?);
    }
    next().is_none().then_some(inputs)
}

/// The inputs as sets: what the identity is a function of.
fn sets(mut inputs: IdentityInputs) -> IdentityInputs {
    inputs.files.sort();
    inputs.files.dedup();
    inputs.values.sort();
    inputs.values.dedup();
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn equal_inputs_and_no_others_have_equal_identities(a in any_inputs(), b in any_inputs()) {
        let same = sets(a.clone()) == sets(b.clone());
        prop_assert_eq!(identity(&a) == identity(&b), same);
        let explained = |inputs: &IdentityInputs| CanonicalList::new(&ImageId::Base, inputs.clone()).explain();
        prop_assert_eq!(explained(&a) == explained(&b), same);
    }

    /// What can be read back cannot be the list of anything else.
    #[test]
    fn the_list_is_injective(inputs in any_inputs()) {
        let bytes = CanonicalList::new(&ImageId::Base, inputs.clone()).bytes();
        prop_assert_eq!(read_back(&bytes), Some(sets(inputs)));
    }

    #[test]
    fn order_does_not_count(inputs in any_inputs(), seed in any::<u64>()) {
        let mut other = inputs.clone();
        let turn = usize::try_from(seed % 7).unwrap();
        if !other.files.is_empty() {
            let middle = turn % other.files.len();
            other.files.rotate_left(middle);
        }
        other.values.reverse();
        prop_assert_eq!(identity(&inputs), identity(&other));
    }

    #[test]
    fn every_single_change_counts(inputs in any_inputs(), extra in text(), at in any::<prop::sample::Index>()) {
        let mut changed: Vec<IdentityInputs> = Vec::new();
        let mut change = |edit: &dyn Fn(&mut IdentityInputs)| {
            let mut other = inputs.clone();
            edit(&mut other);
            changed.push(other);
        };
        change(&|other| other.dockerfile.push('x'));
        change(&|other| other.files.push(entry("new", 3)));
        change(&|other| other.values.push(value(ValueKind::Salt, "", &extra)));
        if !inputs.files.is_empty() {
            let index = at.index(inputs.files.len());
            change(&|other| other.files[index].path.push('x'));
            change(&|other| other.files[index].executable ^= true);
            change(&|other| other.files[index].size += 100);
            change(&|other| other.files[index].digest = Digest::of(b"other"));
        }
        if !inputs.values.is_empty() {
            let index = at.index(inputs.values.len());
            change(&|other| other.values[index].name.push('x'));
            change(&|other| other.values[index].value.push('x'));
        }
        for other in changed {
            prop_assert_eq!(identity(&other) == identity(&inputs), sets(other.clone()) == sets(inputs.clone()));
        }
        prop_assert_ne!(
            identity(&inputs),
            CanonicalList::new(&"variant/a".parse().unwrap(), inputs.clone()).identity()
        );
    }
}
