//! Ending what a release has begun: finishing it, or taking it back; and taking back what a finished one moved.
//!
//! All of it is read from records: no sources, no versions, no builder.

use super::publish;
use super::recorded::Recorded;
use super::{Action, MoveStep, Options, Plan, PlanError, RecordStep, Step, StepId, sign_step};
use crate::config::Family;
use crate::domain::{Digest, PublicTag, Version};
use crate::facts::Facts;
use crate::record::{AliasPoint, Attempt, Record, RecordAlias, RecordMove, RecordState};
use std::collections::BTreeMap;

/// Which way an unfinished release is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All that was decided is done.
    Finish,
    /// All that was done is taken back.
    Undo,
}

/// Plans ending the unfinished release of `facts.record`. A plan without steps: it is not unfinished.
///
/// # Errors
/// It may be alive, or somebody else has moved what it wants to move; see [`PlanError`].
pub fn plan_recovery(family: &Family, facts: &Facts, way: Way, options: &Options) -> Result<Plan, PlanError> {
    let Some(record) = facts.record.clone() else {
        return Err(PlanError::MissingFact("the record".to_owned()));
    };
    alone(facts, options)?;
    let version = record.version.clone();
    let mut ending = Ending::new(family, facts, record);
    if !ending.record.state.is_unfinished() {
        return Ok(ending.plan(options));
    }
    let stuck = |reason: String, hint: String| PlanError::NotRecoverable {
        attempted: if way == Way::Finish {
            "finish release"
        } else {
            "undo release"
        },
        version: version.clone(),
        reason,
        hint,
    };
    let attempt = ending.record.attempt.clone();
    let published = ending.record.state == RecordState::Publishing;
    let Some(attempt) = attempt.filter(|_| published) else {
        if way == Way::Undo && !published {
            ending.state(RecordState::Undone, "nothing of it was published", Vec::new());
            return Ok(ending.plan(options));
        }
        let reason = if published {
            "its record does not say what it was about to write: an older splitbase wrote it"
        } else {
            "nothing of it is published, and its images may not all be built"
        };
        return Err(stuck(
            reason.to_owned(),
            format!("`splitbase release {version}` goes on with it"),
        ));
    };
    match way {
        Way::Finish => {
            ending.barrier("what was decided is done");
            if rolls_back(&attempt) {
                ending.mirrors_stay(options);
            } else {
                ending.sign(options);
                ending.mirrored = true;
            }
            for (kind, moved) in both(&attempt) {
                let elsewhere = ending.forward(kind, moved);
                if let Some(there) = elsewhere {
                    return Err(stuck(
                        format!("{kind} `{}` is at {there}, and this release neither found it there nor put it there", moved.tag),
                        "see who did; `splitbase recover --undo` takes back what this release wrote, and leaves that".to_owned(),
                    ));
                }
            }
            ending.finish(attempt.goal);
        }
        Way::Undo => {
            ending.barrier("what was done is taken back");
            // Users must not be left with an alias whose release is gone.
            for moved in &attempt.aliases {
                ending.back("alias", moved, false);
            }
            for moved in &attempt.tags {
                ending.back("release tag", moved, true);
            }
            let stands = attempt.before.stands();
            if stands {
                ending.leave_out(&attempt);
            }
            let state = if stands {
                attempt.before
            } else {
                RecordState::Undone
            };
            ending.state(state, "it is taken back", ending.written.clone());
        }
    }
    Ok(ending.plan(options))
}

