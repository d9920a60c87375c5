//! Several processes that publish into one folder, and one that is killed while it moves aliases there: the folder stays a layout, and its aliases are
//! those of one release.

use crate::support::{AMD64, Family, Layout, Run};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::path::Path;

const ALIASES: [&str; 3] = ["base-latest", "latest", "latest-omos"];

/// One of two checkouts of a family that differ in their sources, all images of it built and tested in `layout`.
struct Checkout {
    family: Family,
    to: String,
    /// What a release of it puts under each alias.
    aliases: BTreeMap<String, String>,
}

impl Checkout {
    fn new(layout: &Path) -> Self {
        let family = Family::of("docker.io", &[AMD64], &["base", "omos"]);
        family.smoke("true");
        let to = format!("oci:{}", layout.display());
        family.splitbase().ok(&["build", "--to", &to]);
        family.splitbase().ok(&["smoke", "--to", &to]);
        let plan = family.splitbase().json(&["plan", "v0.0.1", "--to", &to]);
        let images = plan["images"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let of = |image: &serde_json::Value| {
            let aliases = image["aliases"].as_array().unwrap();
            aliases
                .iter()
                .map(|alias| (text(alias), text(&image["digest"])))
                .collect::<Vec<_>>()
        };
        Self {
            aliases: images.iter().flat_map(of).collect(),
            family,
            to,
        }
    }

    fn with<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        args.iter().copied().chain(["--to", &self.to]).collect()
    }

    fn ok(&self, args: &[&str]) -> Run {
        self.family.splitbase().ok(&self.with(args))
    }

    /// Whether all aliases are those of this checkout.
    fn owns(&self, layout: &Layout) -> bool {
        let tags = layout.tags();
        ALIASES.iter().all(|alias| tags[*alias] == self.aliases[*alias])
    }
}

/// Both at once; neither may end but well or refused, and one must end well.
fn race(of: [(&Checkout, &str); 2], layout: &Layout) -> [i32; 2] {
    let running = of.map(|(checkout, version)| {
        checkout
            .family
            .splitbase()
            .start(&checkout.with(&["release", version]))
    });
    let runs = running.map(crate::support::Running::wait);
    let codes = [runs[0].code, runs[1].code];
    let told = || format!("{codes:?}\n{}\n---\n{}", runs[0].stderr, runs[1].stderr);
    assert!(codes.iter().all(|code| matches!(code, 0 | 7)), "{}", told());
    assert!(codes.contains(&0), "{}", told());
    layout.check();
    let owners = [&of[0], &of[1]].map(|(checkout, _)| checkout.owns(layout));
    assert!(owners[0] || owners[1], "aliases of two releases: {}", told());
    codes
}

#[test]
fn e2e_layout_races_of_releases_end_on_one_of_them_whole() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::at(folder.path().join("out"));
    let [one, two] = [(); 2].map(|()| Checkout::new(layout.folder()));
    assert_ne!(one.aliases, two.aliases);
    for round in 0..2 {
        // Two versions: the newer one has the aliases in the end, whoever came first.
        let versions = [format!("v1.{round}.0"), format!("v1.{round}.1")];
        let codes = race([(&one, &versions[0]), (&two, &versions[1])], &layout);
        for (at, checkout) in [&one, &two].into_iter().enumerate() {
            if codes[at] == 7 {
                checkout.ok(&["release", &versions[at]]);
            }
            let tag = layout.digest(&versions[at]);
            assert_eq!(tag, checkout.aliases["latest"], "{}", versions[at]);
            assert_eq!(layout.record(&versions[at])["state"], "done");
        }
        assert!(two.owns(&layout), "round {round}");
        layout.check();
        // One version of two sources: it is written once.
        let version = format!("v1.{round}.2");
        let codes = race([(&one, &version), (&two, &version)], &layout);
        let winner = if codes[0] == 0 { &one } else { &two };
        assert!(codes.contains(&7), "{codes:?}");
        assert!(winner.owns(&layout), "round {round}");
        assert_eq!(layout.digest(&version), winner.aliases["latest"]);
        let omos = layout.digest(&format!("{version}-omos"));
        assert_eq!(omos, winner.aliases["latest-omos"]);
    }
    // One version of the same sources: both mean the same, and a run afterwards has nothing to do.
    race([(&one, "v2.0.0"), (&one, "v2.0.0")], &layout);
    assert!(one.owns(&layout));
    one.ok(&["release", "v2.0.0"]).says("nothing to do");
    assert_eq!(layout.record("v2.0.0")["state"], "done");
}

#[test]
fn e2e_layout_races_of_a_killed_promotion_are_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::at(folder.path().join("out"));
    let [one, two] = [(); 2].map(|()| Checkout::new(layout.folder()));
    one.ok(&["release", "v1.0.0"]);
    for (round, step) in ["alias/base-latest", "alias/latest", "record/done"]
        .into_iter()
        .enumerate()
    {
        let version = format!("v1.{}.0", round + 1);
        let checkout = if round % 2 == 0 { &two } else { &one };
        checkout.ok(&["release", &version, "--no-promote"]);
        let promote = ["promote", &version, "--yes"];
        let mut running = checkout.family.splitbase().start(&checkout.with(&promote));
        running.wait_for_start(step);
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, 137);
        layout.check();
        let tags = layout.tags();
        for alias in ALIASES {
            let either = [&one, &two].map(|checkout| checkout.aliases[alias].clone());
            assert!(either.contains(&tags[alias]), "{step}: {alias}");
        }
        checkout.ok(&promote);
        layout.check();
        assert!(checkout.owns(&layout), "{step}");
        assert_eq!(layout.record(&version)["state"], "done", "{step}");
    }
}
