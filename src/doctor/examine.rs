//! All checks, side by side.

use super::check::{Check, Kind, Status};
use super::{builder, clock, credentials, disk, emulation, engine, registry, versions};
use crate::buildx::{self, BuilderError};
use crate::config::Family;
use crate::credentials::Credentials;
use crate::domain::{Platform, Repository};
use crate::engine::{Answer, Info};
use crate::environment::Environment;
use crate::facts::BuilderFacts;
use crate::target::registry::Registry;
use crate::versions::Context;
use futures_util::future::{BoxFuture, FutureExt as _, join, join_all};
use futures_util::stream::{self, Stream, StreamExt as _};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest time that a file system may take to say how full it is.
const DISK_PATIENCE: Duration = Duration::from_secs(5);
/// Platforms that are tried where nobody says which are wanted.
const USUAL: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// What is examined.
pub struct Patient<'a> {
    /// The family, and how its versions are asked for; without one, only the engine and this machine are looked at.
    pub family: Option<(&'a Family, &'a Context)>,
    /// The platforms that were asked for, where there is no family.
    pub platforms: &'a [Platform],
    /// The builder that was asked for.
    pub builder: Option<&'a str>,
    /// The folder of the sources.
    pub folder: &'a Path,
    /// The client of the registry.
    pub registry: &'a Registry,
    /// Credentials for the registry.
    pub credentials: &'a Credentials,
    /// What children get.
    pub environment: &'a Environment,
    /// The interrupt.
    pub cancel: &'a CancellationToken,
}

/// Examines everything at the same time; gives the checks group by group in a fixed order, each as soon as it and those before it are done.
pub fn examine<'a>(patient: &'a Patient<'a>) -> impl Stream<Item = Vec<Check>> + 'a {
    let mut groups: Vec<BoxFuture<'a, Vec<Check>>> = vec![engine_and_machine(patient).boxed()];
    if let Some((family, context)) = patient.family {
        groups.push(registry_and_clock(patient, &family.repository).boxed());
        groups.push(versions::examine(&family.versions, context).boxed());
    }
    let all = groups.len();
    stream::iter(groups).buffered(all)
}

async fn engine_and_machine(patient: &Patient<'_>) -> Vec<Check> {
    let (environment, cancel) = (patient.environment, patient.cancel);
    let answer = crate::engine::ask(environment, cancel).await;
    let inspected = if answer == Answer::TimedOut {
        // Nor would it tell of its builder.
        Err(BuilderError::Engine {
            reason: String::new(),
        })
    } else {
        buildx::inspect(patient.builder, environment, cancel).await
    };
    let (platforms, disk) = join(platforms(patient, &answer, &inspected), disk(patient, &answer)).await;
    let checked_builder = match &inspected {
        // The builder is the engine's own, and that has been told of.
        Err(BuilderError::Engine { .. }) if answer.engine().is_none() => {
            Check::skipped(Kind::Builder, "the engine does not answer")
        }
        inspected => builder::judge(inspected),
    };
    let mut checks = vec![
        engine::judge(&answer, environment.get("DOCKER_HOST")),
        engine::judge_buildx(&answer),
        checked_builder,
    ];
    checks.extend(platforms);
    checks.extend(disk);
    checks
}

/// A platform to try: as what, on which builder.
struct Trial<'a> {
    kind: Kind,
    platform: Platform,
    builder: Option<&'a str>,
    listed: Option<bool>,
    machine: Option<String>,
}

