//! `describe`: the repository's page.

use super::args::DescribeArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::describe::{DescribeError, Difference, Page};
use crate::domain::{ExitCode, Version};
use crate::gather;
use crate::record::{Record, RecordState};
use crate::target::Place;
use serde_json::json;
use std::sync::Arc;

pub(super) async fn run(session: &Session, args: DescribeArgs) -> Result<ExitCode, Failure> {
    let family = Arc::new(session.family()?);
    let page = Page::new(family.clone(), &session.environment).with_pace(session.pace(&family));
    if args.check {
        return check(session, &family, &page);
    }
    let target = session.target(&family, &session.asked_target())?;
    let record = record(&family, &target, args.version.as_ref()).await?;
    if record.is_none() {
        session.note("there is no release yet: the page says so");
    }
    let version = record.as_ref().map(|record| record.version.clone());
    let (mut described, text) = page.write(&target, record).await?;
    if args.push {
        page.push(&text, &mut described, &session.observer()).await?;
    }
    for warning in &described.warnings {
        session.warn(warning);
    }
    if session.is_json() {
        session.json(&json!({
            "schema": 1,
            "version": version,
            "output": family.describe.as_ref().map(|describe| &describe.output),
            "changed": described.changed,
            "bytes": described.bytes,
            "pushed": described.pushed,
            "warnings": described.warnings,
        }))?;
    } else {
        session.note(&described.message);
    }
    Ok(ExitCode::Done)
}

/// The release that was asked for, or the newest; `None` where the family has none yet.
async fn record(
    family: &Family,
    target: &Place,
    version: Option<&Version>,
) -> Result<Option<Record>, Failure> {
    let record = gather::record(target, family, version).await?;
    let stands = |record: &Record| matches!(record.state, RecordState::Done | RecordState::NotPromoted);
    let (message, hint) = match (&record, version) {
        (None, None) => return Ok(None),
        (Some(record), _) if stands(record) => return Ok(Some(record.clone())),
        (None, Some(version)) => (
            format!("describe {version}: no record of it is there"),
            "`splitbase status` shows the newest release",
        ),
        (Some(record), None) => (
            format!(
                "describe {}, the newest release: it is not finished",
                record.version
            ),
            "name another version, or finish it with `splitbase release`",
        ),
        (Some(record), Some(_)) => (
            format!("describe {}: it is not finished", record.version),
            "finish it with `splitbase release`",
        ),
    };
    Err(Failure::new(ExitCode::Refused, message).hint(hint))
}

fn check(session: &Session, family: &Family, page: &Page) -> Result<ExitCode, Failure> {
    let difference = page.check()?;
    let (output, template) = names(family);
    if session.is_json() {
        let difference = difference
            .as_ref()
            .map(|found| json!({"line": found.line, "expected": found.expected, "found": found.found}));
        session.json(&json!({"schema": 1, "output": output, "difference": difference}))?;
    }
    if let Some(difference) = difference {
        return Err(differs(family, difference));
    }
    if !session.is_json() {
        session.note(&format!("`{output}` is what `{template}` makes"));
    }
    Ok(ExitCode::Done)
}

/// Fails unless the page is what its template makes; for a family that has one. Asks nobody.
pub(super) fn page_is_current(session: &Session, family: &Family) -> Result<(), Failure> {
    if family.describe.is_none() {
        return Ok(());
    }
    let page = Page::new(Arc::new(family.clone()), &session.environment).with_pace(session.pace(family));
    page.check()?
        .map_or(Ok(()), |difference| Err(differs(family, difference)))
}

/// The page and its template.
fn names(family: &Family) -> (&str, &str) {
    family.describe.as_ref().map_or(("", ""), |describe| {
        (describe.output.as_str(), describe.template.as_str())
    })
}

fn differs(family: &Family, difference: Difference) -> Failure {
    let Difference {
        line,
        expected,
        found,
    } = difference;
    let (output, template) = names(family);
    let shown = |line: Option<String>| line.map_or_else(|| "nothing".to_owned(), |line| format!("`{line}`"));
    let message = format!(
        "`{output}` is not what `{template}` makes: line {line} should begin with {}, and has {}",
        shown(expected),
        shown(found)
    );
    Failure::new(ExitCode::Failed, message).hint("`splitbase describe` writes it; commit what it wrote")
}

impl From<DescribeError> for Failure {
    fn from(error: DescribeError) -> Self {
        let failure = Self::new(error.exit_code, error.message);
        error.hints.into_iter().fold(failure, Self::hint)
    }
}
