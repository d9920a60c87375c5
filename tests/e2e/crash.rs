//! A release is killed at each of its registry writes: before it, and between its sending and its answer. What is in sight then is wholly
//! old, or the record says that it is not; and each way on ends well, each on a copy of its own of what the crash left.
//!
//! A few points, spread over all. `SPLITBASE_CRASHES=all` takes every one, `SPLITBASE_CRASHES=NUMBER` others.

use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::{AMD64, Family, Npm, Registry, Run, Splitbase, variable};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const VARIANTS: [&str; 4] = ["base", "omos", "mini", "pi"];
/// Of each variant: its release tag, and its alias.
const NAMES: [(&str, &str); 4] = [
    ("v1.1.0", "latest"),
    ("v1.1.0-omos", "latest-omos"),
    ("v1.1.0-mini", "latest-mini"),
    ("v1.1.0-pi", "latest-pi"),
];
const VERSION: &str = "v1.1.0";
/// Points of one scene where not all are asked for.
const POINTS: usize = 5;

/// Where a release is killed.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// After how many writes.
    write: usize,
    /// Whether the registry gets the write: then it is killed before it hears the answer.
    sent: bool,
}

/// What a release meets.
#[derive(Debug, Clone, Copy)]
struct Scene {
    name: &'static str,
    /// Nothing stands yet.
    first: bool,
}

/// Kills at a point.
struct Killer {
    point: Point,
    process: AtomicI32,
    /// All until now, and where it killed.
    seen: Mutex<(Vec<Request>, Option<Request>)>,
    /// What is left of the run, its builds for instance, reaches the registry no more.
    over: AtomicBool,
}

impl Killer {
    fn of(point: Point) -> Arc<Self> {
        Arc::new(Self {
            point,
            process: AtomicI32::new(0),
            seen: Mutex::default(),
            over: AtomicBool::new(false),
        })
    }

    fn fault(&self, request: &Request) -> Fault {
        if self.over.load(Ordering::SeqCst) {
            return Fault::Reset;
        }
        if matches!(request.method.as_str(), "GET" | "HEAD") {
            return Fault::Pass;
        }
        {
            let (all, at) = &mut *self.seen.lock().unwrap();
            all.push(request.clone());
            if all.len() != self.point.write.saturating_add(1) {
                return Fault::Pass;
            }
            *at = Some(request.clone());
        }
        while self.process.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let process = self.process.load(Ordering::SeqCst);
        if self.point.sent {
            return Fault::Unanswered(process);
        }
        kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
        Fault::Reset
    }
}

/// What is written there, for the table.
fn kind(request: &Request) -> &'static str {
    let Some((_, tag)) = request.path.rsplit_once("/manifests/") else {
        return if request.is_ours() {
            "blob of splitbase"
        } else {
            "blob of a push by buildx"
        };
    };
    let is = |known: &str| tag == known;
    match tag {
        _ if !request.is_ours() => "manifest of a push by buildx",
        "_release" => "newest record",
        _ if tag.starts_with("_release-") => "record of the release",
        _ if NAMES.iter().any(|(known, _)| is(known)) => "release tag",
        _ if is("base-latest") || NAMES.iter().any(|(_, known)| is(known)) => "alias",
        _ if tag.contains("-ok-") => "receipt of a test",
        _ if tag.starts_with("sha256:") => "manifest by digest",
        _ => "machine tag",
    }
}

/// A family of four variants of which all is built and tested but `pi`, whose version comes from npm.
struct Stage {
    family: Family,
    npm: Npm,
    /// What every point begins with.
    start: Registry,
    before: BTreeMap<String, String>,
}

/// Fails unless every byte of an index is there.
fn is_whole(registry: &Registry, digest: &str) {
    let index = registry.index(digest);
    assert_eq!(index.platforms.keys().collect::<Vec<_>>(), [AMD64]);
    for digest in index.platforms.values() {
        let manifest = registry.json(digest);
        registry.json(&index.attestations[digest]);
        for layer in manifest["layers"].as_array().unwrap() {
            registry.blob(layer["digest"].as_str().unwrap());
        }
        registry.config(digest);
    }
}

impl Stage {
    fn new(scene: Scene) -> Self {
        let (npm, mut start) = (Npm::start(), Registry::start());
        let family = Family::of(start.address(), &[AMD64], &VARIANTS);
        family
            .append(
                "variants.toml",
                "versions = [\"PI_VERSION\"]\n\n[versions]\nPI_VERSION = { npm = \"pi\" }\n",
            )
            .append(
                "Dockerfile.variant",
                "ARG PI_VERSION=0\nRUN echo \"$PI_VERSION\" >/etc/pi\n",
            )
            // What is tested here is not the test.
            .smoke("true");
        npm.publish("pi", "1.0.0", None);
        let splitbase = program(&family, &npm, start.address());
        if !scene.first {
            splitbase.ok(&["release", "v1.0.0"]);
            family.append("marker", "more\n");
        }
        let before = family.public_tags(&start);
        for command in ["build", "smoke"] {
            splitbase.ok(&[
                command,
                "--variant",
                "base",
                "--variant",
                "omos",
                "--variant",
                "mini",
            ]);
        }
        start.end();
        Self {
            family,
            npm,
            start,
            before,
        }
    }

