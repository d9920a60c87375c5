//! A release that is killed is finished by the next run, and what was acknowledged is not made again.

use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::{AMD64, ARM64, Family, Registry, Run, Running, variable};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const VARIANTS: [&str; 2] = ["base", "omos"];
const PLATFORMS: [&str; 2] = [AMD64, ARM64];
/// Points of one kind at which a release is killed; there are as many of the other kind.
const POINTS: usize = 10;

/// Every fourth of them, from the first on; all with `SPLITBASE_KILLS=all`.
fn points() -> impl Iterator<Item = usize> {
    let all = variable("SPLITBASE_KILLS").as_deref() == Some("all");
    (0..POINTS).step_by(if all { 1 } else { 4 })
}

fn family(registry: &str) -> Family {
    let family = Family::of(registry, &PLATFORMS, &VARIANTS);
    // What is tested here is not the test.
    family.smoke("true");
    family
}

/// The digest that each finished build step told.
fn built(run: &Run) -> BTreeMap<String, String> {
    let finished = run.events.iter().filter(|event| {
        event["event"] == "finished" && matches!(event["outcome"].as_str(), Some("done" | "adopted"))
    });
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let builds = finished.filter(|event| event["step"].as_str().unwrap().starts_with("build/"));
    builds
        .map(|event| (text(&event["step"]), text(&event["message"])))
        .collect()
}

/// Fails unless all of the family stands in this repository, and every digest of it is there; the platform digests of each image by the name
/// of the image's alias.
#[track_caller]
fn whole(
    registry: &Registry,
    repository: &str,
    version: &str,
) -> BTreeMap<&'static str, BTreeMap<String, String>> {
    let tags = registry.tags(repository);
    let at = |tag: &str| {
        tags.get(tag)
            .unwrap_or_else(|| panic!("no `{tag}`: {tags:#?}"))
            .clone()
    };
    assert_eq!(at(version), at("latest"));
    assert_eq!(at(&format!("{version}-omos")), at("latest-omos"));
    let mut images = BTreeMap::new();
    for alias in ["base-latest", "latest", "latest-omos"] {
        let index = registry.index(&at(alias));
        assert_eq!(index.platforms.keys().collect::<Vec<_>>(), PLATFORMS);
        for (platform, digest) in &index.platforms {
            let manifest = registry.json(digest);
            registry.json(&index.attestations[digest]);
            for layer in manifest["layers"].as_array().unwrap() {
                registry.blob(layer["digest"].as_str().unwrap());
            }
            let architecture = registry.config(digest)["architecture"].clone();
            assert_eq!(format!("linux/{}", architecture.as_str().unwrap()), *platform);
        }
        images.insert(alias, index.platforms);
    }
    let receipts: Vec<_> = tags.iter().filter(|(tag, _)| tag.contains("-ok-")).collect();
    assert_eq!(receipts.len(), VARIANTS.len() * PLATFORMS.len(), "{receipts:?}");
    for (tag, digest) in receipts {
        let tested = images
            .values()
            .any(|image| image.values().any(|known| known == digest));
        assert!(tested, "receipt `{tag}` is not for what is published");
    }
    let manifest = registry.json(&at(&format!("_release-{version}")));
    let record = registry.json(manifest["layers"][0]["digest"].as_str().unwrap());
    assert_eq!(record["state"], "done");
    assert_eq!(at("_release"), at(&format!("_release-{version}")));
    images
}

/// Fails unless a plain run after `killed` finishes the release without making again what was acknowledged.
#[track_caller]
fn finishes(killed: &Run, again: &Run, registry: &Registry, repository: &str) {
    assert_eq!(again.code, 0, "{}{}", again.stdout, again.stderr);
    let images = whole(registry, repository, "v1.0.0");
    for (step, digest) in built(killed) {
        assert!(!again.steps().contains(&step.as_str()), "{step} was made again");
        let (image, platform) = step.strip_prefix("build/").unwrap().rsplit_once('/').unwrap();
        let alias = match image {
            "base" => "base-latest",
            "variant/base" => "latest",
            _ => "latest-omos",
        };
        let published = &images[alias][&platform.replace('-', "/")];
        assert!(
            digest.starts_with(published.as_str()),
            "{step} made {digest}, published is {published}"
        );
    }
    let tested = |event: &&serde_json::Value| event["event"] == "finished" && event["outcome"] == "done";
    for event in killed.events.iter().filter(tested) {
        let step = event["step"].as_str().unwrap();
        if step.starts_with("smoke/") {
            assert!(!again.steps().contains(&step), "{step} was run again");
        }
    }
}