/// Plans moving the aliases back to what the release of `facts.record` replaced, each only from where that release left it.
///
/// # Errors
/// The release does not stand, or none of its aliases is where it left them; see [`PlanError`].
pub fn plan_rollback(family: &Family, facts: &Facts, options: &Options) -> Result<Plan, PlanError> {
    let stuck = |version: &Version, reason: String, hint: &str| PlanError::NotRecoverable {
        attempted: "roll back release",
        version: version.clone(),
        reason,
        hint: hint.to_owned(),
    };
    let Some(record) = facts.record.clone() else {
        return Err(match &options.version {
            Some(version) => stuck(
                version,
                "no record of it is there".to_owned(),
                "`splitbase status` shows the newest release",
            ),
            None => PlanError::MissingFact("the record".to_owned()),
        });
    };
    let version = record.version.clone();
    let asked = Options {
        version: Some(version.clone()),
        ..options.clone()
    };
    super::planner::refuse_other_runs(family, facts, &asked)?;
    if !record.state.stands() {
        let hint = if record.state.is_unfinished() {
            "`splitbase recover --undo` takes it back"
        } else {
            "it moved no alias"
        };
        return Err(stuck(
            &version,
            format!("its record says `{}`", record.state.word()),
            hint,
        ));
    }
    let mut ending = Ending::new(family, facts, record);
    let mut moves = Vec::new();
    for moved in &ending.record.aliases.clone() {
        let there = facts.tags.get(&moved.alias).copied();
        let stands_for = there.and_then(|there| publish::release_at(facts, &moved.alias, there));
        let alias = &moved.alias;
        if moved.old == moved.new {
            // It was there before, and only stands for another release again.
            if there == moved.new && stands_for == Some(&version) {
                moves.push(back(&version, moved));
            }
            continue;
        }
        if there == moved.old {
            continue;
        }
        if there != moved.new {
            let there = there.map_or_else(|| "nothing".to_owned(), |there| there.to_string());
            ending.warn(format!(
                "alias `{alias}` is at {there}, where {version} did not put it: it stays"
            ));
        } else if stands_for.is_some_and(|there| *there != version) {
            let there = stands_for.map(ToString::to_string).unwrap_or_default();
            ending.warn(format!("alias `{alias}` stands for {there} by now: it stays"));
        } else if moved.old.is_none() {
            ending.warn(format!(
                "alias `{alias}` was new with {version}, and replaced nothing: it stays"
            ));
        } else {
            moves.push(back(&version, moved));
        }
    }
    if moves.is_empty() {
        let own = ending.warnings.iter().skip(facts.warnings.len());
        let own: Vec<&str> = own.map(String::as_str).collect();
        if !own.is_empty() {
            return Err(stuck(
                &version,
                own.join("; "),
                "`splitbase promote VERSION --allow-older` moves all aliases to a release that stands",
            ));
        }
        return Ok(ending.plan(options));
    }
    ending.mirrors_stay(options);
    ending.barrier("old and new digest of every alias, before one moves");
    for moved in &moves {
        let _ = ending.forward("alias", moved);
    }
    ending.record.attempt = Some(Attempt {
        before: ending.record.state,
        goal: RecordState::NotPromoted,
        tags: Vec::new(),
        aliases: moves,
    });
    ending.finish(RecordState::NotPromoted);
    Ok(ending.plan(options))
}

/// An alias on its way from `version` back to what that replaced.
fn back(version: &Version, moved: &RecordAlias) -> RecordMove {
    RecordMove {
        tag: moved.alias.clone(),
        old: moved.new,
        new: moved.old,
        old_version: Some(version.clone()),
        new_version: moved.from.clone(),
    }
}

/// Nobody else is at it.
fn alone(facts: &Facts, options: &Options) -> Result<(), PlanError> {
    for (process, record) in [(facts.alive, &facts.record), (facts.other_alive, &facts.newest)] {
        if let (Some(process), Some(record)) = (process, record) {
            return Err(PlanError::Alive {
                version: record.version.clone(),
                process,
            });
        }
    }
    match (facts.recent.filter(|_| !options.force), &facts.record) {
        (Some(seconds), Some(record)) => Err(PlanError::Recent {
            version: record.version.clone(),
            seconds,
        }),
        _ => Ok(()),
    }
}

