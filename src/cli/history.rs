//! `history`: the releases so far, and the record of one.

use super::args::HistoryArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::domain::{Digest, ExitCode, PublicTag};
use crate::gather;
use crate::record::Record;
use crate::report::{self, HistoryRow};
use crate::target::Place;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn run(session: &Session, args: HistoryArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    if let Some(version) = &args.version {
        let record = gather::record(&target, &family, Some(version)).await?;
        let record = record.ok_or_else(|| {
            Failure::new(
                ExitCode::Refused,
                format!("show {version}: no record of it is there"),
            )
            .hint("`splitbase history` lists the releases that there are")
        })?;
        if session.is_json() {
            session.json(&record)?;
        } else {
            session.stdout.write(&report::record(&record));
        }
        return Ok(ExitCode::Done);
    }
    let rows = rows(&family, &target).await?;
    if session.is_json() {
        session.json(&json!({"schema": 1, "repository": family.repository, "target": session.asked_target(), "releases": documents(&rows)}))?;
    } else if rows.is_empty() {
        session.note("there is no release yet");
    } else {
        session.stdout.write(&report::history(&rows));
    }
    Ok(ExitCode::Done)
}

/// The releases, the newest first, each with the aliases that it holds now.
pub(super) async fn rows(family: &Family, target: &Place) -> Result<Vec<HistoryRow>, Failure> {
    let (records, facts) = tokio::try_join!(
        async { Ok::<_, Failure>(gather::history(target, family).await?) },
        async { Ok::<_, Failure>(gather::gather_status(family, target).await?) },
    )?;
    Ok(of(&records, facts.newest.as_ref(), &facts.tags))
}

fn of(records: &[Record], newest: Option<&Record>, tags: &BTreeMap<PublicTag, Digest>) -> Vec<HistoryRow> {
    let row = |record: &Record| {
        let points = newest.iter().flat_map(|newest| &newest.points);
        let held = points.filter(|(alias, point)| {
            point.version == record.version && tags.get(*alias) == Some(&point.digest)
        });
        HistoryRow {
            version: record.version.clone(),
            state: record.state,
            started: record.started,
            updated: record.updated,
            aliases: held.map(|(alias, _)| alias.clone()).collect(),
        }
    };
    records.iter().map(row).collect()
}

/// The rows as documents.
pub(super) fn documents(rows: &[HistoryRow]) -> Vec<Value> {
    let document = |row: &HistoryRow| json!({"version": row.version, "state": row.state, "started": row.started, "updated": row.updated, "aliases": row.aliases});
    rows.iter().map(document).collect()
}
