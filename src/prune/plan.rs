//! What goes and what stays: a pure function. No I/O, no clock.

use super::Facts;
use crate::config::{Family, Prune};
use crate::domain::{Digest, IdentityTags, Mark, PublicTag, Tag, Version};
use crate::gather::{Recorded, newest_first};
use crate::record::Record;
use crate::target::upkeep::Deletes;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A release of the family is unfinished: what it will need is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("prune: the release {version} is unfinished, and what it will need is not known")]
pub struct Unfinished {
    /// Which release.
    pub version: Version,
}

/// One deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// The tags that go: one, or all that are on the digest where it goes with them.
    pub tags: Vec<Tag>,
    /// What they point at.
    pub digest: Digest,
    /// Why nothing needs them.
    pub why: String,
}

/// A machine tag or record that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Which.
    pub tag: Tag,
    /// What needs it.
    pub why: String,
    /// Whether it would go if the target could delete a tag alone.
    pub only_by_digest: bool,
}

/// What goes, in this order, and what stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What deleting a tag takes along.
    pub deletes: Deletes,
    /// What goes. Records come last, so that what is left of a prune that was cut off is found by the next one.
    pub deletions: Vec<Deletion>,
    /// Machine tags and records that stay.
    pub kept: Vec<Kept>,
    /// The newest record of each family, and where one of this family would be: a release that begins writes one of them first.
    #[serde(skip)]
    pub watch: Vec<(Tag, Option<Digest>)>,
    /// All tags that were looked at.
    #[serde(skip)]
    pub known: BTreeMap<Tag, Digest>,
}

/// Decides what goes.
///
/// # Errors
/// A release of the family is unfinished.
pub fn plan(family: &Family, facts: &Facts) -> Result<Plan, Unfinished> {
    let rules = &family.prune;
    let own = |recorded: &&Recorded| recorded.record.family == family.name;
    if let Some(unfinished) = facts
        .records
        .iter()
        .filter(own)
        .find(|recorded| recorded.record.state.is_unfinished())
    {
        return Err(Unfinished {
            version: unfinished.record.version.clone(),
        });
    }
    let verdicts = releases(family, rules, facts);
    let (stay, go): (Vec<_>, Vec<_>) = facts
        .records
        .iter()
        .zip(&verdicts)
        .partition(|(_, verdict)| verdict.is_ok());
    let wanted = facts.closure(stay.iter().flat_map(|(recorded, _)| named(&recorded.record)));
    let others = facts
        .records
        .iter()
        .any(|recorded| recorded.record.family != family.name);

    let (mut going, mut kept): (BTreeMap<Tag, String>, BTreeMap<Tag, Kept>) = Default::default();
    for (recorded, verdict) in facts.records.iter().zip(&verdicts) {
        match verdict {
            Ok(why) => keep(&mut kept, &recorded.tag, why.clone()),
            Err(why) => drop(going.insert(recorded.tag.clone(), why.clone())),
        }
    }
    let images: Vec<(&Record, Vec<Tag>)> = facts
        .records
        .iter()
        .map(|recorded| (&recorded.record, prefixes(&recorded.record)))
        .collect();
    let is_kept = |record: &Record| {
        stay.iter()
            .any(|(recorded, _)| std::ptr::eq(&raw const recorded.record, record))
    };
    for (tag, digest) in &facts.tags {
        if !tag.has_machine_form() || going.contains_key(tag) || kept.contains_key(tag) {
            continue;
        }
        let naming: Vec<&Record> = images
            .iter()
            .filter(|(_, prefixes)| prefixes.iter().any(|prefix| is_under(prefix, tag)))
            .map(|(record, _)| *record)
            .collect();
        let verdict = if tag.is_record() {
            // It is gone since the tags were listed, or was never a record.
            Err("it is not known what it is".to_owned())
        } else if let Some(pattern) = rules.keep.iter().find(|pattern| pattern.matches(tag)) {
            Err(format!("it matches `{pattern}` of `[prune] keep`"))
        } else if tag.is_cache() {
            Err("build cache: written over by the next build".to_owned())
        } else if let Some(record) = naming.iter().find(|record| is_kept(record)) {
            Err(format!("{} needs it", called(family, record)))
        } else if facts.closure([*digest]).iter().any(|held| wanted.contains(held)) {
            Err("what it holds is named by a record that stays".to_owned())
        } else if let Some(last) = naming.iter().max_by_key(|record| record.updated) {
            Ok(format!("used last by {}, which goes too", last.version))
        } else {
            unnamed(facts, rules, tag, others)
        };
        match verdict {
            Ok(why) => drop(going.insert(tag.clone(), why)),
            Err(why) => keep(&mut kept, tag, why),
        }
    }
    drop(go);
    if facts.deletes == Deletes::Digests {
        spare_shared(facts, &mut going, &mut kept);
    }
    Ok(Plan {
        deletes: facts.deletes,
        deletions: deletions(facts, going),
        kept: kept.into_values().collect(),
        watch: watched(family, facts),
        known: facts.tags.clone(),
    })
}

