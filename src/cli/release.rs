//! `release`: makes a plan and runs exactly that, or runs one that was saved.

use super::args::{ReleaseArgs, Running};
use super::failure::{Failure, Message};
use super::plan as plan_command;
use super::session::{Session, read};
use crate::buildx;
use crate::config::Family;
use crate::domain::{ExitCode, ImageId, VariantName};
use crate::execute;
use crate::facts::Facts;
use crate::gather;
use crate::plan::{self, Action, Options, Plan, PlanError};
use crate::sign;
use camino::Utf8PathBuf;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) async fn run(session: &Session, args: ReleaseArgs) -> Result<ExitCode, Failure> {
    let version = args.version.clone();
    let outcome = release(session, args).await;
    if let (Err(failure), true) = (&outcome, session.is_json()) {
        session.json(&failure.report(version.as_ref()))?;
    }
    outcome
}

async fn release(session: &Session, args: ReleaseArgs) -> Result<ExitCode, Failure> {
    if args.dry_run {
        session.writes_nothing();
    }
    let family = session.family()?;
    let (facts, plan) = if let Some(path) = &args.plan {
        saved(session, &family, path, &args).await?
    } else {
        let version = session
            .version(args.version.clone())?
            .ok_or(PlanError::NoVersion)?;
        let options = plan_command::options(session, Some(version), &args.wishes);
        let facts = plan_command::gather(session, &family, &options, &args.wishes, !args.dry_run).await?;
        let plan = plan::plan(&family, &facts, &options)?;
        (facts, plan)
    };
    Session::refuse_floats(args.strictness, &facts.floats)?;
    if args.dry_run {
        plan_command::show_plan(session, &plan, Some(&family.root))?;
        return Ok(ExitCode::Done);
    }
    if facts
        .revision
        .as_ref()
        .is_some_and(|revision| revision.ends_with("-dirty"))
        && !args.allow_dirty
        && !plan.steps.is_empty()
    {
        let message =
            "tracked files differ from the commit, and a release names the commit that it is made of";
        return Err(
            Failure::new(ExitCode::Refused, message).hint("commit them, or release with `--allow-dirty`")
        );
    }
    perform(session, family, Some(&facts), plan, args.running).await
}

/// Runs a plan and tells what came of it.
pub(super) async fn perform(
    session: &Session,
    family: Family,
    facts: Option<&Facts>,
    plan: Plan,
    running: Running,
) -> Result<ExitCode, Failure> {
    needs_are_there(session, &family, &plan)?;
    needs_signer(session, &plan).await?;
    super::mirrors::are_ready(session, &family, &plan).await?;
    let plan = Arc::new(plan);
    let target = session.target(&family, &plan.target)?;
    let settings = execute::Settings {
        parallel: running.parallel.into(),
        fail_fast: running.fail_fast,
        keep_images: running.keep_images,
    };
    let mirrored = family.clone();
    let report = session
        .execute(family, facts, plan.clone(), target, settings)
        .await?;
    let code = session.tell(&report, &plan)?;
    if code != ExitCode::Done {
        return Ok(code);
    }
    super::mirrors::follow(session, &mirrored, &plan).await
}

/// A plan that signs needs the program that does it, and says so before anything is built.
pub(super) async fn needs_signer(session: &Session, plan: &Plan) -> Result<(), Failure> {
    let mut actions = plan.steps.iter().map(|step| &step.action);
    if actions.any(|action| matches!(action, Action::Sign(_))) {
        signer_is_there(session).await
    } else {
        Ok(())
    }
}

pub(super) async fn signer_is_there(session: &Session) -> Result<(), Failure> {
    let there = sign::is_there(&session.environment.for_children(), &session.cancel).await;
    there.map_err(|error| {
        let exit_code = if error.interrupted {
            ExitCode::Interrupted
        } else {
            ExitCode::Usage
        };
        Failure {
            exit_code,
            messages: vec![Message::Plain(error.message, error.hints)],
        }
    })
}

