//! Gathering facts: as much side by side as their needs allow.

use super::records::{Records, records};
use super::{GatherError, identities, probe, sources};
use crate::buildx;
use crate::config::{Family, Image, Upstream, VersionSource};
use crate::domain::{Digest, ImageId, Platform};
use crate::environment::Environment;
use crate::facts::BuilderFacts;
use crate::facts::Facts;
use crate::holder;
use crate::inputs::{Collected, InputEntry};
use crate::plan::{Goal, Options, PlanError, publish};
use crate::record::{Record, RecordState};
use crate::smoke::{SmokeFile, smoke_identity};
use crate::target::images::{contents, required};
use crate::target::{Presence, Reference, Target};
use crate::versions::{self, Given, Lock, Resolved};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Where pinned versions and digests come from, in the order in which they win.
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
}

/// What gathering needs of the world.
pub struct World<'a, T> {
    /// Where the family goes.
    pub target: &'a T,
    /// The builder that was asked for.
    pub builder: Option<&'a str>,
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
    let collected = sources::collect(family);
    let records = async {
        match options.version.as_ref().filter(|_| options.goal == Goal::Release) {
            Some(version) => records(world.target, family, Some(version)).await,
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
        let versions = resolve(family, pins, record, world).await?;
        Ok::<_, GatherError>((records, versions))
    };
    let revision = sources::revision(family, world.environment, &world.cancel);
    // In the order of how much waits for them: those before are sent before.
    let ((records, versions), sources, tags, revision) =
        tokio::try_join!(begun, collected, tags, async { Ok(revision.await) })?;
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
        mark,
        ..
    } = records;

    let mut facts = Facts {
        images: Vec::new(),
        upstream: BTreeMap::new(),
        base_platforms: None,
        mark,
        builder: None,
        tags,
        alive: alive(record.as_ref()),
        other_alive: alive(newest.as_ref()),
        record,
        newest,
        revision,
        warnings: versions
            .values()
            .flat_map(|resolved| resolved.warnings.clone())
            .chain(beside)
            .collect(),
        versions,
    };
    sources::refuse_unfit(family, &sources)?;
    facts.upstream = upstream(
        family,
        pins,
        &sources.upstream,
        facts.record.as_ref().filter(|_| !pins.re_resolve),
        world.target,
    )
    .await?;
    let files: BTreeMap<ImageId, Collected> = sources.collected;
    let (found, warnings) =
        identities::image_facts(family, &images, &files, &sources.upstream, &facts, options)?;
    facts.images = found;
    facts.warnings.extend(warnings);
    set_smoke_identities(family, &mut facts, &sources.smoke);
    let probes = facts.images.iter_mut().filter_map(|fact| {
        let image = family.image(&fact.image)?;
        Some(probe::image(world.target, work, image, fact))
    });
    try_join_all(probes).await?;
    Ok((facts, sources.bases))
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
    Ok(buildx::inspect(world.builder, world.environment, &world.cancel).await?)
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

