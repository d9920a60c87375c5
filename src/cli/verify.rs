//! `verify`: whether all that a release consists of is there.

use super::args::VerifyArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::domain::{ExitCode, Version};
use crate::gather;
use crate::record::Record;
use crate::report;
use crate::sign::Cosign;
use crate::target::Place;
use crate::verify::{Kind, verify, verify_signatures};

pub(super) async fn run(session: &Session, args: VerifyArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let wanted = session.asked_target();
    let target = session.target(&family, &wanted)?;
    let newest = gather::record(&target, &family, None).await?;
    let record = record(&family, &target, args.version.as_ref(), newest.as_ref()).await?;
    let newest = newest.unwrap_or_else(|| record.clone());
    let one_place = target.folder().is_some();
    let looking = verify(&target, &family, &record, &newest, args.deep, one_place);
    let mut verified = tokio::select! {
        verified = looking => verified,
        () = session.cancel.cancelled() => return Err(Failure::new(ExitCode::Interrupted, "interrupted")),
    };
    // Nothing is signed in a folder.
    if let Some(sign) = family.sign.as_ref().filter(|_| !one_place) {
        super::release::signer_is_there(session).await?;
        let (root, environment) = (
            session.environment.directory().join(&family.root),
            session.environment.for_children(),
        );
        let cosign = Cosign {
            sign,
            root: &root,
            environment: &environment,
        };
        verify_signatures(&target, cosign, &family, &record, &mut verified, &session.cancel).await;
        if session.cancel.is_cancelled() {
            return Err(Failure::new(ExitCode::Interrupted, "interrupted"));
        }
    }
    if session.is_json() {
        let place = (&family.repository, &wanted);
        session.json(&report::verify(&verified, &record, place, args.deep))?;
    } else {
        session
            .stdout
            .write(&report::verified(&verified, &record, args.deep));
    }
    let (mut damaged, mut unknown) = (0, 0);
    for finding in &verified.findings {
        match finding.kind {
            Kind::Unknown => unknown += 1,
            Kind::Missing | Kind::Damaged | Kind::Misplaced => damaged += 1,
        }
    }
    // Damage that is proven is no better for what could not be looked at.
    if damaged > 0 {
        let message = format!("{}: {damaged} things are not as its record says", record.version);
        return Err(Failure::new(ExitCode::Failed, message).hint(
            "what was built can be built again: `splitbase release` with this version, and `--rebuild` for an image that is damaged",
        )
        .hint("a release that was done before `[sign]` came has no signatures: the next version has"));
    }
    if unknown > 0 {
        let message = format!("{}: {unknown} things could not be looked at", record.version);
        return Err(Failure::new(ExitCode::Unknown, message).hint("run it again: unknown is not absent"));
    }
    Ok(ExitCode::Done)
}

/// The record of the version that was asked for, or of the newest release that is finished.
async fn record(
    family: &Family,
    target: &Place,
    version: Option<&Version>,
    newest: Option<&Record>,
) -> Result<Record, Failure> {
    let Some(version) = version else {
        if let Some(newest) = newest.filter(|newest| newest.stands()) {
            return Ok(newest.clone());
        }
        let history = gather::history(target, family).await?;
        return history.into_iter().find(Record::stands).ok_or_else(|| {
            Failure::new(ExitCode::Refused, "verify: there is no finished release yet")
                .hint("`splitbase history` lists the releases that there are")
        });
    };
    let record = gather::record(target, family, Some(version)).await?;
    let refused = |reason: &str| {
        Failure::new(ExitCode::Refused, format!("verify {version}: {reason}"))
            .hint("`splitbase history` lists the releases that there are")
    };
    let record = record.ok_or_else(|| refused("no record of it is there"))?;
    if !record.stands() {
        let state = record.state.word();
        return Err(refused(&format!("it does not stand, its record says `{state}`")));
    }
    if record.images.iter().any(|image| image.digest.is_none()) {
        return Err(refused("its record does not name all of it"));
    }
    Ok(record)
}