    /// A release that is killed at this point; what the registry holds then. Where the point is not reached, it is not killed.
    fn killed(&self, point: Point) -> (Arc<Killer>, Run, Registry) {
        self.npm.publish("pi", "1.1.0", None);
        let mut registry = self.start.copy();
        let killer = Killer::of(point);
        let kills = killer.clone();
        let proxy = Proxy::start(registry.address(), move |request| kills.fault(request));
        let running = program(&self.family, &self.npm, proxy.address()).start(&["release", VERSION]);
        let process = i32::try_from(running.id()).unwrap();
        killer.process.store(process, Ordering::SeqCst);
        let run = running.wait();
        killer.over.store(true, Ordering::SeqCst);
        // What was on its way arrives.
        std::thread::sleep(Duration::from_millis(100));
        registry.end();
        // Whoever goes on without the record's pins builds something else.
        self.npm.publish("pi", "1.2.0", None);
        (killer, run, registry)
    }

    /// What a crash may leave: nothing that users see is new, or the record says so. What there is, in words.
    fn crashed(&self, registry: &Registry) -> Crashed {
        let tags = self.family.public_tags(registry);
        let state = |version: &str| match self.family.tags(registry).get(version) {
            Some(_) => self.family.record(registry, VERSION)["state"]
                .as_str()
                .unwrap()
                .to_owned(),
            None => "none".to_owned(),
        };
        let record = state(&format!("_release-{VERSION}"));
        let moved = aliases()
            .filter(|alias| tags.get(*alias) != self.before.get(*alias))
            .count();
        let tagged = NAMES.iter().filter(|(tag, _)| tags.contains_key(*tag)).count();
        if !matches!(record.as_str(), "publishing" | "done") {
            assert_eq!(
                (moved, tagged),
                (0, 0),
                "in sight though the record says `{record}`"
            );
        }
        assert!(moved == 0 || tagged == NAMES.len(), "aliases before release tags");
        if record == "done" {
            assert_eq!((moved, tagged), (1 + NAMES.len(), NAMES.len()));
        }
        if matches!(record.as_str(), "publishing" | "done") {
            self.each_old_or_new(registry, &tags);
        }
        Crashed {
            record,
            tags,
            moved,
            tagged,
        }
    }

    /// Every tag in sight is where it was, or where the record says that it goes, and what it leads to is all there.
    fn each_old_or_new(&self, registry: &Registry, tags: &BTreeMap<String, String>) {
        let record = self.family.record(registry, VERSION);
        for image in record["images"].as_array().unwrap() {
            let names = [&image["tags"], &image["aliases"]];
            for name in names.iter().flat_map(|names| names.as_array().unwrap()) {
                let name = name.as_str().unwrap();
                let Some(there) = tags.get(name) else {
                    assert!(!self.before.contains_key(name), "`{name}` is gone");
                    continue;
                };
                let new = *there == image["digest"];
                assert!(
                    new || Some(there) == self.before.get(name),
                    "`{name}` is at {there}: {record:#}"
                );
                is_whole(registry, there);
            }
        }
    }

