//! Gathering facts: as much side by side as their needs allow.

use super::period::{is_refreshed, period};
use super::records::{Records, records};
use super::references::{Known, References};
use super::upstream::{base_platforms, check_bases, upstream};
use super::{GatherError, identities, lists, probe, sources};
use crate::buildx;
use crate::config::{Family, Image, VersionSource};
use crate::digest_cache::DigestCache;
use crate::domain::{Digest, ImageId, Period};
use crate::engine::{self, Answer};
use crate::environment::Environment;
use crate::facts::BuilderFacts;
use crate::facts::Facts;
use crate::holder;
use crate::inputs::{Collected, InputEntry};
use crate::plan::{GIVEN_UP, Goal, Options, PlanError, publish};
use crate::record::{Record, RecordState};
use crate::smoke::{SmokeFile, smoke_identity};
use crate::target::Target;
use crate::versions::{self, Given, Lock, Resolved};
use futures_util::future::try_join_all;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OnceCell, oneshot};
use tokio_util::sync::CancellationToken;

/// What is known before anything is asked. Versions and digests that are pinned, in the order in which they win:
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// `--set NAME=VERSION`.
    pub set: BTreeMap<String, String>,
    /// Those of a plan that was saved: versions and upstream digests.
    pub plan: Option<(BTreeMap<String, Resolved>, BTreeMap<String, Digest>)>,
    /// Whether the pins of the version's record are passed over (`--re-resolve`).
    pub re_resolve: bool,
    /// `variants.lock`, where there is one.
    pub lock: Option<Lock>,
    /// Whether every version must stand in the lock (`--locked`).
    pub locked: bool,
    /// The refresh period of a plan that was saved.
    pub period: Option<Period>,
    /// The day, in UTC, whose period counts where none is pinned.
    pub today: Date,
    /// Digests of files that were hashed before.
    pub digests: Arc<DigestCache>,
}

/// What gathering needs of the world.
pub struct World<'a, T> {
    /// Where the family goes.
    pub target: &'a T,
    /// The builder that was asked for.
    pub builder: Option<&'a str>,
    /// What the engine told of itself, once it is asked: where a record wants to know the versions of engine and buildx.
    pub engine: Option<&'a OnceCell<Answer>>,
    /// What that builder was found to do: it is asked once in a run.
    pub inspected: &'a OnceCell<BuilderFacts>,
    /// The environment.
    pub environment: &'a Environment,
    /// For asking version sources.
    pub versions: versions::Context,
    /// Interrupts the gathering.
    pub cancel: CancellationToken,
}

/// Gathers what a plan for `options` needs to know.
///
/// # Errors
/// Something is missing, wrong, or could not be found out; see [`GatherError`].
pub async fn gather<T: Target>(
    family: &Family,
    options: &Options,
    pins: &Pins,
    world: &World<'_, T>,
) -> Result<Facts, GatherError> {
    check_sets(family, pins)?;
    // Nothing but the plan waits for the builder; whether it is asked at all is known once the record is.
    let (tell, told) = oneshot::channel();
    let builder = async {
        match told.await {
            Ok(true) => Ok(Some(inspect(world).await)),
            _ => Ok(None),
        }
    };
    let ((mut facts, bases), inspected) =
        tokio::try_join!(without_builder(family, options, pins, world, tell), builder)?;
    let builds = needs_builder(family, &facts, options);
    facts.builder = match inspected {
        Some(Ok(builder)) => Some(builder),
        // A plan that builds nothing needs no builder: the error is told only when one is needed.
        Some(Err(error)) if builds => return Err(error),
        None if builds => Some(inspect(world).await?),
        Some(Err(_)) | None => None,
    };
    if builds {
        check_bases(family, &bases, &facts, world.target).await?;
        facts.base_platforms = base_platforms(family, &facts, world.target).await?;
    }
    Ok(facts)
}

/// As [`gather`], but asks nobody what can be built: for showing what a release now would do, where nothing is built.
///
/// # Errors
/// As [`gather`].
pub async fn gather_without_builder<T: Target>(
    family: &Family,
    options: &Options,
    pins: &Pins,
    world: &World<'_, T>,
) -> Result<Facts, GatherError> {
    check_sets(family, pins)?;
    let (tell, told) = oneshot::channel();
    drop(told);
    let (facts, _) = without_builder(family, options, pins, world, tell).await?;
    Ok(facts)
}

