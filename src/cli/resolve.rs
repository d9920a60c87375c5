//! `resolve`: what floating versions and upstream references stand for now.

use super::args::ResolveArgs;
use super::failure::Failure;
use super::session::Session;
use crate::domain::ExitCode;
use crate::gather::{self, GatherError, Pins};
use crate::report::text;
use crate::versions::Lock;
use serde_json::json;

pub(super) async fn run(session: &Session, args: ResolveArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let mut pins = session.pins(&family, false)?;
    if !session.global.locked {
        // The lock is what is made here, not what is believed.
        pins = Pins { lock: None, ..pins };
    }
    let target = session.target(&family, &session.asked_target())?;
    let (versions, upstream) =
        gather::resolve_floating(&family, &pins, &session.world(&family, &target)).await?;
    for resolved in versions.values() {
        for warning in &resolved.warnings {
            session.warn(warning);
        }
    }
    if args.write {
        let path = family.root.join("variants.lock");
        let sourced = versions
            .iter()
            .map(|(name, resolved)| (name.clone(), resolved.clone()))
            .collect();
        let lock = Lock::new(&family.versions, &sourced, upstream.clone());
        let changed = lock
            .write(path.as_std_path())
            .map_err(|error| Failure::from(GatherError::from(error)))?;
        session.note(&if changed {
            format!("`{path}` written")
        } else {
            format!("`{path}` is as it was")
        });
    }
    if session.is_json() {
        session.json(&json!({"schema": 1, "versions": versions, "upstream": upstream}))?;
        return Ok(ExitCode::Done);
    }
    let width = versions
        .keys()
        .map(|name| text::width(name))
        .max()
        .unwrap_or_default();
    for (name, resolved) in &versions {
        session.stdout.line(&format!(
            "{}  {}  {}",
            text::pad(name, width),
            resolved.version,
            resolved.source
        ));
    }
    for (reference, digest) in &upstream {
        session.stdout.line(&format!("{reference}  {digest}"));
    }
    Ok(ExitCode::Done)
}
