//! Tests of what is asked, in which order it counts, and that unknown is not absent.

use super::all::known_versions;
use super::period::period;
use super::records::records;
use super::references::{Known, References};
use super::upstream::known_upstream;
use super::{Pins, ReadDockerfile, Sources, current_tags, probe_image, record_at};
use crate::config::Upstream;
use crate::domain::{Digest, IdentityTags, Mark};
use crate::record::{ARTIFACT_TYPE, RecordState};
use crate::target::RawManifest;
use crate::target::oci::{self, Descriptor, Index};
use crate::testing::given::{DEVBOX, Given, digest, id, platform_image};
use crate::testing::memory::{Memory, failure};
use crate::versions::Resolved;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// An index of these platforms under the identity tag of an image.
fn put_index(target: &Memory, given: &Given, image: &str, platforms: &[&str]) {
    let fact = given
        .facts
        .images
        .iter()
        .find(|fact| fact.image == id(image))
        .unwrap();
    let child = |platform: &&str| -> Descriptor {
        let platform = platform.parse().unwrap();
        let mut child = platform_image(image, &platform, None).manifest;
        child
            .annotations
            .insert(oci::BASE_DIGEST.to_owned(), digest("base").to_string());
        child
    };
    let index = Index {
        schema_version: 2,
        media_type: oci::INDEX.to_owned(),
        manifests: platforms.iter().map(child).collect(),
        annotations: BTreeMap::new(),
    };
    let raw = RawManifest::new(serde_json::to_vec(&index).unwrap()).unwrap();
    let tag = IdentityTags::new(&id(image), &fact.identity).index();
    target.with(|content| content.put(&tag, &raw));
}

async fn probe(target: &Memory, given: &mut Given, image: &str) -> Result<(), crate::target::TargetError> {
    let family = given.family.clone();
    let fact = given.fact(image);
    probe_image(
        target,
        &family.repository,
        family.image(&id(image)).unwrap(),
        fact,
    )
    .await
}

/// The references that are asked for.
fn asked(target: &Memory) -> Arc<Mutex<Vec<String>>> {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = asked.clone();
    target.hook(move |verb, reference, _| {
        kept.lock().unwrap().push(format!("{verb} {reference}"));
        None
    });
    asked
}

#[tokio::test]
async fn the_index_comes_first_and_platform_tags_only_where_it_lacks_one() {
    let (target, mut given) = (Memory::default(), Given::new(DEVBOX));
    put_index(&target, &given, "variant/omos", &["linux/amd64", "linux/arm64"]);
    let all = asked(&target);
    probe(&target, &mut given, "variant/omos").await.unwrap();
    assert_eq!(
        given.fact("variant/omos").index.as_ref().unwrap().platforms.len(),
        2
    );
    // HEAD and GET of the index, HEAD of two receipts.
    assert_eq!(all.lock().unwrap().len(), 4, "{all:?}");

    put_index(&target, &given, "variant/core", &["linux/amd64"]);
    all.lock().unwrap().clear();
    probe(&target, &mut given, "variant/core").await.unwrap();
    let all = all.lock().unwrap();
    let tags: Vec<_> = all
        .iter()
        .filter(|line| line.ends_with("-arm64") || line.ends_with("-amd64"))
        .collect();
    assert_eq!(tags.len(), 1, "{all:?}");
    assert!(tags[0].ends_with("-arm64"));
}

