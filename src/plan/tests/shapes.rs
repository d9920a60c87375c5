//! The steps of whole plans, as people read them: id, and what it needs.

use crate::plan::{Action, Goal};
use crate::testing::given::{DEVBOX, Given, SMALL, compact, digest, id, ids};
use insta::assert_snapshot;

#[test]
fn a_first_release() {
    assert_snapshot!(compact(&Given::new(DEVBOX).plan()), @r"
    record/planned
    build/base/linux-amd64 <- record/planned
    build/variant/core/linux-amd64 <- build/base/linux-amd64 record/planned
    build/variant/omos/linux-amd64 <- build/base/linux-amd64 record/planned
    smoke/variant/core/linux-amd64 <- build/variant/core/linux-amd64 record/planned
    smoke/variant/omos/linux-amd64 <- build/variant/omos/linux-amd64 record/planned
    build/base/linux-arm64 <- record/planned
    build/variant/core/linux-arm64 <- build/base/linux-arm64 record/planned
    build/variant/omos/linux-arm64 <- build/base/linux-arm64 record/planned
    smoke/variant/core/linux-arm64 <- build/variant/core/linux-arm64 record/planned
    smoke/variant/omos/linux-arm64 <- build/variant/omos/linux-arm64 record/planned
    assemble/base <- build/base/linux-amd64 build/base/linux-arm64
    assemble/variant/core <- build/variant/core/linux-amd64 build/variant/core/linux-arm64
    assemble/variant/omos <- build/variant/omos/linux-amd64 build/variant/omos/linux-arm64
    record/publishing <- record/planned build/base/linux-amd64 build/variant/core/linux-amd64 build/variant/omos/linux-amd64 smoke/variant/core/linux-amd64 smoke/variant/omos/linux-amd64 build/base/linux-arm64 build/variant/core/linux-arm64 build/variant/omos/linux-arm64 smoke/variant/core/linux-arm64 smoke/variant/omos/linux-arm64 assemble/base assemble/variant/core assemble/variant/omos
    tag/v1.0.0 <- record/publishing
    tag/v1.0.0-omos <- record/publishing
    alias/base-latest <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    alias/latest <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    alias/latest-omos <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    record/done <- record/publishing tag/v1.0.0 tag/v1.0.0-omos alias/base-latest alias/latest alias/latest-omos
    ");
}

#[test]
fn a_family_without_tests_for_one_platform() {
    assert_snapshot!(compact(&Given::new(SMALL).plan()), @r"
    record/planned
    build/base/linux-amd64 <- record/planned
    build/variant/only/linux-amd64 <- build/base/linux-amd64 record/planned
    assemble/base <- build/base/linux-amd64
    assemble/variant/only <- build/variant/only/linux-amd64
    record/publishing <- record/planned build/base/linux-amd64 build/variant/only/linux-amd64 assemble/base assemble/variant/only
    tag/v1.0.0-only <- record/publishing
    record/done <- record/publishing tag/v1.0.0-only
    ");
}

#[test]
fn a_change_in_one_variant_builds_that_one_alone() {
    let given = Given::new(DEVBOX).done().changed("variant/omos").next("v1.0.1");
    assert_snapshot!(compact(&given.plan()), @r"
    record/planned
    build/variant/omos/linux-amd64 <- record/planned
    smoke/variant/omos/linux-amd64 <- build/variant/omos/linux-amd64 record/planned
    build/variant/omos/linux-arm64 <- record/planned
    smoke/variant/omos/linux-arm64 <- build/variant/omos/linux-arm64 record/planned
    assemble/variant/omos <- build/variant/omos/linux-amd64 build/variant/omos/linux-arm64
    record/publishing <- record/planned build/variant/omos/linux-amd64 smoke/variant/omos/linux-amd64 build/variant/omos/linux-arm64 smoke/variant/omos/linux-arm64 assemble/variant/omos
    tag/v1.0.1 <- record/publishing
    tag/v1.0.1-omos <- record/publishing
    alias/latest-omos <- record/publishing tag/v1.0.1 tag/v1.0.1-omos
    record/done <- record/publishing tag/v1.0.1 tag/v1.0.1-omos alias/latest-omos
    ");
}

#[test]
fn a_new_version_of_unchanged_sources_only_writes_tags_and_a_record() {
    let given = Given::new(DEVBOX).done().next("v1.0.1");
    assert_snapshot!(compact(&given.plan()), @r"
    record/publishing
    tag/v1.0.1 <- record/publishing
    tag/v1.0.1-omos <- record/publishing
    record/done <- record/publishing tag/v1.0.1 tag/v1.0.1-omos
    ");
}

#[test]
fn a_new_platform_builds_only_what_is_missing() {
    let mut given = Given::new(SMALL).done().next("v1.0.1");
    let arm: crate::domain::Platform = "linux/arm64".parse().unwrap();
    for image in &mut given.family.images {
        image.platforms.push(arm.clone());
    }
    let plan = given.plan();
    assert_snapshot!(compact(&plan), @r"
    record/planned
    build/base/linux-arm64 <- record/planned
    build/variant/only/linux-arm64 <- build/base/linux-arm64 record/planned
    assemble/base <- build/base/linux-arm64
    assemble/variant/only <- build/variant/only/linux-arm64
    record/publishing <- record/planned build/base/linux-arm64 build/variant/only/linux-arm64 assemble/base assemble/variant/only
    tag/v1.0.1-only <- record/publishing
    record/done <- record/publishing tag/v1.0.1-only
    ");
    let extends: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Assemble(step) => Some(step.extends),
            _ => None,
        })
        .collect();
    assert_eq!(
        extends,
        [Some(given.index("base")), Some(given.index("variant/only"))]
    );
}

#[test]
fn a_changed_test_runs_again_and_builds_nothing() {
    let mut given = Given::new(DEVBOX).done().next("v1.0.1");
    for fact in &mut given.facts.images {
        fact.receipts.clear();
    }
    let plan = given.plan();
    assert_snapshot!(compact(&plan), @r"
    smoke/variant/core/linux-amd64
    smoke/variant/omos/linux-amd64
    smoke/variant/core/linux-arm64
    smoke/variant/omos/linux-arm64
    record/publishing <- smoke/variant/core/linux-amd64 smoke/variant/omos/linux-amd64 smoke/variant/core/linux-arm64 smoke/variant/omos/linux-arm64
    tag/v1.0.1 <- record/publishing
    tag/v1.0.1-omos <- record/publishing
    record/done <- record/publishing tag/v1.0.1 tag/v1.0.1-omos
    ");
    for step in &plan.steps {
        if let Action::Smoke(smoke) = &step.action {
            assert!(smoke.digest.is_some(), "{}", step.id);
        }
    }
}

#[test]
fn a_receipt_of_another_digest_is_none() {
    let mut given = Given::new(DEVBOX).with_all();
    let platform = "linux/arm64".parse().unwrap();
    let other = crate::testing::given::digest("another image");
    given.fact("variant/core").receipts.insert(platform, other);
    let smokes: Vec<_> = ids(&given.plan())
        .into_iter()
        .filter(|id| id.starts_with("smoke"))
        .collect();
    assert_eq!(smokes, ["smoke/variant/core/linux-arm64"]);
}

#[test]
fn a_release_that_was_cut_off_between_two_platforms_goes_on() {
    let given = Given::new(DEVBOX)
        .with_platform("base", "linux/amd64")
        .with_platform("variant/core", "linux/amd64");
    assert_snapshot!(compact(&given.plan()), @r"
    record/planned
    build/variant/omos/linux-amd64 <- record/planned
    smoke/variant/omos/linux-amd64 <- build/variant/omos/linux-amd64 record/planned
    build/base/linux-arm64 <- record/planned
    build/variant/core/linux-arm64 <- build/base/linux-arm64 record/planned
    build/variant/omos/linux-arm64 <- build/base/linux-arm64 record/planned
    smoke/variant/core/linux-arm64 <- build/variant/core/linux-arm64 record/planned
    smoke/variant/omos/linux-arm64 <- build/variant/omos/linux-arm64 record/planned
    assemble/base <- build/base/linux-arm64
    assemble/variant/core <- build/variant/core/linux-arm64
    assemble/variant/omos <- build/variant/omos/linux-amd64 build/variant/omos/linux-arm64
    record/publishing <- record/planned build/variant/omos/linux-amd64 smoke/variant/omos/linux-amd64 build/base/linux-arm64 build/variant/core/linux-arm64 build/variant/omos/linux-arm64 smoke/variant/core/linux-arm64 smoke/variant/omos/linux-arm64 assemble/base assemble/variant/core assemble/variant/omos
    tag/v1.0.0 <- record/publishing
    tag/v1.0.0-omos <- record/publishing
    alias/base-latest <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    alias/latest <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    alias/latest-omos <- record/publishing tag/v1.0.0 tag/v1.0.0-omos
    record/done <- record/publishing tag/v1.0.0 tag/v1.0.0-omos alias/base-latest alias/latest alias/latest-omos
    ");
}

#[test]
fn a_variant_on_another_base_is_built_anew() {
    let mut given = Given::new(DEVBOX).with_image("variant/omos").with_image("base");
    // Made before there was a base, so on another one than that which is there now.
    let plan = given.plan();
    let builds: Vec<_> = ids(&plan)
        .into_iter()
        .filter(|id| id.starts_with("build/"))
        .collect();
    assert!(
        builds.contains(&"build/variant/omos/linux-amd64".to_owned()),
        "{builds:?}"
    );
    let why = &plan
        .steps
        .iter()
        .find(|step| step.id.as_str() == "build/variant/omos/linux-amd64")
        .unwrap()
        .why;
    assert!(why.starts_with("it was built on base sha256:"), "{why}");
    given
        .fact("variant/omos")
        .index
        .as_mut()
        .unwrap()
        .platforms
        .clear();
    assert!(ids(&given.plan()).contains(&"build/variant/omos/linux-arm64".to_owned()));
}

#[test]
fn one_variant_alone_leaves_the_others_out_and_names_them() {
    let mut given = Given::new(DEVBOX);
    given.options.variants = Some(vec!["omos".parse().unwrap()]);
    let plan = given.plan();
    assert!(
        ids(&plan).iter().all(|id| !id.contains("core")),
        "{}",
        compact(&plan)
    );
    let record = plan.record.unwrap();
    let kept: Vec<_> = record
        .images
        .iter()
        .map(|image| image.image.to_string())
        .collect();
    let left_out: Vec<_> = record.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(
        (kept.join(" "), left_out.join(" ")),
        ("base variant/omos".into(), "variant/core".into())
    );
}

#[test]
fn a_variant_that_was_left_out_is_added_and_the_record_keeps_the_others() {
    let mut given = Given::new(DEVBOX).with_image("base").with_image("variant/omos");
    given.options.variants = Some(vec!["omos".parse().unwrap()]);
    let plan = given.plan();
    given.finish(&plan, crate::record::RecordState::Done);
    given.options.variants = Some(vec!["core".parse().unwrap()]);
    let plan = given.plan();
    assert!(
        ids(&plan).contains(&"tag/v1.0.0".to_owned()),
        "{}",
        compact(&plan)
    );
    let record = plan.record.unwrap();
    assert_eq!(record.left_out, []);
    let omos = record
        .images
        .iter()
        .find(|image| image.image.name() == "omos")
        .unwrap();
    assert_eq!(omos.digest, Some(given.index("variant/omos")));
}

#[test]
fn rebuilding_the_base_rebuilds_what_is_on_it() {
    let mut given = Given::new(DEVBOX).done().next("v1.0.1");
    given.options.rebuild = vec!["base/linux/amd64".parse().unwrap()];
    let plan = given.plan();
    let builds: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Build(build) => Some((step.id.to_string(), build.no_cache, build.replaces.is_some())),
            _ => None,
        })
        .collect();
    assert_eq!(
        builds,
        [
            ("build/base/linux-amd64".to_owned(), true, true),
            ("build/variant/core/linux-amd64".to_owned(), false, true),
            ("build/variant/omos/linux-amd64".to_owned(), false, true),
        ]
    );
}

#[test]
fn the_native_platform_comes_first() {
    let mut given = Given::new(DEVBOX);
    given.facts.builder.as_mut().unwrap().platforms.reverse();
    given.facts.builder.as_mut().unwrap().platforms.rotate_left(1);
    let ids = ids(&given.plan());
    assert_eq!(ids[1], "build/base/linux-arm64");
}

#[test]
fn other_goals() {
    let steps = |goal| {
        let mut given = Given::new(SMALL);
        given.options.goal = goal;
        ids(&given.plan()).join(" ")
    };
    let built = "build/base/linux-amd64 build/variant/only/linux-amd64 assemble/base assemble/variant/only";
    assert_eq!(steps(Goal::Build), built);
    assert_eq!(steps(Goal::Test), built);
    let mut given = Given::new(DEVBOX).with_image("base").with_image("variant/core");
    given.options.goal = Goal::Smoke;
    assert!(
        given
            .refused()
            .starts_with("1 variant/omos for linux/amd64 is not built yet")
    );
    given = given.with_image("variant/omos");
    assert_eq!(ids(&given.plan()), Vec::<String>::new());
    given.options.test_again = true;
    assert_eq!(ids(&given.plan()).len(), 4);
}

#[test]
fn a_classic_store_exports_no_cache_and_says_so() {
    let mut given = Given::new(DEVBOX);
    let exports = |given: &Given| {
        let plan = given.plan();
        let exports = plan
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Build(build) if build.cache_to.is_some()));
        (exports, plan.warnings.len(), plan.attests)
    };
    assert_eq!(exports(&given), (true, 0, true));
    given.facts.builder.as_mut().unwrap().store = crate::facts::ImageStore::Classic;
    assert_eq!(exports(&given), (false, 1, false));
}

#[test]
fn each_platform_image_has_a_cache_of_its_own_that_cannot_fail_a_release() {
    let plan = Given::new(DEVBOX).plan();
    let mut exports: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Build(build) => build.cache_to.clone(),
            _ => None,
        })
        .collect();
    assert!(
        exports
            .iter()
            .all(|export| export.ends_with(",ignore-error=true"))
    );
    exports.sort();
    exports.dedup();
    assert_eq!(exports.len(), 6);
}

#[test]
fn an_image_as_context_has_its_scheme_once_and_its_digest() {
    let contexts = |table: &str, pinned: bool| {
        let text = format!(
            "{SMALL}\n[base.build]\ncontexts = {{ x = \"docker-image://debian:13\", y = \"assets\" }}\n"
        );
        let mut given = Given::new(&text.replace("[base]\n", &format!("[base]\n{table}\n")));
        if pinned {
            given
                .facts
                .upstream
                .insert("debian:13".to_owned(), digest("debian"));
        }
        let plan = given.plan();
        let base = plan.steps.iter().find_map(|step| match &step.action {
            Action::Build(build) if build.image == id("base") => Some(build.contexts["x"].clone()),
            _ => None,
        });
        base.unwrap()
    };
    let pinned = format!("docker-image://debian:13@{}", digest("debian"));
    assert_eq!(contexts("", true), pinned);
    let floats = contexts("upstream = \"float\"", false);
    assert_eq!(floats, "docker-image://debian:13");
}
