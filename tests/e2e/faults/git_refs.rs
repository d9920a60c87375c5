//! A git server that is asked over HTTP fails in every way: the commit is found out after all, or nothing is published; and no other one takes its place.

use super::{Wanted, caught, chosen, wanted};
use crate::support::faults::{Injector, Key, Kind, Schedule};
use crate::support::proxy::Proxy;
use crate::support::{AMD64, Family, Git, Registry, Splitbase};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What `git ls-remote` asks: whom it talks to, and for the refs.
const ASKED: [(&str, &str); 2] = [
    ("GET", "/tool.git/info/refs"),
    ("POST", "/tool.git/git-upload-pack"),
];
/// More than there are attempts.
const ALWAYS: usize = 9;
/// Schedules of several faults.
const SEEDS: u64 = 30;

struct Point {
    seed: Option<u64>,
    schedule: Schedule,
    /// The exit code that it must end with, where there is just one.
    ends: Option<i32>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => write!(f, "seed {seed}: {}", self.schedule),
            None => self.schedule.fmt(f),
        }
    }
}

/// One bit of a commit may be another one, and nothing but TLS can tell.
fn is_seen(kind: Kind) -> bool {
    !kind.name().starts_with("corrupt-")
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    let keys = ASKED.map(|(method, path)| Key::git(method, path));
    for key in &keys {
        for kind in Kind::all().filter(|kind| kind.is_for(key) && is_seen(*kind)) {
            for times in [1, ALWAYS] {
                if kind.stalls() && times > 1 {
                    continue;
                }
                let ends = match kind.name() {
                    "latency" | "bandwidth" => Some(0),
                    _ if times == 1 && kind.passes() => Some(0),
                    // The half that comes may be all that is looked at, and git may not mind a reset behind the end.
                    "reset-after-answer" | "reset-in-answer" | "cut-answer" | "short-answer" => None,
                    _ if times > 1 => Some(5),
                    _ => None,
                };
                points.push(Point {
                    seed: None,
                    schedule: Schedule::of_one(key.clone(), times, kind),
                    ends,
                });
            }
        }
    }
    let seeded = (0..SEEDS).map(|seed| Point {
        seed: Some(seed),
        schedule: Schedule::among(seed, &keys, is_seen),
        ends: None,
    });
    points.extend(seeded);
    points
}

struct Stage {
    git: Git,
    commit: String,
    family: Family,
    start: Registry,
    before: BTreeMap<String, String>,
}

impl Stage {
    /// v1.0.0 was released with the first commit; now there is another one, with which all is built and tested.
    fn new() -> Self {
        let (git, mut start) = (Git::start(), Registry::start());
        let family = Family::of(start.address(), &[AMD64], &["omos"]);
        family
            .append(
                "variants.toml",
                "versions = [\"TOOL_REF\"]\n\n[versions]\nTOOL_REF = { git = \"https://git.example/tool.git\", ref = \"main\" }\n",
            )
            .append("Dockerfile.variant", "ARG TOOL_REF\nRUN echo \"$TOOL_REF\" >/etc/tool\n")
            .replace("variants.toml", "attempts = 2", "attempts = 3")
            .replace("variants.toml", "delays   = [\"1s\"]", "delays   = [\"50ms\"]")
            .smoke("true");
        let splitbase = program(&family, &git, git.address());
        splitbase.ok(&["release", "v1.0.0"]);
        let commit = git.commit("second");
        for command in ["build", "smoke"] {
            splitbase.ok(&[command]);
        }
        start.end();
        let before = family.tags(&start);
        Self {
            git,
            commit,
            family,
            start,
            before,
        }
    }

    /// How a release ends; fails where it is not right.
    fn play(&self, point: &Point) -> i32 {
        let registry = self.start.copy();
        let injector = Arc::new(Injector::new(point.schedule.clone()));
        let faults = injector.clone();
        let proxy = Proxy::start(self.git.address(), move |request| faults.fault(request));
        let repository = format!("{}/{}", registry.address(), self.family.repository());
        let run = program(&self.family, &self.git, proxy.address())
            .env("SPLITBASE_REPOSITORY", repository)
            .run(&["release", "v1.1.0"]);
        let told = format!("{point}: exit code {}\n{}", run.code, run.stderr);
        assert!(
            point.seed.is_some() || !injector.hits().is_empty(),
            "not reached: {told}"
        );
        let tags = self.family.tags(&registry);
        if run.code == 0 {
            let record = self.family.record(&registry, "v1.1.0");
            assert_eq!(record["versions"]["TOOL_REF"]["version"], self.commit, "{told}");
            assert_eq!(tags["v1.1.0-omos"], tags["latest-omos"], "{told}");
            assert_ne!(tags["latest-omos"], self.before["latest-omos"], "{told}");
        } else {
            assert_eq!(run.code, 5, "{told}");
            assert_eq!(tags, self.before, "{told}");
            run.says("TOOL_REF");
        }
        if let Some(code) = point.ends {
            assert_eq!(run.code, code, "{told}");
        }
        run.code
    }
}

fn program(family: &Family, git: &Git, address: &str) -> Splitbase {
    family.splitbase().env("GIT_CONFIG_GLOBAL", git.seen_at(address))
}

#[test]
fn e2e_faults_of_git_servers() {
    let stage = Stage::new();
    let sample = matches!(wanted(), Wanted::Sample(_));
    // What stalls is waited for a minute.
    let stalls = |point: &Point| point.schedule.0.iter().any(|rule| rule.kind.stalls());
    let points = points().into_iter().filter(|point| !sample || !stalls(point));
    let mut sum = BTreeMap::new();
    let mut wrong = Vec::new();
    for point in chosen(points.collect(), 10) {
        match caught(|| stage.play(&point)) {
            Ok(code) => {
                println!("{code}: {point}");
                *sum.entry(code).or_insert(0) += 1;
            }
            Err(what) => wrong.push(what),
        }
    }
    println!("git: exit codes and how often: {sum:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
