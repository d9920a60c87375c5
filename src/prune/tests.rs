//! Random histories of a family: nothing that is reached from what stays ever goes.

use super::{Facts, Plan, plan};
use crate::config::{Family, Prune};
use crate::domain::{Digest, Duration, IdentityTags, ImageId, Mark, Platform, SmokeIdentity, Tag, Version};
use crate::gather::Recorded;
use crate::record::{AliasPoint, Record, RecordAlias, RecordImage, RecordPlatform, RecordState, Tools};
use crate::target::upkeep::Deletes;
use crate::testing::given::{DEVBOX, digest, family, id, identity};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 24 * 3600;
const NOW: i64 = 1_800_000_000;
const IMAGES: [&str; 3] = ["base", "variant/core", "variant/omos"];
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

fn version(number: usize) -> Version {
    format!("v1.{number}.0").parse().unwrap()
}

fn index_of(image: &str, number: usize) -> Digest {
    digest(&format!("index {image} {number}"))
}

fn platform_of(image: &str, number: usize, platform: &str) -> Digest {
    digest(&format!("platform {image} {number} {platform}"))
}

/// What happened to a family: one entry for each release.
#[derive(Debug, Clone)]
struct Release {
    /// Which images have another identity than in the release before.
    changes: [bool; 3],
    state: RecordState,
    /// Days since the release before.
    days: i64,
    /// Whether its aliases moved.
    moves: bool,
}

/// A repository as releases leave it.
struct World {
    facts: Facts,
    /// Identity numbers of each release.
    numbers: Vec<[usize; 3]>,
}

impl World {
    fn of(family: &Family, releases: &[Release], deletes: Deletes) -> Self {
        let mut world = Self {
            facts: Facts {
                now: jiff::Timestamp::from_second(NOW).unwrap(),
                deletes,
                tags: BTreeMap::new(),
                children: BTreeMap::new(),
                records: Vec::new(),
                created: BTreeMap::new(),
            },
            numbers: Vec::new(),
        };
        let mut numbers = [0_usize; 3];
        let mut time = NOW - releases.iter().map(|release| release.days).sum::<i64>() * DAY;
        let mut points: BTreeMap<_, AliasPoint> = BTreeMap::new();
        for (at, release) in releases.iter().enumerate() {
            time += release.days * DAY;
            for (number, changed) in numbers.iter_mut().zip(release.changes) {
                // A variant is built on its base.
                if changed || release.changes[0] {
                    *number = at;
                }
            }
            let images: Vec<RecordImage> = IMAGES
                .iter()
                .zip(numbers)
                .map(|(name, number)| world.image(name, number))
                .collect();
            let mut aliases = Vec::new();
            if release.state != RecordState::Failed {
                for image in &images {
                    let name = image.image.to_string();
                    let suffix = if name == "variant/omos" { "-omos" } else { "" };
                    if name != "base" {
                        let public = tag(&format!("{}{suffix}", version(at)));
                        world.facts.tags.insert(public, image.digest.unwrap());
                    }
                    if release.moves {
                        let alias = if name == "base" {
                            "base-latest".to_owned()
                        } else {
                            format!("latest{suffix}")
                        };
                        let old = world.facts.tags.insert(tag(&alias), image.digest.unwrap());
                        aliases.push(RecordAlias {
                            alias: tag(&alias).into(),
                            old,
                            from: None,
                            new: image.digest,
                        });
                        let point = AliasPoint {
                            digest: image.digest.unwrap(),
                            version: version(at),
                        };
                        points.insert(tag(&alias).into(), point);
                    }
                }
            }
            let when = jiff::Timestamp::from_second(time).unwrap();
            let record = Record {
                schema: 1,
                version: version(at),
                family: family.name.clone(),
                repository: family.repository.clone(),
                state: release.state,
                started: when,
                updated: when,
                holder: None,
                revision: None,
                versions: BTreeMap::new(),
                upstream: BTreeMap::new(),
                period: None,
                fresh: BTreeMap::new(),
                attempt: None,
                ended: false,
                images,
                left_out: Vec::new(),
                aliases,
                points: points.clone(),
                tools: Tools::default(),
            };
            world.record(record, &Mark::default());
            world.numbers.push(numbers);
        }
        world
    }

