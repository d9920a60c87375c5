//! What holds for every family, whatever stands in the registry.

use crate::domain::Platform;
use crate::plan::{Action, Goal, Plan, Step, StepId};
use crate::record::RecordState;
use crate::testing::given::{Given, compact, digest};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const PLATFORMS: [&str; 3] = ["linux/amd64", "linux/arm64", "linux/arm/v7"];

/// What stands of one platform image.
#[derive(Debug, Clone, Copy)]
enum Stands {
    Nothing,
    Image,
    Tested,
    OnAnotherBase,
}

#[derive(Debug, Clone)]
struct Made {
    smoke: bool,
    platforms: usize,
    /// For base and variants: what stands for each platform, and whether an index joins it.
    images: Vec<([Stands; 3], bool)>,
    no_promote: bool,
    selected: Option<usize>,
    rebuild: Option<usize>,
    released: bool,
    goal: Goal,
}

fn made() -> impl Strategy<Value = Made> {
    let stands = prop_oneof![
        Just(Stands::Nothing),
        Just(Stands::Image),
        Just(Stands::Tested),
        Just(Stands::Tested),
        Just(Stands::OnAnotherBase)
    ];
    let image = ([stands.clone(), stands.clone(), stands], any::<bool>());
    (
        (any::<bool>(), 1..=3_usize),
        prop::collection::vec(image, 2..=5),
        (
            any::<bool>(),
            prop::option::weighted(0.3, 0..4_usize),
            prop::option::weighted(0.3, 0..5_usize),
            any::<bool>(),
        ),
        prop_oneof![4 => Just(Goal::Release), 1 => Just(Goal::Test), 1 => Just(Goal::Build)],
    )
        .prop_map(
            |((smoke, platforms), images, (no_promote, selected, rebuild, released), goal)| Made {
                smoke,
                platforms,
                images,
                no_promote,
                selected,
                rebuild,
                released,
                goal,
            },
        )
}

impl Made {
    fn given(&self) -> Given {
        let platforms = &PLATFORMS[..self.platforms];
        let mut text = format!(
            "schema = 1\n[family]\nname = \"made\"\nrepository = \"registry.example.org/made\"\nplatforms = {platforms:?}\n"
        );
        text.push_str("[base]\naliases = [\"base-latest\"]\n");
        text.push_str("[variant]\ndockerfile = \"D\"\ntags = [\"{version}-{variant}\", \"{version}-{variant}-too\"]\naliases = [\"latest-{variant}\"]\n");
        for index in 1..self.images.len() {
            let _ = writeln!(text, "[variants.v{index}]");
        }
        if self.smoke {
            text.push_str("[smoke]\ncommand = [\"./smoke.sh\"]\n");
        }
        let mut given = Given::new(&text);
        if self.released {
            given = given.done().next("v1.0.1");
            for fact in &mut given.facts.images {
                fact.index = None;
                fact.receipts.clear();
            }
        }
        let names: Vec<String> = given
            .family
            .images
            .iter()
            .map(|image| image.id.to_string())
            .collect();
        for (name, (stands, joined)) in names.iter().zip(&self.images) {
            for (platform, stands) in platforms.iter().zip(stands) {
                if matches!(stands, Stands::Nothing) {
                    continue;
                }
                given = given.with_platform(name, platform);
                let parsed: Platform = platform.parse().unwrap();
                let fact = given.fact(name);
                match stands {
                    Stands::Image => drop(fact.receipts.remove(&parsed)),
                    Stands::OnAnotherBase => {
                        fact.platforms.get_mut(&parsed).unwrap().image.base = Some(digest("old"));
                    }
                    Stands::Nothing | Stands::Tested => {}
                }
            }
            if *joined {
                let fact = given.fact(name);
                let platforms: BTreeMap<_, _> = std::mem::take(&mut fact.platforms)
                    .into_iter()
                    .map(|(platform, fact)| (platform, fact.image))
                    .collect();
                fact.index = Some(crate::facts::IndexFact {
                    digest: digest(&format!("{name} {platforms:?}")),
                    identity: Some(fact.identity),
                    platforms,
                });
            }
        }
        given.options.goal = self.goal;
        given.options.no_promote = self.no_promote;
        given.options.adopt = true;
        let variants: Vec<_> = names.iter().filter(|name| *name != "base").collect();
        if let Some(selected) = self.selected.and_then(|at| variants.get(at)) {
            given.options.variants = Some(vec![selected.trim_start_matches("variant/").parse().unwrap()]);
        }
        if let Some(rebuild) = self.rebuild.and_then(|at| names.get(at)) {
            given.options.rebuild = vec![rebuild.parse().unwrap()];
        }
        given
    }
}

/// All that a step needs, directly or not.
fn before<'a>(plan: &'a Plan, step: &'a Step) -> BTreeSet<&'a StepId> {
    let by_id: BTreeMap<&StepId, &Step> = plan.steps.iter().map(|step| (&step.id, step)).collect();
    let (mut all, mut look) = (BTreeSet::new(), vec![step]);
    while let Some(step) = look.pop() {
        for need in &step.needs {
            if all.insert(need) {
                look.extend(by_id.get(need));
            }
        }
    }
    all
}

