//! The planner: from facts to a plan, without any I/O.

use super::images::{Base, ImageState, decide};
use super::publish::{self, Names};
use super::{Action, AssembleStep, Goal, Options, Plan, PlanError, RecordStep, SCHEMA, Step, StepId};
use super::{build_step, collision, freshness, smoke_step};
use crate::config::{Family, Image};
use crate::domain::{Digest, IdentityTags, ImageId, Platform};
use crate::facts::{BuilderFacts, Facts, ImageFacts};
use crate::record::{Record, RecordImage, RecordPlatform, RecordState, Tools};
use std::collections::BTreeMap;

/// Plans what `options` ask for.
///
/// # Errors
/// What is asked for cannot or must not be done; see [`PlanError`].
pub fn plan(family: &Family, facts: &Facts, options: &Options) -> Result<Plan, PlanError> {
    let selected = select(family, options)?;
    check_rebuilds(family, options)?;
    if options.goal == Goal::Release {
        refuse_other_runs(family, facts, options)?;
    }
    let names = publish::names(family, &selected, options)?;
    let mut states: BTreeMap<ImageId, ImageState<'_>> = BTreeMap::new();
    let mut warnings = facts.warnings.clone();
    warnings.extend(facts.float_warnings());
    for image in &selected {
        let fact = fact_of(facts, image)?;
        warnings.extend(collision::check(image, fact, options)?);
        let base = match (&image.base_arg, &family.base_image) {
            (None, _) => Base::None,
            (Some(_), None) => Base::Built(states.get(&ImageId::Base)),
            (Some(_), Some(reference)) => Base::Elsewhere(reference, facts),
        };
        let stale = freshness::without_cache(family, image, facts, options);
        let state = decide(image, fact, &base, stale.as_deref(), options)?;
        states.insert(image.id.clone(), state);
    }
    let mut draft = Draft {
        family,
        facts,
        options,
        names: &names,
        selected: &selected,
        states: &states,
        steps: Vec::new(),
    };
    for platform in draft.platforms() {
        draft.builds(&platform)?;
        if options.goal != Goal::Build {
            draft.smokes(&platform)?;
        }
    }
    draft.pin_first();
    if options.goal != Goal::Smoke {
        draft.assembles();
    }
    if options.goal == Goal::Release {
        draft.publish(&mut warnings)?;
    }
    let steps = draft.steps;
    let builder = facts.builder.as_ref();
    warnings.extend(build_step::left_out(family, options, &steps));
    if builder.is_some_and(|builder| !builder.attests())
        && steps.iter().any(|step| matches!(step.action, Action::Build(_)))
    {
        warnings.push(
            "the builder keeps its images in the classic store: no provenance, no annotations and no registry cache are written"
                .to_owned(),
        );
    }
    Ok(Plan {
        schema: SCHEMA,
        version: options.version.clone(),
        family: family.name.clone(),
        repository: family.repository.clone(),
        target: options.target.clone(),
        work_repository: family.work_repository.clone(),
        mark: facts.mark.clone(),
        versions: facts.versions.clone(),
        upstream: facts.upstream.clone(),
        period: facts.period,
        fresh: freshness::fresh(family, &selected, facts),
        images: selected
            .iter()
            .filter_map(|image| states.get(&image.id).map(|state| state.document(image, &names)))
            .collect(),
        warnings,
        retry: family.retry.clone(),
        builder: builder.map(|builder| builder.name.clone()),
        attests: builder.is_none_or(crate::facts::BuilderFacts::attests),
        record: (options.goal == Goal::Release)
            .then(|| record(family, facts, options, &selected, &states, &names))
            .flatten(),
        newest: facts.newest_digest,
        points: match &options.version {
            Some(version) if options.goal == Goal::Release => {
                publish::points(family, facts, options, version, &names, &states)
            }
            _ => BTreeMap::new(),
        },
        steps,
    })
}

/// The images that the plan is about: the base, and all variants or those that were asked for.
fn select<'a>(family: &'a Family, options: &Options) -> Result<Vec<&'a Image>, PlanError> {
    let Some(wanted) = &options.variants else {
        return Ok(family.images.iter().collect());
    };
    let is = |image: &Image, name| matches!(&image.id, ImageId::Variant(own) if own == name);
    for name in wanted {
        if !family.images.iter().any(|image| is(image, name)) {
            let known: Vec<_> = family
                .images
                .iter()
                .filter(|i| i.id != ImageId::Base)
                .map(|i| i.id.name())
                .collect();
            return Err(PlanError::UnknownVariant {
                name: name.clone(),
                known: known.join(", "),
            });
        }
    }
    let selected = |image: &&Image| image.id == ImageId::Base || wanted.iter().any(|name| is(image, name));
    Ok(family.images.iter().filter(selected).collect())
}

