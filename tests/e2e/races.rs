//! Two machines that publish into one repository in the same moment: aliases end on one release, whole.

use crate::kill::elsewhere;
use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::{AMD64, Family, Registry, variable};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ALIASES: [&str; 3] = ["base-latest", "latest", "latest-omos"];

/// One of two checkouts of a family that differ in their sources, all images of it built and tested: only tags and aliases are left to be written.
fn checkout(registry: &str) -> Family {
    let family = Family::of(registry, &[AMD64], &["base", "omos"]);
    family.smoke("true");
    family.splitbase().ok(&["build"]);
    family.splitbase().ok(&["smoke"]);
    family
}

/// What a release of this checkout puts under each alias.
fn wanted(family: &Family) -> BTreeMap<String, String> {
    let plan = family.splitbase().json(&["plan", "v0.0.1", "--no-promote"]);
    let images = plan["images"].as_array().unwrap();
    let image = |image: &serde_json::Value| {
        let digest = image["digest"].as_str().unwrap_or_default().to_owned();
        let aliases = image["aliases"].as_array().unwrap().clone();
        aliases
            .into_iter()
            .map(move |alias| (alias.as_str().unwrap().to_owned(), digest.clone()))
    };
    images.iter().flat_map(image).collect()
}

/// Runs both at once; their exit codes, and what they said.
fn both(families: [&Family; 2], args: [[&str; 2]; 2]) -> [(i32, String); 2] {
    let logs = families.map(|family| family.path("race.log"));
    let mut children = [0, 1].map(|at| elsewhere(families[at], &logs[at], &args[at]));
    [0, 1].map(|at| {
        let code = children[at].wait().unwrap().code().unwrap_or(-1);
        (code, std::fs::read_to_string(&logs[at]).unwrap())
    })
}

/// Which checkout all aliases are of; fails where they are not of one, or what they lead to is not there to its last byte.
#[track_caller]
fn owner(registry: &Registry, sources: &[BTreeMap<String, String>]) -> Option<usize> {
    let tags = registry.tags("e2e/fam");
    let of = |at: usize| {
        ALIASES
            .iter()
            .all(|alias| tags.get(*alias) == sources[at].get(*alias))
    };
    let none = ALIASES.iter().all(|alias| !tags.contains_key(*alias));
    let owner = (0..sources.len()).find(|at| of(*at));
    for digest in ALIASES.iter().filter_map(|alias| tags.get(*alias)) {
        whole(registry, digest);
    }
    assert!(
        owner.is_some() || none,
        "aliases of two releases: {tags:#?}\n{sources:#?}"
    );
    owner
}

/// Every byte of every platform, and its attestation.
fn whole(registry: &Registry, digest: &str) {
    let index = registry.index(digest);
    assert_eq!(index.platforms.keys().collect::<Vec<_>>(), [AMD64]);
    for platform in index.platforms.values() {
        registry.json(&index.attestations[platform]);
        let manifest = registry.json(platform);
        let blobs = manifest["layers"].as_array().unwrap().iter();
        for blob in blobs.chain([&manifest["config"]]) {
            let bytes = registry.blob(blob["digest"].as_str().unwrap());
            assert_eq!(bytes.len() as u64, blob["size"].as_u64().unwrap());
        }
    }
}