fn release(family: &Family, repository: &str) -> Running {
    family
        .splitbase()
        .start(&["release", "v1.0.0", "--repository", repository])
}

/// Points of the event stream: from the first line to the last.
#[test]
fn e2e_killed_at_events_of_the_whole_run() {
    let registry = Registry::start();
    let family = family(registry.address());
    let at = |name: &str| format!("{}/{name}", registry.address());
    // Fills BuildKit's cache, and shows how many events there are.
    let all = release(&family, &at("e2e/all")).wait().expect(0);
    let events = all.events.len();
    let mut reached = Vec::new();
    for point in points() {
        let wanted = 1 + point * (events - 4) / (POINTS - 1);
        let name = format!("e2e/event{point}");
        let mut running = release(&family, &at(&name));
        while running.events().len() < wanted && !running.ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if !running.ended() {
            running.signal(Signal::KILL);
        }
        let killed = running.wait();
        reached.push((wanted, killed.code, killed.events.len(), built(&killed).len()));
        let again = release(&family, &at(&name)).wait();
        finishes(&killed, &again, &registry, &name);
    }
    // The last one may have come to its end.
    assert!(
        reached.iter().filter(|(_, code, ..)| *code == 137).count() >= reached.len() - 1,
        "{reached:?}"
    );
}

/// Points between two writes of splitbase: just after a manifest was put, or just before.
#[test]
fn e2e_killed_at_writes_of_the_whole_run() {
    let registry = Registry::start();
    // The process that is killed at the write after which the countdown is 0; whether that write still goes through.
    let (countdown, process) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicI32::new(0)));
    let passes = Arc::new(AtomicBool::new(true));
    let fault = {
        let (countdown, process, passes) = (countdown.clone(), process.clone(), passes.clone());
        move |request: &Request| {
            let counts = request.is_ours() && request.puts("") && countdown.load(Ordering::SeqCst) > 0;
            if !counts || countdown.fetch_sub(1, Ordering::SeqCst) != 1 {
                return Fault::Pass;
            }
            while process.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            kill_process(
                Pid::from_raw(process.load(Ordering::SeqCst)).unwrap(),
                Signal::KILL,
            )
            .unwrap();
            if passes.load(Ordering::SeqCst) {
                Fault::Pass
            } else {
                Fault::Reset
            }
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = family(proxy.address());
    let at = |name: &str| format!("{}/{name}", proxy.address());
    let _ = release(&family, &at("e2e/all")).wait().expect(0);
    let writes = proxy
        .requests()
        .iter()
        .filter(|(request, _)| request.is_ours() && request.puts(""))
        .count();
    let mut reached = Vec::new();
    for (number, point) in points().enumerate() {
        let wanted = 1 + point * (writes - 1) / (POINTS - 1);
        let name = format!("e2e/write{point}");
        process.store(0, Ordering::SeqCst);
        passes.store(number % 2 == 0, Ordering::SeqCst);
        countdown.store(wanted, Ordering::SeqCst);
        let running = release(&family, &at(&name));
        process.store(i32::try_from(running.id()).unwrap(), Ordering::SeqCst);
        let killed = running.wait();
        reached.push((wanted, killed.code, killed.events.len(), built(&killed).len()));
        let again = release(&family, &at(&name)).wait();
        finishes(&killed, &again, &registry, &name);
    }
    assert!(reached.iter().all(|(_, code, ..)| *code == 137), "{reached:?}");
}

#[test]
fn e2e_another_version_waits_for_one_that_was_killed() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    running.wait_for_start("build/variant/base/linux-amd64");
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, 137);
    let other = family.splitbase().run(&["release", "v1.1.0"]).expect(7);
    other
        .says("error: release `v1.0.0` is unfinished: its record says `planned`")
        .says("hint: `splitbase release v1.0.0` goes on with it")
        .says("hint: `--force` sets it aside");
    assert_eq!(other.builds(), [""; 0]);
    assert_eq!(family.public_tags(&registry), BTreeMap::new());
    family.splitbase().ok(&["release", "v1.0.0"]);
    family.splitbase().ok(&["release", "v1.1.0"]);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.1.0")
    );
}

