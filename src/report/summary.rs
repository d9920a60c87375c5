//! How a run ended, for people: the table of image × platform, what stands now, and what failed.

use super::style::{BAD, FAINT, GOOD, HEADING, NAME, ODD, PLAIN, paint};
use super::table::{Cell, Table};
use super::text;
use crate::domain::Digest;
use crate::execute::{ImageOutcome, ImageReport, PlatformReport, Report, RunOutcome, SmokeOutcome};
use crate::plan::validated;
use anstyle::Style;
use std::fmt::Write as _;

/// Rows of a table that are shown without `-v`; beyond them, those in which nothing happened are counted.
const ROWS: usize = 60;
/// What quoted output stands behind: see [`failures`].
const QUOTE: &str = "  | ";

/// The first 12 hex digits of a digest, behind its algorithm.
pub(super) fn short(digest: &Digest) -> String {
    format!("sha256:{}", digest.short())
}

/// What ended, for a sentence: `release v1.2.3 of docker.io/acme/devbox into oci:DIR`, `run of …` without a version, `validation of acme/devbox`.
/// `quote` stands around names.
pub(super) fn subject(report: &Report, quote: &str) -> String {
    if let Some(path) = validated(&report.repository) {
        return format!("validation of {quote}{path}{quote}");
    }
    let version = report.version.as_ref();
    let what = version.map_or_else(|| "run".to_owned(), |version| format!("release {version}"));
    let target = report.target.into_words();
    format!("{what} of {quote}{}{quote}{target}", report.repository)
}

pub(super) fn image_word(outcome: ImageOutcome) -> (&'static str, Style) {
    match outcome {
        ImageOutcome::Built => ("built", GOOD),
        ImageOutcome::Reused => ("reused", PLAIN),
        ImageOutcome::Completed => ("completed", GOOD),
        ImageOutcome::Failed => ("failed", BAD),
        ImageOutcome::Skipped => ("skipped", ODD),
    }
}

pub(super) fn smoke_word(outcome: SmokeOutcome) -> (&'static str, Style) {
    match outcome {
        SmokeOutcome::Passed => ("passed", GOOD),
        SmokeOutcome::PassedBefore => ("passed before", PLAIN),
        SmokeOutcome::Failed => ("failed", BAD),
        SmokeOutcome::NotRun => ("not run", ODD),
        SmokeOutcome::NotTested => ("not tested", FAINT),
    }
}

pub(super) fn run_word(outcome: RunOutcome) -> (&'static str, Style) {
    match outcome {
        RunOutcome::Done => ("done", GOOD),
        RunOutcome::Failed => ("failed", BAD),
        RunOutcome::Refused => ("refused", BAD),
        RunOutcome::Interrupted => ("interrupted", ODD),
    }
}

pub(super) fn preposition(outcome: RunOutcome) -> &'static str {
    if outcome == RunOutcome::Done {
        "in"
    } else {
        "after"
    }
}

/// Whether nothing happened to a platform image, so that it may be left out of a long table.
fn is_quiet(platform: &PlatformReport) -> bool {
    platform.outcome == ImageOutcome::Reused
        && matches!(
            platform.smoke,
            SmokeOutcome::PassedBefore | SmokeOutcome::NotTested
        )
}

/// The platform images that a table shows, and how many it leaves out.
pub(super) fn rows(report: &Report, all: bool) -> (Vec<(&ImageReport, &PlatformReport)>, usize) {
    let mut rows: Vec<_> = report
        .images
        .iter()
        .flat_map(|image| image.platforms.iter().map(move |platform| (image, platform)))
        .collect();
    let total = rows.len();
    if !all && total > ROWS {
        rows.retain(|(_, platform)| !is_quiet(platform));
        rows.sort_by_key(|(_, platform)| {
            platform.outcome != ImageOutcome::Failed && platform.smoke != SmokeOutcome::Failed
        });
        rows.truncate(ROWS);
    }
    let left_out = total - rows.len();
    (rows, left_out)
}