    fn image(&mut self, name: &str, number: usize) -> RecordImage {
        let (image, identity) = (id(name), identity(&format!("{name} {number}")));
        let tags = IdentityTags::new(&image, &identity);
        let index = index_of(name, number);
        self.facts.tags.insert(tags.index(), index);
        let mut platforms = Vec::new();
        let mut children = BTreeSet::new();
        for platform in PLATFORMS {
            let own = platform_of(name, number, platform);
            let attestation = digest(&format!("attestation {name} {number} {platform}"));
            let wrapper = digest(&format!("wrapper {name} {number} {platform}"));
            self.facts.children.insert(wrapper, [own, attestation].into());
            children.extend([own, attestation]);
            let platform: Platform = platform.parse().unwrap();
            self.facts.tags.insert(tags.platform(&platform), wrapper);
            self.facts.tags.insert(tags.staging(&platform), wrapper);
            let receipt = tags.receipt(&platform, &SmokeIdentity(identity));
            self.facts.tags.insert(receipt.clone(), own);
            platforms.push(RecordPlatform::new(platform, own, Some(receipt)));
        }
        self.facts.children.insert(index, children);
        RecordImage {
            image,
            identity,
            digest: Some(index),
            tags: Vec::new(),
            aliases: Vec::new(),
            platforms,
        }
    }

    fn record(&mut self, record: Record, mark: &Mark) {
        let at = digest(&format!("record {} {}", record.family, record.version));
        let (own, head) = (mark.record(&record.version), mark.newest_record());
        self.facts.tags.insert(own.clone(), at);
        self.facts.tags.insert(head.clone(), at);
        self.facts
            .records
            .retain(|recorded| recorded.tag != head && recorded.tag != own);
        self.facts.records.push(Recorded {
            tag: own,
            record: record.clone(),
        });
        self.facts.records.push(Recorded { tag: head, record });
    }

    /// The tags after the plan was carried out, and the digests that can be had.
    fn after(&self, plan: &Plan) -> (BTreeMap<Tag, Digest>, BTreeSet<Digest>) {
        let mut tags = self.facts.tags.clone();
        let mut lost = BTreeSet::new();
        for deletion in &plan.deletions {
            match plan.deletes {
                Deletes::Tags => {
                    assert_eq!(deletion.tags.len(), 1);
                    tags.remove(&deletion.tags[0]);
                }
                Deletes::Digests => {
                    // All that are on it go, planned or not.
                    lost.insert(deletion.digest);
                    tags.retain(|_, digest| *digest != deletion.digest);
                }
            }
        }
        let there = self.facts.closure(tags.values().copied());
        (tags, there.difference(&lost).copied().collect())
    }
}

fn rules(keep: u32, days: i64) -> Prune {
    Prune {
        keep_releases: keep,
        keep_younger_than: Duration::from_secs(u64::try_from(days * DAY).unwrap()),
        keep: Vec::new(),
    }
}

fn release() -> impl Strategy<Value = Release> {
    let state = prop_oneof![
        6 => Just(RecordState::Done),
        2 => Just(RecordState::NotPromoted),
        1 => Just(RecordState::Failed),
    ];
    (any::<[bool; 3]>(), state, 0..12_i64, any::<bool>()).prop_map(|(changes, state, days, moves)| Release {
        changes: [changes[0] && changes[1] && changes[2], changes[1], changes[2]],
        state,
        days,
        moves: moves && state == RecordState::Done,
    })
}

