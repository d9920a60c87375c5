//! A plan for people: what is there, what will be done, and why.

use super::phase::Phase;
use super::plain::planned;
use super::style::{FAINT, GOOD, HEADING, NAME, ODD, PLAIN, paint};
use super::summary::short;
use super::table::{Cell, Table};
use super::text;
use crate::plan::{Action, BuildStep, Plan, PlanImage, PresenceWord, Step};
use anstyle::Style;
use std::fmt::Write as _;

/// Steps of a phase, and images, that are shown without `-v`.
const LIMIT: usize = 60;

/// How a plan is shown.
#[derive(Clone, Copy, Default)]
pub struct PlanView<'a> {
    /// Whether everything is shown, however much it is: `-v`.
    pub all: bool,
    /// The builder that will be used, where the plan names none.
    pub builder: Option<&'a str>,
    /// With `--dry-run`: the `docker buildx` command line of a build.
    pub command: Option<&'a dyn Fn(&BuildStep) -> String>,
}

impl std::fmt::Debug for PlanView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanView")
            .field("all", &self.all)
            .field("builder", &self.builder)
            .finish_non_exhaustive()
    }
}

/// The plan as text.
#[must_use]
pub fn plan(plan: &Plan, view: &PlanView<'_>) -> String {
    let mut sections = vec![header(plan, view)];
    sections.extend(versions(plan));
    sections.extend(images(plan, view.all));
    for phase in Phase::ALL {
        let steps: Vec<&Step> = plan
            .steps
            .iter()
            .filter(|step| Phase::of(&step.action) == phase)
            .collect();
        if !steps.is_empty() {
            sections.push(steps_of(phase, &steps, view));
        }
    }
    let resolved = plan.versions.iter().flat_map(|(name, resolved)| {
        let warnings = resolved.warnings.iter();
        warnings.map(move |warning| format!("{name}: {warning}"))
    });
    let mut warnings = String::new();
    for warning in resolved.chain(plan.warnings.iter().cloned()) {
        let _ = writeln!(warnings, "{} {}", paint(ODD, "warning:"), text::clean(&warning));
    }
    if !warnings.is_empty() {
        sections.push(warnings);
    }
    sections.push(footer(plan));
    sections.join("\n")
}

fn header(plan: &Plan, view: &PlanView<'_>) -> String {
    let mut table = Table::default();
    let mut row = |name: &str, value: String, style: Style| {
        table.row([Cell::new(name).style(FAINT), Cell::new(value).style(style)]);
    };
    row("family", plan.family.clone(), HEADING);
    row("repository", plan.repository.to_string(), PLAIN);
    if !plan.target.is_registry() {
        row("target", plan.target.to_string(), PLAIN);
    }
    if let Some(work) = &plan.work_repository {
        row("work repository", work.to_string(), PLAIN);
    }
    if !plan.mirrors.is_empty() {
        let mirrors: Vec<String> = plan.mirrors.iter().map(ToString::to_string).collect();
        row(
            "copied to",
            format!("{}, after the aliases", mirrors.join(", ")),
            PLAIN,
        );
    }
    if let Some(version) = &plan.version {
        row("version", version.to_string(), HEADING);
    }
    if let Some(builder) = plan.builder.as_deref().or(view.builder) {
        row("builder", builder.to_owned(), PLAIN);
    }
    table.render("")
}

fn versions(plan: &Plan) -> Option<String> {
    let mut table = Table::default();
    for (name, resolved) in &plan.versions {
        table.row([
            Cell::new(name.clone()).style(NAME),
            text::clean(&resolved.version).into(),
            Cell::new(text::clean(&resolved.source)).style(FAINT),
        ]);
    }
    for (reference, digest) in &plan.upstream {
        table.row([
            Cell::new(text::clean(reference)).style(NAME),
            short(digest).into(),
            Cell::new("upstream").style(FAINT),
        ]);
    }
    if let Some(period) = plan.period {
        table.row([
            Cell::new("base").style(NAME),
            period.to_string().into(),
            Cell::new("refresh period").style(FAINT),
        ]);
    }
    let table = table.render("  ");
    (!table.is_empty()).then(|| format!("{}\n{table}", paint(HEADING, "versions")))
}