/// Between the look at a tag and the reading of what it points at.
#[tokio::test]
async fn a_tag_that_moves_while_it_is_read_is_not_absent() {
    let (target, mut given) = (Memory::default(), Given::new(DEVBOX));
    let identity = given.fact("variant/omos").identity;
    let tag = IdentityTags::new(&id("variant/omos"), &identity).index();
    put_index(&target, &given, "variant/omos", &["linux/amd64"]);
    let old = target.tag(tag.as_str()).unwrap();
    put_index(&target, &given, "variant/omos", &["linux/amd64", "linux/arm64"]);
    let new = target.tag(tag.as_str()).unwrap();
    target.with(|content| content.tags.insert(tag.clone(), old));
    target.hook(move |verb, reference, content| {
        if (verb, reference) == ("read", &old.to_string()) {
            content.manifests.remove(&old);
            content.tags.insert(tag.clone(), new);
        }
        None
    });
    probe(&target, &mut given, "variant/omos").await.unwrap();
    assert_eq!(given.fact("variant/omos").index.as_ref().unwrap().digest, new);
}

#[tokio::test]
async fn what_is_not_there_is_absent() {
    let (target, mut given) = (Memory::default(), Given::new(DEVBOX));
    let before = given.facts.clone();
    probe(&target, &mut given, "variant/omos").await.unwrap();
    assert_eq!(given.facts, before);
}

#[tokio::test]
async fn what_cannot_be_asked_is_unknown_whatever_it_is() {
    let receipt = Given::new(DEVBOX)
        .receipt("variant/omos", "linux/arm64")
        .to_string();
    let fact = Given::new(DEVBOX).fact("variant/omos").identity;
    let tags = IdentityTags::new(&id("variant/omos"), &fact);
    let platform = tags.platform(&"linux/arm64".parse().unwrap()).to_string();
    for lost in [receipt, platform, tags.index().to_string()] {
        let (target, mut given) = (Memory::default(), Given::new(DEVBOX));
        // Receipts are only asked for where there is something to have one, platform tags where the index lacks the platform.
        put_index(&target, &given, "variant/omos", &["linux/amd64"]);
        target.hook(move |_, reference, _| (reference == lost).then(|| failure(false)));
        let error = probe(&target, &mut given, "variant/omos").await.unwrap_err();
        assert_eq!(error.exit_code().code(), 5);
    }
}

#[tokio::test]
async fn records_and_tags_that_cannot_be_asked_are_unknown() {
    let target = Memory::default();
    let repository = &Given::new(DEVBOX).family.repository;
    let tag: crate::domain::Tag = "v1.0.0".parse().unwrap();
    assert!(record_at(&target, repository, &tag).await.unwrap().is_none());
    target.hook(|_, _, _| Some(failure(false)));
    assert!(record_at(&target, repository, &tag).await.is_err());
    assert!(current_tags(&target, repository, [tag.into()]).await.is_err());
}

#[tokio::test]
async fn a_tag_of_something_else_is_no_record() {
    let (target, given) = (Memory::default(), Given::new(DEVBOX));
    put_index(&target, &given, "base", &["linux/amd64"]);
    let tag = IdentityTags::new(&id("base"), &given.facts.images[0].identity).index();
    let error = record_at(&target, &given.family.repository, &tag)
        .await
        .unwrap_err();
    assert_eq!(error.exit_code().code(), 5);
}

const FLOATING: &str = r#"
[versions]
TOOL = { npm = "tool" }
NODE = { value = "22" }
"#;

fn resolved(version: &str) -> Resolved {
    Resolved {
        version: version.to_owned(),
        source: "npm:tool@latest".to_owned(),
        warnings: Vec::new(),
    }
}

