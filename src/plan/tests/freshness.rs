//! Refresh periods and salts: what they build without cache.

use crate::config::Upstream;
use crate::plan::{Action, Plan};
use crate::record::RecordState;
use crate::testing::given::{Given, digest};

const REFRESHED: &str = r#"
schema = 1
[family]
name = "fresh"
repository = "registry.example.org/acme/fresh"
platforms = ["linux/amd64"]
[base]
dockerfile = "Dockerfile.base"
refresh = "weekly"
[variants.one]
dockerfile = "Dockerfile.one"
[variants.two]
dockerfile = "Dockerfile.two"
"#;

/// The family in this week.
fn in_week(week: &str) -> Given {
    let mut given = Given::new(REFRESHED);
    given.facts.period = week.parse().ok();
    given
}

/// The same family a version later, in this week; what was made of the last plan stands.
fn then(given: Given, version: &str, week: &str) -> Given {
    let mut given = given.with_all();
    let plan = given.plan();
    given.finish(&plan, RecordState::Done);
    // The barrier does that.
    given.newest().fresh.extend(plan.fresh);
    let mut given = given.next(version);
    given.facts.period = week.parse().ok();
    given
}

/// Each build, whether it is without cache, and why.
fn builds(plan: &Plan) -> Vec<String> {
    let build = |step: &crate::plan::Step| match &step.action {
        Action::Build(build) => {
            let cache = if build.no_cache { "no cache" } else { "cache" };
            Some(format!("{} {cache}: {}", build.image, step.why))
        }
        _ => None,
    };
    plan.steps.iter().filter_map(build).collect()
}