/// The newest record of each family that there is, and the names that one of this family would have, whose first release may begin meanwhile.
fn watched(family: &Family, facts: &Facts) -> Vec<(Tag, Option<Digest>)> {
    let heads = facts.records.iter().filter(|recorded| !recorded.is_own());
    let heads = heads.map(|recorded| recorded.tag.clone());
    let own = [Mark::default(), Mark::of(&family.name)].map(|mark| mark.newest_record());
    let tags: BTreeSet<Tag> = heads.chain(own).collect();
    let at = |tag: Tag| {
        let digest = facts.tags.get(&tag).copied();
        (tag, digest)
    };
    tags.into_iter().map(at).collect()
}

/// An alias of this release that is at its image though no record says so: somebody has moved it by hand.
fn moved_by_hand(family: &Family, facts: &Facts, heads: &[&Recorded], record: &Record) -> Option<PublicTag> {
    let here = |alias: &&PublicTag| alias.repository(&family.repository) == family.work();
    let said = |alias: &PublicTag| {
        let heads = heads.iter().filter(|head| head.record.family == family.name);
        let mut points = heads.filter_map(|head| head.record.points.get(alias));
        points.any(|point| facts.tags.get(alias.tag()) == Some(&point.digest))
    };
    let images = record.images.iter().filter(|image| image.digest.is_some());
    let mut aliases = images.flat_map(|image| {
        let at = move |alias: &&PublicTag| facts.tags.get(alias.tag()) == image.digest.as_ref();
        image.aliases.iter().filter(here).filter(at)
    });
    aliases.find(|alias| !said(alias)).cloned()
}

fn keep(kept: &mut BTreeMap<Tag, Kept>, tag: &Tag, why: String) {
    let entry = Kept {
        tag: tag.clone(),
        why,
        only_by_digest: false,
    };
    kept.insert(tag.clone(), entry);
}

/// For each record why it stays, or why it goes.
fn releases(family: &Family, rules: &Prune, facts: &Facts) -> Vec<Result<String, String>> {
    let mut own: Vec<Record> = facts
        .records
        .iter()
        .filter(|recorded| recorded.record.family == family.name && recorded.is_own())
        .map(|recorded| recorded.record.clone())
        .collect();
    newest_first(&mut own);
    let count = usize::try_from(rules.keep_releases).unwrap_or(usize::MAX);
    let newest: BTreeSet<&Version> = own
        .iter()
        .filter(|record| record.stands())
        .take(count)
        .map(|record| &record.version)
        .collect();
    let heads: Vec<&Recorded> = facts
        .records
        .iter()
        .filter(|recorded| !recorded.is_own())
        .collect();
    let verdict = |recorded: &Recorded| {
        let record = &recorded.record;
        let same = |head: &&&Recorded| facts.tags.get(&head.tag) == facts.tags.get(&recorded.tag);
        if !recorded.is_own() || heads.iter().any(|head| same(&head)) {
            return Ok("the newest record".to_owned());
        }
        if record.family != family.name {
            return Ok(format!("it is of family `{}`", record.family));
        }
        if newest.contains(&record.version) {
            return Ok(format!("one of the {} newest releases", rules.keep_releases));
        }
        if is_young(facts, rules, record.updated) {
            return Ok(format!("younger than {}", rules.keep_younger_than));
        }
        if let Some(pattern) = rules.keep.iter().find(|pattern| pattern.matches(&recorded.tag)) {
            return Ok(format!("it matches `{pattern}` of `[prune] keep`"));
        }
        let points = heads
            .iter()
            .filter(|head| head.record.family == family.name)
            .flat_map(|head| &head.record.points);
        if let Some((alias, _)) = points
            .into_iter()
            .find(|(_, point)| point.version == record.version)
        {
            return Ok(format!("`{alias}` points at this release"));
        }
        if let Some(alias) = moved_by_hand(family, facts, &heads, record) {
            return Ok(format!("`{alias}` is at an image of it"));
        }
        let written = record.updated.strftime("%Y-%m-%d");
        Err(format!("the record of {}, written {written}", record.version))
    };
    facts.records.iter().map(verdict).collect()
}

fn is_young(facts: &Facts, rules: &Prune, time: jiff::Timestamp) -> bool {
    let age = facts.now.as_second().saturating_sub(time.as_second());
    let limit = i64::try_from(rules.keep_younger_than.0.as_secs()).unwrap_or(i64::MAX);
    age < limit
}