async fn platforms(
    patient: &Patient<'_>,
    answer: &Answer,
    inspected: &Result<BuilderFacts, BuilderError>,
) -> Vec<Check> {
    let Ok(builder) = inspected else {
        let wanted = wanted(patient, &[]);
        let why = "there is no builder to try it on";
        return wanted
            .iter()
            .map(|platform| Check::skipped(Kind::Platform, why).on(platform))
            .collect();
    };
    let engine = answer.engine();
    let context = engine.and_then(Info::context);
    let machine = engine.and_then(|info| info.architecture.clone());
    let own = builder.driver == "docker" && context.is_none_or(|context| context == builder.name);
    let mut trials: Vec<Trial<'_>> = wanted(patient, &builder.platforms)
        .into_iter()
        .map(|platform| Trial {
            kind: Kind::Platform,
            builder: patient.builder,
            listed: (!builder.platforms.is_empty()).then(|| builder.platforms.contains(&platform)),
            machine: machine.clone().filter(|_| own),
            platform,
        })
        .collect();
    // Smoke tests run on the engine, which is another machine than the builder's then.
    if let (false, Some((family, _)), Some(context)) = (own, patient.family, context) {
        let mut tested: Vec<Platform> = family
            .images
            .iter()
            .filter_map(|image| image.smoke.as_ref())
            .flat_map(|smoke| smoke.platforms.iter().cloned())
            .collect();
        tested.sort();
        tested.dedup();
        trials.extend(tested.into_iter().map(|platform| Trial {
            kind: Kind::Smoke,
            platform,
            builder: Some(context),
            listed: None,
            machine: machine.clone(),
        }));
    }
    let tried = trials.into_iter().map(|trial| async move {
        let outcome = emulation::run(
            &trial.platform,
            trial.builder,
            patient.environment,
            patient.cancel,
        )
        .await;
        let facts = emulation::Facts {
            platform: trial.platform,
            listed: trial.listed,
            machine: trial.machine,
            outcome,
        };
        emulation::judge(trial.kind, &facts)
    });
    join_all(tried).await
}

/// The platforms of the family; without one, those that were asked for, or the usual ones as far as the builder lists them.
fn wanted(patient: &Patient<'_>, listed: &[Platform]) -> Vec<Platform> {
    let mut wanted: Vec<Platform> = match patient.family {
        Some((family, _)) => family
            .images
            .iter()
            .flat_map(|image| image.platforms.iter().cloned())
            .collect(),
        None if !patient.platforms.is_empty() => patient.platforms.to_vec(),
        None => listed
            .iter()
            .filter(|platform| USUAL.contains(&platform.to_string().as_str()))
            .cloned()
            .collect(),
    };
    wanted.sort();
    wanted.dedup();
    wanted
}

async fn disk(patient: &Patient<'_>, answer: &Answer) -> Vec<Check> {
    let (folder, info) = (patient.folder.to_owned(), answer.engine().cloned());
    let look = tokio::task::spawn_blocking(move || {
        let unseen = disk::unseen(info.as_ref());
        (disk::look(&folder, info.as_ref()), unseen)
    });
    match tokio::time::timeout(DISK_PATIENCE, look).await {
        Ok(Ok((places, unseen))) => disk::judge(&places).into_iter().chain(unseen).collect(),
        Ok(Err(error)) => vec![Check::warning(Kind::Disk, format!("not checked: {error}"))],
        Err(_) => {
            let seconds = DISK_PATIENCE.as_secs();
            let message = format!("a file system did not say within {seconds} s how full it is");
            vec![Check::error(Kind::Disk, message).mend("see which mount hangs: `df`")]
        }
    }
}

async fn registry_and_clock(patient: &Patient<'_>, repository: &Repository) -> Vec<Check> {
    let host = repository.host();
    let source = patient.credentials.source(host).await;
    let from = credentials::judge(host, &source);
    if from.status == Status::Error {
        // Every request would fail for the same reason.
        let why = "the credentials cannot be got at";
        let rest = [Kind::Registry, Kind::Push, Kind::Clock];
        return std::iter::once(from)
            .chain(rest.map(|kind| Check::skipped(kind, why)))
            .collect();
    }
    let facts = registry::ask(patient.registry, repository, source.ok()).await;
    let clock = match &facts.reached {
        Ok(reached) => clock::judge(reached.ahead),
        Err(_) => Check::skipped(Kind::Clock, "the registry does not answer"),
    };
    vec![from, registry::judge(&facts), registry::judge_push(&facts), clock]
}