fn check_rebuilds(family: &Family, options: &Options) -> Result<(), PlanError> {
    for rebuild in &options.rebuild {
        let known = family.image(&rebuild.image).is_some_and(|image| {
            rebuild
                .platform
                .as_ref()
                .is_none_or(|platform| image.platforms.contains(platform))
        });
        if !known {
            let platform = rebuild
                .platform
                .as_ref()
                .map_or_else(String::new, |platform| format!("/{platform}"));
            return Err(PlanError::UnknownRebuild(format!("{}{platform}", rebuild.image)));
        }
    }
    Ok(())
}

/// Refuses a release while another one, or another run of it, is on its way.
pub(super) fn refuse_other_runs(family: &Family, facts: &Facts, options: &Options) -> Result<(), PlanError> {
    let version = options.version.as_ref().ok_or(PlanError::NoVersion)?;
    family.versioning.parse(version).map_err(PlanError::Version)?;
    let runs = [(facts.alive, &facts.record), (facts.other_alive, &facts.newest)];
    for (alive, record) in runs {
        if let (Some(process), Some(record)) = (alive, record) {
            return Err(PlanError::Alive {
                version: record.version.clone(),
                process,
            });
        }
    }
    if let Some(seconds) = facts.recent.filter(|_| !options.force) {
        return Err(PlanError::Recent {
            version: version.clone(),
            seconds,
        });
    }
    match &facts.newest {
        Some(newest) if newest.version != *version && newest.state.is_unfinished() && !options.force => {
            Err(PlanError::Unfinished {
                version: newest.version.clone(),
                state: newest.state.word(),
            })
        }
        _ => Ok(()),
    }
}

fn fact_of<'a>(facts: &'a Facts, image: &Image) -> Result<&'a ImageFacts, PlanError> {
    facts
        .images
        .iter()
        .find(|fact| fact.image == image.id)
        .ok_or_else(|| PlanError::MissingFact(format!("the image `{}`", image.id)))
}

/// A plan while it is put together.
struct Draft<'a> {
    family: &'a Family,
    facts: &'a Facts,
    options: &'a Options,
    names: &'a Names,
    selected: &'a [&'a Image],
    states: &'a BTreeMap<ImageId, ImageState<'a>>,
    steps: Vec<Step>,
}