/// A secret or SSH agent that is missing stops a run before it begins, not when the build that needs it has its turn.
pub(super) fn needs_are_there(session: &Session, family: &Family, plan: &Plan) -> Result<(), Failure> {
    let root = session.environment.directory().join(&family.root);
    let mut missing: Vec<Message> = Vec::new();
    let mut known = BTreeSet::new();
    for step in &plan.steps {
        let Action::Build(build) = &step.action else {
            continue;
        };
        if let Err(error) = buildx::resolve(&build.secrets, &root, &session.environment)
            && known.insert((build.image.clone(), error.id.clone()))
        {
            missing.push(Message::Plain(
                format!("build {}: {error}", build.image),
                error.hints,
            ));
        }
        if let Err(error) = buildx::agents_are_there(&build.ssh, &root, &session.environment)
            && known.insert((build.image.clone(), format!("ssh {}", error.id)))
        {
            missing.push(Message::Plain(
                format!("build {}: {error}", build.image),
                error.hints,
            ));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure {
        exit_code: ExitCode::Usage,
        messages: missing,
    })
}

/// A saved plan: versions and upstream digests are taken from it, inputs and tags are read again, and every difference is refused by name.
async fn saved(
    session: &Session,
    family: &Family,
    path: &Utf8PathBuf,
    args: &ReleaseArgs,
) -> Result<(Facts, Plan), Failure> {
    let plan: Plan = serde_json::from_slice(&read(path)?)
        .map_err(|error| Failure::new(ExitCode::Usage, format!("read the plan `{path}`: {error}")))?;
    let differs = |message: String| {
        Failure::new(
            ExitCode::Refused,
            format!("the plan `{path}` no longer holds: {message}"),
        )
        .hint("make a new one with `splitbase plan --save`")
    };
    if plan.schema != plan::SCHEMA {
        return Err(differs(format!(
            "its schema is {}, this version reads {}",
            plan.schema,
            plan::SCHEMA
        )));
    }
    if plan.version.is_none() {
        let message =
            format!("the plan `{path}` is for no version: it builds and tests, and releases nothing");
        return Err(Failure::new(ExitCode::Usage, message).hint("`splitbase plan v1.2.3 --save`"));
    }
    if let Some(version) = args
        .version
        .as_ref()
        .filter(|version| plan.version.as_ref() != Some(*version))
    {
        let planned = plan
            .version
            .as_ref()
            .map_or_else(|| "no version".to_owned(), ToString::to_string);
        return Err(differs(format!("it is for {planned}, not for {version}")));
    }
    for (planned, now) in [
        (&plan.repository, &family.repository),
        (plan.work(), family.work()),
    ] {
        if planned != now {
            return Err(differs(format!(
                "it is for `{planned}`, the family is for `{now}`"
            )));
        }
    }
    if let Some(asked) = session.target_given().filter(|asked| **asked != plan.target) {
        return Err(differs(format!("it is for `{}`, not for `{asked}`", plan.target)));
    }
    let options = Options {
        target: plan.target.clone(),
        variants: variants_of(family, &plan),
        ..plan_command::options(session, plan.version.clone(), &args.wishes)
    };
    let mut pins = session.pins(family, false)?;
    pins.plan = Some((plan.versions.clone(), plan.upstream.clone()));
    pins.period = plan.period;
    let target = session.target(family, &plan.target)?;
    let facts = gather::gather(family, &options, &pins, &session.world(family, &target)).await?;
    let now = plan::plan(family, &facts, &options)?;
    let differences = plan::differences(&plan, &now, &facts.tags);
    if !differences.is_empty() {
        return Err(differs(differences.join("; ")));
    }
    Ok((facts, plan))
}

/// The variants that the plan is about, and those that the family did not have when it was made.
fn variants_of(family: &Family, plan: &Plan) -> Option<Vec<VariantName>> {
    let planned = |id: &ImageId| plan.images.iter().any(|image| image.image == *id);
    let passed_over = |id: &ImageId| {
        plan.record.as_ref().is_none_or(|record| {
            record.left_out.contains(id) || record.images.iter().any(|image| image.image == *id)
        })
    };
    let variants = family.images.iter().filter_map(|image| match &image.id {
        ImageId::Variant(name) => Some((&image.id, name)),
        ImageId::Base => None,
    });
    let (wanted, others): (Vec<_>, Vec<_>) = variants.partition(|(id, _)| planned(id) || !passed_over(id));
    (!others.is_empty()).then(|| wanted.into_iter().map(|(_, name)| name.clone()).collect())
}