/// Whether it is a rollback that was cut off: it publishes nothing.
fn rolls_back(attempt: &Attempt) -> bool {
    attempt.before.stands() && attempt.goal == RecordState::NotPromoted && attempt.tags.is_empty()
}

/// All moves of an attempt, release tags first.
fn both(attempt: &Attempt) -> impl Iterator<Item = (&'static str, &RecordMove)> {
    let tags = attempt.tags.iter().map(|moved| ("release tag", moved));
    tags.chain(attempt.aliases.iter().map(|moved| ("alias", moved)))
}

/// A plan while it is put together.
struct Ending<'a> {
    family: &'a Family,
    facts: &'a Facts,
    record: Record,
    steps: Vec<Step>,
    /// The steps before which nothing moves: the barrier, and signing.
    first: Vec<StepId>,
    /// The steps after which the next ones come.
    written: Vec<StepId>,
    points: BTreeMap<PublicTag, AliasPoint>,
    warnings: Vec<String>,
    /// Whether it is a release that is finished: mirrors get a copy of that, and of nothing that is taken back.
    mirrored: bool,
}

impl<'a> Ending<'a> {
    fn new(family: &'a Family, facts: &'a Facts, record: Record) -> Self {
        let mut record = record;
        if let Some(newest) = &facts.newest {
            record.points.clone_from(&newest.points);
        }
        Self {
            family,
            facts,
            record,
            steps: Vec::new(),
            first: Vec::new(),
            written: Vec::new(),
            points: BTreeMap::new(),
            warnings: facts.warnings.clone(),
            mirrored: false,
        }
    }

    fn warn(&mut self, message: String) {
        self.warnings.push(message);
    }

    /// Mirrors are places of their own, and what they point at is not known here.
    fn mirrors_stay(&mut self, options: &Options) {
        let version = self.record.version.clone();
        for mirror in Plan::mirrors_of(self.family, options) {
            self.warn(format!(
                "the aliases of the mirror `{mirror}` stay: `splitbase rollback {version} --repository {mirror}` moves them back"
            ));
        }
    }

    fn barrier(&mut self, why: &str) {
        self.state(RecordState::Publishing, why, Vec::new());
        self.first = vec![StepId::record(RecordState::Publishing)];
        self.written.clone_from(&self.first);
    }

    /// The run may have been killed before all was signed.
    fn sign(&mut self, options: &Options) {
        let signing = sign_step::of_record(self.family, options, &self.record, &mut self.warnings);
        self.first = sign_step::before_tags(&signing);
        self.written.clone_from(&self.first);
        self.steps.extend(signing);
    }

    fn state(&mut self, state: RecordState, why: &str, needs: Vec<StepId>) {
        self.steps.push(Step {
            id: StepId::record(state),
            needs,
            why: why.to_owned(),
            action: Action::Record(RecordStep { state }),
        });
    }

    /// Puts a tag where the record wants it; where it is now, if that is neither the one nor the other.
    fn forward(&mut self, kind: &str, moved: &RecordMove) -> Option<String> {
        let there = self.facts.tags.get(&moved.tag).copied();
        if there != moved.new && there != moved.old {
            return Some(there.map_or_else(|| "nothing".to_owned(), |there| there.to_string()));
        }
        if there != moved.new {
            let why = match (&moved.old_version, &moved.new_version) {
                (Some(old), Some(new)) => format!("from {old} to {new}"),
                (None, Some(new)) => format!("to {new}"),
                _ => format!("{kind} that is missing yet"),
            };
            self.push(moved, (moved.old, moved.new), why);
        }
        if kind == "alias" {
            self.point(&moved.tag, moved.new, moved.new_version.as_ref());
        }
        None
    }

