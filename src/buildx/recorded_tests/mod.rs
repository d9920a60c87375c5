//! What real engines said of builds that failed, and what the table makes of it.

mod cases;
mod engine;
mod named;
mod record;
mod scene;

use self::cases::{CASES, Case, ENDS_WELL, STALLS};
use self::engine::Engine;
use self::scene::Scene;
use super::failure::BuildFailure;
use super::progress::Progress;
use super::{Redactor, classify};
use crate::failure::{self, FailureClass, Place, Symptom, rules};
use crate::testing::recorded::{self, Recorded};
use crate::testing::{TestRegistry, build_step};
use futures_util::StreamExt as _;
use std::collections::BTreeSet;

fn ends_well_or_stalls() -> impl Iterator<Item = &'static str> {
    let ends_well = ENDS_WELL.iter().map(|(name, _)| *name);
    ends_well.chain(STALLS.iter().map(|(name, _)| *name))
}

/// What the program makes of it; a source that is missing is not in the build context.
fn replay(case: &Case, recorded: &Recorded) -> BuildFailure {
    let mut progress = Progress::new(Redactor::default());
    for line in &recorded.lines {
        progress.feed(line, &mut |_| {});
    }
    classify::classify(&classify::Evidence {
        step: &build_step(scene::REPOSITORY),
        progress: &progress,
        exit_code: recorded.exit(),
        had_cache_from: case.name.starts_with("cache-layer"),
        in_context: &|_| Some(false),
    })
}

fn check(case: &Case, recorded: &Recorded) {
    let failure = replay(case, recorded);
    let shown = format!("{}: {failure:#?}\n{}", case.name, recorded.text());
    let rule = rules()
        .find(|rule| rule.name == failure.rule)
        .map_or(FailureClass::Unknown, |rule| rule.class);
    assert_eq!(rule, failure.class, "{shown}");
    assert_eq!((failure.rule, failure.class), (case.rule, case.class), "{shown}");
    assert_eq!(failure.status, case.status, "{shown}");
    let named = named::NAMED.iter().find(|(name, ..)| *name == case.name);
    let (_, code, request) = named.copied().unwrap_or((case.name, None, None));
    // Where the connection was cut decides whether it is told as a code (`code = Unavailable desc = error reading …` holds none).
    let cut = case.name == "engine-cut" && failure.code.is_none();
    assert!(cut || failure.code == code, "{shown}");
    assert_eq!(
        failure.request.map(|text| named::plain(&text)).as_deref(),
        request,
        "{shown}"
    );
    let mend = failure.hints.join("\n");
    assert_eq!(mend.is_empty(), case.mend.is_empty(), "{shown}");
    assert!(mend.contains(case.mend), "{shown}");
    assert!(
        !failure.reason.is_empty() && !failure.reason.contains("_state="),
        "{shown}"
    );
    if failure.class == FailureClass::Unknown {
        assert!(
            !failure.output.is_empty() || failure.reason.len() > 10,
            "nothing of what was said is shown: {shown}"
        );
        assert_eq!(failure.retry, super::Retry::Never);
    }
}

#[test]
fn recorded_builds_are_classified() {
    let all = recorded::all("build");
    let mut names: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    let mut wrong = Vec::new();
    for case in CASES {
        let recorded = &all[case.name];
        names.remove(case.name);
        assert_ne!(recorded.exit(), Some(0), "{}", case.name);
        for program in ["engine", "buildx", "registry"] {
            assert!(recorded.facts.contains_key(program), "{}", case.name);
        }
        // All of them are told, not the first alone.
        if std::panic::catch_unwind(|| check(case, recorded)).is_err() {
            wrong.push(case.name);
        }
    }
    for name in ends_well_or_stalls() {
        names.remove(name);
    }
    assert!(names.is_empty(), "nobody says what these are: {names:?}");
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(all.len() > 50, "{}", all.len());
}

/// The same words as for a source that is missing, of one that is there: the builder lost it.
#[test]
fn a_recorded_source_that_is_there_was_lost() {
    let all = recorded::all("build");
    let recorded = &all["source-missing"];
    let mut progress = Progress::new(Redactor::default());
    for line in &recorded.lines {
        progress.feed(line, &mut |_| {});
    }
    let failure = classify::classify(&classify::Evidence {
        step: &build_step(scene::REPOSITORY),
        progress: &progress,
        exit_code: recorded.exit(),
        had_cache_from: false,
        in_context: &|path| (path == "not/there").then_some(true),
    });
    assert_eq!(
        (failure.rule, failure.class),
        ("source-lost", FailureClass::Transient)
    );
    assert!(
        failure.reason.contains("the builder lost `not/there`"),
        "{failure:?}"
    );
}

