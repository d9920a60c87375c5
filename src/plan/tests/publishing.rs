//! Nothing twice, and what the record is told.

use crate::plan::{Action, differences};
use crate::record::RecordState;
use crate::testing::given::{DEVBOX, Given, SMALL, compact, digest, ids};

#[test]
fn after_success_there_is_nothing_to_do() {
    for text in [DEVBOX, SMALL] {
        let given = Given::new(text).done();
        assert_eq!(compact(&given.plan()), "");
        // Nor does it need a builder.
        let mut without = given;
        without.facts.builder = None;
        assert_eq!(compact(&without.plan()), "");
    }
}

#[test]
fn without_promotion_there_is_nothing_to_do_twice_either() {
    let mut given = Given::new(DEVBOX).with_all();
    given.options.no_promote = true;
    let plan = given.plan();
    assert_eq!(ids(&plan).last().unwrap(), "record/not-promoted");
    given.finish(&plan, RecordState::NotPromoted);
    assert_eq!(compact(&given.plan()), "");
    // With promotion there is.
    given.options.no_promote = false;
    let promoting = ids(&given.plan());
    assert!(promoting.contains(&"alias/latest".to_owned()), "{promoting:?}");
    assert!(!promoting.contains(&"tag/v1.0.0".to_owned()), "{promoting:?}");
}

#[test]
fn a_record_that_is_gone_or_failed_is_written_again() {
    let mut given = Given::new(DEVBOX).done();
    given.facts.record = None;
    assert_eq!(ids(&given.plan()), ["record/publishing", "record/done"]);
    let mut given = Given::new(DEVBOX).done();
    given.facts.record.as_mut().unwrap().state = RecordState::Failed;
    assert_eq!(ids(&given.plan()), ["record/publishing", "record/done"]);
}

#[test]
fn a_release_cut_off_while_aliases_moved_goes_on() {
    let mut given = Given::new(DEVBOX)
        .done()
        .changed("variant/core")
        .changed("variant/omos");
    given = given
        .next("v1.0.1")
        .with_image("variant/core")
        .with_image("variant/omos");
    let plan = given.plan();
    let mut record = plan.record.clone().unwrap();
    record.state = RecordState::Publishing;
    for step in &plan.steps {
        if let Action::Alias(step) = &step.action {
            let index = plan
                .images
                .iter()
                .find(|image| image.image == step.image)
                .unwrap()
                .digest;
            record.aliases.push(crate::record::RecordAlias {
                alias: step.alias.clone(),
                from: None,
                old: step.from,
                new: index,
            });
        }
    }
    let core = given.index("variant/core");
    for (tag, image) in [("v1.0.1", "variant/core"), ("v1.0.1-omos", "variant/omos")] {
        let digest = given.index(image);
        given = given.with_tag(tag, digest);
    }
    given = given.with_tag("latest", core);
    given.facts.newest = Some(record.clone());
    given.facts.record = Some(record);
    assert_eq!(
        ids(&given.plan()),
        ["record/publishing", "alias/latest-omos", "record/done"]
    );
    // A later release knows what the one that was cut off put there.
    let mut later = given.changed("variant/core").next("v1.0.2");
    later.options.force = true;
    later.facts.tags.retain(|tag, _| tag.tag().as_str() != "v1.0.1");
    let step = later
        .plan()
        .steps
        .into_iter()
        .find(|step| step.id.as_str() == "alias/latest")
        .unwrap();
    assert_eq!(step.why, "from v1.0.1");
    let earlier = later.next("v1.0.0");
    assert!(earlier.plan().warnings[0].starts_with("alias `latest` stays at v1.0.1"));
}

#[test]
fn an_alias_that_is_in_place_stands_for_the_newer_release_once_that_is_done() {
    let given = Given::new(DEVBOX).done().next("v1.0.1");
    let plan = given.plan();
    let latest = "latest".parse().unwrap();
    assert_eq!(plan.points[&latest].version.to_string(), "v1.0.1");
    // Until then it is what it was: this release may fail.
    assert_eq!(plan.record.unwrap().points[&latest].version.to_string(), "v1.0.0");
    let older = given.next("v0.9.0");
    let plan = older.plan();
    assert!(!plan.points.contains_key(&latest));
    // It holds the very digest: there is nothing to move, and nothing to warn of.
    assert_eq!(plan.warnings, Vec::<String>::new());
}

#[test]
fn what_floats_is_pinned_before_the_first_build() {
    let mut given = Given::new(DEVBOX);
    given
        .facts
        .upstream
        .insert("debian:13".to_owned(), digest("debian"));
    let plan = given.plan();
    assert_eq!(plan.steps[0].id.as_str(), "record/planned");
    assert!(plan.steps[1..].iter().all(|step| {
        let heavy = matches!(step.action, Action::Build(_) | Action::Smoke(_));
        !heavy || step.needs.contains(&plan.steps[0].id)
    }));
    assert_eq!(plan.record.unwrap().upstream, given.facts.upstream);
}

#[test]
fn the_record_says_how_far_an_earlier_run_came() {
    assert_eq!(
        Given::new(DEVBOX).plan().record.unwrap().state,
        RecordState::Planned
    );
    let mut given = Given::new(DEVBOX).done();
    given.facts.record.as_mut().unwrap().state = RecordState::Publishing;
    assert_eq!(given.plan().record.unwrap().state, RecordState::Publishing);
}

#[test]
fn differences_are_named() {
    let mut given = Given::new(DEVBOX).with_image("base");
    let saved = given.plan();
    assert_eq!(
        differences(&saved, &given.plan(), &given.facts.tags),
        Vec::<String>::new()
    );
    let changed = given.clone().changed("variant/omos").plan();
    let named = differences(&saved, &changed, &given.facts.tags);
    assert!(
        named[0].starts_with("the inputs of variant/omos changed"),
        "{named:?}"
    );
    given = given.with_image("variant/core");
    let named = differences(&saved, &given.plan(), &given.facts.tags);
    assert!(
        named
            .iter()
            .any(|line| line.contains("variant/core for linux/arm64 changed")),
        "{named:?}"
    );
    given.options.variants = Some(vec!["core".parse().unwrap()]);
    assert!(
        differences(&saved, &given.plan(), &given.facts.tags)
            .contains(&"variant/omos is no longer in the family".to_owned())
    );
}