fn presence_word(presence: PresenceWord) -> (&'static str, Style) {
    match presence {
        PresenceWord::Present => ("present", GOOD),
        PresenceWord::Absent => ("absent", ODD),
        PresenceWord::Incomplete => ("incomplete", ODD),
        PresenceWord::Unknown => ("unknown", super::style::BAD),
    }
}

/// The platforms of an image; where they differ, each with its presence.
fn platforms(image: &PlanImage) -> String {
    let first = image.platforms.first().map(|platform| platform.presence);
    let alike = image
        .platforms
        .iter()
        .all(|platform| Some(platform.presence) == first);
    let platforms: Vec<String> = image
        .platforms
        .iter()
        .map(|platform| {
            if alike {
                platform.platform.to_string()
            } else {
                format!("{} {}", platform.platform, presence_word(platform.presence).0)
            }
        })
        .collect();
    platforms.join(", ")
}

/// One line per image. Of very many, first of all those that are not all there.
fn images(plan: &Plan, all: bool) -> Option<String> {
    let mut images: Vec<&PlanImage> = plan.images.iter().collect();
    if !all && images.len() > LIMIT {
        images.sort_by_key(|image| image.presence == PresenceWord::Present);
        images.truncate(LIMIT);
    }
    let mut table = Table::default();
    for image in &images {
        let (presence, style) = presence_word(image.presence);
        table.row([
            Cell::new(image.image.to_string()).style(NAME),
            image.tag.to_string().into(),
            Cell::new(presence).style(style),
            platforms(image).into(),
            Cell::new(text::clean(&image.why)).style(FAINT),
        ]);
    }
    let mut text = format!("{}\n{}", paint(HEADING, "images"), table.render("  "));
    text.push_str(&more(plan.images.len() - images.len()));
    (!images.is_empty()).then_some(text)
}

fn more(left_out: usize) -> String {
    if left_out == 0 {
        return String::new();
    }
    let line = format!("  … and {} more (`-v` shows all)", text::number(left_out));
    format!("{}\n", paint(FAINT, &line))
}

fn steps_of(phase: Phase, steps: &[&Step], view: &PlanView<'_>) -> String {
    let limit = if view.all { steps.len() } else { LIMIT };
    let mut table = Table::default();
    let shown = || steps.iter().take(limit);
    for step in shown() {
        table.row([
            Cell::new(step.id.to_string()).style(NAME),
            Cell::new(text::clean(&step.why)).style(FAINT),
        ]);
    }
    let count = text::number(steps.len());
    let mut text = format!("{} ({count})\n", paint(HEADING, phase.title()));
    for (step, line) in shown().zip(table.lines("  ")) {
        text.push_str(&line);
        text.push('\n');
        if let (Action::Build(build), Some(command)) = (&step.action, view.command) {
            let _ = writeln!(text, "    {}", exact(command(build)));
        }
    }
    text.push_str(&more(steps.len().saturating_sub(limit)));
    text
}

/// A command line as it is, to be copied: an argument of several lines keeps them. Only what could steer a terminal is taken out.
fn exact(command: String) -> String {
    if command
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        let lines: Vec<String> = text::clean_lines(&command).collect();
        return lines.join("\n");
    }
    command
}