#[test]
fn pins_win_in_their_order() {
    let mut given = Given::new(&format!("{DEVBOX}{FLOATING}"));
    let known = |given: &Given, pins: &Pins| {
        let (known, open) = known_versions(&given.family, pins, given.facts.record.as_ref()).unwrap();
        let tool = known.get("TOOL").map(|tool| tool.version.clone());
        assert_eq!(open.contains_key("TOOL"), tool.is_none());
        assert_eq!(known["NODE"].version, "22");
        tool
    };
    let mut pins = Pins::default();
    assert_eq!(known(&given, &pins), None);
    let mut record = given.plan().record.unwrap();
    record.versions = BTreeMap::from([("TOOL".to_owned(), resolved("1.0.0"))]);
    // Also that of a release that failed: it goes on with its pins.
    record.state = RecordState::Failed;
    given.facts.record = Some(record);
    assert_eq!(known(&given, &pins).as_deref(), Some("1.0.0"));
    pins.re_resolve = true;
    assert_eq!(known(&given, &pins), None);
    pins.re_resolve = false;
    pins.plan = Some((
        BTreeMap::from([("TOOL".to_owned(), resolved("2.0.0"))]),
        BTreeMap::new(),
    ));
    assert_eq!(known(&given, &pins).as_deref(), Some("2.0.0"));
    pins.set.insert("TOOL".to_owned(), "3.0.0".to_owned());
    assert_eq!(known(&given, &pins).as_deref(), Some("3.0.0"));
}

#[test]
fn the_period_of_a_release_is_that_of_its_record() {
    let refreshed = |refresh: &str| {
        let line = format!("[base]\nrefresh = \"{refresh}\"");
        Given::new(&DEVBOX.replace("[base]", &line))
    };
    let mut given = refreshed("weekly");
    let counts = |given: &Given, pins: &Pins| {
        let period = period(&given.family, pins, given.facts.record.as_ref());
        period.map_or_else(String::new, |period| period.to_string())
    };
    let mut pins = Pins {
        today: "2026-11-23".parse().unwrap(),
        ..Pins::default()
    };
    assert_eq!(counts(&given, &pins), "2026-W48");
    let mut record = given.plan().record.unwrap();
    record.period = "2026-W47".parse().ok();
    given.facts.record = Some(record.clone());
    assert_eq!(counts(&given, &pins), "2026-W47");
    pins.re_resolve = true;
    assert_eq!(counts(&given, &pins), "2026-W48");
    pins.re_resolve = false;
    pins.period = "2026-W46".parse().ok();
    assert_eq!(counts(&given, &pins), "2026-W46");
    // A pin of another kind is none.
    let mut monthly = refreshed("monthly");
    monthly.facts.record = Some(record);
    assert_eq!(counts(&monthly, &pins), "2026-11");
    assert_eq!(counts(&refreshed("never"), &pins), "");
}

/// The format has no values: salt and period come after those of `extra`, as a shell would print them.
#[test]
fn salt_and_period_count_in_a_concat_identity() {
    let folder = tempfile::tempdir().unwrap();
    crate::testing::write(&folder.path().join("Dockerfile.base"), "FROM scratch\n", false);
    let concat = "[base]\nhash = \"concat\"\ninputs = []\nextra = [\"a\"]\nrefresh = \"monthly\"";
    let mut given = Given::new(&DEVBOX.replace("[base]", concat));
    given.family.root = folder.path().to_path_buf().try_into().unwrap();
    let identity = |given: &Given| {
        let base = &given.family.images[0];
        let mut warnings = Vec::new();
        super::identities::concat(&given.family, base, &given.facts, &mut warnings).unwrap()
    };
    let shell = |text: &str| crate::domain::Identity::from_bytes(*Digest::of(text.as_bytes()).as_bytes());
    assert_eq!(identity(&given), shell("FROM scratch\na\n"));
    given.facts.period = "2026-11".parse().ok();
    assert_eq!(identity(&given), shell("FROM scratch\na\n2026-11\n"));
    given.family.images[0].salt = "1".to_owned();
    assert_eq!(identity(&given), shell("FROM scratch\na\n1\n2026-11\n"));
}

#[test]
fn upstream_digests_are_taken_from_the_record() {
    let mut given = Given::new(DEVBOX);
    let references = BTreeMap::from([(id("base"), vec!["debian:13".to_owned()])]);
    let known = |given: &Given| {
        let pins = Pins::default();
        let record = given.facts.record.as_ref();
        let (known, open) = known_upstream(&given.family, &pins, &references, record);
        (known.get("debian:13").copied(), open.len())
    };
    assert_eq!(known(&given), (None, 1));
    let mut record = given.plan().record.unwrap();
    record.upstream.insert("debian:13".to_owned(), digest("debian"));
    given.facts.record = Some(record);
    assert_eq!(known(&given), (Some(digest("debian")), 0));
    given.family.images[0].upstream = Upstream::Float;
    assert_eq!(known(&given), (None, 0));
}

