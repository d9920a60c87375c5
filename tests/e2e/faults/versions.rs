//! A version source fails in every way: the version is found out after all, or nothing is published; and nothing else takes its place.

use super::{Wanted, caught, chosen, wanted};
use crate::support::faults::{Injector, Key, Kind, Schedule};
use crate::support::proxy::Proxy;
use crate::support::{AMD64, Family, Npm, Registry, Splitbase};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const DOCUMENT: (&str, &str) = ("GET", "/omos");
const ARCHIVE: (&str, &str) = ("HEAD", "/omos/-/omos-2.1.0.tgz");
/// Where HEAD is refused.
const FIRST_BYTE: (&str, &str) = ("GET", "/omos/-/omos-2.1.0.tgz");
/// More than there are attempts.
const ALWAYS: usize = 9;
/// Schedules of several faults.
const SEEDS: u64 = 30;

/// What fails, and whether it ever ends.
#[derive(Debug, Clone)]
struct Point {
    schedule: Schedule,
    kind: Kind,
    heals: bool,
    /// Whether what is asked is read to its end: of an archive it only counts whether it is there.
    read: bool,
    /// Where it is one of several faults.
    seed: Option<u64>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seed) = self.seed {
            write!(f, "seed {seed}: ")?;
        }
        self.schedule.fmt(f)
    }
}

impl Point {
    /// The exit code that it must end with, where there is just one.
    fn ends(&self) -> Option<i32> {
        match self.kind.name() {
            _ if self.seed.is_some() => None,
            "latency" | "bandwidth" | "reset-after-answer" => Some(0),
            _ if self.heals && self.kind.passes() => Some(0),
            // Another attempt may be made, or not.
            _ if self.heals => None,
            "200-html" | "reset-in-answer" | "cut-answer" | "short-answer" if !self.read => None,
            _ => Some(5),
        }
    }
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for (method, path) in [DOCUMENT, ARCHIVE, FIRST_BYTE] {
        let key = Key::npm(method, path);
        for kind in Kind::all().filter(|kind| kind.is_for(&key)) {
            // One bit of a document may be in a version, and nothing but TLS can tell.
            if kind.name() == "corrupt-answer" {
                continue;
            }
            for heals in [true, false] {
                // It would be waited for again and again.
                if kind.stalls() && !heals {
                    continue;
                }
                let times = if heals { 1 } else { ALWAYS };
                let mut schedule = Schedule::of_one(key.clone(), times, kind);
                if (method, path) == FIRST_BYTE {
                    let refused = Kind::all().find(|kind| kind.name() == "400-html").unwrap();
                    let head = Schedule::of_one(Key::npm(ARCHIVE.0, ARCHIVE.1), ALWAYS, refused);
                    schedule.0.extend(head.0);
                }
                points.push(Point {
                    schedule,
                    kind,
                    heals,
                    read: (method, path) == DOCUMENT,
                    seed: None,
                });
            }
        }
    }
    let keys = [DOCUMENT, ARCHIVE].map(|(method, path)| Key::npm(method, path));
    points.extend((0..SEEDS).map(|seed| {
        let schedule = Schedule::among(seed, &keys, |kind| kind.name() != "corrupt-answer");
        Point {
            kind: schedule.0[0].kind,
            schedule,
            heals: true,
            read: true,
            seed: Some(seed),
        }
    }));
    points
}

struct Stage {
    family: Family,
    start: Registry,
    before: BTreeMap<String, String>,
}

impl Stage {
    /// v1.0.0 was released with 2.0.0; now there is 2.1.0, with which all is built and tested.
    fn new() -> Self {
        let (npm, mut start) = (Npm::start(), Registry::start());
        let family = Family::of(start.address(), &[AMD64], &["omos"]);
        family
            .append(
                "variants.toml",
                "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"omos\", range = \"^2\" }\n",
            )
            .append("Dockerfile.variant", "ARG OMOS_VERSION\nRUN echo \"$OMOS_VERSION\" >/etc/omos\n")
            .replace("variants.toml", "attempts = 2", "attempts = 3")
            .replace("variants.toml", "delays   = [\"1s\"]", "delays   = [\"50ms\"]")
            .smoke("true");
        let splitbase = program(&family, npm.address());
        npm.publish("omos", "2.0.0", None);
        splitbase.ok(&["release", "v1.0.0"]);
        npm.publish("omos", "2.1.0", None);
        for command in ["build", "smoke"] {
            splitbase.ok(&[command]);
        }
        start.end();
        let before = family.tags(&start);
        Self {
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
        let npm = Npm::start();
        let upstream = npm.address().trim_start_matches("http://");
        let proxy = Proxy::start(upstream, move |request| faults.fault(request));
        let address = format!("http://{}", proxy.address());
        npm.seen_at(&address)
            .publish("omos", "2.0.0", None)
            .publish("omos", "2.1.0", None);
        let run = program(&self.family, &address)
            .env(
                "SPLITBASE_REPOSITORY",
                format!("{}/{}", registry.address(), self.family.repository()),
            )
            .run(&["release", "v1.1.0"]);
        assert!(point.seed.is_some() || !injector.hits().is_empty(), "not reached");
        let told = format!("{}: exit code {}\n{}", point.schedule, run.code, run.stderr);
        let tags = self.family.tags(&registry);
        if run.code == 0 {
            let record = self.family.record(&registry, "v1.1.0");
            assert_eq!(record["versions"]["OMOS_VERSION"]["version"], "2.1.0", "{told}");
            assert_eq!(tags["v1.1.0-omos"], tags["latest-omos"], "{told}");
            assert_ne!(tags["latest-omos"], self.before["latest-omos"], "{told}");
        } else {
            assert_eq!(run.code, 5, "{told}");
            assert_eq!(tags, self.before, "{told}");
            run.says("OMOS_VERSION");
        }
        if let Some(code) = point.ends() {
            assert_eq!(run.code, code, "{told}");
        }
        run.code
    }
}

fn program(family: &Family, npm: &str) -> Splitbase {
    family.splitbase().env("NPM_CONFIG_REGISTRY", npm)
}

#[test]
fn e2e_faults_of_version_sources() {
    let stage = Stage::new();
    // What stalls is waited for a minute.
    let stalls = |point: &Point| !point.kind.stalls() || !matches!(wanted(), Wanted::Sample(_));
    let chosen = chosen(points().into_iter().filter(stalls).collect(), 10);
    let (began, number) = (Instant::now(), chosen.len());
    let (queue, ended) = (Mutex::new(chosen), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(point) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    let code = caught(|| stage.play(&point));
                    ended.lock().unwrap().push((point, code));
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap();
    let mut sum = BTreeMap::new();
    for (point, code) in &ended {
        let key = &point.schedule.0[0].key;
        let row = format!(
            "{} {} | {}",
            key.method,
            key.path,
            if point.heals { "once" } else { "always" }
        );
        let Ok(code) = code else { continue };
        *sum.entry((row, *code)).or_insert(0) += 1;
    }
    println!("\nversions: {number} faults in {} s\n", began.elapsed().as_secs());
    println!("| request | fails | exit code | times |\n| --- | --- | --- | --- |");
    for ((row, code), times) in sum {
        println!("| {row} | {code} | {times} |");
    }
    let wrong: Vec<_> = ended.into_iter().filter_map(|(_, code)| code.err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
