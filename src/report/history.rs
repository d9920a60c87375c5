//! The releases of a family, and the record of one, for people.

use super::status::state_word;
use super::style::{FAINT, HEADING, NAME, ODD, paint};
use super::summary::short;
use super::table::{Cell, Table};
use super::text;
use crate::domain::{ByteSize, Digest, PublicTag, Version};
use crate::record::{Record, RecordState};
use std::fmt::Write as _;

/// One release in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its version.
    pub version: Version,
    /// How far it has come.
    pub state: RecordState,
    /// When it was begun.
    pub started: jiff::Timestamp,
    /// When its record was last written.
    pub updated: jiff::Timestamp,
    /// The aliases that point at it now.
    pub aliases: Vec<PublicTag>,
}

fn time(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn joined<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// The releases, one line each.
#[must_use]
pub fn history(rows: &[HistoryRow]) -> String {
    let mut table = Table::default();
    for row in rows {
        let style = if matches!(row.state, RecordState::Done) {
            FAINT
        } else {
            ODD
        };
        table.row([
            Cell::new(row.version.to_string()).style(NAME),
            Cell::new(time(row.started)),
            Cell::new(state_word(row.state)).style(style),
            Cell::new(joined(&row.aliases)),
        ]);
    }
    table.render("")
}

/// One record.
#[must_use]
pub fn record(record: &Record) -> String {
    let mut text = format!(
        "{} of {}, {}\n",
        paint(HEADING, record.version.as_str()),
        record.repository,
        state_word(record.state)
    );
    let mut head = Table::default();
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            head.row([Cell::new(name).style(FAINT), Cell::new(text::clean(&value))]);
        }
    };
    line("begun", time(record.started));
    line("last written", time(record.updated));
    line("commit", record.revision.clone().unwrap_or_default());
    let tools = &record.tools;
    let tool = |name: &str, version: Option<&str>| {
        version
            .filter(|version| !version.is_empty())
            .map(|version| format!("{name} {version}"))
    };
    let tools = [
        tool("splitbase", Some(&tools.splitbase)),
        tool("engine", tools.engine.as_deref()),
        tool("buildx", tools.buildx.as_deref()),
        tool("BuildKit", tools.buildkit.as_deref()),
    ];
    line(
        "made by",
        tools.into_iter().flatten().collect::<Vec<_>>().join(", "),
    );
    line("left out", joined(&record.left_out));
    text += &head.render("  ");
    section(&mut text, "versions", &versions(record));
    section(&mut text, "images", &images(record));
    let mut moved = Table::default();
    let at = |digest: &Option<Digest>| digest.as_ref().map_or_else(|| "nothing".to_owned(), short);
    for alias in record.aliases.iter().filter(|alias| alias.old != alias.new) {
        let way = format!("{} → {}", at(&alias.old), at(&alias.new));
        moved.row([Cell::new(alias.alias.to_string()).style(NAME), Cell::new(way)]);
    }
    section(&mut text, "aliases that it moved", &moved.render("  "));
    text
}

fn section(text: &mut String, name: &str, body: &str) {
    if !body.is_empty() {
        let _ = write!(text, "\n{}\n{body}", paint(HEADING, name));
    }
}

fn versions(record: &Record) -> String {
    let mut table = Table::default();
    for (name, resolved) in &record.versions {
        table.row([
            Cell::new(text::clean(name)).style(NAME),
            Cell::new(text::clean(&resolved.version)),
            Cell::new(text::clean(&resolved.source)).style(FAINT),
        ]);
    }
    for (reference, digest) in &record.upstream {
        table.row([
            Cell::new(text::clean(reference)).style(NAME),
            Cell::new(short(digest)),
        ]);
    }
    table.render("  ")
}

fn images(record: &Record) -> String {
    let mut table = Table::default();
    for image in &record.images {
        table.row([
            Cell::new(image.image.to_string()).style(NAME),
            Cell::new(image.identity.short()),
            Cell::new(image.digest.as_ref().map(short).unwrap_or_default()).style(FAINT),
            Cell::new(joined(
                &[joined(&image.tags), joined(&image.aliases)]
                    .into_iter()
                    .filter(|names| !names.is_empty())
                    .collect::<Vec<_>>(),
            )),
        ]);
        for platform in &image.platforms {
            let size =
                |bytes: Option<u64>, what: &str| bytes.map(|bytes| format!("{} {what}", ByteSize(bytes)));
            let steps = platform
                .steps
                .map(|steps| format!("{} steps run, {} cached", steps.run, steps.cached));
            let receipt = platform.receipt.as_ref().map(|_| "tested".to_owned());
            let notes = [
                size(platform.size, "stored"),
                size(platform.uncompressed, "unpacked"),
                steps,
                receipt,
            ];
            table.row([
                Cell::new(format!("  {}", platform.platform)),
                Cell::new(""),
                Cell::new(short(&platform.digest)).style(FAINT),
                Cell::new(notes.into_iter().flatten().collect::<Vec<_>>().join(", ")),
            ]);
        }
    }
    table.render("  ")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, bare};
    use super::*;
    use crate::record::{RecordPlatform, RecordSteps};
    use crate::testing::given::{DEVBOX, Given};

    #[test]
    fn releases_and_the_aliases_that_they_hold() {
        let row = |version: &str, state, aliases: &[&str]| HistoryRow {
            version: version.parse().unwrap(),
            state,
            started: fixture::clock(),
            updated: fixture::clock(),
            aliases: aliases.iter().map(|alias| fixture::tag(alias)).collect(),
        };
        let rows = [
            row("v1.10.0", RecordState::NotPromoted, &[]),
            row("v1.9.0", RecordState::Done, &["latest", "latest-omos"]),
        ];
        insta::assert_snapshot!(bare(&history(&rows)), @r"
        v1.10.0  2026-11-20 12:00 UTC  not promoted: its aliases have not moved
        v1.9.0   2026-11-20 12:00 UTC  done                                      latest, latest-omos
        ");
    }

    #[test]
    fn a_record_as_people_read_it() {
        let plan = Given::new(DEVBOX).with_all().plan();
        let mut shown = plan.record.clone().unwrap();
        shown.started = fixture::clock();
        shown.updated = fixture::clock();
        shown.images.truncate(2);
        if let Some(platform) = shown.images[1].platforms.first_mut() {
            *platform = RecordPlatform {
                size: Some(12_000_000),
                uncompressed: Some(30_000_000),
                steps: Some(RecordSteps { cached: 3, run: 2 }),
                ..platform.clone()
            };
        }
        let text = bare(&record(&shown));
        for line in [
            "v1.0.0 of registry.example.org/acme/devbox, unfinished: nothing is published yet\n",
            "  begun         2026-11-20 12:00 UTC\n",
            "    linux/amd64                sha256:574ea9ef0d14  12MB stored, 30MB unpacked, 2 steps run, 3 cached, tested\n",
            "  variant/core   458ef2e79970  sha256:d8cf4648de28  v1.0.0, latest\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }
}
