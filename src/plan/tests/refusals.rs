//! What a plan refuses before anything is built or written.

use crate::domain::Versioning;
use crate::facts::Facts;
use crate::plan::{Options, Plan};
use crate::record::RecordState;
use crate::testing::given::{DEVBOX, Given, SMALL, digest, ids};

#[test]
fn release_tags_are_written_once() {
    let mut given = Given::new(DEVBOX).with_all();
    let own = given.index("variant/core");
    assert!(!ids(&given.clone().with_tag("v1.0.0", own).plan()).contains(&"tag/v1.0.0".to_owned()));
    let other = given.with_tag("v1.0.0", digest("another"));
    let refused = other.refused();
    let there = format!("7 release tag `v1.0.0` stands at {}", digest("another"));
    assert!(refused.starts_with(&there), "{refused}");
    assert!(refused.contains(&format!("is at {own}")), "{refused}");
    let hints = other.try_plan().unwrap_err().hints().join("\n");
    assert!(hints.contains("`--force`"), "{hints}");
    // Also before it is known what would be written there.
    let unbuilt = Given::new(DEVBOX).with_tag("v1.0.0-omos", digest("another"));
    assert!(unbuilt.refused().contains("and variant/omos would be built"));
    let mut forced = other;
    forced.options.force = true;
    assert!(ids(&forced.plan()).contains(&"tag/v1.0.0".to_owned()));
}

#[test]
fn another_release_that_is_unfinished() {
    for state in [RecordState::Planned, RecordState::Publishing] {
        let mut given = Given::new(DEVBOX).done();
        given.newest().state = state;
        let mut other = given.clone().next("v1.0.1");
        assert!(other.refused().starts_with("7 release `v1.0.0` is unfinished"));
        other.options.force = true;
        other.plan();
        // The same release goes on.
        given.facts.record = given.facts.newest.clone();
        assert!(ids(&given.plan()).contains(&"record/done".to_owned()));
    }
    for state in [RecordState::Done, RecordState::NotPromoted, RecordState::Failed] {
        let mut given = Given::new(DEVBOX).done().next("v1.0.1");
        given.newest().state = state;
        given.plan();
    }
}

#[test]
fn the_same_release_by_a_living_process() {
    let mut given = Given::new(DEVBOX).done();
    given.facts.alive = Some(4711);
    assert_eq!(
        given.refused(),
        "7 release `v1.0.0` is being made by process 4711 on this machine"
    );
}

#[test]
fn an_alias_that_no_record_knows() {
    let mut given = Given::new(DEVBOX).with_tag("latest", digest("foreign"));
    let refused = given.refused();
    assert!(
        refused.starts_with("7 alias `latest` points at sha256:"),
        "{refused}"
    );
    given.options.no_promote = true;
    given.plan();
    given.options.no_promote = false;
    given.options.adopt = true;
    assert!(ids(&given.plan()).contains(&"alias/latest".to_owned()));
}

#[test]
fn an_alias_that_somebody_moved_after_the_release() {
    let given = Given::new(DEVBOX).done().with_tag("latest", digest("foreign"));
    assert!(given.refused().starts_with("7 alias `latest`"));
    assert!(
        given
            .clone()
            .next("v1.0.1")
            .refused()
            .starts_with("7 alias `latest`")
    );
}

/// Putting an alias back by hand does not make what the newest record replaced known again.
#[test]
fn an_alias_that_was_put_back_by_hand() {
    let mut given = Given::new(DEVBOX).done();
    let plan = given.plan();
    assert_eq!(ids(&plan), Vec::<String>::new());
    let old = digest("what v0.9.0 was");
    given.newest().aliases = vec![crate::record::RecordAlias {
        alias: "latest".parse().unwrap(),
        from: None,
        old: Some(old),
        new: given.clone().facts.tags.get(&"latest".parse().unwrap()).copied(),
    }];
    let given = given
        .changed("variant/core")
        .with_tag("latest", old)
        .next("v0.8.0");
    assert!(given.refused().starts_with("7 alias `latest`"));
}

/// Whether `latest` moves from a release to a later one of this scheme.
fn moves(scheme: Versioning, from: &str, to: &str) -> String {
    let mut given = Given::new(DEVBOX).version(from);
    given.family.versioning = scheme;
    let mut given = given.done().changed("variant/core").next(to);
    given.facts.tags.retain(|tag, _| tag.tag().as_str() != from);
    match given.try_plan() {
        Ok(plan) if ids(&plan).contains(&"alias/latest".to_owned()) => "moves".to_owned(),
        Ok(plan) if plan.warnings.iter().any(|warning| warning.contains("stays")) => "stays".to_owned(),
        Ok(_) => "neither".to_owned(),
        Err(error) => error.exit_code().code().to_string(),
    }
}

