//! `doctor --reclaim`: room on this machine. Shown first, with names and sizes; removed with `--yes`, or when a person at a terminal says so.

use super::confirm::yes_or_no;
use super::failure::Failure;
use super::session::Session;
use crate::domain::{ByteSize, ExitCode};
use crate::reclaim::{self, Found, Outcome};
use crate::report;
use serde_json::json;

pub(super) async fn run(session: &Session, yes: bool) -> Result<ExitCode, Failure> {
    let environment = session.environment.for_children();
    let mut found = reclaim::find(session.builder(), &environment, &session.cancel).await;
    let interrupted = || Failure::new(ExitCode::Interrupted, "interrupted");
    if session.cancel.is_cancelled() {
        return Err(interrupted());
    }
    if !session.is_json() {
        session.stdout.write(&report::reclaimable(&found));
    }
    let acts = !found.items.is_empty() && (yes || yes_or_no(session, "remove it?").await?);
    if acts {
        for item in &mut found.items {
            reclaim::remove(item, &environment, &session.cancel).await;
            if !session.is_json() {
                session.stdout.write(&report::reclaimed(item));
            }
            if session.cancel.is_cancelled() {
                break;
            }
        }
    }
    if session.is_json() {
        session.json(&json!({"schema": 1, "acts": acts, "items": found.items, "notes": found.notes}))?;
    }
    if session.cancel.is_cancelled() {
        return Err(interrupted());
    }
    Ok(ended(session, &found, acts))
}

fn ended(session: &Session, found: &Found, acts: bool) -> ExitCode {
    if !acts {
        if !found.items.is_empty() {
            session.note("nothing was removed: `--yes` does it");
        }
        return ExitCode::Done;
    }
    let removed = found.items.iter().filter(|item| item.outcome == Outcome::Removed);
    let bytes: ByteSize = removed.filter_map(|item| item.bytes).sum();
    let failed = found
        .items
        .iter()
        .filter(|item| item.outcome == Outcome::Failed)
        .count();
    session.note(&format!("{bytes} are free again, at most"));
    if failed == 0 {
        ExitCode::Done
    } else {
        session.note(&format!("{failed} could not be removed"));
        ExitCode::Failed
    }
}
