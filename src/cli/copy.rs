//! Copying a release elsewhere: `promote VERSION --into …`, and the mirrors of a family.
//!
//! The release is read where it is. All that it is made of goes first, then its machine tags; then it is published in its new place by the same
//! steps, and under the same rules, as any release: record, release tags, aliases, record.

use super::args::PromoteArgs;
use super::confirm;
use super::failure::Failure;
use super::plan as plan_command;
use super::release;
use super::session::Session;
use crate::config::Family;
use crate::domain::{Destination, ExitCode, Repository, TargetRef, Version};
use crate::execute::{self, Report};
use crate::gather::{self, Parcel};
use crate::plan::{self, Options, Plan};
use crate::record::Record;
use crate::target::Place;
use crate::target::registry;
use crate::target::transfer::{self, Carried};
use std::sync::Arc;

/// The steps of a copy are few and light.
const SETTINGS: execute::Settings = execute::Settings {
    parallel: 1,
    fail_fast: false,
    keep_images: false,
};

/// A release that is to be copied.
pub(super) struct Copy {
    /// The family as it is where the release goes.
    family: Family,
    /// Where the release is.
    from: Place,
    /// Where it goes.
    place: Place,
    parcel: Parcel,
    plan: Arc<Plan>,
}

/// What the copy is told.
pub(super) struct Wanted<'a> {
    pub(super) version: &'a Version,
    /// Where the release is.
    pub(super) source: &'a TargetRef,
    /// Where it goes.
    pub(super) into: &'a Destination,
    /// Which rules it may pass over.
    pub(super) may: Options,
    /// Whether aliases move only if they did where the release is.
    pub(super) mirrors: bool,
}

/// `promote VERSION --into DESTINATION`.
pub(super) async fn run(
    session: &Session,
    args: PromoteArgs,
    into: &Destination,
) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let wanted = Wanted {
        version: &args.version,
        source: &session.asked_target(),
        into,
        may: Options {
            adopt: args.adopt,
            allow_older: args.allow_older,
            force: args.force,
            ..Options::default()
        },
        mirrors: false,
    };
    let copy = Copy::plan(session, &family, &wanted).await?;
    if copy.plan.steps.is_empty() && !args.yes {
        plan_command::show_plan(session, &copy.plan, None)?;
        return Ok(ExitCode::Done);
    }
    if !confirm::agreed(session, &copy.plan, args.yes).await? {
        return Ok(confirm::SHOWN);
    }
    release::needs_signer(session, &copy.plan).await?;
    let carried = copy.bring(session).await?;
    session.note(&said(&carried, into));
    let (family, plan, place) = (copy.family, copy.plan, copy.place);
    let report = session
        .execute(family, None, Arc::clone(&plan), place, SETTINGS)
        .await?;
    session.tell(&report, &plan)
}

impl Copy {
    /// Reads the release and its new place, and plans. Writes nothing.
    pub(super) async fn plan(
        session: &Session,
        family: &Family,
        wanted: &Wanted<'_>,
    ) -> Result<Self, Failure> {
        // One client for both places: the variables with a name and a password are for the family's own registry, wherever the release goes.
        let registry = session.registry(family, registry::Options::default());
        let from = session.target_of(registry.clone(), family, family.repositories(), wanted.source)?;
        let record = gather::record(&from, family, Some(wanted.version)).await?;
        let record = record.ok_or_else(|| plan::no_record(wanted.version))?;
        let (there, target) = match wanted.into {
            Destination::Repository(repository) => {
                refuse_same(wanted, family.repositories().contains(repository))?;
                (session.family_in(repository)?, TargetRef::Registry)
            }
            Destination::Target(target @ TargetRef::Layout(folder)) => {
                let same = |source| session.absolute(source) == session.absolute(folder);
                refuse_same(wanted, wanted.source.layout().is_some_and(same))?;
                (family.clone(), target.clone())
            }
            Destination::Target(TargetRef::Registry) => {
                refuse_same(wanted, wanted.source.is_registry())?;
                (family.clone(), TargetRef::Registry)
            }
        };
        let place = session.target_of(registry, &there, there.repositories(), &target)?;
        let parcel = gather::parcel(family, &record, &from).await?;
        let plan = plan_there(&there, &record, &place, target, wanted).await?;
        Ok(Self {
            family: there,
            from,
            place,
            parcel,
            plan: Arc::new(plan),
        })
    }