fn footer(plan: &Plan) -> String {
    let line = match (&plan.version, plan.steps.is_empty()) {
        (Some(version), true) => format!("nothing to do: {version} stands as planned"),
        (_, _) => planned(plan),
    };
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, bare};
    use super::*;

    #[test]
    fn a_plan_with_a_step_of_each_kind() {
        let shown = bare(&plan(&fixture::plan(), &PlanView::default()));
        insta::assert_snapshot!(shown, @r"
        family      devbox
        repository  docker.io/acme/devbox
        version     v1.2.3
        builder     multi

        versions
          NODE_MAJOR  22                   value
          PI_VERSION  1.5.2                npm:@earendil-works/pi-coding-agent
          debian:13   sha256:dddddddddddd  upstream
          base        2026-W47             refresh period

        images
          base          base-aaaaaaaaaaaa          present     linux/amd64, linux/arm64                 reused: its identity is in the registry
          variant/omos  variant-omos-bbbbbbbbbbbb  incomplete  linux/amd64 present, linux/arm64 absent  completed: linux/arm64 is absent

        build (1)
          build/variant/omos/linux-arm64  not in `docker.io/acme/devbox`

        smoke (1)
          smoke/variant/omos/linux-arm64  has no receipt of today's test

        assemble (1)
          assemble/variant/omos  linux/arm64 is new

        tags (1)
          tag/v1.2.3-omos  not there yet

        aliases (1)
          alias/latest-omos  points at v1.2.2

        record (1)
          record/planned  all pins are written down first

        warning: the builder keeps no attestations

        6 steps: 1 build, 1 smoke test, 1 index, 1 tag, 1 alias, 1 record
        ");
    }

    #[test]
    fn a_dry_run_shows_the_commands() {
        let mut document = fixture::plan();
        document.versions.clear();
        document.upstream.clear();
        document.period = None;
        document.images.clear();
        document.warnings.clear();
        document.steps.truncate(2);
        let command = |build: &BuildStep| {
            format!(
                "docker buildx build --platform {} --tag {}",
                build.platform, build.staging
            )
        };
        let quoted = |_: &BuildStep| "docker --build-arg 'A=1\n  2\t'".to_owned();
        let view = PlanView {
            command: Some(&quoted),
            ..PlanView::default()
        };
        let shown = bare(&plan(&document, &view));
        assert!(shown.contains("    docker --build-arg 'A=1\n  2\t'\n"), "{shown}");
        let view = PlanView {
            command: Some(&command),
            ..PlanView::default()
        };
        insta::assert_snapshot!(bare(&plan(&document, &view)), @r"
        family      devbox
        repository  docker.io/acme/devbox
        version     v1.2.3
        builder     multi

        build (1)
          build/variant/omos/linux-arm64  not in `docker.io/acme/devbox`
            docker buildx build --platform linux/arm64 --tag variant-omos-bbbbbbbbbbbb-arm64-staging

        record (1)
          record/planned  all pins are written down first

        2 steps: 1 build, 1 record
        ");
    }

    #[test]
    fn nothing_to_do() {
        let mut document = fixture::plan();
        document.steps.clear();
        let shown = bare(&plan(&document, &PlanView::default()));
        assert!(
            shown.ends_with("\nnothing to do: v1.2.3 stands as planned\n"),
            "{shown}"
        );
        document.version = None;
        let shown = bare(&plan(&document, &PlanView::default()));
        assert!(shown.ends_with("\nnothing to do\n"), "{shown}");
    }

    #[test]
    fn a_thousand_variants_stay_readable() {
        let mut document = fixture::plan();
        let present = document.images[0].clone();
        for number in 0..1_000 {
            let name = format!("variant/v{number}");
            document.images.insert(
                0,
                PlanImage {
                    image: fixture::image(&name),
                    ..present.clone()
                },
            );
            document
                .steps
                .push(fixture::build_of(&name, "linux/amd64", 1, "absent"));
        }
        let short = bare(&plan(&document, &PlanView::default()));
        assert!(short.lines().count() < 160, "{}", short.lines().count());
        assert!(short.contains("build (1,001)\n"), "{short}");
        assert!(short.contains("  … and 941 more (`-v` shows all)\n"), "{short}");
        assert!(short.contains("  … and 942 more (`-v` shows all)\n"), "{short}");
        assert!(
            short.contains("completed: linux/arm64 is absent"),
            "what is absent is never left out"
        );
        let view = PlanView {
            all: true,
            ..PlanView::default()
        };
        assert!(plan(&document, &view).lines().count() > 2_000);
    }
}