/// References that are built upon, by image.
type Bases = BTreeMap<ImageId, Vec<String>>;

/// All facts but the builder, and what the images are built upon. `tell` is told whether the builder will most likely be needed.
async fn without_builder<T: Target>(
    family: &Family,
    options: &Options,
    pins: &Pins,
    world: &World<'_, T>,
    tell: oneshot::Sender<bool>,
) -> Result<(Facts, Bases), GatherError> {
    let images: Vec<&Image> = family.images.iter().collect();
    let names = publish::names(family, &images, options)?;
    let tags = names
        .tags
        .iter()
        .chain(&names.aliases)
        .map(|(tag, _)| tag.clone());
    let (repository, work) = (&family.repository, family.work());

    // The record comes first: it may pin everything else, and tell that no builder is needed.
    let collected = sources::collect(family, &pins.digests);
    let (hand, handed) = oneshot::channel();
    let records = async {
        match options.version.as_ref().filter(|_| options.goal == Goal::Release) {
            Some(version) => records(world.target, family, Some(version)).await,
            // What is built without a release is built without cache in a new period too.
            None if options.goal != Goal::Smoke && !options.throw_away && is_refreshed(family) => {
                records(world.target, family, None).await
            }
            None => Ok(Records::default()),
        }
    };
    let tags = async { Ok(probe::current_tags(world.target, repository, tags).await?) };
    let begun = async {
        let records = records.await?;
        let record = records.own.as_ref();
        let stands = record.is_some_and(|record: &Record| {
            matches!(record.state, RecordState::Done | RecordState::NotPromoted)
        });
        let _ = tell.send(!stands && options.goal != Goal::Smoke);
        let (mut versions, open) = known_versions(family, pins, record)?;
        let _ = hand.send((versions.clone(), record.cloned()));
        versions.extend(ask(&open, world).await?);
        Ok::<_, GatherError>((records, versions))
    };
    // Images from outside are asked for beside the versions, but for those that a version names.
    let referred = async {
        let sources = collected.await?;
        let Ok((versions, record)) = handed.await else {
            return Ok((sources, References::default(), BTreeMap::new()));
        };
        let known = Known {
            versions: &versions,
            version: options.version.as_ref(),
            revision: None,
        };
        let references = References::read(family, &sources, &known);
        if !references.problems().is_empty() {
            return Ok((sources, references, BTreeMap::new()));
        }
        let record = record.as_ref().filter(|_| !pins.re_resolve);
        let before = BTreeMap::new();
        let named = &references.upstream;
        let found = upstream(family, pins, named, record, world.target, before).await?;
        Ok::<_, GatherError>((sources, references, found))
    };
    let revision = sources::revision(family, world.environment, &world.cancel);
    // In the order of how much waits for them: those before are sent before.
    let ((records, versions), (sources, mut references, found), tags, revision) =
        tokio::try_join!(begun, referred, tags, async { Ok(revision.await) })?;
    let beside = records.first.as_ref().filter(|_| records.newest.is_none());
    let beside = beside.map(|first| {
        let newest = records.mark.newest_record();
        format!(
            "`{work}` holds the records of family `{first}`: those of `{}` begin with `{newest}`",
            family.name
        )
    });
    let Records {
        own: record,
        newest,
        newest_digest,
        mark,
        ..
    } = records;

    let mut facts = Facts {
        images: Vec::new(),
        period: period(family, pins, record.as_ref()),
        upstream: BTreeMap::new(),
        base_platforms: None,
        mark,
        builder: None,
        tags,
        alive: alive(record.as_ref()),
        other_alive: alive(newest.as_ref()),
        recent: recent(record.as_ref(), world.target.time(family.work())),
        record,
        newest,
        newest_digest,
        named: BTreeMap::new(),
        revision,
        warnings: versions
            .values()
            .flat_map(|resolved| resolved.warnings.clone())
            .chain(beside)
            .collect(),
        floats: Vec::new(),
        versions,
    };
    if options.goal == Goal::Release && !options.adopt && !options.no_promote {
        facts.named = Box::pin(super::recovery::named(
            world.target,
            family,
            &facts,
            &names.aliases,
        ))
        .await?;
    }
    let known = Known {
        versions: &facts.versions,
        version: options.version.as_ref(),
        revision: facts.revision.as_deref(),
    };
    references.read_waiting(family, &sources, &known);
    sources::refuse_unfit(family, &sources, &references.problems())?;
    facts.floats = references.floats.iter().cloned().collect();
    facts.warnings.extend(std::mem::take(&mut references.warnings));
    facts.upstream = upstream(
        family,
        pins,
        &references.upstream,
        facts.record.as_ref().filter(|_| !pins.re_resolve),
        world.target,
        found,
    )
    .await?;
    let files: BTreeMap<ImageId, Collected> = sources.collected;
    let (found, warnings) =
        identities::image_facts(family, &images, &files, &references.upstream, &facts, options)?;
    facts.images = found;
    facts.warnings.extend(warnings);
    set_smoke_identities(family, &mut facts, &sources.smoke);
    let probes = facts.images.iter_mut().filter_map(|fact| {
        let image = family.image(&fact.image)?;
        Some(probe::image(world.target, work, image, fact))
    });
    try_join_all(probes).await?;
    lists::fill(family, &mut facts, options, &names, world.target).await;
    Ok((facts, references.bases))
}