    /// Puts a tag back to where it was, if it is where the release left it.
    fn back(&mut self, kind: &str, moved: &RecordMove, is_tag: bool) {
        let there = self.facts.tags.get(&moved.tag).copied();
        if there == moved.old {
        } else if there == moved.new {
            let why = match (&moved.old, &moved.old_version) {
                (None, _) => {
                    format!("{kind} was not there before: it is deleted, where the target deletes tags")
                }
                (Some(_), Some(old)) => format!("back to {old}"),
                (Some(old), None) => format!("back to {old}"),
            };
            self.push(moved, (moved.new, moved.old), why);
        } else {
            let there = there.map_or_else(|| "nothing".to_owned(), |there| there.to_string());
            self.warn(format!(
                "{kind} `{}` is at {there}, where this release did not put it: it stays",
                moved.tag
            ));
            return;
        }
        if !is_tag {
            self.point(&moved.tag, moved.old, moved.old_version.as_ref());
        }
    }

    fn push(&mut self, moved: &RecordMove, (from, to): (Option<Digest>, Option<Digest>), why: String) {
        // Release tags wait for the aliases before them in the plan, and aliases for the release tags: which come first, the way decides.
        let others = self.steps.iter().filter(|step| match &step.action {
            Action::Move(step) => self.is_alias(&step.tag) != self.is_alias(&moved.tag),
            _ => false,
        });
        let others = others.map(|step| step.id.clone());
        let needs = self.first.iter().cloned().chain(others).collect();
        let id = StepId::moving(&moved.tag);
        self.written.push(id.clone());
        self.steps.push(Step {
            id,
            needs,
            why,
            action: Action::Move(MoveStep {
                repository: moved.tag.repository(&self.family.repository).clone(),
                source: publish::source(self.family, &moved.tag),
                tag: moved.tag.clone(),
                from,
                to,
            }),
        });
    }

    fn is_alias(&self, tag: &PublicTag) -> bool {
        let attempt = self.record.attempt.iter();
        let mut tags = attempt.flat_map(|attempt| &attempt.tags);
        !tags.any(|moved| moved.tag == *tag)
    }

    fn point(&mut self, alias: &PublicTag, digest: Option<Digest>, version: Option<&Version>) {
        match (digest, version) {
            (Some(digest), Some(version)) => {
                let version = version.clone();
                self.points.insert(alias.clone(), AliasPoint { digest, version });
            }
            // What it stood for is not known: nothing is said of it.
            _ => {
                self.record.points.remove(alias);
            }
        }
    }

    fn finish(&mut self, goal: RecordState) {
        // What an earlier run found in place stands for this release, too.
        if goal == RecordState::Done {
            let options = Options::default();
            for image in &self.record.images {
                for alias in &image.aliases {
                    let Some(digest) = image.digest.filter(|_| !self.points.contains_key(alias)) else {
                        continue;
                    };
                    let point = publish::point(
                        self.family,
                        self.facts,
                        &options,
                        &self.record.version,
                        alias,
                        digest,
                    );
                    self.points.extend(point.map(|point| (alias.clone(), point)));
                }
            }
        }
        self.state(goal, "the account of the release", self.written.clone());
        let mut aliases = self.record.images.iter().flat_map(|image| &image.aliases);
        if goal == RecordState::Done && aliases.all(|alias| self.points.contains_key(alias)) {
            self.steps.extend(publish::describe(self.family, goal));
        }
    }

    /// Images that were to be added to a release that stands: it goes on standing without them.
    fn leave_out(&mut self, attempt: &Attempt) {
        let new = |tag: &PublicTag| {
            let mut tags = attempt.tags.iter();
            tags.any(|moved| moved.tag == *tag && moved.old.is_none())
        };
        let dropped = self
            .record
            .images
            .extract_if(.., |image| image.tags.iter().any(new));
        let dropped: Vec<_> = dropped.map(|image| image.image).collect();
        self.record.left_out.extend(dropped);
    }

    fn plan(self, options: &Options) -> Plan {
        let what = Recorded {
            why: "as its record has it",
            steps: self.steps,
            points: self.points,
            warnings: self.warnings,
            mirrored: self.mirrored,
        };
        Plan::of_record(self.record, self.family, self.facts, options, what)
    }
}