/// Holds the first two PUTs of this tag by splitbase, until both have come.
fn holds(part: &'static str, exact: bool) -> impl Fn(&Request) -> Fault + Send + Sync + 'static {
    let arrived = Arc::new(AtomicUsize::new(0));
    move |request: &Request| {
        let is = request.puts(part) && (!exact || request.path.ends_with(&format!("/{part}")));
        if is && request.is_ours() {
            arrived.fetch_add(1, Ordering::SeqCst);
            let patience = Instant::now() + Duration::from_secs(10);
            while arrived.load(Ordering::SeqCst) < 2 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        Fault::Pass
    }
}

fn race(versions: [&str; 2], part: &'static str) {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), holds(part, true));
    let families = [checkout(proxy.address()), checkout(proxy.address())];
    let sources = [wanted(&families[0]), wanted(&families[1])];
    let runs = both(
        [&families[0], &families[1]],
        [["release", versions[0]], ["release", versions[1]]],
    );
    let codes = [runs[0].0, runs[1].0];
    let told = format!("{codes:?}\n{}\n---\n{}", runs[0].1, runs[1].1);
    println!("{told}");
    let owner = owner(&registry, &sources);
    for (at, code) in codes.into_iter().enumerate() {
        assert!(matches!(code, 0 | 7), "{told}");
        // Who says that all went well is who the aliases are of.
        assert_eq!(code == 0, owner == Some(at), "{told}");
    }
    assert!(codes.contains(&0), "{told}");
    // The next one finds nothing half done.
    let tags = registry.tags("e2e/fam");
    if let Some(at) = owner {
        assert_eq!(tags[versions[at]], tags["latest"]);
        assert_eq!(tags[&format!("{}-omos", versions[at])], tags["latest-omos"]);
        let other = versions[1 - at];
        assert!(other == versions[at] || !tags.contains_key(other), "{tags:#?}");
    }
    families[0].splitbase().ok(&["release", "v1.9.0"]);
    assert_eq!(self::owner(&registry, &sources), Some(0));
}

/// Both have looked, and none has written, when they are let go on.
#[test]
fn e2e_races_two_versions_between_look_and_write() {
    race(["v1.0.0", "v1.1.0"], "_release");
}

#[test]
fn e2e_races_one_version_of_two_sources_between_look_and_write() {
    race(["v1.0.0", "v1.0.0"], "_release");
}

/// What two runs meet at though both have passed the barrier.
#[derive(Clone, Copy, PartialEq)]
enum Meet {
    ReleaseTag,
    Aliases,
}

/// The second run stalls before it writes its claim, until the first has passed the barrier and puts a release tag, or an alias. (The first does not write
/// its own before the second has looked for one.) Then the first waits until the second has come as far: both have looked there before either writes.
fn stalled(versions: [&'static str; 2], meet: Meet) {
    let registry = Registry::start();
    let arrived = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
    let (armed, looked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let wait = |other: &AtomicBool, seconds| {
        let patience = Instant::now() + Duration::from_secs(seconds);
        while !other.load(Ordering::SeqCst) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let proxy = |at: usize| {
        let (arrived, armed, looked) = (arrived.clone(), armed.clone(), looked.clone());
        Proxy::start(registry.address(), move |request| {
            let puts = |tag: &str| request.puts(tag) && request.path.ends_with(&format!("/{tag}"));
            if !armed.load(Ordering::SeqCst) || !request.is_ours() {
            } else if puts(&format!("_release-{}", versions[at])) {
                if at == 1 {
                    looked.store(true, Ordering::SeqCst);
                    wait(&arrived[0], 10);
                } else {
                    wait(&looked, 10);
                }
            } else if match meet {
                Meet::ReleaseTag => puts(versions[at]),
                Meet::Aliases => ALIASES.into_iter().any(puts),
            } {
                arrived[at].store(true, Ordering::SeqCst);
                wait(&arrived[1 - at], 3);
            }
            Fault::Pass
        })
    };
    let proxies = [proxy(0), proxy(1)];
    let families = [checkout(proxies[0].address()), checkout(proxies[1].address())];
    // What aliases lead to before: there is something to put them back to.
    let earlier = checkout(registry.address());
    earlier.splitbase().ok(&["release", "v0.9.0"]);
    let sources = [wanted(&families[0]), wanted(&families[1]), wanted(&earlier)];
    armed.store(true, Ordering::SeqCst);
    let runs = both(
        [&families[0], &families[1]],
        [["release", versions[0]], ["release", versions[1]]],
    );
    armed.store(false, Ordering::SeqCst);
    let codes = [runs[0].0, runs[1].0];
    let told = format!("{codes:?}\n{}\n---\n{}", runs[0].1, runs[1].1);
    println!("{told}");
    assert!(
        arrived[0].load(Ordering::SeqCst),
        "the first came nowhere: {told}"
    );
    let owner = owner(&registry, &sources).unwrap();
    for (at, code) in codes.into_iter().enumerate() {
        assert!(matches!(code, 0 | 7), "{told}");
        assert_eq!(code == 0, owner == at, "{told}");
    }
    if meet == Meet::ReleaseTag {
        assert!(
            arrived[1].load(Ordering::SeqCst),
            "the second did not come as far: {told}"
        );
        assert_eq!(codes, [7, 0], "who wrote its claim last goes on: {told}");
    }
    // A release tag is there with all of its kin, of one checkout.
    let tags = registry.tags("e2e/fam");
    for version in versions {
        let at = [tags.get(version), tags.get(&format!("{version}-omos"))];
        let is = |at: usize| [sources[at].get("latest"), sources[at].get("latest-omos")];
        assert!(
            at == [None, None] || at == is(0) || at == is(1),
            "{version}: {tags:#?}\n{told}"
        );
    }
    families[0].splitbase().ok(&["release", "v1.9.0"]);
    assert_eq!(self::owner(&registry, &sources), Some(0));
}

#[test]
fn e2e_races_two_versions_that_both_pass_the_barrier_meet_at_a_release_tag() {
    stalled(["v1.0.0", "v1.1.0"], Meet::ReleaseTag);
}

#[test]
fn e2e_races_one_version_of_two_sources_past_the_barrier_meets_at_a_release_tag() {
    stalled(["v1.0.0", "v1.0.0"], Meet::ReleaseTag);
}

#[test]
fn e2e_races_two_versions_that_both_pass_the_barrier_meet_at_aliases() {
    stalled(["v1.0.0", "v1.1.0"], Meet::Aliases);
}

#[test]
fn e2e_races_one_version_of_two_sources_past_the_barrier_meets_at_aliases() {
    stalled(["v1.0.0", "v1.0.0"], Meet::Aliases);
}

/// Somebody who knows nothing of splitbase moves an alias when all of them have just moved.
#[test]
fn e2e_races_a_foreign_writer_is_found_and_the_others_are_put_back() {
    let registry = Registry::start();
    let reference = format!("{}/e2e/fam:v1.1.0", registry.address());
    let armed = Arc::new(AtomicUsize::new(0));
    let arm = armed.clone();
    // How often each alias was looked at since it was put.
    let looks = std::sync::Mutex::new(BTreeMap::new());
    let proxy = Proxy::start(registry.address(), move |request| {
        if arm.load(Ordering::SeqCst) == 0 || !request.is_ours() {
            return Fault::Pass;
        }
        let is = |alias: &&str| request.path.ends_with(&format!("/manifests/{alias}"));
        if let Some(alias) = ALIASES.into_iter().find(is) {
            let mut looks = looks.lock().unwrap();
            if request.method == "PUT" {
                looks.insert(alias, 0);
            } else if let Some(count) = looks.get_mut(alias) {
                *count += 1;
                let again = *count == 2;
                if again && looks.values().sum::<i32>() == 4 {
                    // All were read back, and this is the first that is looked at once more; the others wait here.
                    crate::support::program("crane", &["tag", &reference, "latest-omos"]);
                }
            }
        }
        Fault::Pass
    });
    let family = checkout(proxy.address());
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    let before = family.public_tags(&registry);
    family.append("marker", "more\n");
    splitbase.ok(&["build"]);
    armed.store(1, Ordering::SeqCst);
    let run = splitbase.run(&["release", "v1.1.0"]).expect(7);
    armed.store(0, Ordering::SeqCst);
    run.says("alias `latest-omos` was moved to sha256:")
        .says("alias `latest` was put back to")
        .says("alias `base-latest` was put back to")
        .says("alias `latest-omos` is at");
    let after = family.public_tags(&registry);
    assert_eq!(after["latest"], before["latest"]);
    assert_eq!(after["base-latest"], before["base-latest"]);
    assert_eq!(after["latest-omos"], after["v1.1.0"], "theirs stays");
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "not-promoted");
    // It is nobody's release: `promote` takes it over when told.
    splitbase
        .run(&["promote", "v1.1.0", "--yes"])
        .expect(7)
        .says("--adopt");
    splitbase.ok(&["promote", "v1.1.0", "--yes", "--adopt"]);
    let after = family.public_tags(&registry);
    assert_eq!(after["latest-omos"], after["v1.1.0-omos"]);
    assert_eq!(after["latest"], after["v1.1.0"]);
}

/// As often as it takes to see what a machine does by itself; 50 times with `SPLITBASE_RACES=all`.
fn free() -> usize {
    match variable("SPLITBASE_RACES").as_deref() {
        Some("all") => 50,
        _ => 15,
    }
}

#[test]
fn e2e_races_free_runs_end_on_one_release() {
    let registry = Registry::start();
    let families = [checkout(registry.address()), checkout(registry.address())];
    let sources = [wanted(&families[0]), wanted(&families[1])];
    let (mut overlapped, mut outcomes) = (0, BTreeMap::new());
    let rounds = free();
    for round in 0..rounds {
        // Each is the newer one in turn; every fifth time both make the same version.
        let first = format!("v1.{}.0", 2 * round);
        let second = format!("v1.{}.0", if round % 5 == 4 { 2 * round } else { 2 * round + 1 });
        let versions = if round % 2 == 0 {
            [&first, &second]
        } else {
            [&second, &first]
        };
        let runs = both(
            [&families[0], &families[1]],
            [
                ["release", versions[0].as_str()],
                ["release", versions[1].as_str()],
            ],
        );
        let codes = [runs[0].0, runs[1].0];
        let told = format!("round {round}: {codes:?}\n{}\n---\n{}", runs[0].1, runs[1].1);
        assert!(codes.iter().all(|code| matches!(code, 0 | 7)), "{told}");
        let owner = owner(&registry, &sources);
        if let Some(at) = owner.filter(|_| codes.contains(&0)) {
            assert_eq!(codes[at], 0, "{told}");
        }
        let both_wrote = runs.iter().all(|(_, log)| log.contains("record/publishing"));
        overlapped += usize::from(both_wrote && codes.contains(&7));
        *outcomes.entry(codes).or_insert(0) += 1;
    }
    // Fewer may all miss one another.
    assert!(
        overlapped > 0 || rounds < 50,
        "no two of {rounds} runs overlapped: {outcomes:?}"
    );
    println!(
        "{rounds} free runs, {overlapped} overlapped at the barrier or after it; exit codes: {outcomes:?}"
    );
}
