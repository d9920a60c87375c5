//! Publishing a release in another place, and signing before anything is published.

use crate::facts::Facts;
use crate::plan::{Action, Plan, PlanError, plan_copy, record_in};
use crate::record::{AliasPoint, Record, RecordState};
use crate::testing::given::{DEVBOX, Given, digest, family, ids};

/// The record of a release that is done, as it would be in another repository, which is empty.
fn there() -> (Given, Record) {
    let done = Given::new(DEVBOX).done();
    let text = DEVBOX.replace("acme/devbox\"", "prod/devbox\"");
    let mut given = Given::new(DEVBOX);
    given.family = family(&text);
    let record = record_in(&given.family, done.facts.record.as_ref().unwrap()).unwrap();
    given.facts = Facts::default();
    (given, record)
}

fn copy(given: &Given, record: &Record) -> Result<Plan, PlanError> {
    plan_copy(&given.family, &given.facts, record, &given.options, false)
}

/// The same, out of a folder.
fn copy_of_folder(given: &Given, record: &Record) -> Plan {
    plan_copy(&given.family, &given.facts, record, &given.options, true).unwrap()
}

fn said(given: &Given, record: &Record) -> String {
    let error = copy(given, record).unwrap_err();
    format!("{} {error}", error.exit_code().code())
}

/// What is left there after a copy that came as far as `state`.
fn copied(given: &mut Given, record: &Record, state: RecordState) {
    let plan = copy(given, record).unwrap();
    given.finish(&plan, state);
}

#[test]
fn a_copy_is_published_like_any_release() {
    let (given, record) = there();
    assert_eq!(record.repository, given.family.repository);
    assert!(record.points.is_empty() && record.aliases.is_empty());
    let plan = copy(&given, &record).unwrap();
    assert_eq!(
        ids(&plan),
        [
            "record/publishing",
            "tag/v1.0.0",
            "tag/v1.0.0-omos",
            "alias/base-latest",
            "alias/latest",
            "alias/latest-omos",
            "record/done"
        ]
    );
    for step in &plan.steps {
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        match &step.action {
            Action::Tag(_) => assert_eq!(needs, ["record/publishing"]),
            Action::Alias(_) => assert_eq!(needs, ["record/publishing", "tag/v1.0.0", "tag/v1.0.0-omos"]),
            _ => {}
        }
    }
}

#[test]
fn a_copy_that_is_there_is_nothing_to_do() {
    let (mut given, record) = there();
    copied(&mut given, &record, RecordState::Done);
    assert!(copy(&given, &record).unwrap().steps.is_empty());
    // Cut off before the last record: it is written.
    given.facts.record.as_mut().unwrap().state = RecordState::Publishing;
    assert_eq!(
        ids(&copy(&given, &record).unwrap()),
        ["record/publishing", "record/done"]
    );
}

#[test]
fn a_copy_overwrites_no_release_tag() {
    let (mut given, record) = there();
    given = given.with_tag("v1.0.0-omos", digest("another"));
    assert!(
        said(&given, &record).starts_with("7 "),
        "{}",
        said(&given, &record)
    );
    // Nor does it take another release of this version for itself.
    let (mut given, record) = there();
    copied(&mut given, &record, RecordState::Done);
    given.facts.tags.clear();
    given.facts.record.as_mut().unwrap().images[0].digest = Some(digest("another"));
    assert!(said(&given, &record).contains("has another release of this version"));
    given.facts.record.as_mut().unwrap().state = RecordState::Planned;
    assert!(said(&given, &record).contains("has begun in"));
}

#[test]
fn a_copy_moves_no_alias_backwards() {
    let (mut given, record) = there();
    copied(&mut given, &record, RecordState::Done);
    given.facts.record = None;
    let (newer, alias) = (digest("newer"), "latest-omos".parse().unwrap());
    given = given.with_tag("latest-omos", newer);
    let newest = given.newest();
    newest.version = "v2.0.0".parse().unwrap();
    newest.points.insert(
        alias,
        AliasPoint {
            digest: newer,
            version: "v2.0.0".parse().unwrap(),
        },
    );
    let plan = copy(&given, &record).unwrap();
    assert!(!ids(&plan).contains(&"alias/latest-omos".to_owned()));
    assert!(
        plan.warnings[0].contains("stays at v2.0.0"),
        "{:?}",
        plan.warnings
    );
    // One that no record knows is left alone.
    given = given.with_tag("latest-omos", digest("somebody's"));
    assert!(said(&given, &record).starts_with("7 "));
}