#[test]
fn aliases_never_go_backwards() {
    for (scheme, from, to, what) in [
        (Versioning::Semver, "v1.2.3", "v1.2.4", "moves"),
        (Versioning::Semver, "v1.10.0", "v1.9.0", "stays"),
        (Versioning::SemverLetter, "v1.14.20", "v1.14.20b", "moves"),
        (Versioning::SemverLetter, "v1.14.20b", "v1.14.20", "stays"),
        (Versioning::SemverLetter, "v1.14.21", "v1.14.20c", "stays"),
        (Versioning::Calver, "2025.12", "2026.1", "moves"),
        (Versioning::Calver, "2026.10", "2026.9", "stays"),
        (Versioning::None, "b", "a", "moves"),
    ] {
        assert_eq!(moves(scheme, from, to), what, "{scheme:?} {from} {to}");
    }
}

#[test]
fn an_order_that_is_not_known_is_no_reason_to_move() {
    let mut given = Given::new(DEVBOX)
        .version("v1.14.20b")
        .done()
        .changed("variant/core");
    given.family.versioning = Versioning::Semver;
    let mut given = given.next("v1.14.20");
    assert!(
        given
            .refused()
            .starts_with("7 alias `latest` points at v1.14.20b")
    );
    given.options.adopt = true;
    given.plan();
}

#[test]
fn a_prerelease_leaves_aliases_alone() {
    let given = Given::new(DEVBOX).version("v1.1.0-rc.1").with_all();
    let plan = given.plan();
    assert!(ids(&plan).iter().all(|id| !id.starts_with("alias/")));
    assert!(ids(&plan).contains(&"record/not-promoted".to_owned()));
}

#[test]
fn what_the_family_does_not_have() {
    let with = |change: fn(&mut Options)| {
        let mut given = Given::new(DEVBOX);
        change(&mut given.options);
        given.refused()
    };
    let unknown = with(|options| options.variants = Some(vec!["pi".parse().unwrap()]));
    assert_eq!(unknown, "2 there is no variant `pi`; there are: core, omos");
    let rebuild = with(|options| options.rebuild = vec!["base/linux/arm/v7".parse().unwrap()]);
    assert_eq!(
        rebuild,
        "2 there is no `base/linux/arm/v7` to rebuild in this family"
    );
    assert!(with(|options| options.version = None).starts_with("2 a release needs a version"));
    assert!(with(|options| options.version = Some("1.x".parse().unwrap())).starts_with("2 "));
}

#[test]
fn a_platform_that_the_builder_cannot_build_for() {
    let mut given = Given::new(DEVBOX);
    given.facts.builder.as_mut().unwrap().platforms.truncate(1);
    assert!(
        given
            .refused()
            .starts_with("1 builder `default` cannot build for linux/arm64")
    );
    // What is there need not be built.
    given = given.with_all();
    given.plan();
}

#[test]
fn two_images_with_one_tag() {
    let text = SMALL.replace("\"{version}-{variant}\"", "\"{version}\"");
    let text = format!("{text}[variants.other]\ndockerfile = \"Dockerfile.other\"\n");
    let parsed = crate::config::parse(
        &text,
        "variants.toml".into(),
        &crate::environment::Environment::default(),
        &crate::config::Overrides::default(),
    );
    // Found when the file is read, or else here.
    if parsed.is_ok() {
        let refused = Given::new(&text).refused();
        assert!(refused.contains("would both get the tag `v1.0.0`"), "{refused}");
    }
}

#[test]
fn facts_that_do_not_fit_are_no_reason_to_panic() {
    let mut given = Given::new(DEVBOX);
    given.facts = Facts::default();
    assert_eq!(given.refused(), "2 the facts do not hold the image `base`");
}

#[test]
fn plans_survive_json() {
    let given = Given::new(DEVBOX);
    let plan = given.plan();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let saved = serde_json::to_string(&(&given.family, &given.options, &given.facts)).unwrap();
    let (family, options, facts) = serde_json::from_str(&saved).unwrap();
    let again = Given {
        family,
        facts,
        options,
    };
    assert_eq!(serde_json::to_string(&again.plan()).unwrap(), text);
}