impl Draft<'_> {
    /// All images of one platform before those of the next, so that one platform gives its verdict early.
    fn platforms(&self) -> Vec<Platform> {
        let mut platforms = self.family.platforms.clone();
        for image in self.selected {
            for platform in &image.platforms {
                if !platforms.contains(platform) {
                    platforms.push(platform.clone());
                }
            }
        }
        if let Some(builder) = &self.facts.builder
            && let Some(native) = builder.platforms.first()
        {
            platforms.sort_by_key(|platform| platform != native);
        }
        platforms
    }

    fn builds(&mut self, platform: &Platform) -> Result<(), PlanError> {
        for image in self.selected {
            let Some(state) = self.states.get(&image.id) else {
                continue;
            };
            let Some(decision) = state.platforms.get(platform) else {
                continue;
            };
            let Some(why) = &decision.build else { continue };
            let (id, platform) = (image.id.clone(), platform.clone());
            if self.options.goal == Goal::Smoke {
                return Err(PlanError::NotBuilt { image: id, platform });
            }
            let base = self.states.get(&ImageId::Base).filter(|_| id != ImageId::Base);
            let base = base.and_then(|base| base.platforms.get(&platform));
            let step = build_step::build_step(
                self.family,
                image,
                &platform,
                state,
                base,
                self.facts,
                self.options,
            )?;
            let needs = match base {
                Some(base) if base.build.is_some() => vec![StepId::build(&ImageId::Base, &platform)],
                _ => Vec::new(),
            };
            self.push(
                StepId::build(&id, &platform),
                needs,
                why.clone(),
                Action::Build(Box::new(step)),
            );
        }
        Ok(())
    }

    fn smokes(&mut self, platform: &Platform) -> Result<(), PlanError> {
        for image in self.selected {
            let Some(state) = self.states.get(&image.id) else {
                continue;
            };
            let Some(decision) = state.platforms.get(platform) else {
                continue;
            };
            let Some(why) = &decision.smoke else { continue };
            let step = smoke_step::smoke_step(self.family, image, platform, state, self.facts, self.options)?;
            let needs = match decision.build {
                Some(_) => vec![StepId::build(&image.id, platform)],
                None => Vec::new(),
            };
            self.push(
                StepId::smoke(&image.id, platform),
                needs,
                why.clone(),
                Action::Smoke(step),
            );
        }
        Ok(())
    }

    /// In a release, the record with all pins comes before the first build.
    fn pin_first(&mut self) {
        let builds = self
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Build(_)));
        if self.options.goal != Goal::Release || !builds {
            return;
        }
        let id = StepId::record(RecordState::Planned);
        for step in &mut self.steps {
            step.needs.push(id.clone());
        }
        let why = "pins what floats before the first build".to_owned();
        let action = Action::Record(RecordStep {
            state: RecordState::Planned,
        });
        self.steps.insert(
            0,
            Step {
                id,
                needs: Vec::new(),
                why,
                action,
            },
        );
    }

    fn assembles(&mut self) {
        for image in self.selected {
            let Some(state) = self.states.get(&image.id) else {
                continue;
            };
            let Some(why) = &state.assemble else { continue };
            let needs = self.steps_of(&image.id, |action| matches!(action, Action::Build(_)));
            let action = Action::Assemble(AssembleStep {
                image: image.id.clone(),
                identity: state.fact.identity,
                repository: self.family.work().clone(),
                tag: IdentityTags::new(&image.id, &state.fact.identity).index(),
                platforms: image.platforms.clone(),
                extends: state.fact.index.as_ref().map(|index| index.digest),
            });
            self.push(StepId::assemble(&image.id), needs, why.clone(), action);
        }
    }

    /// Barrier, release tags, aliases, final record.
    fn publish(&mut self, warnings: &mut Vec<String>) -> Result<(), PlanError> {
        let tags = publish::tags(self.family, self.states, self.names, self.facts, self.options)?;
        let promotes = publish::promotes(self.family, self.options, warnings);
        let aliases = if promotes {
            publish::aliases(
                self.family,
                self.states,
                self.names,
                self.facts,
                self.options,
                warnings,
            )?
        } else {
            Vec::new()
        };
        let last = if promotes || self.names.aliases.is_empty() {
            RecordState::Done
        } else {
            RecordState::NotPromoted
        };
        let recorded = self.facts.record.as_ref().map(|record| record.state);
        // A release that was promoted by hand is not taken back by running it once more without promotion.
        let stands = recorded == Some(last) || recorded == Some(RecordState::Done);
        if self.steps.is_empty()
            && tags.is_empty()
            && aliases.is_empty()
            && stands
            && self.newest_agrees()
            && self.record_is_complete()
        {
            return Ok(());
        }
        let barrier = StepId::record(RecordState::Publishing);
        let needs: Vec<_> = self.steps.iter().map(|step| step.id.clone()).collect();
        let why = "barrier: every image is whole and every tested platform has its receipt".to_owned();
        self.push(
            barrier.clone(),
            needs,
            why,
            Action::Record(RecordStep {
                state: RecordState::Publishing,
            }),
        );
        let mut signed = vec![barrier];
        for step in publish::signatures(self.family, self.options, &tags, &aliases, warnings) {
            signed.push(step.id.clone());
            self.steps.push(step);
        }
        let mut written = signed.clone();
        for (tag, why) in tags {
            let id = StepId::tag(&tag.tag);
            written.push(id.clone());
            self.push(id, signed.clone(), why, Action::Tag(tag));
        }
        let mut moved = written.clone();
        for (alias, why) in aliases {
            let id = StepId::alias(&alias.alias);
            moved.push(id.clone());
            self.push(id, written.clone(), why, Action::Alias(alias));
        }
        let why = match last {
            RecordState::NotPromoted => "release tags stand; aliases wait for `promote`".to_owned(),
            _ => "the account of the release".to_owned(),
        };
        self.push(
            StepId::record(last),
            moved,
            why,
            Action::Record(RecordStep { state: last }),
        );
        if promotes && self.is_newest() {
            self.steps.extend(super::publish::describe(self.family, last));
        }
        Ok(())
    }

    /// Whether every alias is this release's once it is done: the page is that of the release that users get.
    fn is_newest(&self) -> bool {
        let moved = |alias| self.steps.iter().any(|step| step.id == StepId::alias(alias));
        let points = self.options.version.as_ref().map(|version| {
            publish::points(
                self.family,
                self.facts,
                self.options,
                version,
                self.names,
                self.states,
            )
        });
        let stands = |alias| points.as_ref().is_some_and(|points| points.contains_key(alias));
        let mut aliases = self.names.aliases.iter();
        aliases.all(|(alias, _)| moved(alias) || stands(alias))
    }

    /// Whether the newest record, where it is of this version, says what the version's own says. A run that was killed between writing
    /// the one and the other leaves them apart, and the next version would find this one unfinished.
    fn newest_agrees(&self) -> bool {
        match (&self.facts.record, &self.facts.newest) {
            (Some(own), Some(newest)) => own.version != newest.version || own.state == newest.state,
            _ => true,
        }
    }

    /// Whether the record of this version names every selected image as it is now.
    fn record_is_complete(&self) -> bool {
        let Some(record) = &self.facts.record else {
            return false;
        };
        self.states.iter().all(|(id, state)| {
            let digest = state.digest();
            record
                .images
                .iter()
                .any(|image| image.image == *id && image.digest == digest && digest.is_some())
        })
    }

    fn steps_of(&self, id: &ImageId, kind: impl Fn(&Action) -> bool) -> Vec<StepId> {
        let of = |step: &&Step| match &step.action {
            Action::Build(build) => build.image == *id,
            Action::Smoke(smoke) => smoke.image == *id,
            _ => false,
        };
        self.steps
            .iter()
            .filter(of)
            .filter(|step| kind(&step.action))
            .map(|step| step.id.clone())
            .collect()
    }

    fn push(&mut self, id: StepId, needs: Vec<StepId>, why: String, action: Action) {
        self.steps.push(Step {
            id,
            needs,
            why,
            action,
        });
    }
}

