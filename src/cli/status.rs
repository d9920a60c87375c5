//! `status`: what the tags point at.

use super::failure::Failure;
use super::session::Session;
use crate::domain::ExitCode;
use crate::gather::gather_status;
use crate::report::{self, Status, StatusAlias, StatusRelease};
use serde_json::json;

pub(super) async fn run(session: &Session) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let facts = gather_status(&family, &target).await?;
    let newest = facts.newest.as_ref();
    let aliases = facts.aliases.iter().map(|(alias, image)| {
        let digest = facts.tags.get(alias).copied();
        let point = newest.and_then(|newest| newest.points.get(alias));
        let known = point.filter(|point| Some(point.digest) == digest);
        let note = match (digest, point, known) {
            (None, Some(point), _) => Some(format!("gone: {} put it at {}", point.version, point.digest)),
            (Some(_), Some(point), None) => Some(format!(
                "moved by somebody else: {} put it at {}",
                point.version, point.digest
            )),
            (Some(_), None, _) => Some("no record says which release this is".to_owned()),
            _ => None,
        };
        StatusAlias {
            alias: alias.clone(),
            image: image.clone(),
            digest,
            version: known.map(|point| point.version.clone()),
            note,
        }
    });
    let status = Status {
        repository: family.repository.clone(),
        target: session.asked_target(),
        newest: newest.map(|newest| StatusRelease {
            version: newest.version.clone(),
            state: newest.state,
            updated: newest.updated,
        }),
        aliases: aliases.collect(),
    };
    for collision in &facts.collisions {
        session.warn(
            &[vec![collision.to_string()], collision.hints()]
                .concat()
                .join("; "),
        );
    }
    if session.is_json() {
        let warnings: Vec<_> = facts.collisions.iter().map(ToString::to_string).collect();
        let aliases: Vec<_> = status
            .aliases
            .iter()
            .map(|alias| json!({"alias": alias.alias, "image": alias.image, "digest": alias.digest, "version": alias.version, "note": alias.note}))
            .collect();
        let newest = newest.map(
            |newest| json!({"version": newest.version, "state": newest.state, "updated": newest.updated}),
        );
        session.json(
            &json!({"schema": 1, "repository": status.repository, "target": status.target, "newest": newest, "aliases": aliases, "warnings": warnings}),
        )?;
    } else {
        session.stdout.write(&report::status(&status));
    }
    Ok(ExitCode::Done)
}
