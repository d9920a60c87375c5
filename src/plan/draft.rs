//! The steps of a plan, in the order in which they could be done one by one.

use super::images::ImageState;
use super::publish::{self, Names};
use super::{Action, AssembleStep, Goal, Options, PlanError, RecordStep, Step, StepId};
use super::{build_step, sign_step, smoke_step};
use crate::config::{Family, Image};
use crate::domain::{IdentityTags, ImageId, Platform};
use crate::facts::Facts;
use crate::record::RecordState;
use std::collections::BTreeMap;

/// A plan while it is put together.
pub(super) struct Draft<'a> {
    pub(super) family: &'a Family,
    pub(super) facts: &'a Facts,
    pub(super) options: &'a Options,
    pub(super) names: &'a Names,
    pub(super) selected: &'a [&'a Image],
    pub(super) states: &'a BTreeMap<ImageId, ImageState<'a>>,
    pub(super) steps: Vec<Step>,
}

impl Draft<'_> {
    /// All images of one platform before those of the next, so that one platform gives its verdict early.
    pub(super) fn platforms(&self) -> Vec<Platform> {
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

    pub(super) fn builds(&mut self, platform: &Platform) -> Result<(), PlanError> {
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

    pub(super) fn smokes(&mut self, platform: &Platform) -> Result<(), PlanError> {
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
    pub(super) fn pin_first(&mut self) {
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

    pub(super) fn assembles(&mut self) {
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
    pub(super) fn publish(&mut self, warnings: &mut Vec<String>) -> Result<(), PlanError> {
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
        let needs: Vec<_> = self.steps.iter().map(|step| step.id.clone()).collect();
        let why = "barrier: every image is whole and every tested platform has its receipt".to_owned();
        self.push(
            StepId::record(RecordState::Publishing),
            needs,
            why,
            Action::Record(RecordStep {
                state: RecordState::Publishing,
            }),
        );
        let named = self.names.tags.iter().chain(&self.names.aliases);
        let named = named.map(|(tag, image)| (image, tag));
        let signing = sign_step::signatures(self.family, self.options, named, warnings);
        let signed = sign_step::before_tags(&signing);
        self.steps.extend(signing);
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
            self.steps.extend(publish::describe(self.family, last));
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