#[test]
fn e2e_another_version_can_set_a_killed_one_aside() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    running.wait_for_start("build/variant/base/linux-amd64");
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, 137);
    family.splitbase().ok(&["release", "v1.1.0", "--force"]);
    assert_eq!(family.public_tags(&registry).len(), 3);
}

/// The program in a process namespace of its own: as on another machine, its processes cannot be seen from here.
pub fn elsewhere(family: &Family, log: &Path, args: &[&str]) -> Child {
    let stderr = std::fs::File::create(log).unwrap();
    Command::new("unshare")
        .args([
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            env!("CARGO_BIN_EXE_splitbase"),
        ])
        .args(args)
        .current_dir(family.folder())
        .env("SPLITBASE_PROGRESS", "plain")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

/// When the second of two runs goes on, whose plans were both made before either had written anything.
#[derive(Clone, Copy, PartialEq)]
enum Start {
    /// With the first: both write their record at once.
    Together,
    /// When the first one builds: both build the same images.
    Building,
}

/// Two runs at once; the exit codes.
fn race(start: Start, versions: [&str; 2]) -> (Registry, [i32; 2]) {
    let registry = Registry::start();
    let (arrived, building) = (AtomicUsize::new(0), AtomicBool::new(false));
    let fault = move |request: &Request| {
        building.fetch_or(!request.is_ours(), Ordering::SeqCst);
        if request.is_ours() && request.puts("_release-") {
            let number = arrived.fetch_add(1, Ordering::SeqCst);
            let patience = Instant::now() + Duration::from_secs(20);
            let waits = || match number {
                0 => arrived.load(Ordering::SeqCst) < 2,
                1 if start == Start::Building => !building.load(Ordering::SeqCst),
                _ => false,
            };
            while waits() && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Fault::Pass
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = family(proxy.address());
    let logs = [family.path("one.log"), family.path("two.log")];
    let begin = |(version, log): (&&str, &PathBuf)| elsewhere(&family, log, &["release", version]);
    let children: Vec<Child> = versions.iter().zip(&logs).map(begin).collect();
    let codes: Vec<i32> = children
        .into_iter()
        .map(|mut child| child.wait().unwrap().code().unwrap_or(-1))
        .collect();
    for log in &logs {
        println!("---\n{}", std::fs::read_to_string(log).unwrap());
    }
    (registry, [codes[0], codes[1]])
}

/// Both end well, or one sees the other and does nothing.
fn one_version(start: Start) {
    let (registry, codes) = race(start, ["v1.0.0", "v1.0.0"]);
    whole(&registry, "e2e/fam", "v1.0.0");
    assert!(matches!(codes, [0, 0 | 7] | [7, 0]), "{codes:?}");
}

#[test]
fn e2e_two_machines_begin_the_same_version_at_once() {
    one_version(Start::Together);
}

#[test]
fn e2e_two_machines_build_the_same_version_at_once() {
    one_version(Start::Building);
}

/// What is published is whole and tested, whoever was first.
fn two_versions(start: Start) {
    let versions = ["v1.0.0", "v1.1.0"];
    let (registry, codes) = race(start, versions);
    let tags = registry.tags("e2e/fam");
    for (code, version) in codes.iter().zip(versions) {
        assert!(matches!(code, 0 | 7), "{codes:?}");
        assert_eq!(tags.contains_key(version), *code == 0, "{tags:#?}");
        assert_eq!(
            tags.contains_key(&format!("{version}-omos")),
            *code == 0,
            "{tags:#?}"
        );
    }
    let index = |tag: &str| registry.index(&tags[tag]).platforms;
    for (code, version) in codes.iter().zip(versions).filter(|(code, _)| **code == 0) {
        assert_eq!(index(version), index("latest"), "the same images, {code}");
        assert_eq!(index(&format!("{version}-omos")), index("latest-omos"));
        assert_eq!(index(version).keys().collect::<Vec<_>>(), PLATFORMS);
    }
    assert!(codes.contains(&0), "{codes:?}");
}

#[test]
fn e2e_two_machines_begin_two_versions_of_the_same_sources_at_once() {
    two_versions(Start::Together);
}

#[test]
fn e2e_two_machines_build_two_versions_of_the_same_sources_at_once() {
    two_versions(Start::Building);
}
