//! Whether a release is whole, for people and programs.

use super::style::{BAD, GOOD, NAME, ODD, paint};
use super::table::{Cell, Table};
use super::text;
use crate::domain::{ByteSize, Repository, TargetRef};
use crate::record::Record;
use crate::verify::{Kind, Verified};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What was found, as text.
#[must_use]
pub fn verified(verified: &Verified, record: &Record, deep: bool) -> String {
    let checked = &verified.checked;
    let how = if deep { "read and compared" } else { "there" };
    let signatures = match checked.signatures {
        0 => String::new(),
        number => format!("{number} signatures, "),
    };
    let looked = format!(
        "{} tags, {signatures}{} manifests, {} blobs of {}",
        checked.tags,
        checked.manifests,
        checked.blobs,
        ByteSize(checked.bytes)
    );
    if verified.findings.is_empty() {
        return format!(
            "{} {} is whole: {looked}, all {how}\n",
            paint(GOOD, "✓"),
            record.version
        );
    }
    let damaged = verified
        .findings
        .iter()
        .any(|finding| finding.kind != Kind::Unknown);
    let verdict = if damaged {
        "is not as its record says"
    } else {
        "could not be looked at whole"
    };
    let mut shown = format!("{} {} {verdict}: {looked}\n\n", paint(BAD, "✗"), record.version);
    let mut table = Table::default();
    for finding in &verified.findings {
        let kind = match finding.kind {
            Kind::Missing => "missing",
            Kind::Damaged => "damaged",
            Kind::Misplaced => "misplaced",
            Kind::Unknown => "unknown",
        };
        table.row([
            Cell::new(kind).style(ODD),
            Cell::new(finding.image.to_string()).style(NAME),
            Cell::new(text::clean(&finding.what)),
            Cell::new(text::clean(&finding.detail)),
        ]);
    }
    let _ = write!(shown, "{}", table.render("  "));
    shown
}

/// What was found, as the document.
#[must_use]
pub fn verify(
    verified: &Verified,
    record: &Record,
    (repository, target): (&Repository, &TargetRef),
    deep: bool,
) -> Value {
    json!({
        "schema": 1,
        "version": record.version,
        "state": record.state,
        "repository": repository,
        "target": target,
        "deep": deep,
        "whole": verified.findings.is_empty(),
        "checked": verified.checked,
        "findings": verified.findings,
    })
}