fn deletes() -> impl Strategy<Value = Deletes> {
    prop_oneof![Just(Deletes::Tags), Just(Deletes::Digests)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_reached_from_what_stays_goes(
        releases in prop::collection::vec(release(), 1..20),
        deletes in deletes(),
        keep in 1..8_u32,
        days in 0..60_i64,
        foreign in prop::collection::vec((0..20_usize, 0..3_usize, 0..3_u8), 0..4),
        stray in prop::collection::vec((100..110_usize, 0..3_usize, prop::option::of(0..100_i64)), 0..4),
        other in prop::option::of(0..20_usize),
    ) {
        let mut family = family(DEVBOX);
        family.prune = rules(keep, days);
        let mut world = World::of(&family, &releases, deletes);
        // Somebody's own tags on what the family made.
        for (index, (release, image, level)) in foreign.into_iter().enumerate() {
            let number = world.numbers[release % world.numbers.len()][image];
            let at = match level {
                0 => index_of(IMAGES[image], number),
                1 => platform_of(IMAGES[image], number, PLATFORMS[0]),
                _ => digest(&format!("wrapper {} {number} {}", IMAGES[image], PLATFORMS[1])),
            };
            world.facts.tags.insert(tag(&format!("somebodys-{index}")), at);
        }
        // Builds that no record names.
        for (number, image, age) in stray {
            let made = world.image(IMAGES[image], number);
            let prefix = IdentityTags::new(&made.image, &made.identity).index();
            let tags: Vec<Tag> = world.facts.tags.keys().filter(|tag| tag.as_str().starts_with(prefix.as_str())).cloned().collect();
            if let Some(age) = age {
                let time = jiff::Timestamp::from_second(NOW - age * DAY).unwrap();
                world.facts.created.extend(tags.into_iter().map(|tag| (tag, time)));
            }
        }
        // Another family in the same repository, old, with the same base as one of ours.
        if let Some(shared) = other {
            let mut record = world.facts.records[0].record.clone();
            record.family = "tools".to_owned();
            record.version = version(0);
            record.updated = jiff::Timestamp::from_second(NOW - 1000 * DAY).unwrap();
            let number = world.numbers[shared % world.numbers.len()][0];
            record.images = vec![world.image("base", number)];
            world.record(record, &Mark::of("tools"));
        }

        let plan = plan(&family, &world.facts).unwrap();
        let (tags, there) = world.after(&plan);
        let before = world.facts.closure(world.facts.tags.values().copied());

        // What users pull stays, and all of it.
        for (name, at) in &world.facts.tags {
            if !name.has_machine_form() {
                prop_assert_eq!(tags.get(name), Some(at), "{}", name);
            }
        }
        for (name, at) in &tags {
            for part in world.facts.closure([*at]) {
                prop_assert!(there.contains(&part), "{name} lost {part}");
            }
        }
        // Records stay as they must.
        let standing: Vec<&Record> = {
            let own = world.facts.records.iter().filter(|recorded| recorded.is_own() && recorded.record.family == family.name);
            let mut own: Vec<&Record> = own.map(|recorded| &recorded.record).collect();
            own.sort_by_key(|record| std::cmp::Reverse((record.started, record.version.as_str().to_owned())));
            own
        };
        let newest: Vec<&Version> = standing.iter().filter(|record| record.stands()).take(keep as usize).map(|record| &record.version).collect();
        for recorded in &world.facts.records {
            let record = &recorded.record;
            let young = NOW - record.updated.as_second() < days * DAY;
            let must = record.family != family.name || !recorded.is_own() || newest.contains(&&record.version) || young;
            let stays = tags.contains_key(&recorded.tag);
            prop_assert!(stays || !must, "{} went", recorded.tag);
            if !stays {
                continue;
            }
            // With a record stays all that it names, the old digests of aliases too.
            let old = record.aliases.iter().flat_map(|alias| alias.old.into_iter().chain(alias.new));
            let points = record.points.values().map(|point| point.digest);
            let images = record.images.iter().flat_map(|image| image.digest.into_iter().chain(image.platforms.iter().map(|p| p.digest)));
            for named in old.chain(points).chain(images) {
                prop_assert!(!before.contains(&named) || there.contains(&named), "{} lost {named}", recorded.tag);
            }
            for image in &record.images {
                let made = IdentityTags::new(&image.image, &image.identity);
                for platform in &image.platforms {
                    for needed in [made.index(), made.platform(&platform.platform), platform.receipt.clone().unwrap()] {
                        prop_assert!(tags.contains_key(&needed), "{} needs {needed}", recorded.tag);
                    }
                }
            }
        }
        // What is planned and what is told to stay is all there is of machine tags.
        let going: BTreeSet<&Tag> = plan.deletions.iter().flat_map(|deletion| &deletion.tags).collect();
        let kept: BTreeSet<&Tag> = plan.kept.iter().map(|kept| &kept.tag).collect();
        let machine: BTreeSet<&Tag> = world.facts.tags.keys().filter(|tag| tag.has_machine_form()).collect();
        prop_assert!(going.is_disjoint(&kept));
        prop_assert_eq!(&going | &kept, machine);
        prop_assert_eq!(tags.len() + going.len(), world.facts.tags.len());
        // Once more there is nothing to do but what strays by its age.
        let again = Facts { tags: tags.clone(), records: world.facts.records.iter().filter(|r| tags.contains_key(&r.tag)).cloned().collect(), ..world.facts.clone() };
        let again = super::plan(&family, &again).unwrap();
        prop_assert!(again.deletions.is_empty(), "{:?}", again.deletions);
    }
}

/// Releases a day apart, each with another `omos`, all of them done, the last one now.
fn daily(count: usize, deletes: Deletes) -> (Family, World) {
    let mut family = family(DEVBOX);
    family.prune = rules(2, 0);
    let releases = vec![
        Release {
            changes: [false, false, true],
            state: RecordState::Done,
            days: 1,
            moves: true,
        };
        count
    ];
    let world = World::of(&family, &releases, deletes);
    (family, world)
}

fn going(plan: &Plan) -> BTreeSet<String> {
    plan.deletions
        .iter()
        .flat_map(|deletion| &deletion.tags)
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_nothing_needs_goes() {
    let (family, world) = daily(5, Deletes::Tags);
    let made = plan(&family, &world.facts).unwrap();
    let gone = going(&made);
    // The two newest stay with what they replaced; of the three before them the one that the older of these replaced stays as an image.
    for at in 0..5 {
        let record = Mark::default().record(&version(at)).to_string();
        assert_eq!(gone.contains(&record), at < 3, "{record}");
        let identity = identity(&format!("variant/omos {at}"));
        let tags = IdentityTags::new(&id("variant/omos"), &identity);
        assert_eq!(gone.contains(tags.index().as_str()), at < 2, "omos {at}");
        assert_eq!(
            gone.contains(tags.staging(&"linux/amd64".parse().unwrap()).as_str()),
            at < 2
        );
    }
    assert!(
        !gone
            .iter()
            .any(|tag| tag.starts_with("base-") || tag.starts_with("variant-core"))
    );
    // Records last, so that a prune that is cut off can go on.
    let first = made
        .deletions
        .iter()
        .position(|deletion| deletion.tags[0].is_record())
        .unwrap();
    assert!(
        made.deletions[first..]
            .iter()
            .all(|deletion| deletion.tags[0].is_record())
    );
    assert_eq!(made.deletions.len() - first, 3);
}

#[test]
fn a_release_that_an_alias_was_moved_to_by_hand_stays() {
    let (family, mut world) = daily(5, Deletes::Tags);
    for recorded in &mut world.facts.records {
        for (image, alias) in recorded
            .record
            .images
            .iter_mut()
            .zip(["base-latest", "latest", "latest-omos"])
        {
            image.aliases = vec![tag(alias).into()];
        }
    }
    let alias = tag("latest-omos");
    world.facts.tags.insert(alias, index_of("variant/omos", 1));
    let made = plan(&family, &world.facts).unwrap();
    let gone = going(&made);
    let record = |at| Mark::default().record(&version(at)).to_string();
    assert!(!gone.contains(&record(1)), "{gone:?}");
    // What an alias shares with older releases keeps none of them: `base-latest` has never been at anything else.
    assert!(gone.contains(&record(0)) && gone.contains(&record(2)));
    // The first release of a family writes a record that is not there yet.
    let own = Mark::of(&family.name).newest_record();
    assert!(made.watch.contains(&(own, None)), "{:?}", made.watch);
    assert!(
        made.watch
            .iter()
            .any(|(tag, at)| tag.as_str() == "_release" && at.is_some())
    );
}

#[test]
fn a_digest_goes_only_with_all_its_tags() {
    let (family, world) = daily(5, Deletes::Digests);
    let plan = plan(&family, &world.facts).unwrap();
    let gone = going(&plan);
    let tags = IdentityTags::new(&id("variant/omos"), &identity("variant/omos 0"));
    // The release tag v1.0.0-omos is on the index, and the index leads to what has the receipt.
    assert!(!gone.contains(tags.index().as_str()));
    let kept = plan.kept.iter().find(|kept| kept.tag == tags.index()).unwrap();
    assert!(
        kept.only_by_digest && kept.why.contains("`v1.0.0-omos`"),
        "{kept:?}"
    );
    assert!(!gone.iter().any(|tag| tag.contains("-ok-")));
    // What buildx pushed is an index of its own.
    let wrapper = plan.deletions.iter().find(|deletion| {
        deletion
            .tags
            .contains(&tags.platform(&"linux/amd64".parse().unwrap()))
    });
    assert_eq!(wrapper.unwrap().tags.len(), 2);
    assert!(gone.contains("_release-v1.0.0"));
}

#[test]
fn an_unfinished_release_stops_it_and_patterns_hold() {
    let (mut family, mut world) = daily(5, Deletes::Tags);
    family.prune.keep = vec![
        "_release-v1.0.*".parse().unwrap(),
        "variant-omos-*-amd64".parse().unwrap(),
    ];
    let made = plan(&family, &world.facts).unwrap();
    let gone = going(&made);
    assert!(!gone.contains("_release-v1.0.0") && gone.contains("_release-v1.1.0"));
    assert!(!gone.iter().any(|tag| tag.ends_with("-amd64")));
    let first = &mut world.facts.records[0].record;
    first.state = RecordState::Publishing;
    assert_eq!(plan(&family, &world.facts).unwrap_err().version, version(0));
}

#[test]
fn what_no_record_names_goes_by_its_age_if_it_can_be_nobody_elses() {
    let (mut family, mut world) = daily(2, Deletes::Tags);
    family.prune = rules(2, 30);
    let stray = world.image("variant/core", 77);
    let prefix = IdentityTags::new(&ImageId::clone(&stray.image), &stray.identity).index();
    assert!(plan(&family, &world.facts).unwrap().deletions.is_empty());
    for (age, goes) in [(29, false), (31, true)] {
        let time = jiff::Timestamp::from_second(NOW - age * DAY).unwrap();
        world.facts.created.insert(prefix.clone(), time);
        assert_eq!(
            going(&plan(&family, &world.facts).unwrap()).contains(prefix.as_str()),
            goes,
            "{age}"
        );
    }
    let mut foreign = world.facts.records[0].record.clone();
    foreign.family = "tools".to_owned();
    world.record(foreign, &Mark::of("tools"));
    assert!(plan(&family, &world.facts).unwrap().deletions.is_empty());
}