/// The record as it will be written first. Times, holder and digests of what is built are filled in when it is written.
fn record(
    family: &Family,
    facts: &Facts,
    options: &Options,
    selected: &[&Image],
    states: &BTreeMap<ImageId, ImageState<'_>>,
    names: &Names,
) -> Option<Record> {
    let version = options.version.clone()?;
    let earlier = facts.record.as_ref();
    let mut images: Vec<RecordImage> = Vec::new();
    for image in selected {
        let state = states.get(&image.id)?;
        images.push(RecordImage {
            image: image.id.clone(),
            identity: state.fact.identity,
            digest: state.digest(),
            tags: names.tags_of(&image.id),
            aliases: names.aliases_of(&image.id),
            platforms: state
                .platforms
                .iter()
                .filter_map(|(platform, decision)| {
                    let digest = decision.used()?.digest();
                    let receipt = state.receipt(image, platform);
                    Some(RecordPlatform::new(platform.clone(), digest, receipt).knowing(known(facts, digest)))
                })
                .collect(),
        });
    }
    // Not every engine says which BuildKit it is.
    let told = |what: fn(&BuilderFacts) -> &String| {
        let version = facts.builder.as_ref().map(what);
        version.filter(|version| !version.is_empty()).cloned()
    };
    let is_selected = |id: &ImageId| selected.iter().any(|image| image.id == *id);
    let kept = earlier.map(|record| record.images.as_slice()).unwrap_or_default();
    images.extend(
        kept.iter()
            .filter(|image| !is_selected(&image.image) && family.image(&image.image).is_some())
            .cloned(),
    );
    let left_out = family
        .images
        .iter()
        .filter(|image| images.iter().all(|known| known.image != image.id));
    Some(Record {
        schema: SCHEMA,
        version,
        family: family.name.clone(),
        repository: family.repository.clone(),
        state: earlier.map_or(RecordState::Planned, |record| record.state),
        started: earlier.map_or(jiff::Timestamp::UNIX_EPOCH, |record| record.started),
        updated: jiff::Timestamp::UNIX_EPOCH,
        holder: None,
        revision: facts.revision.clone(),
        versions: facts.versions.clone(),
        upstream: facts.upstream.clone(),
        period: facts.period,
        fresh: facts
            .newest
            .as_ref()
            .map(|newest| newest.fresh.clone())
            .unwrap_or_default(),
        left_out: left_out.map(|image| image.id.clone()).collect(),
        images,
        aliases: earlier.map(|record| record.aliases.clone()).unwrap_or_default(),
        ended: false,
        attempt: earlier.and_then(|record| record.attempt.clone()),
        points: facts
            .newest
            .as_ref()
            .map(|newest| newest.points.clone())
            .unwrap_or_default(),
        tools: Tools {
            splitbase: env!("CARGO_PKG_VERSION").to_owned(),
            buildx: told(|builder| &builder.buildx),
            buildkit: told(|builder| &builder.buildkit),
            engine: told(|builder| &builder.engine),
        },
    })
}

/// What earlier records know of a platform image: its sizes, and, where it is of this very release, what building it took.
fn known(facts: &Facts, digest: Digest) -> Option<RecordPlatform> {
    let own = facts.record.as_ref().and_then(|record| record.platform(digest));
    let other = facts.newest.as_ref().and_then(|record| record.platform(digest));
    own.cloned().or_else(|| {
        let mut other = other?.clone();
        other.steps = None;
        Some(other)
    })
}