    /// Brings all that the release is made of, and its machine tags.
    pub(super) async fn bring(&self, session: &Session) -> Result<Carried, Failure> {
        let bringing = async {
            let (mut carried, mut manifests) = (Carried::default(), Vec::new());
            for repository in self.repositories() {
                let (more, brought) =
                    transfer::carry(&self.from, &self.parcel.roots, &self.place, repository).await?;
                carried = carried.and(&more);
                manifests = brought;
            }
            let work = self.family.work();
            transfer::put_absent(&self.place, work, &self.parcel.tags, &manifests).await?;
            Ok::<_, Failure>(carried)
        };
        tokio::select! {
            carried = bringing => carried,
            () = session.cancel.cancelled() => {
                let message = "interrupted while the release was copied: no release tag and no alias was written";
                Err(Failure::new(ExitCode::Interrupted, message).hint("run this again: what is there is not copied again"))
            }
        }
    }

    /// The repositories that get tags. A layout is one place, whatever they are called.
    fn repositories(&self) -> Vec<&Repository> {
        let work = self.family.work();
        let mut all = vec![work];
        if self.place.folder().is_some() {
            return all;
        }
        for image in &self.plan.images {
            for tag in image.tags.iter().chain(&image.aliases) {
                let repository = tag.repository(&self.family.repository);
                if !all.contains(&repository) {
                    all.push(repository);
                }
            }
        }
        all
    }

    /// What publishing it does.
    pub(super) fn plan_there(&self) -> &Plan {
        &self.plan
    }

    /// Publishes it without a word but warnings; what came of it.
    pub(super) async fn publish(self, session: &Session) -> Result<Report, Failure> {
        session
            .execute_silently(self.family, self.plan, self.place, SETTINGS)
            .await
    }
}

async fn plan_there(
    there: &Family,
    record: &Record,
    place: &Place,
    target: TargetRef,
    wanted: &Wanted<'_>,
) -> Result<Plan, Failure> {
    let not_promoted = record.state == crate::record::RecordState::NotPromoted;
    let options = Options {
        target,
        no_promote: wanted.mirrors && not_promoted,
        ..wanted.may.clone()
    };
    let record = plan::record_in(there, record)?;
    let facts = gather::gather_copy(there, &record, place).await?;
    let signs = wanted.source.layout().is_some();
    Ok(plan::plan_copy(there, &facts, &record, &options, signs)?)
}

fn refuse_same(wanted: &Wanted<'_>, same: bool) -> Result<(), Failure> {
    if !same {
        return Ok(());
    }
    let message = format!(
        "copy {} into `{}`: that is where it is",
        wanted.version, wanted.into
    );
    let hint = format!(
        "`splitbase promote {}` without a destination moves its aliases there",
        wanted.version
    );
    Err(Failure::new(ExitCode::Usage, message).hint(hint))
}

/// What was carried, for people.
pub(super) fn said(carried: &Carried, into: &Destination) -> String {
    let Carried {
        manifests,
        mounted,
        copied,
        bytes,
        referrers,
    } = carried;
    if *manifests == 0 {
        return format!("all that the release is made of is in {into} already");
    }
    let size = crate::domain::ByteSize(*bytes);
    format!(
        "copied into {into}: {manifests} manifests, {copied} blobs ({size}), {mounted} more that the registry mounted; {referrers} signatures and other referrers go with them"
    )
}