    /// Goes one way on, on a copy of its own; how it ended.
    fn ends(&self, way: Way, killed: &Run, crashed: &Crashed, left: &Registry) -> &'static str {
        let registry = left.copy();
        let (deletes, storage) = (
            way == Way::Withdraw,
            registry.tag_folder(self.family.repository()),
        );
        let proxy = Proxy::start(registry.address(), move |request| {
            let tag = request.path.rsplit_once("/manifests/").map(|(_, tag)| tag);
            if let ("DELETE", Some(tag), true) = (request.method.as_str(), tag, deletes) {
                std::fs::remove_dir_all(storage.join(tag)).unwrap();
                return Fault::Answer(202, "", "");
            }
            Fault::Pass
        });
        let splitbase = program(&self.family, &self.npm, proxy.address());
        let run = splitbase.ok(way.args());
        for step in built(killed) {
            assert!(!run.steps().contains(&step.as_str()), "{step} was made again");
        }
        let pins = |registry: &Registry| self.family.record(registry, VERSION)["versions"].clone();
        if crashed.record != "none" {
            assert_eq!(pins(&registry), pins(left), "other versions than the record's");
        }
        match (way, crashed.record.as_str()) {
            (Way::Again, _) | (Way::Finish, "done" | "publishing") => self.whole(&registry),
            (_, "none") => {
                assert_eq!(self.family.public_tags(&registry), crashed.tags);
                "old"
            }
            // Its last word is not said as long as the newest record says otherwise: until then it can be taken back.
            (_, "done") | (Way::Finish, _) if self.names_newest(left) => self.whole(&registry),
            (Way::Finish, _) => {
                assert_eq!(self.family.public_tags(&registry), crashed.tags);
                "old"
            }
            (Way::Undo | Way::Withdraw, _) => self.back(way, crashed, left, &registry),
        }
    }

    fn names_newest(&self, registry: &Registry) -> bool {
        let tags = self.family.tags(registry);
        tags.get("_release") == tags.get(&format!("_release-{VERSION}"))
    }

    /// Fails unless all is at the new release, and all of it is there.
    fn whole(&self, registry: &Registry) -> &'static str {
        let tags = self.family.tags(registry);
        let at = |tag: &str| {
            let digest = tags.get(tag).unwrap_or_else(|| panic!("no `{tag}`: {tags:#?}"));
            digest.clone()
        };
        for (tag, alias) in NAMES {
            assert_eq!(at(tag), at(alias), "{alias}");
        }
        for alias in aliases() {
            assert_ne!(Some(&at(alias)), self.before.get(alias), "{alias} is the old one");
            is_whole(registry, &at(alias));
        }
        let record = self.family.record(registry, VERSION);
        assert_eq!(record["state"], "done");
        assert!(self.names_newest(registry));
        let images = record["images"].as_array().unwrap();
        assert_eq!(images.len(), 1 + NAMES.len());
        for image in images {
            let names = [&image["tags"], &image["aliases"]];
            for tag in names.iter().flat_map(|names| names.as_array().unwrap()) {
                assert_eq!(image["digest"], at(tag.as_str().unwrap()), "{tag}");
            }
        }
        assert_eq!(self.points(registry), 1 + NAMES.len());
        "new"
    }

    /// Fails unless all is as it was; what cannot be deleted may stay.
    fn back(&self, way: Way, crashed: &Crashed, left: &Registry, registry: &Registry) -> &'static str {
        let tags = self.family.public_tags(registry);
        let stays = |name: &str| way == Way::Undo && !self.before.contains_key(name);
        for name in aliases().chain(NAMES.iter().map(|(tag, _)| *tag)) {
            let wanted = if stays(name) {
                crashed.tags.get(name)
            } else {
                self.before.get(name)
            };
            assert_eq!(tags.get(name), wanted, "{name}");
        }
        if self.names_newest(left) || crashed.record == "publishing" {
            assert_eq!(self.family.record(registry, VERSION)["state"], "undone");
        }
        self.points(registry);
        let rest = tags.keys().any(|tag| !self.before.contains_key(tag));
        if rest { "old, what is new stays" } else { "old" }
    }

    /// What the newest record says of aliases is so; of how many it says something.
    fn points(&self, registry: &Registry) -> usize {
        let tags = self.family.tags(registry);
        // Of a first release that was cut off between the two tags of its first record there is no newest one.
        let Some(newest) = tags.get("_release") else {
            return 0;
        };
        let manifest = registry.json(newest);
        let record = registry.json(manifest["layers"][0]["digest"].as_str().unwrap());
        let Some(points) = record["points"].as_object() else {
            return 0;
        };
        for (alias, point) in points {
            assert_eq!(point["digest"], tags[alias], "{alias}");
            let is_old = self.before.get(alias) == tags.get(alias);
            let version = if is_old { "v1.0.0" } else { VERSION };
            assert_eq!(point["version"], version, "{alias}");
        }
        points.len()
    }
}

fn aliases() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(_, alias)| *alias).chain(["base-latest"])
}

/// The program, with this registry in the place of the family's.
fn program(family: &Family, npm: &Npm, registry: &str) -> Splitbase {
    let repository = format!("{registry}/{}", family.repository());
    family
        .splitbase()
        .env("NPM_CONFIG_REGISTRY", npm.address())
        .env("SPLITBASE_REPOSITORY", repository)
}

/// The builds that the run said were done.
fn built(run: &Run) -> Vec<String> {
    let done = run.events.iter().filter(|event| {
        event["event"] == "finished" && matches!(event["outcome"].as_str(), Some("done" | "adopted"))
    });
    done.filter_map(|event| event["step"].as_str())
        .filter(|step| step.starts_with("build/"))
        .map(str::to_owned)
        .collect()
}

/// What a crash left.
struct Crashed {
    /// What the record says; `none` where there is none.
    record: String,
    tags: BTreeMap<String, String>,
    moved: usize,
    tagged: usize,
}