#[test]
fn a_recorded_cache_export_fails_no_build() {
    let all = recorded::all("build");
    for (name, class) in ENDS_WELL {
        let recorded = &all[*name];
        assert_eq!(recorded.exit(), Some(0), "{name}");
        let mut progress = Progress::new(Redactor::default());
        for line in &recorded.lines {
            progress.feed(line, &mut |_| {});
        }
        assert_eq!(progress.failed().count(), 0, "{name}");
        assert!(progress.pushed(), "{name}");
        let warning = progress
            .warnings()
            .iter()
            .find(|text| text.starts_with("exporting cache to registry failed: "))
            .unwrap_or_else(|| panic!("{name}: {:?}", progress.warnings()));
        let symptom = Symptom {
            status: failure::status(warning),
            text: warning,
            ..Symptom::at(Place::CacheExport)
        };
        assert_eq!(failure::classify(&symptom).class, *class, "{name}: {warning}");
    }
}

#[test]
fn a_recorded_stall_is_told_by_where_it_stands() {
    let all = recorded::all("build");
    for (name, phase) in STALLS {
        let recorded = &all[*name];
        assert_eq!(recorded.exit(), None, "{name}");
        let mut progress = Progress::new(Redactor::default());
        let mut phases = Vec::new();
        for line in &recorded.lines {
            progress.feed(line, &mut |_| {});
            phases.push(progress.phase());
        }
        // Once it was told to end, it says so.
        assert!(phases.contains(phase), "{name}: {phases:?}");
        let after = phases.iter().rposition(|seen| seen == phase).unwrap();
        assert!(after + 8 > phases.len(), "{name}: {phases:?}");
    }
}

/// What is to be done about it has to be of use.
#[tokio::test]
async fn e2e_a_layer_that_the_engine_lost_is_made_again_after_what_is_advised() {
    let (first, second) = (TestRegistry::start(), TestRegistry::start());
    let engine = Engine::start("256m");
    let mut scene = Scene::with_busybox(first.address(), "");
    scene.builds_on(&engine);
    assert_eq!(scene.run("made").await.exit(), Some(0));
    engine.loses_its_blobs();
    scene.pushes_to(second.address());
    let case = CASES
        .iter()
        .find(|case| case.name == "engine-layer-lost")
        .unwrap();
    check(case, &scene.run("lost").await);
    engine.docker(&["buildx", "prune", "--all", "--force"]);
    let again = scene.run("made again").await;
    assert_eq!(again.exit(), Some(0), "{}", again.text());
}

/// With `SPLITBASE_RECORD` all failures are brought about on the real engine and kept; else one of each class, and compared.
#[tokio::test]
async fn e2e_failures_recorded_anew() {
    let all = recorded::recording();
    let versions = recorded::versions_of(&["engine", "buildx", "registry"]);
    let only = crate::testing::variable("SPLITBASE_RECORD").unwrap_or_default();
    let wanted = |name: &str| only.len() < 3 || name.contains(&only);
    let names: Vec<(&str, &str, bool)> = CASES
        .iter()
        .map(|case| (case.name, case.about, case.quick))
        .chain(ends_well_or_stalls().map(|name| (name, "a cache export fails, or it stands still", false)))
        .filter(|(name, _, quick)| (all && wanted(name)) || (!all && *quick))
        .collect();
    let side_by_side = if all { 1 } else { 3 };
    let versions = &versions;
    futures_util::stream::iter(names)
        .for_each_concurrent(side_by_side, |(name, about, _)| async move {
            let mut recorded = Box::pin(record::make(name, about)).await;
            println!(
                "{name}: {}, {} lines",
                recorded.facts["exit"],
                recorded.lines.len()
            );
            if all {
                recorded.facts.extend(versions.clone());
                recorded.keep("build", name);
            } else if let Some(case) = CASES.iter().find(|case| case.name == name) {
                check(case, &recorded);
            }
        })
        .await;
}