/// What every name in `[versions]` stands for: what was set, what was pinned, what is locked; the rest is asked for.
pub(super) async fn resolve<T>(
    family: &Family,
    pins: &Pins,
    record: Option<&Record>,
    world: &World<'_, T>,
) -> Result<BTreeMap<String, Resolved>, GatherError> {
    let (mut known, open) = known_versions(family, pins, record)?;
    known.extend(
        versions::resolve_all(&open, &world.versions)
            .await
            .map_err(GatherError::Versions)?,
    );
    Ok(known)
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

/// The digest of every image outside the family that is pinned.
pub(super) async fn upstream<T: Target>(
    family: &Family,
    pins: &Pins,
    references: &BTreeMap<ImageId, Vec<String>>,
    record: Option<&Record>,
    target: &T,
) -> Result<BTreeMap<String, Digest>, GatherError> {
    let (mut known, open) = known_upstream(family, pins, references, record);
    let asked = open.into_iter().map(|(reference, image)| async move {
        let bad = |reason: String| GatherError::Reference {
            image: image.clone(),
            reference: reference.clone(),
            reason,
        };
        let (repository, at) = sources::parse_reference(reference).map_err(|error| bad(error.to_string()))?;
        match target.resolve(&repository, &at).await {
            Presence::Present(digest) => Ok((reference.clone(), digest)),
            Presence::Absent if *image == ImageId::Base && family.base_image.is_some() => {
                Err(GatherError::NoBaseImage {
                    reference: reference.clone(),
                    reason: format!("nothing stands under `{at}` of `{repository}`"),
                })
            }
            Presence::Absent => Err(bad(format!("nothing stands under `{at}` of `{repository}`"))),
            Presence::Unknown(error) => Err(GatherError::Target(error)),
        }
    });
    known.extend(try_join_all(asked).await?);
    Ok(known)
}

/// Every pinned base must be there for the platforms that are built on it: `BuildKit` builds on another platform's image without a word
/// when the pin is a single manifest.
async fn check_bases<T: Target>(
    family: &Family,
    bases: &Bases,
    facts: &Facts,
    target: &T,
) -> Result<(), GatherError> {
    let pinned = bases.iter().flat_map(|(image, references)| {
        references
            .iter()
            .filter_map(move |reference| Some((image, reference, *facts.upstream.get(reference)?)))
    });
    let checks = pinned.map(|(id, reference, digest)| async move {
        let bad = |reason: String| GatherError::Reference {
            image: id.clone(),
            reference: reference.clone(),
            reason,
        };
        let (repository, _) = sources::parse_reference(reference).map_err(|error| bad(error.to_string()))?;
        let raw = required(target, &repository, digest).await?;
        let has = contents(target, &repository, &raw, false).await?.platforms;
        let wanted = family.image(id).map(|image| image.platforms.as_slice());
        let same = |a: &Platform, b: &Platform| (a.os(), a.architecture()) == (b.os(), b.architecture());
        let missing = wanted
            .unwrap_or_default()
            .iter()
            // Of variants of an architecture, BuildKit takes the best that runs.
            .find(|platform| !has.keys().any(|there| same(there, platform)));
        missing.map_or(Ok(()), |platform| {
            Err(GatherError::BasePlatform {
                image: id.clone(),
                reference: format!("{reference}@{digest}"),
                platform: platform.clone(),
                has: has.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            })
        })
    });
    try_join_all(checks).await.map(drop)
}

/// The platform digests of a base from elsewhere.
async fn base_platforms<T: Target>(
    family: &Family,
    facts: &Facts,
    target: &T,
) -> Result<Option<BTreeMap<Platform, Digest>>, GatherError> {
    let pinned = family.base_image.as_ref().and_then(|reference| {
        let (repository, _) = sources::parse_reference(reference).ok()?;
        Some((repository, *facts.upstream.get(reference)?))
    });
    let Some((repository, digest)) = pinned else {
        return Ok(None);
    };
    let raw = required(target, &repository, digest).await?;
    let platforms = contents(target, &repository, &raw, false).await?.platforms;
    let platforms = platforms
        .into_iter()
        .map(|(platform, image)| (platform, image.digest()));
    Ok(Some(platforms.collect()))
}

/// The upstream digests that are known without asking, and the references of those that are not.
pub(super) fn known_upstream<'a>(
    family: &Family,
    pins: &Pins,
    references: &'a BTreeMap<ImageId, Vec<String>>,
    record: Option<&Record>,
) -> (BTreeMap<String, Digest>, BTreeMap<&'a String, &'a ImageId>) {
    let (mut known, mut open) = (BTreeMap::new(), BTreeMap::new());
    for (image, references) in references {
        let from_elsewhere = *image == ImageId::Base && family.base_image.is_some();
        let floats = || {
            let image = family.image(image);
            image.is_none_or(|image| image.upstream == Upstream::Float)
        };
        if !from_elsewhere && floats() {
            continue;
        }
        for reference in references {
            if let (true, Ok((_, Reference::Digest(digest)))) =
                (from_elsewhere, sources::parse_reference(reference))
            {
                known.insert(reference.clone(), digest);
                continue;
            }
            let from_plan = pins
                .plan
                .as_ref()
                .and_then(|(_, upstream)| upstream.get(reference));
            let from_record = record.and_then(|record| record.upstream.get(reference));
            let from_lock = pins.lock.as_ref().and_then(|lock| lock.upstream.get(reference));
            match from_plan.or(from_record).or(from_lock) {
                Some(digest) => drop(known.insert(reference.clone(), *digest)),
                None => drop(open.insert(reference, image)),
            }
        }
    }
    (known, open)
}

/// The process on this machine that is making the release of this record right now.
pub(super) fn alive(record: Option<&Record>) -> Option<u32> {
    let record = record.filter(|record| record.state.is_unfinished())?;
    holder::alive(record.holder.as_ref()?)
}