/// A way on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Finish,
    /// Debian's registry deletes no tag.
    Undo,
    /// The same where tags are deleted: the proxy takes them out of the registry's storage.
    Withdraw,
    Again,
}

impl Way {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Finish => &["recover", "--yes"],
            Self::Undo | Self::Withdraw => &["recover", "--undo", "--yes"],
            Self::Again => &["release", VERSION],
        }
    }
}

/// The points of a scene with these writes.
fn points(scene: Scene, writes: &[Request]) -> Vec<Point> {
    let point = |number: usize| Point {
        write: number / 2,
        sent: number % 2 == 1,
    };
    let all = 2 * writes.len();
    match variable("SPLITBASE_CRASHES").as_deref() {
        // Not in their order: what is cut off has seen all of the release, too.
        Some("all") => (0..7).flat_map(|at| (at..all).step_by(7)).map(point).collect(),
        seed => {
            let seed = seed.map_or(0, |seed| seed.parse::<usize>().unwrap()) + usize::from(scene.first);
            let theirs = |at: &usize| !writes[*at / 2].is_ours();
            let pushes: Vec<_> = (0..all).filter(theirs).collect();
            let newest = |at: &usize| at.is_multiple_of(2) && kind(&writes[*at / 2]) == "newest record";
            let records: Vec<_> = (0..all).rev().filter(newest).collect();
            // One in a push by buildx, one between the two tags of a record, the others where users see them.
            let (last, rest) = (all / 3, POINTS - 2);
            let seen = |at: usize| all - last + (seed + (2 * at + 1) * last / (2 * rest)) % last;
            let chosen = [
                pushes[(seed + pushes.len() / 2) % pushes.len()],
                records[seed % records.len()],
            ];
            chosen.into_iter().chain((0..rest).map(seen)).map(point).collect()
        }
    }
}

fn play(scene: Scene) {
    let began = Instant::now();
    let stage = Stage::new(scene);
    let never = Point {
        write: usize::MAX,
        sent: false,
    };
    // Fills BuildKit's cache, and shows how many writes there are.
    let (killer, run, registry) = stage.killed(never);
    run.expect(0);
    stage.whole(&registry);
    let writes = killer.seen.lock().unwrap().0.clone();
    let points = points(scene, &writes);
    println!(
        "{}: {} writes, {} points\n\n\
         | write | killed | record then | release tags | aliases moved | recover | undo, no deletion | undo, deletion | run again |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        scene.name,
        writes.len(),
        points.len()
    );
    let (mut failures, mut missed, mut sum) = (Vec::new(), 0, BTreeMap::new());
    for point in &points {
        let (killer, killed, left) = stage.killed(*point);
        let Some(request) = killer.seen.lock().unwrap().1.clone() else {
            missed += 1;
            continue;
        };
        assert_eq!(killed.code, 137, "{}", killed.stderr);
        let crashed = stage.crashed(&left);
        let outcomes = std::thread::scope(|scope| {
            let (stage, killed, crashed, left) = (&stage, &killed, &crashed, &left);
            let start = |way| scope.spawn(move || stage.ends(way, killed, crashed, left));
            [Way::Finish, Way::Undo, Way::Withdraw, Way::Again]
                .map(start)
                .map(|thread| thread.join().unwrap_or("FAILED"))
        });
        let when = if point.sent { "unanswered" } else { "before" };
        let row = format!(
            "{} {} | {when} | {} | {} of {} | {} of {} | {}",
            request.method,
            request.path.rsplit_once("/fam/").map_or("", |(_, path)| path),
            crashed.record,
            crashed.tagged,
            NAMES.len(),
            crashed.moved,
            1 + NAMES.len(),
            outcomes.join(" | ")
        );
        println!("| {row} |");
        if outcomes.contains(&"FAILED") {
            failures.push(row);
        }
        let group = (kind(&request), crashed.record.clone(), outcomes);
        *sum.entry(group).or_insert(0) += 1;
    }
    let mut table = String::new();
    for ((kind, record, outcomes), points) in sum {
        let outcomes = outcomes.join(" | ");
        writeln!(table, "| {kind} | {record} | {points} | {outcomes} |").unwrap();
    }
    println!(
        "\n{}: {} points in {} s, {missed} not reached\n\n\
         | killed at | record then | points | recover | undo, no deletion | undo, deletion | run again |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n{table}",
        scene.name,
        points.len(),
        began.elapsed().as_secs()
    );
    assert!(failures.is_empty(), "{failures:#?}");
    // Pushes differ a little from run to run.
    assert!(missed <= 1 + points.len() / 10, "{missed} not reached");
}

#[test]
fn e2e_crash_in_a_release() {
    play(Scene {
        name: "a later release",
        first: false,
    });
}

#[test]
fn e2e_crash_in_a_first_release() {
    play(Scene {
        name: "a first release",
        first: true,
    });
}