#[test]
fn a_digest_that_the_file_names_is_known() {
    let given = Given::new(DEVBOX);
    let pinned = format!("debian:13@{}", digest("debian"));
    let references = BTreeMap::from([(id("base"), vec![pinned.clone()])]);
    let (known, open) = known_upstream(&given.family, &Pins::default(), &references, None);
    assert_eq!(known, BTreeMap::from([(pinned, digest("debian"))]));
    assert!(open.is_empty());
}

/// Versions, arguments of every table, and those that are made of others.
const NAMING: &str = r#"
schema = 1
[family]
name = "devbox"
repository = "registry.example.org/acme/devbox"
platforms = ["linux/amd64"]
[release]
stamp-version = true
[build]
args = { ALL = "2", OWN = "2", FAMILY = "{family}" }
contexts = { x = "docker-image://tool:1" }
[base]
dockerfile = "Dockerfile.base"
versions = ["TAG"]
[base.build]
args = { OWN = "3", MADE = "{versions.OTHER}-slim" }
[variant]
dockerfile = "Dockerfile.variant"
[variants.one]
args = { OWN = "4", KIND = "{variant}" }
[variants.stamped]
args = { KIND = "{version}-{revision}" }
[versions]
TAG = { npm = "tool" }
OTHER = { npm = "other" }
"#;

const NAMED: &str = "ARG TAG=1\nARG ALL=1\nARG OWN=1\nARG FAMILY=1\nARG MADE=1\nARG KIND=1\nARG OTHER=1\nARG BASE_IMAGE\n\
    FROM tag:$TAG\nFROM all:$ALL\nFROM own:$OWN\nFROM family:$FAMILY\nFROM --platform=linux/arm64 made:$MADE\nFROM kind:$KIND\n\
    FROM other:$OTHER\nFROM ${BASE_IMAGE}\nCOPY --from=x /a /a\nCOPY gone /\n";

#[test]
fn what_dockerfiles_name_is_read_with_the_values_of_the_build() {
    let family = crate::testing::given::family(NAMING);
    let dockerfile = Arc::new(ReadDockerfile {
        file: crate::inputs::dockerfile::Dockerfile::parse(NAMED),
        context: crate::inputs::Listing::default(),
        unclear: Vec::new(),
        triggers: Vec::new(),
    });
    let images = family.images.iter();
    let sources = Sources {
        dockerfiles: images
            .map(|image| (image.id.clone(), dockerfile.clone()))
            .collect(),
        ..Sources::default()
    };
    let nothing = BTreeMap::new();
    let known = Known {
        versions: &nothing,
        version: None,
        revision: None,
    };
    let mut found = References::read(&family, &sources, &known);
    // Of a version that the image does not get, the default is what counts.
    let one = [
        "all:2",
        "family:devbox",
        "kind:one",
        "made:1",
        "other:1",
        "own:4",
        "tag:1",
        "tool:1",
    ];
    assert_eq!(found.upstream[&id("variant/one")], one);
    assert_eq!(
        found.bases[&id("variant/one")],
        ["all:2", "family:devbox", "kind:one", "other:1", "own:4", "tag:1"]
    );
    assert!(found.open[&id("variant/one")].is_empty());
    assert_eq!(
        found.upstream[&id("base")],
        ["all:2", "family:devbox", "kind:1", "other:1", "own:3", "tool:1"]
    );
    assert_eq!(found.open[&id("base")], ["made:$MADE", "tag:$TAG"]);
    assert_eq!(found.open[&id("variant/stamped")], ["kind:$KIND"]);
    let lines = |found: &References| -> Vec<String> {
        let problems = found.problems().into_iter();
        problems
            .filter(|problem| problem.message.contains("`gone`"))
            .map(|problem| problem.message.split(':').next().unwrap().to_owned())
            .collect()
    };
    // What is wrong with an image that waits is told once its values are known.
    assert_eq!(lines(&found), ["Dockerfile.variant"]);

    let versions = BTreeMap::from([
        ("TAG".to_owned(), resolved("9")),
        ("OTHER".to_owned(), resolved("8")),
    ]);
    let version = "v1.0.0".parse().unwrap();
    let known = Known {
        versions: &versions,
        version: Some(&version),
        revision: Some("abc"),
    };
    found.read_waiting(&family, &sources, &known);
    assert_eq!(
        found.upstream[&id("base")],
        [
            "all:2",
            "family:devbox",
            "kind:1",
            "made:8-slim",
            "other:1",
            "own:3",
            "tag:9",
            "tool:1"
        ]
    );
    assert_eq!(found.upstream[&id("variant/one")], one);
    assert!(found.upstream[&id("variant/stamped")].contains(&"kind:v1.0.0-abc".to_owned()));
    assert!(found.open.values().all(Vec::is_empty), "{:?}", found.open);
    assert_eq!(lines(&found), ["Dockerfile.base", "Dockerfile.variant"]);
}

