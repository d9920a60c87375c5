//! Bases from elsewhere or none at all, and tags in several repositories.

use crate::domain::{Digest, Mark, TargetRef};
use crate::plan::{Action, BuildStep, Plan};
use crate::testing::given::{Given, compact, digest, ids};
use insta::assert_snapshot;

const HEAD: &str = r#"
schema = 1
[family]
name = "small"
repository = "registry.example.org/acme/small"
platforms = ["linux/amd64", "linux/arm/v7"]
"#;

const BASE: &str = "docker.io/other/devbox:base-latest";

/// A family on a base from elsewhere that is there for these platforms; `None`: it was not read.
fn on_base(platforms: Option<&[&str]>) -> Given {
    let text = format!("{HEAD}[base]\nimage = \"{BASE}\"\n[variants.only]\n");
    let mut given = Given::new(&text);
    given.facts.upstream.insert(BASE.to_owned(), digest("index"));
    given.facts.base_platforms = platforms.map(|platforms| {
        let read = |text: &&str| (text.parse().unwrap(), digest(text));
        platforms.iter().map(read).collect()
    });
    given
}

fn without_base() -> Given {
    Given::new(&format!("{HEAD}[variants.one]\n[variants.two]\n"))
}

fn builds(plan: &Plan) -> Vec<&BuildStep> {
    let build = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Build(build) => Some(&**build),
        _ => None,
    });
    build.collect()
}