#[test]
fn a_copy_keeps_what_its_aliases_pointed_at() {
    let (mut given, record) = there();
    copied(&mut given, &record, RecordState::Publishing);
    let begun = given.facts.record.as_mut().unwrap();
    begun.aliases.push(crate::record::RecordAlias {
        alias: "latest".parse().unwrap(),
        old: Some(digest("old")),
        from: None,
        new: None,
    });
    let begun = begun.aliases.clone();
    let plan = copy(&given, &record).unwrap();
    assert_eq!(plan.record.unwrap().aliases, begun);
}

#[test]
fn only_a_release_that_stands_is_copied() {
    let done = Given::new(DEVBOX).done();
    for state in [RecordState::Planned, RecordState::Publishing, RecordState::Failed] {
        let mut record = done.facts.record.clone().unwrap();
        record.state = state;
        let error = record_in(&done.family, &record).unwrap_err();
        assert_eq!(error.exit_code().code(), 7);
    }
}

#[test]
fn a_mirror_gets_no_aliases_that_did_not_move() {
    let (mut given, record) = there();
    given.options.no_promote = true;
    let plan = copy(&given, &record).unwrap();
    assert_eq!(
        ids(&plan),
        [
            "record/publishing",
            "tag/v1.0.0",
            "tag/v1.0.0-omos",
            "record/not-promoted"
        ]
    );
}

#[test]
fn every_image_is_signed_before_the_first_tag() {
    let text = format!("{DEVBOX}\n[sign]\ncosign = []\n");
    let given = Given::new(&text).with_all();
    let plan = given.plan();
    let signed: Vec<_> = ids(&plan)
        .into_iter()
        .filter(|id| id.starts_with("sign/"))
        .collect();
    assert_eq!(signed.len(), 3, "{:?}", ids(&plan));
    for step in &plan.steps {
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        match &step.action {
            Action::Tag(_) | Action::Alias(_) => {
                assert!(
                    signed.iter().all(|sign| needs.contains(sign)),
                    "{}: {needs:?}",
                    step.id
                );
            }
            Action::Sign(_) => assert_eq!(needs, ["record/publishing"]),
            _ => {}
        }
    }
    assert!(
        Given::new(&text).done().plan().steps.is_empty(),
        "what is done is not signed again"
    );
    let mut folder = Given::new(&text).with_all();
    folder.options.target = "oci:out".parse().unwrap();
    let plan = folder.plan();
    assert!(!ids(&plan).iter().any(|id| id.starts_with("sign/")));
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.contains("nothing is signed"))
    );
}

#[test]
fn what_comes_out_of_a_folder_is_signed_where_it_goes() {
    let (mut given, record) = there();
    // Without `[sign]` nothing is.
    let plain = copy(&given, &record).unwrap();
    assert_eq!(ids(&copy_of_folder(&given, &record)), ids(&plain));
    let text = DEVBOX.replace("acme/devbox\"", "prod/devbox\"");
    given.family = family(&format!("{text}\n[sign]\ncosign = [\"--key\", \"cosign.key\"]\n"));
    // What comes from a registry brings its signatures along.
    assert_eq!(ids(&copy(&given, &record).unwrap()), ids(&plain));
    let plan = copy_of_folder(&given, &record);
    let signing = ["sign/base", "sign/variant/core", "sign/variant/omos"];
    assert_eq!(ids(&plan)[1..4], signing);
    for step in plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Tag(_)))
    {
        let needs: Vec<_> = step.needs.iter().map(ToString::to_string).collect();
        assert_eq!(needs, [&["record/publishing"][..], &signing[..]].concat());
    }
}
