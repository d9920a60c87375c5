//! Nothing is promoted, and nothing that was cut off is finished, before all of it is signed; and mirrors get nothing that is taken back.

use crate::plan::{Action, Plan, Way, plan_promotion, plan_recovery, plan_rollback};
use crate::record::{Attempt, RecordAlias, RecordMove, RecordState};
use crate::testing::given::{DEVBOX, Given, digest, ids};

const ALL: [&str; 3] = ["sign/base", "sign/variant/core", "sign/variant/omos"];

fn signing() -> String {
    format!("{DEVBOX}\n[sign]\ncosign = []\n")
}

/// The base has no release tag: only its alias leads to it.
#[track_caller]
fn signs_first(plan: &Plan) {
    let signed = ids(plan).into_iter().filter(|id| id.starts_with("sign/"));
    let mut signed: Vec<_> = signed.collect();
    signed.sort();
    assert_eq!(signed, ALL);
    for step in &plan.steps {
        let moves = matches!(step.action, Action::Tag(_) | Action::Alias(_) | Action::Move(_));
        let needs = |id: &str| step.needs.iter().any(|need| need.as_str() == id);
        assert!(!moves || ALL.iter().all(|id| needs(id)), "{step:?}");
    }
}

/// What an unfinished release is about to write, nothing of which is written yet.
fn attempt(plan: &Plan) -> Attempt {
    let images = plan.images.iter();
    let moves = |names: fn(&crate::plan::PlanImage) -> &Vec<crate::domain::PublicTag>| {
        let images = images.clone();
        let moves = images.flat_map(|image| {
            let moved = |tag: &crate::domain::PublicTag| RecordMove {
                tag: tag.clone(),
                old: None,
                new: image.digest,
                old_version: None,
                new_version: plan.version.clone(),
            };
            names(image).iter().map(moved).collect::<Vec<_>>()
        });
        moves.collect()
    };
    Attempt {
        before: RecordState::Planned,
        goal: RecordState::Done,
        tags: moves(|image| &image.tags),
        aliases: moves(|image| &image.aliases),
    }
}

/// Cut off between the barrier and the first signature.
fn cut_off(text: &str) -> Given {
    let mut given = Given::new(text).with_all();
    let plan = given.plan();
    given.finish(&plan, RecordState::Publishing);
    given.facts.tags.clear();
    given.facts.record.as_mut().unwrap().attempt = Some(attempt(&plan));
    given.facts.newest.clone_from(&given.facts.record);
    given
}

fn recover(given: &Given, way: Way) -> Plan {
    plan_recovery(&given.family, &given.facts, way, &given.options).unwrap()
}

#[test]
fn what_was_cut_off_is_signed_before_it_is_finished() {
    let given = cut_off(&signing());
    let plan = recover(&given, Way::Finish);
    assert!(ids(&plan).contains(&"move/v1.0.0".to_owned()), "{:?}", ids(&plan));
    signs_first(&plan);
    // What is taken back needs no signature.
    let plan = recover(&given, Way::Undo);
    assert!(ids(&plan).iter().all(|id| !id.starts_with("sign/")));
    // Nor is anything signed in a folder.
    let mut folder = given;
    folder.options.target = "oci:out".parse().unwrap();
    let plan = recover(&folder, Way::Finish);
    assert!(ids(&plan).iter().all(|id| !id.starts_with("sign/")));
}

#[test]
fn what_is_promoted_is_signed_before_an_alias_moves() {
    let mut given = Given::new(&signing()).with_all();
    given.options.no_promote = true;
    let plan = given.plan();
    signs_first(&plan);
    given.finish(&plan, RecordState::NotPromoted);
    given.options.no_promote = false;
    let version = "v1.0.0".parse().unwrap();
    let plan = plan_promotion(&given.family, &given.facts, &version, &given.options).unwrap();
    assert!(ids(&plan).contains(&"alias/base-latest".to_owned()));
    signs_first(&plan);
}

const MIRROR: &str = "mirror.example.org/acme/devbox";

fn mirrored() -> String {
    DEVBOX.replace("[base]", &format!("mirrors = [\"{MIRROR}\"]\n[base]"))
}

#[test]
fn mirrors_get_what_is_finished_and_nothing_that_is_taken_back() {
    let given = cut_off(&mirrored());
    assert_eq!(recover(&given, Way::Finish).mirrors.len(), 1);
    assert_eq!(recover(&given, Way::Undo).mirrors, []);
}

#[test]
fn a_rollback_leaves_mirrors_alone_and_says_how_theirs_is_done() {
    let mut given = Given::new(&mirrored()).done();
    let new = given.index("variant/core");
    given.facts.record.as_mut().unwrap().aliases = vec![RecordAlias {
        alias: "latest".parse().unwrap(),
        old: Some(digest("old")),
        from: Some("v0.9.0".parse().unwrap()),
        new: Some(new),
    }];
    let says = |plan: &Plan| {
        assert_eq!(plan.mirrors, []);
        let way = format!("`splitbase rollback v1.0.0 --repository {MIRROR}`");
        assert!(plan.warnings.join("\n").contains(&way), "{:?}", plan.warnings);
    };
    let plan = plan_rollback(&given.family, &given.facts, &given.options).unwrap();
    assert!(ids(&plan).contains(&"move/latest".to_owned()));
    says(&plan);
    // Nor does one that was cut off, and is finished.
    let record = given.facts.record.as_mut().unwrap();
    record.attempt.clone_from(&plan.record.unwrap().attempt);
    record.state = RecordState::Publishing;
    says(&recover(&given, Way::Finish));
}