fn is_build(step: &Step) -> bool {
    matches!(step.action, Action::Build(_))
}

fn check(given: &Given, plan: &Plan) {
    let shown = compact(plan);
    let ids: BTreeSet<_> = plan.steps.iter().map(|step| &step.id).collect();
    assert_eq!(ids.len(), plan.steps.len(), "ids are unique\n{shown}");
    let mut done = BTreeSet::new();
    for step in &plan.steps {
        assert!(
            step.needs.iter().all(|need| done.contains(need)),
            "{} comes too early\n{shown}",
            step.id
        );
        done.insert(&step.id);
    }
    let barrier = StepId::record(RecordState::Publishing);
    for step in &plan.steps {
        let all = before(plan, step);
        match &step.action {
            Action::Alias(_) => {
                let tags = plan
                    .steps
                    .iter()
                    .filter(|step| matches!(step.action, Action::Tag(_)));
                for tag in tags {
                    assert!(all.contains(&tag.id), "{} without {}\n{shown}", step.id, tag.id);
                }
                assert!(all.contains(&barrier), "{} without the barrier\n{shown}", step.id);
            }
            Action::Sign(_) | Action::Tag(_) => {
                assert!(all.contains(&barrier), "{} without the barrier\n{shown}", step.id);
            }
            Action::Record(record) if record.state == RecordState::Publishing => {
                for other in &plan.steps {
                    let first = matches!(
                        other.action,
                        Action::Build(_) | Action::Smoke(_) | Action::Assemble(_)
                    );
                    assert!(
                        !first || all.contains(&other.id),
                        "barrier without {}\n{shown}",
                        other.id
                    );
                }
            }
            Action::Move(_) => panic!("a release moves nothing by its record"),
            Action::Describe(_) => assert_eq!(
                all.len() + 1,
                plan.steps.len(),
                "{} is not the last\n{shown}",
                step.id
            ),
            Action::Record(record) if record.state == RecordState::Planned => assert!(step.needs.is_empty()),
            Action::Record(_) => assert_eq!(
                all.len() + 1,
                plan.steps.len(),
                "the last record is last\n{shown}"
            ),
            Action::Smoke(smoke) => {
                let build = StepId::build(&smoke.image, &smoke.platform);
                assert_eq!(
                    all.contains(&build),
                    smoke.digest.is_none(),
                    "{}\n{shown}",
                    step.id
                );
                assert_eq!(
                    ids.contains(&build),
                    smoke.digest.is_none(),
                    "{}\n{shown}",
                    step.id
                );
            }
            Action::Assemble(assemble) => {
                for other in plan.steps.iter().filter(|step| is_build(step)) {
                    let own = matches!(&other.action, Action::Build(build) if build.image == assemble.image);
                    assert!(
                        !own || all.contains(&other.id),
                        "{} without {}\n{shown}",
                        step.id,
                        other.id
                    );
                }
            }
            Action::Build(build) => {
                let base = StepId::build(&crate::domain::ImageId::Base, &build.platform);
                let on_base = build.base.is_some();
                let built = on_base && ids.contains(&base);
                assert_eq!(all.contains(&base), built, "{}\n{shown}", step.id);
                if let Some(base) = &build.base {
                    assert_eq!(base.digest.is_none(), built, "{}\n{shown}", step.id);
                }
            }
        }
    }
    // Every image is whole in the end: each platform is used as it is or built, and tested or has its receipt.
    for image in &plan.images {
        for platform in &image.platforms {
            let built = ids.contains(&StepId::build(&image.image, &platform.platform));
            assert_eq!(platform.found.is_none(), built, "{}\n{shown}", image.image);
            if let Some(receipt) = &platform.receipt {
                let fact = given
                    .facts
                    .images
                    .iter()
                    .find(|fact| fact.image == image.image)
                    .unwrap();
                let tested = fact.receipts.get(&platform.platform);
                let passed = platform.digest.is_some() && tested == platform.digest.as_ref();
                let smoke = StepId::smoke(&image.image, &platform.platform);
                assert_eq!(ids.contains(&smoke), !passed, "{receipt}\n{shown}");
            }
        }
        let assembled = ids.contains(&StepId::assemble(&image.image));
        assert_eq!(image.digest.is_none(), assembled, "{}\n{shown}", image.image);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_plan_is_sound(made in made()) {
        let given = made.given();
        check(&given, &given.plan());
    }

    #[test]
    fn same_facts_same_bytes(made in made()) {
        let given = made.given();
        let (one, two) = (given.plan(), given.clone().plan());
        let bytes = serde_json::to_vec(&one).unwrap();
        prop_assert_eq!(&bytes, &serde_json::to_vec(&two).unwrap());
        prop_assert_eq!(serde_json::from_slice::<Plan>(&bytes).unwrap(), one);
    }

    #[test]
    fn after_success_nothing_is_left(made in made()) {
        let mut given = made.given();
        given.options.goal = Goal::Release;
        given.options.rebuild.clear();
        given = given.with_all();
        let plan = given.plan();
        let promoted = !given.options.no_promote;
        given.finish(&plan, if promoted { RecordState::Done } else { RecordState::NotPromoted });
        prop_assert_eq!(compact(&given.plan()), "");
    }
}