/// Which test each image has: of its files, its settings, and the versions that it expects.
fn set_smoke_identities(family: &Family, facts: &mut Facts, files: &BTreeMap<ImageId, Vec<InputEntry>>) {
    for fact in &mut facts.images {
        fact.smoke = files.get(&fact.image).and_then(|smoke| {
            let image = family.image(&fact.image)?;
            let expected = image
                .versions
                .iter()
                .filter_map(|name| Some((name.clone(), facts.versions.get(name)?.version.clone())));
            let files = smoke.iter().map(|file| SmokeFile {
                path: &file.path,
                executable: file.executable,
                digest: file.digest,
            });
            Some(smoke_identity(
                image.smoke.as_ref()?,
                &files.collect::<Vec<_>>(),
                &expected.collect(),
            ))
        });
    }
}

/// What the builder can do.
///
/// # Errors
/// There is none, or it could not be asked.
pub async fn builder<T>(world: &World<'_, T>) -> Result<BuilderFacts, GatherError> {
    inspect(world).await
}

async fn inspect<T>(world: &World<'_, T>) -> Result<BuilderFacts, GatherError> {
    let asked = || buildx::inspect(world.builder, world.environment, &world.cancel);
    let told = async {
        let ask = || engine::ask(world.environment, &world.cancel);
        world.engine?.get_or_init(ask).await.engine()
    };
    let (builder, told) = tokio::join!(world.inspected.get_or_try_init(asked), told);
    let (builder, version) = (builder?.clone(), |text: &Option<String>| {
        text.clone().unwrap_or_default()
    });
    Ok(match told {
        Some(info) => BuilderFacts {
            engine: version(&info.server_version),
            buildx: info
                .plugin("buildx")
                .map(|plugin| version(&plugin.version))
                .unwrap_or_default(),
            ..builder
        },
        None => builder,
    })
}

/// Whether a plan from these facts builds anything: planning without a builder fails for want of exactly that.
fn needs_builder(family: &Family, facts: &Facts, options: &Options) -> bool {
    let plan = crate::plan::plan(family, facts, options);
    matches!(plan, Err(PlanError::MissingFact(what)) if what == "the builder")
}

/// Refuses `--set` of what the family does not have.
pub(super) fn check_sets(family: &Family, pins: &Pins) -> Result<(), GatherError> {
    let unknown = pins.set.keys().find(|name| !family.versions.contains_key(*name));
    unknown.map_or(Ok(()), |name| {
        let known: Vec<_> = family.versions.keys().map(String::as_str).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        Err(GatherError::UnknownSet {
            name: name.clone(),
            known,
        })
    })
}

type Open = indexmap::IndexMap<String, VersionSource>;
type Asked = indexmap::IndexMap<String, Resolved>;

/// What every name in `[versions]` stands for: what was set, what was pinned, what is locked; the rest is asked for.
pub(super) async fn resolve<T>(
    family: &Family,
    pins: &Pins,
    record: Option<&Record>,
    world: &World<'_, T>,
) -> Result<BTreeMap<String, Resolved>, GatherError> {
    let (mut known, open) = known_versions(family, pins, record)?;
    known.extend(ask(&open, world).await?);
    Ok(known)
}

async fn ask<T>(open: &Open, world: &World<'_, T>) -> Result<Asked, GatherError> {
    versions::resolve_all(open, &world.versions)
        .await
        .map_err(GatherError::Versions)
}

