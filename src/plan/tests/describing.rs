//! When a release makes the repository's page.

use crate::plan::{Plan, plan_promotion};
use crate::record::RecordState;
use crate::testing::given::{DESCRIBED, DEVBOX, Given, SMALL, compact, ids};

fn describes(plan: &Plan) -> bool {
    ids(plan).contains(&"describe/page".to_owned())
}

#[test]
fn the_page_comes_after_the_last_record() {
    let plan = Given::new(DESCRIBED).with_all().plan();
    let shown = compact(&plan);
    assert!(shown.ends_with("\ndescribe/page <- record/done"), "{shown}");
    assert!(!describes(&Given::new(DEVBOX).with_all().plan()));
    let without_aliases = format!("{SMALL}\n[describe]\ntemplate = \"a\"\noutput = \"b\"\n");
    assert!(describes(&Given::new(&without_aliases).with_all().plan()));
    // After success there is nothing to do.
    assert_eq!(compact(&Given::new(DESCRIBED).done().plan()), "");
}

#[test]
fn the_page_is_that_of_the_release_that_users_get() {
    // Aliases wait for `promote`, which then makes it.
    let mut given = Given::new(DESCRIBED).with_all();
    given.options.no_promote = true;
    let plan = given.plan();
    assert!(!describes(&plan));
    given.finish(&plan, RecordState::NotPromoted);
    given.options.no_promote = false;
    let version = "v1.0.0".parse().unwrap();
    let plan = plan_promotion(&given.family, &given.facts, &version, &given.options).unwrap();
    assert!(describes(&plan));
    // A pre-release moves no alias.
    assert!(!describes(
        &Given::new(DESCRIBED).version("v1.0.0-rc.1").with_all().plan()
    ));
    // Of an older line `1.0` moves and `latest` does not.
    let given = Given::new(DESCRIBED).version("v1.1.0").done();
    let given = given
        .next("v1.0.9")
        .changed("variant/core")
        .with_image("variant/core");
    let plan = given.plan();
    assert!(ids(&plan).contains(&"alias/1.0".to_owned()), "{}", compact(&plan));
    assert!(
        !ids(&plan).contains(&"alias/latest".to_owned()),
        "{}",
        compact(&plan)
    );
    assert!(!describes(&plan));
    // A new release in which an image, and so its alias, is as it was.
    let given = Given::new(DESCRIBED).done();
    let given = given
        .next("v1.0.1")
        .changed("variant/core")
        .with_image("variant/core");
    let plan = given.plan();
    assert!(
        !ids(&plan).contains(&"alias/latest-omos".to_owned()),
        "{}",
        compact(&plan)
    );
    assert!(describes(&plan));
}