pub(super) fn time(seconds: f64) -> String {
    if seconds > 0.0 {
        text::seconds(text::duration(seconds))
    } else {
        "-".to_owned()
    }
}

/// The table of image × platform, what stands now, warnings, and how it ended. `all`: no row is left out, however many there are.
#[must_use]
pub fn summary(report: &Report, all: bool) -> String {
    let mut text = String::new();
    let (rows, left_out) = rows(report, all);
    if !rows.is_empty() {
        let mut table = Table::default();
        let heads = ["IMAGE", "PLATFORM", "RESULT", "TEST", "TAGGED"];
        let heads = heads.map(|head| Cell::new(head).style(FAINT));
        table.row(heads.into_iter().chain([Cell::new("TIME").style(FAINT).right()]));
        let mut previous = None;
        for (image, platform) in rows {
            let (result, result_style) = image_word(platform.outcome);
            let (smoke, smoke_style) = smoke_word(platform.smoke);
            let name = if previous == Some(&image.image) {
                String::new()
            } else {
                image.image.to_string()
            };
            previous = Some(&image.image);
            let tagged = if image.tags.is_empty() && image.aliases.is_empty() {
                Cell::new("-").style(FAINT)
            } else {
                Cell::new("yes").style(GOOD)
            };
            table.row([
                Cell::new(name).style(NAME),
                platform.platform.to_string().into(),
                Cell::new(result).style(result_style),
                Cell::new(smoke).style(smoke_style),
                tagged,
                Cell::new(time(platform.seconds)).right(),
            ]);
        }
        text.push_str(&table.render(""));
    }
    if left_out > 0 {
        let more = text::count(left_out, "platform image", "platform images");
        text.push_str(&paint(FAINT, &format!("… and {more} more (`-v` shows all)\n")));
    }
    for (title, pick) in [
        ("tags", (|image| &image.tags) as fn(&ImageReport) -> &Vec<_>),
        ("aliases", |image| &image.aliases),
    ] {
        text.push_str(&standing(report, title, pick, all));
    }
    if !report.warnings.is_empty() {
        text.push('\n');
        for warning in &report.warnings {
            let _ = writeln!(text, "{} {}", paint(ODD, "warning:"), text::clean(warning));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&ending(report));
    text
}

/// `release v1.2.3 of docker.io/acme/devbox: done in 1m15s`.
fn ending(report: &Report) -> String {
    let (word, style) = run_word(report.outcome);
    let code = if report.exit_code == 0 {
        String::new()
    } else {
        format!(" (exit code {})", report.exit_code)
    };
    format!(
        "{}: {} {} {}{code}\n",
        subject(report, ""),
        paint(style, word),
        preposition(report.outcome),
        text::seconds(text::duration(report.seconds)),
    )
}

/// The tags of one kind that stand now, each with its image and the digest that it points at.
fn standing(
    report: &Report,
    title: &str,
    pick: fn(&ImageReport) -> &Vec<crate::domain::PublicTag>,
    all: bool,
) -> String {
    let tags: Vec<_> = report
        .images
        .iter()
        .flat_map(|image| pick(image).iter().map(move |tag| (image, tag)))
        .collect();
    if tags.is_empty() {
        return String::new();
    }
    let limit = if all { tags.len() } else { ROWS };
    let mut table = Table::default();
    for (image, tag) in tags.iter().take(limit) {
        let digest = image.digest.as_ref().map(short).unwrap_or_default();
        table.row([
            Cell::new(tag.to_string()).style(NAME),
            image.image.to_string().into(),
            Cell::new(digest).style(FAINT),
        ]);
    }
    let mut text = format!("\n{}\n{}", paint(HEADING, title), table.render("  "));
    let left_out = tags.len().saturating_sub(limit);
    if left_out > 0 {
        let line = format!("  … and {} more (`-v` shows all)\n", text::number(left_out));
        text.push_str(&paint(FAINT, &line));
    }
    text
}

/// Each failure: what was attempted and why it failed, the end of its output, and what to do about it. Empty when nothing failed.
///
/// Output is quoted behind a bar: in a job of Actions nothing that a build printed may begin a line, where it would command the runner.
#[must_use]
pub fn failures(report: &Report) -> String {
    let mut text = String::new();
    for failure in &report.failures {
        if !text.is_empty() {
            text.push('\n');
        }
        let head = format!(
            "{} {}: {}\n",
            paint(BAD, "error:"),
            failure.step,
            text::clean(&failure.message)
        );
        text.push_str(&head);
        for line in failure.output.iter().flat_map(|line| text::clean_lines(line)) {
            let line = format!("{}{line}", paint(FAINT, QUOTE));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for hint in &failure.hints {
            let _ = writeln!(text, "{} {}", paint(NAME, "hint:"), text::clean(hint));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, bare};
    use super::*;

    #[test]
    fn a_release_that_went_well() {
        insta::assert_snapshot!(bare(&summary(&fixture::done(), false)), @r"
        IMAGE         PLATFORM     RESULT  TEST           TAGGED   TIME
        base          linux/amd64  reused  not tested     yes         -
                      linux/arm64  reused  not tested     yes         -
        variant/omos  linux/amd64  reused  passed before  yes         -
                      linux/arm64  built   passed         yes     1m12s

        tags
          v1.2.3-omos  variant/omos  sha256:b0b0b0b0b0b0

        aliases
          base-latest  base          sha256:a0a0a0a0a0a0
          latest-omos  variant/omos  sha256:b0b0b0b0b0b0

        warning: build/base/linux-arm64: build cache was not exported

        release v1.2.3 of docker.io/acme/devbox: done in 1m15s
        ");
        assert_eq!(failures(&fixture::done()), "");
    }

    #[test]
    fn a_release_that_failed() {
        insta::assert_snapshot!(bare(&summary(&fixture::failed(), false)), @r"
        IMAGE         PLATFORM     RESULT  TEST           TAGGED   TIME
        base          linux/amd64  reused  not tested     -           -
                      linux/arm64  reused  not tested     -           -
        variant/omos  linux/amd64  reused  passed before  -           -
                      linux/arm64  built   failed         -       1m12s

        release v1.2.3 of docker.io/acme/devbox: failed after 1m15s (exit code 3)
        ");
        insta::assert_snapshot!(bare(&failures(&fixture::failed())), @r"
        error: smoke/variant/omos/linux-arm64: `scripts/smoke-test.sh --variant omos` ended with 1
          | ok: node
          | ::error::not ok: omos
        hint: the whole output is in `smoke-omos.log`
        hint: look inside: `docker run -it --rm --platform linux/arm64 docker.io/acme/devbox@sha256:…`
        ");
    }

    #[test]
    fn a_thousand_variants_stay_readable() {
        let mut report = fixture::done();
        let variant = report.images[1].clone();
        for number in 0..1_000 {
            let mut variant = variant.clone();
            variant.image = fixture::image(&format!("variant/v{number}"));
            for platform in &mut variant.platforms {
                platform.outcome = ImageOutcome::Reused;
                platform.smoke = SmokeOutcome::PassedBefore;
            }
            report.images.push(variant);
        }
        let short = bare(&summary(&report, false));
        assert!(short.lines().count() < 3 * ROWS, "{short}");
        assert!(short.contains("… and 2,003 platform images more"), "{short}");
        assert!(short.contains("variant/omos  linux/arm64  built"), "{short}");
        assert!(summary(&report, true).lines().count() > 4_000);
        assert!(super::super::markdown(&report).len() < 100_000);
    }

    #[test]
    fn failures_steer_no_terminal() {
        let failures = failures(&fixture::failed());
        assert!(
            bare(&failures)
                .lines()
                .all(|line| !line.trim_start().starts_with("::"))
        );
        assert!(!bare(&failures).contains('\x1b'));
    }
}
