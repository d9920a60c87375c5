//! `doctor`: whether a release can succeed from here.

use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::credentials::Credentials;
use crate::doctor::{Check, Diagnosis, Patient, Status, client, examine};
use crate::domain::{Duration, ExitCode};
use crate::report;
use futures_util::StreamExt as _;
use std::io::IsTerminal as _;

pub(super) async fn run(session: &Session) -> Result<ExitCode, Failure> {
    let (mut family, first) = family(session)?;
    if let Some(family) = &mut family {
        // What is set on the command line need not be asked for.
        let set = |name: &str| session.global.sets.iter().any(|(known, _)| known == name);
        family.versions.retain(|name, _| !set(name));
    }
    let columns = columns();
    let mut checks = Vec::new();
    let mut found = |check: Check| {
        if !session.is_json() {
            session.stdout.write(&report::check(&check, columns));
        }
        checks.push(check);
    };
    found(first);
    let credentials = Credentials::of(
        &session.environment,
        family.as_ref().map(|family| family.repository.host()),
    );
    let pace = family.as_ref().map(|family| session.pace(family));
    let registry = client(credentials.clone(), pace.unwrap_or_default());
    let context = family.as_ref().map(|family| {
        let mut impatient = family.clone();
        impatient.retry.attempts = 2;
        impatient.retry.delays = vec![Duration::from_secs(1)];
        session.versions(&impatient)
    });
    let folder = match &family {
        Some(family) => session.environment.directory().join(&family.root),
        None => session.environment.directory().to_owned(),
    };
    let environment = session.environment.for_children();
    let patient = Patient {
        family: family.as_ref().zip(context.as_ref()),
        platforms: &session.global.platforms,
        builder: session.builder(),
        folder: &folder,
        registry: &registry,
        credentials: &credentials,
        environment: &environment,
        cancel: &session.cancel,
    };
    let mut groups = std::pin::pin!(examine(&patient));
    loop {
        let group = tokio::select! {
            group = groups.next() => group,
            () = session.cancel.cancelled() => None,
        };
        // What was cut off says nothing.
        if session.cancel.is_cancelled() {
            return Err(Failure::new(ExitCode::Interrupted, "interrupted"));
        }
        let Some(group) = group else { break };
        group.into_iter().for_each(&mut found);
    }
    let diagnosis = Diagnosis::new(checks);
    if session.is_json() {
        session.json(&diagnosis)?;
    } else {
        session.stdout.write(&report::diagnosis(&diagnosis));
    }
    Ok(match diagnosis.worst() {
        Status::Error => ExitCode::Failed,
        Status::Ok | Status::Warning => ExitCode::Done,
    })
}

/// The family, if there is one, and the check of its file. A file that was named must be there; the usual one need not.
fn family(session: &Session) -> Result<(Option<Family>, Check), Failure> {
    let file = &session.global.file;
    if file == super::args::FILE && !session.environment.directory().join(file).exists() {
        let message =
            format!("no `{file}` here: engine and machine are checked, registry and versions are not");
        let mend = "`splitbase init` writes a family to start from; `--file` names one".to_owned();
        return Ok((None, Check::of_family(message, Status::Warning, Some(mend))));
    }
    match session.load() {
        Ok(family) => {
            let variants = family.images.len() - usize::from(family.base().is_some());
            let message = format!(
                "`{}`: {}, to {}",
                family.name,
                report::text::count(variants, "variant", "variants"),
                family.repository
            );
            Ok((Some(family), Check::of_family(message, Status::Ok, None)))
        }
        Err(errors) if session.environment.directory().join(file).exists() => {
            session.stderr.write(&errors.render(session.stderr.color()));
            let count = report::text::count(errors.problems.len(), "problem", "problems");
            let message = format!("`{file}`: {count}; registry and versions are not checked");
            let mend = "mend what standard error shows".to_owned();
            Ok((None, Check::of_family(message, Status::Error, Some(mend))))
        }
        Err(errors) => Err(errors.into()),
    }
}

/// The width of the terminal; `None` where the output goes elsewhere.
fn columns() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout).map(|(width, _)| usize::from(width.0))
}
