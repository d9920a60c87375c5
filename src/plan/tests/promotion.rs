//! Moving the aliases later.

use crate::plan::{Plan, PlanError, plan_promotion};
use crate::record::RecordState;
use crate::testing::given::{DEVBOX, Given, compact, digest, ids};

fn promote(given: &Given, version: &str) -> Result<Plan, PlanError> {
    plan_promotion(
        &given.family,
        &given.facts,
        &version.parse().unwrap(),
        &given.options,
    )
}

/// A release whose tags stand and whose aliases wait.
fn waiting() -> Given {
    let mut given = Given::new(DEVBOX).with_all();
    given.options.no_promote = true;
    let plan = given.plan();
    given.finish(&plan, RecordState::NotPromoted);
    given.options.no_promote = false;
    given
}

fn refused(given: &Given, version: &str) -> String {
    let error = promote(given, version).unwrap_err();
    format!("{} {error}", error.exit_code().code())
}

#[test]
fn moves_every_alias_of_a_release_that_stands() {
    let plan = promote(&waiting(), "v1.0.0").unwrap();
    insta::assert_snapshot!(compact(&plan), @r"
    record/publishing
    alias/base-latest <- record/publishing
    alias/latest <- record/publishing
    alias/latest-omos <- record/publishing
    record/done <- record/publishing alias/base-latest alias/latest alias/latest-omos
    ");
    assert_eq!(plan.images.len(), 3);
}

#[test]
fn nothing_to_do_when_they_have_moved() {
    assert_eq!(
        compact(&promote(&Given::new(DEVBOX).done(), "v1.0.0").unwrap()),
        ""
    );
}

#[test]
fn only_what_stands() {
    let mut given = waiting();
    for state in [RecordState::Planned, RecordState::Failed] {
        given.facts.record.as_mut().unwrap().state = state;
        assert!(refused(&given, "v1.0.0").contains("it is not finished"));
    }
    let moved = waiting().with_tag("v1.0.0", digest("another"));
    assert!(refused(&moved, "v1.0.0").contains("its release tag `v1.0.0` is not at sha256:"));
    let mut without = waiting();
    without.facts.record = None;
    assert!(refused(&without, "v1.0.0").starts_with("7 release `v1.0.0` cannot be promoted"));
}

#[test]
fn a_promotion_that_was_cut_off_goes_on() {
    let mut given = waiting();
    let index = given.index("variant/core");
    given = given.with_tag("latest", index);
    for record in [&mut given.facts.record, &mut given.facts.newest] {
        record.as_mut().unwrap().state = RecordState::Publishing;
    }
    let steps = ids(&promote(&given, "v1.0.0").unwrap());
    assert!(!steps.contains(&"alias/latest".to_owned()), "{steps:?}");
    assert!(steps.contains(&"alias/latest-omos".to_owned()), "{steps:?}");
}

#[test]
fn not_while_another_release_is_unfinished() {
    let mut given = waiting();
    let newest = given.newest();
    newest.version = "v1.1.0".parse().unwrap();
    newest.state = RecordState::Publishing;
    assert!(refused(&given, "v1.0.0").starts_with("7 release `v1.1.0` is unfinished"));
}

#[test]
fn never_backwards() {
    // v1.0.0 and v1.1.0 have the same images; the aliases stand for the newer one.
    let mut given = Given::new(DEVBOX).done();
    let first = given.facts.record.clone();
    given = given.next("v1.1.0");
    let plan = given.plan();
    given.finish(&plan, RecordState::Done);
    let mut again = given.clone();
    again.facts.record = first.clone();
    again.facts.record.as_mut().unwrap().state = RecordState::NotPromoted;
    let tags: Vec<_> = first
        .unwrap()
        .images
        .into_iter()
        .flat_map(|image| {
            image
                .tags
                .into_iter()
                .map(move |tag| (tag, image.digest.unwrap()))
        })
        .collect();
    again.facts.tags.extend(tags);
    let plan = promote(&again, "v1.0.0").unwrap();
    assert!(
        ids(&plan).iter().all(|id| !id.starts_with("alias/")),
        "{}",
        compact(&plan)
    );
    assert_eq!(plan.points, [].into());
    assert!(
        plan.record
            .unwrap()
            .points
            .values()
            .all(|point| point.version.as_str() == "v1.1.0")
    );
}