/// A record under `_release`, with or without a mark.
fn put_record(target: &Memory, given: &Given, mark: &Mark, family: &str) {
    let mut record = given.plan().record.unwrap();
    family.clone_into(&mut record.family);
    let bytes = serde_json::to_vec(&record).unwrap();
    let layer =
        serde_json::json!({"mediaType": ARTIFACT_TYPE, "digest": Digest::of(&bytes), "size": bytes.len()});
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": oci::MANIFEST, "config": layer, "layers": [layer]});
    let raw = RawManifest::new(serde_json::to_vec(&manifest).unwrap()).unwrap();
    target.with(|content| {
        content.blobs.insert(Digest::of(&bytes), bytes.into());
        content.put(&mark.newest_record(), &raw);
    });
}

#[tokio::test]
async fn each_family_finds_its_own_records() {
    let given = Given::new(DEVBOX);
    let version = given.options.version.clone().unwrap();
    let (plain, marked) = (Mark::default(), Mark::of("devbox"));
    for (there, mark, newest, first) in [
        (vec![], &plain, false, None),
        (vec![(&plain, "devbox")], &plain, true, None),
        (vec![(&plain, "tools")], &marked, false, Some("tools")),
        (
            vec![(&plain, "tools"), (&marked, "devbox")],
            &marked,
            true,
            Some("tools"),
        ),
        // Those of the first family are gone: what is beside them still counts.
        (vec![(&marked, "devbox")], &marked, true, None),
    ] {
        let target = Memory::default();
        for (mark, family) in &there {
            put_record(&target, &given, mark, family);
        }
        let found = records(&target, &given.family, Some(&version)).await.unwrap();
        assert_eq!(&found.mark, mark, "{there:?}");
        assert_eq!(found.first.as_deref(), first, "{there:?}");
        assert_eq!(
            found.newest.map(|record| record.family),
            newest.then(|| "devbox".to_owned()),
            "{there:?}"
        );
    }
    // A mark that somebody else has.
    let target = Memory::default();
    put_record(&target, &given, &plain, "tools");
    put_record(&target, &given, &marked, "other");
    let error = records(&target, &given.family, Some(&version)).await.unwrap_err();
    assert!(
        error.to_string().contains("holds those of family `other`"),
        "{error}"
    );
    // What cannot be read is unknown here as well.
    target.hook(|_, reference, _| (reference == "_release.devbox").then(|| failure(false)));
    assert!(records(&target, &given.family, None).await.is_err());
}