#[test]
fn a_new_period_is_built_without_cache_and_so_is_what_stands_on_it() {
    let given = in_week("2026-W47");
    insta::assert_snapshot!(builds(&given.plan()).join("\n"), @r"
    base no cache: nothing stands under identity cae662172fd4; a new refresh period, 2026-W47: built without cache
    variant/one no cache: its base is built; a new refresh period, 2026-W47: built without cache
    variant/two no cache: its base is built; a new refresh period, 2026-W47: built without cache
    ");
    let plan = then(given, "v1.1.0", "2026-W48").changed("base").plan();
    insta::assert_snapshot!(builds(&plan).join("\n"), @r"
    base no cache: nothing stands under identity bb259062805e; a new refresh period, 2026-W48: built without cache
    variant/one no cache: its base is built; a new refresh period, 2026-W48: built without cache
    variant/two no cache: its base is built; a new refresh period, 2026-W48: built without cache
    ");
    assert_eq!(plan.period.unwrap().to_string(), "2026-W48");
    assert_eq!(plan.record.unwrap().period, plan.period);
}

#[test]
fn a_change_of_the_sources_in_the_same_period_is_built_with_the_cache() {
    let given = then(in_week("2026-W47"), "v1.1.0", "2026-W47");
    assert_eq!(builds(&given.plan()), [""; 0]);
    for image in ["base", "variant/one"] {
        let plan = given.clone().changed(image).plan();
        assert!(
            builds(&plan).iter().all(|build| build.contains(" cache: ")),
            "{plan:?}"
        );
        assert!(
            !builds(&plan).iter().any(|build| build.contains("no cache")),
            "{plan:?}"
        );
    }
    // In a new one it is not, though the sources changed too.
    let plan = then(given, "v1.2.0", "2026-W48").changed("base").plan();
    assert!(
        builds(&plan).iter().all(|build| build.contains(" no cache: ")),
        "{plan:?}"
    );
}

#[test]
fn only_what_stands_proves_a_period() {
    // The release of this week failed before its base stood: its record carries what was known before.
    let given = then(in_week("2026-W47"), "v1.1.0", "2026-W48").changed("base");
    let plan = given.plan();
    let mut failed = given.clone();
    let mut record = plan.record.clone().unwrap();
    record.state = RecordState::Failed;
    failed.facts.newest = Some(record.clone());
    failed.facts.record = Some(record);
    assert_eq!(failed.plan().steps[1].why, plan.steps[1].why);
    assert_eq!(builds(&failed.plan()), builds(&plan));
    // What is known of images that a release leaves out is carried on.
    let mut only = then(in_week("2026-W47"), "v1.1.0", "2026-W48");
    only.options.variants = Some(vec!["one".parse().unwrap()]);
    let record = only.plan().record.unwrap();
    let weeks: Vec<String> = record
        .fresh
        .iter()
        .map(|(image, fresh)| format!("{image} {}", fresh.period.unwrap()))
        .collect();
    assert_eq!(
        weeks,
        ["base 2026-W47", "variant/one 2026-W47", "variant/two 2026-W47"]
    );
}

#[test]
fn a_new_salt_is_built_without_cache() {
    let salted = |given: &Given, image: usize, salt: &str| {
        let mut given = given.clone();
        salt.clone_into(&mut given.family.images[image].salt);
        given
    };
    let mut given = Given::new(&REFRESHED.replace("weekly", "never"));
    assert!(
        builds(&given.plan())
            .iter()
            .all(|build| build.contains(" cache: "))
    );
    given = then(given, "v1.1.0", "none");
    assert_eq!(given.newest().fresh.len(), 0);
    // Of the base: all of it.
    let base = salted(&given, 0, "1").changed("base");
    insta::assert_snapshot!(builds(&base.plan()).join("\n"), @r"
    base no cache: nothing stands under identity bb259062805e; a new salt: built without cache
    variant/one no cache: its base is built; a new salt: built without cache
    variant/two no cache: its base is built; a new salt: built without cache
    ");
    // Of a variant: that one alone.
    let one = salted(&given, 1, "1").changed("variant/one");
    insta::assert_snapshot!(builds(&one.plan()).join("\n"), @r"
    variant/one no cache: nothing stands under its identity; a new salt: built without cache
    ");
    // It stays, and something else changes.
    let later = then(one, "v1.2.0", "none").changed("variant/one");
    insta::assert_snapshot!(builds(&later.plan()).join("\n"), @r"
    variant/one cache: nothing stands under its identity
    ");
    // It goes: what is in the cache is of it.
    let gone = salted(&later, 1, "");
    insta::assert_snapshot!(builds(&gone.plan()).join("\n"), @r"
    variant/one no cache: nothing stands under its identity; a new salt: built without cache
    ");
}

/// It is an image from outside as any other.
#[test]
fn the_scanner_of_an_sbom_is_pinned() {
    let scanned = "[base.build]\nsbom = \"a.b/scanner:1\"\n[variants.one]";
    let mut given = Given::new(&REFRESHED.replace("[variants.one]", scanned));
    given
        .facts
        .upstream
        .insert("a.b/scanner:1".to_owned(), digest("scanner"));
    let sbom = |given: &Given| match &given.plan().steps[1].action {
        Action::Build(build) => build.sbom.as_str().to_owned(),
        _ => panic!("no build"),
    };
    assert_eq!(sbom(&given), format!("a.b/scanner:1@{}", digest("scanner")));
    given.family.images[0].upstream = Upstream::Float;
    assert_eq!(sbom(&given), "a.b/scanner:1");
    given.family.images[0].upstream = Upstream::Pin;
    given.facts.upstream.clear();
    assert!(given.refused().contains("the digest of `a.b/scanner:1`"));
}

#[test]
fn both_are_told() {
    let mut given = then(in_week("2026-W47"), "v1.1.0", "2026-W48").changed("base");
    given.family.images[0].salt = "1".to_owned();
    assert!(
        builds(&given.plan())[0]
            .ends_with("; a new refresh period, 2026-W48, and a new salt: built without cache")
    );
    // What is thrown away may be old.
    given.options.throw_away = true;
    assert!(
        builds(&given.plan())
            .iter()
            .all(|build| build.contains(" cache: "))
    );
}