/// The repositories of all steps, with those that tags come from.
fn places(plan: &Plan) -> String {
    let lines = plan.steps.iter().filter_map(|step| {
        let (repository, source) = match &step.action {
            Action::Build(build) => (&build.repository, None),
            Action::Smoke(smoke) => (&smoke.repository, None),
            Action::Assemble(assemble) => (&assemble.repository, None),
            Action::Tag(tag) => (&tag.repository, tag.source.as_ref()),
            Action::Alias(alias) => (&alias.repository, alias.source.as_ref()),
            Action::Sign(sign) => (&sign.repository, sign.source.as_ref()),
            Action::Record(_) | Action::Describe(_) | Action::Move(_) => return None,
        };
        let source = source.map_or_else(String::new, |source| format!(" from {}", source.path()));
        Some(format!("{}: {}{source}", step.id, repository.path()))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_of_a_base_from_elsewhere_is_built_tested_or_tagged() {
    let given = on_base(Some(&["linux/amd64", "linux/arm/v7"]));
    let plan = given.plan();
    assert_snapshot!(compact(&plan), @"
    record/planned
    build/variant/only/linux-amd64 <- record/planned
    build/variant/only/linux-arm-v7 <- record/planned
    assemble/variant/only <- build/variant/only/linux-amd64 build/variant/only/linux-arm-v7
    record/publishing <- record/planned build/variant/only/linux-amd64 build/variant/only/linux-arm-v7 assemble/variant/only
    tag/v1.0.0-only <- record/publishing
    alias/latest-only <- record/publishing tag/v1.0.0-only
    record/done <- record/publishing tag/v1.0.0-only alias/latest-only
    ");
    let used: Vec<(String, Option<Digest>)> = builds(&plan)
        .iter()
        .map(|build| {
            let base = build.base.as_ref().unwrap();
            (build.base_repository().to_string(), base.digest)
        })
        .collect();
    let here = |platform: &str| ("docker.io/other/devbox".to_owned(), Some(digest(platform)));
    assert_eq!(used, [here("linux/amd64"), here("linux/arm/v7")]);
    assert_eq!(plan.upstream[BASE], digest("index"));
    assert_eq!(plan.record.unwrap().upstream[BASE], digest("index"));
}

#[test]
fn a_base_that_lacks_a_platform_is_refused() {
    let given = on_base(Some(&["linux/amd64", "linux/arm64"]));
    assert_snapshot!(given.refused(), @"2 variant/only is for linux/arm/v7, and its base `docker.io/other/devbox:base-latest@sha256:1bc04b5291c26a46d918139138b992d2de976d6851d0893b0476b85bfbdfc6e6` is only for linux/amd64, linux/arm64");
    // What is there already does not need it.
    let given = on_base(Some(&["linux/amd64"])).with_platform("variant/only", "linux/arm/v7");
    assert_eq!(builds(&given.plan()).len(), 1);
    assert!(on_base(Some(&[])).refused().ends_with("is only for no platform"));
}

#[test]
fn the_best_variant_of_an_architecture_is_taken() {
    let base = |platforms: &[&str]| {
        let plan = on_base(Some(platforms)).plan();
        builds(&plan)[1].base.as_ref().unwrap().digest
    };
    assert_eq!(
        base(&["linux/amd64", "linux/arm/v5", "linux/arm/v6"]),
        Some(digest("linux/arm/v6"))
    );
    assert_eq!(
        base(&["linux/amd64", "linux/arm/v6", "linux/arm/v7"]),
        Some(digest("linux/arm/v7"))
    );
    let newer = on_base(Some(&["linux/amd64", "linux/arm/v8"]));
    assert!(newer.refused().starts_with("2 "), "{}", newer.refused());
}

/// Those of them that users pull from.
fn published(plan: &Plan) -> String {
    let places = places(plan);
    let lines = places.lines();
    let public = lines.filter(|line| line.starts_with("tag/") || line.starts_with("alias/"));
    public.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_base_from_elsewhere_is_not_needed_once_all_stands() {
    let given = on_base(None).done();
    assert_eq!(compact(&given.plan()), "");
    assert_eq!(
        on_base(None).refused(),
        "2 the facts do not hold the base of variant/only for linux/amd64"
    );
}

#[test]
fn without_a_base_every_variant_starts_at_once() {
    let given = without_base();
    let plan = given.plan();
    assert_snapshot!(compact(&plan), @"
    record/planned
    build/variant/one/linux-amd64 <- record/planned
    build/variant/two/linux-amd64 <- record/planned
    build/variant/one/linux-arm-v7 <- record/planned
    build/variant/two/linux-arm-v7 <- record/planned
    assemble/variant/one <- build/variant/one/linux-amd64 build/variant/one/linux-arm-v7
    assemble/variant/two <- build/variant/two/linux-amd64 build/variant/two/linux-arm-v7
    record/publishing <- record/planned build/variant/one/linux-amd64 build/variant/two/linux-amd64 build/variant/one/linux-arm-v7 build/variant/two/linux-arm-v7 assemble/variant/one assemble/variant/two
    tag/v1.0.0-one <- record/publishing
    tag/v1.0.0-two <- record/publishing
    alias/latest-one <- record/publishing tag/v1.0.0-one tag/v1.0.0-two
    alias/latest-two <- record/publishing tag/v1.0.0-one tag/v1.0.0-two
    record/done <- record/publishing tag/v1.0.0-one tag/v1.0.0-two alias/latest-one alias/latest-two
    ");
    assert!(builds(&plan).iter().all(|build| build.base.is_none()));
    assert_eq!(compact(&given.done().plan()), "");
}

#[test]
fn machine_tags_have_a_repository_of_their_own() {
    let text = format!(
        "{HEAD}work-repository = \"registry.example.org/acme/work\"\n[base]\n[variants.only]\n[smoke]\ncommand = [\"true\"]\n"
    );
    let mut given = Given::new(&text);
    given.family.platforms.truncate(1);
    for image in &mut given.family.images {
        image.platforms.truncate(1);
    }
    let plan = given.plan();
    assert_snapshot!(places(&plan), @"
    build/base/linux-amd64: acme/work
    build/variant/only/linux-amd64: acme/work
    smoke/variant/only/linux-amd64: acme/work
    assemble/base: acme/work
    assemble/variant/only: acme/work
    tag/v1.0.0-only: acme/small from acme/work
    alias/base-latest: acme/small from acme/work
    alias/latest-only: acme/small from acme/work
    ");
    assert_eq!(plan.work().path(), "acme/work");
    assert!(builds(&plan).iter().all(|build| {
        let cache = build.cache_to.as_ref().unwrap();
        cache.contains("registry.example.org/acme/work:cache-")
    }));
    assert_eq!(compact(&given.done().plan()), "");
}

#[test]
fn variants_have_repositories_of_their_own() {
    let text = format!(
        "{HEAD}[base]\n[variant]\ntags = [\"{{version}}\"]\naliases = [\"latest\"]\n[variants.core]\n\
         [variants.omos]\nrepository = \"registry.example.org/acme/omos\"\n"
    );
    let given = Given::new(&text);
    let plan = given.plan();
    assert_snapshot!(published(&plan), @"
    tag/v1.0.0: acme/small
    tag/registry.example.org/acme/omos:v1.0.0: acme/omos from acme/small
    alias/base-latest: acme/small
    alias/latest: acme/small
    alias/registry.example.org/acme/omos:latest: acme/omos from acme/small
    ");
    assert!(
        builds(&plan)
            .iter()
            .all(|build| build.repository.path() == "acme/small")
    );
    // The same names in two repositories are two tags, each with what stands there.
    let done = given.done();
    assert_eq!(compact(&done.plan()), "");
    assert_eq!(done.facts.tags.len(), 5);
    let next = done.changed("variant/omos").next("v1.0.1");
    assert_snapshot!(ids(&next.plan()).join("\n"), @"
    record/planned
    build/variant/omos/linux-amd64
    build/variant/omos/linux-arm-v7
    assemble/variant/omos
    record/publishing
    tag/v1.0.1
    tag/registry.example.org/acme/omos:v1.0.1
    alias/registry.example.org/acme/omos:latest
    record/done
    ");
    assert_snapshot!(
        next.with_tag("registry.example.org/acme/omos:v1.0.1", digest("foreign")).refused(),
        @"7 release tag `registry.example.org/acme/omos:v1.0.1` stands at sha256:656771905e1ef731f65cd0a0d9fb061238380a1a012e6abdf846ecc7d2ea36fd, and variant/omos would be built or completed anew"
    );
}

#[test]
fn tags_of_two_repositories_that_coincide_are_refused_in_a_folder() {
    let small = |omos: &str| {
        let mut given = Given::new(&format!(
            "{HEAD}[base]\n[variant]\ntags = [\"{{version}}\"]\n[variants.core]\naliases = [\"latest\"]\n\
             [variants.omos]\nrepository = \"registry.example.org/acme/omos\"\n{omos}\n"
        ));
        given.options.target = TargetRef::Layout("/out".into());
        given
    };
    assert_snapshot!(
        small("aliases = [\"omos\"]").refused(),
        @"2 variant/core and variant/omos would both get the tag `registry.example.org/acme/omos:v1.0.0`"
    );
    assert_snapshot!(
        small("tags = [\"{version}-omos\"]\naliases = [\"latest\"]").refused(),
        @"2 variant/core and variant/omos would both get the tag `registry.example.org/acme/omos:latest`"
    );
    let apart = small("tags = [\"{version}-omos\"]\naliases = [\"omos\"]");
    assert_snapshot!(published(&apart.plan()), @"
    tag/v1.0.0: acme/small
    tag/registry.example.org/acme/omos:v1.0.0-omos: acme/omos from acme/small
    alias/base-latest: acme/small
    alias/latest: acme/small
    alias/registry.example.org/acme/omos:omos: acme/omos from acme/small
    ");
    // A registry keeps them apart.
    let mut registry = small("aliases = [\"latest\"]");
    registry.options.target = TargetRef::Registry;
    assert!(ids(&registry.plan()).contains(&"tag/v1.0.0".to_owned()));
}

#[test]
fn a_second_family_has_caches_of_its_own() {
    let mut given = without_base();
    given.facts.mark = Mark::of("small");
    let plan = given.plan();
    assert_eq!(plan.mark, Mark::of("small"));
    let caches: Vec<_> = builds(&plan)
        .iter()
        .map(|build| build.cache_from[0].clone())
        .collect();
    assert_eq!(
        caches[0],
        "type=registry,ref=registry.example.org/acme/small:cache-small.variant-one-amd64"
    );
    let mut now = given.clone();
    now.facts.mark = Mark::default();
    assert_snapshot!(
        crate::plan::differences(&plan, &now.plan(), &now.facts.tags).join("\n"),
        @"the records of the family were `_release.small` then, are `_release` now"
    );
}