/// The versions that are known without asking, and the sources of those that are not.
pub(super) fn known_versions(
    family: &Family,
    pins: &Pins,
    record: Option<&Record>,
) -> Result<(BTreeMap<String, Resolved>, Open), GatherError> {
    let mut known = BTreeMap::new();
    if pins.locked {
        known.extend(
            pins.lock
                .clone()
                .unwrap_or_default()
                .versions_of(&family.versions)?,
        );
    }
    let mut open = Open::new();
    for (name, source) in &family.versions {
        let given = |version: &str, how| {
            Resolved::given(name, source, version, how).map_err(|error| GatherError::Versions(vec![error]))
        };
        let from_plan = pins.plan.as_ref().and_then(|(versions, _)| versions.get(name));
        let from_record = record
            .filter(|_| !pins.re_resolve)
            .and_then(|record| record.versions.get(name))
            .filter(|pinned| still_meant(pinned, source));
        let locked = pins
            .lock
            .as_ref()
            .and_then(|lock| lock.version_of(name, source).ok());
        if let Some(version) = pins.set.get(name) {
            known.insert(name.clone(), given(version, Given::Set)?);
        } else if let Some(pinned) = from_plan.or(from_record) {
            given(&pinned.version, Given::Record)?;
            known.insert(name.clone(), pinned.clone());
        } else if let Some(locked) = known.get(name).cloned().or(locked) {
            known.insert(name.clone(), locked);
        } else if let VersionSource::Value { value } = source {
            let resolved = given(value, Given::Set)?;
            known.insert(
                name.clone(),
                Resolved {
                    source: versions::source_text(source),
                    ..resolved
                },
            );
        } else {
            open.insert(name.clone(), source.clone());
        }
    }
    Ok((known, open))
}

/// A pin holds as long as the file asks for the same thing; where it was given by hand, it holds anyhow.
fn still_meant(pinned: &Resolved, source: &VersionSource) -> bool {
    if let VersionSource::Value { value } = source {
        // That does not float: the file itself is the pin.
        return pinned.version == *value;
    }
    let by_hand = [Given::Set, Given::Lock]
        .iter()
        .any(|given| given.word() == pinned.source);
    by_hand || pinned.source == versions::source_text(source)
}

/// How many seconds ago a record was written that is unfinished, if that is less than ten minutes and nothing tells that its run has ended.
pub(super) fn recent(record: Option<&Record>, now: jiff::Timestamp) -> Option<u64> {
    let record = record.filter(|record| record.state.is_unfinished() && !record.ended)?;
    if record.holder.as_ref().is_some_and(holder::has_ended) {
        return None;
    }
    let seconds = now.as_second().saturating_sub(record.updated.as_second());
    // A clock that is behind makes it no older.
    let seconds = u64::try_from(seconds).unwrap_or(0);
    (seconds < GIVEN_UP).then_some(seconds)
}

/// The process on this machine that is making the release of this record right now.
pub(super) fn alive(record: Option<&Record>) -> Option<u32> {
    let record = record.filter(|record| record.state.is_unfinished())?;
    holder::alive(record.holder.as_ref()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Holder;
    use crate::testing::given::{DEVBOX, Given};

    #[test]
    fn an_unfinished_record_counts_as_alive_for_ten_minutes() {
        let now = jiff::Timestamp::from_second(1_700_000_000).unwrap();
        let mut record = Given::new(DEVBOX).plan().record.unwrap();
        let ago = |seconds: i64| jiff::Timestamp::from_second(1_700_000_000 - seconds).unwrap();
        for (seconds, expected) in [(0, Some(0)), (599, Some(599)), (600, None), (-30, Some(0))] {
            record.updated = ago(seconds);
            assert_eq!(recent(Some(&record), now), expected, "{seconds}");
        }
        record.updated = ago(5);
        let own = holder::own().unwrap();
        // Of this machine, and gone.
        record.holder = Some(Holder {
            process: std::os::unix::process::parent_id(),
            started: 1,
            ..own
        });
        assert_eq!(recent(Some(&record), now), None);
        record.holder.as_mut().unwrap().boot = "another machine".to_owned();
        assert_eq!(recent(Some(&record), now), Some(5));
        record.ended = true;
        assert_eq!(recent(Some(&record), now), None);
        record.ended = false;
        record.state = RecordState::Done;
        assert_eq!(recent(Some(&record), now), None);
    }
}