/// A machine tag that no record names: it goes when its image says that it is old, and can be nobody else's.
fn unnamed(facts: &Facts, rules: &Prune, tag: &Tag, others: bool) -> Result<String, String> {
    if others {
        return Err("no record names it, and it may be of another family in this repository".to_owned());
    }
    match facts.created.get(tag) {
        None => Err("no record names it, and its age is not known".to_owned()),
        Some(created) if is_young(facts, rules, *created) => Err(format!(
            "no record names it, but it is younger than {}",
            rules.keep_younger_than
        )),
        Some(created) => Ok(format!(
            "no record names it, made {}",
            created.strftime("%Y-%m-%d")
        )),
    }
}

/// The identity tags of a release's images; all other machine tags of them begin so.
fn prefixes(record: &Record) -> Vec<Tag> {
    let tag = |image: &crate::record::RecordImage| IdentityTags::new(&image.image, &image.identity).index();
    record.images.iter().map(tag).collect()
}

fn is_under(prefix: &Tag, tag: &Tag) -> bool {
    let rest = tag.as_str().strip_prefix(prefix.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Every digest that a record names, those that its aliases had before too.
fn named(record: &Record) -> Vec<Digest> {
    let images = record.images.iter().flat_map(|image| {
        let platforms = image.platforms.iter().map(|platform| platform.digest);
        image.digest.into_iter().chain(platforms)
    });
    let aliases = record
        .aliases
        .iter()
        .flat_map(|alias| alias.old.into_iter().chain(alias.new));
    let points = record.points.values().map(|point| point.digest);
    // A release that was cut off may still be finished or taken back.
    let moves = record
        .attempt
        .iter()
        .flat_map(|attempt| attempt.tags.iter().chain(&attempt.aliases));
    let moves = moves.flat_map(|moved| moved.old.into_iter().chain(moved.new));
    images.chain(aliases).chain(points).chain(moves).collect()
}

fn called(family: &Family, record: &Record) -> String {
    if record.family == family.name {
        record.version.to_string()
    } else {
        format!("{} of family `{}`", record.version, record.family)
    }
}

/// Where a digest goes with all its tags, it must not go as long as a tag that stays names it, or an index leads to it that a tag that stays leads
/// to.
fn spare_shared(facts: &Facts, going: &mut BTreeMap<Tag, String>, kept: &mut BTreeMap<Tag, Kept>) {
    loop {
        let staying = facts.tags.iter().filter(|(tag, _)| !going.contains_key(*tag));
        let needed = facts.closure(staying.map(|(_, digest)| *digest));
        let spared: Vec<Tag> = going
            .keys()
            .filter(|tag| facts.tags.get(*tag).is_none_or(|digest| needed.contains(digest)))
            .cloned()
            .collect();
        if spared.is_empty() {
            return;
        }
        for tag in spared {
            let digest = facts.tags.get(&tag);
            let holder = facts
                .tags
                .iter()
                .filter(|(other, at)| Some(*at) == digest && !going.contains_key(*other))
                .min_by_key(|(other, _)| (other.has_machine_form(), (*other).clone()));
            let why = match holder {
                Some((other, _)) => {
                    format!("`{other}` is the same digest, and only digests can be deleted here")
                }
                None => "an index that stays leads to it, and only digests can be deleted here".to_owned(),
            };
            going.remove(&tag);
            let entry = Kept {
                tag: tag.clone(),
                why,
                only_by_digest: true,
            };
            kept.insert(tag, entry);
        }
    }
}

/// What goes in the order in which it goes: what leads to more before what it leads to, and records last, the oldest first.
fn deletions(facts: &Facts, going: BTreeMap<Tag, String>) -> Vec<Deletion> {
    let mut grouped: Vec<Deletion> = Vec::new();
    for (tag, why) in going {
        let Some(digest) = facts.tags.get(&tag).copied() else {
            continue;
        };
        let together = (facts.deletes == Deletes::Digests)
            .then(|| grouped.iter_mut().find(|deletion| deletion.digest == digest))
            .flatten();
        match together {
            Some(deletion) => deletion.tags.push(tag),
            None => grouped.push(Deletion {
                tags: vec![tag],
                digest,
                why,
            }),
        }
    }
    let rank = |deletion: &Deletion| {
        let record = facts
            .records
            .iter()
            .find(|recorded| deletion.tags.contains(&recorded.tag));
        let reaches = facts.closure([deletion.digest]).len();
        (
            record.map(|recorded| recorded.record.updated),
            std::cmp::Reverse(reaches),
            deletion.tags.first().cloned(),
        )
    };
    grouped.sort_by_cached_key(rank);
    grouped
}
