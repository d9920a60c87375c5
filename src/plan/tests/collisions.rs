//! What stands under an identity tag and is of another identity; and what changed as a reason.

use crate::config::HashFormat;
use crate::domain::ImageId;
use crate::inputs::{Aspect, Change, ChangeWord, Subject};
use crate::plan::{Action, Goal};
use crate::testing::given::{DEVBOX, Given, SMALL, id, identity};

#[test]
fn what_is_of_another_identity_is_refused_whatever_is_asked_for() {
    let own = identity("variant/omos");
    let mut given = Given::new(DEVBOX).with_all();
    given.fact("variant/omos").index.as_mut().unwrap().identity = Some(identity("another"));
    for goal in [Goal::Release, Goal::Test, Goal::Build, Goal::Smoke] {
        given.options.goal = goal;
        let refused = given.refused();
        assert!(refused.starts_with("7 `variant-omos-"), "{refused}");
        assert!(refused.contains(&own.to_string()) && refused.contains(&identity("another").to_string()));
    }
    given.options.rebuild = vec!["variant/omos".parse().unwrap()];
    given.options.goal = Goal::Build;
    given.plan();
    // What of it is not built anew would be used.
    given.options.rebuild = vec!["variant/omos/linux/arm64".parse().unwrap()];
    assert!(given.refused().contains("variant-omos-"));

    // A platform image beside the index.
    let mut given = Given::new(DEVBOX).with_platform("base", "linux/amd64");
    let fact = given.fact("base").platforms.values_mut().next().unwrap();
    fact.identity = Some(identity("another"));
    assert!(given.refused().contains("-amd64` of base is the tag of identity"));
    given.options.rebuild = vec!["base/linux/amd64".parse().unwrap()];
    given.plan();
}

#[test]
fn what_says_nothing_is_accepted_of_a_concat_base_alone() {
    let mut given = Given::new(DEVBOX).with_all();
    for image in ["base", "variant/omos"] {
        let mut given = given.clone();
        given.fact(image).index.as_mut().unwrap().identity = None;
        assert!(given.refused().contains("does not say of which identity it is"));
    }
    given.fact("base").index.as_mut().unwrap().identity = None;
    let base = given
        .family
        .images
        .iter_mut()
        .find(|image| image.id == ImageId::Base);
    base.unwrap().hash = HashFormat::Concat;
    let plan = given.plan();
    let said = plan
        .warnings
        .iter()
        .filter(|warning| warning.contains("before splitbase"));
    assert_eq!(said.count(), 1, "{:?}", plan.warnings);
    // Another identity is another one, whatever the format.
    given.fact("base").index.as_mut().unwrap().identity = Some(identity("another"));
    assert!(given.refused().starts_with("7 "));
}

fn file(name: &str) -> Change {
    Change {
        kind: Subject::File,
        name: name.to_owned(),
        change: ChangeWord::Changed,
        before: None,
        after: None,
        aspects: vec![Aspect::Content],
        source: None,
        because: Vec::new(),
    }
}

#[test]
fn what_changed_is_the_reason_of_a_build() {
    let mut given = Given::new(SMALL);
    given.fact("base").changes = vec![file("rootfs/etc/profile"), file("z")];
    given.fact("variant/only").changes = vec![file("more")];
    let plan = given.plan();
    let whys: Vec<_> = plan.images.iter().map(|image| image.why.as_str()).collect();
    assert_eq!(whys, ["rootfs/etc/profile changed, 1 more", "more changed"]);
    let built = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Build(_)));
    let built: Vec<_> = built.map(|step| step.why.as_str()).collect();
    assert_eq!(built, whys);
    // Where it is not known, what was said before.
    let plan = Given::new(SMALL).plan();
    assert!(plan.images[0].why.starts_with("nothing stands under identity "));
    assert_eq!(plan.images[1].why, "its base is built");
    assert_eq!(plan.images[1].image, id("variant/only"));
}
