//! Ending what a release began: `recover`, `recover --undo`, `rollback`, and promoting an older release.

use crate::kill::elsewhere;
use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::{AMD64, Family, Registry, Run};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

const VARIANTS: [&str; 2] = ["base", "omos"];

/// A family behind a proxy, of which `v1.0.0` stands, and `v1.1.0` was killed when it was about to put `latest-omos`.
struct Killed {
    registry: Registry,
    family: Family,
    run: Run,
}

/// `deletes`: whether the registry deletes tags. Debian's does not, so that the proxy takes the tag out of the registry's storage then.
fn killed(deletes: bool) -> Killed {
    let registry = Registry::start();
    let process = Arc::new(AtomicI32::new(0));
    let (victim, storage) = (process.clone(), registry.tag_folder("e2e/fam"));
    let fault = move |request: &Request| {
        if request.method == "DELETE" && request.path.contains("/manifests/") {
            let (_, tag) = request.path.rsplit_once('/').unwrap();
            if deletes {
                std::fs::remove_dir_all(storage.join(tag)).unwrap();
                return Fault::Answer(202, "", "");
            }
        }
        let id = victim.load(Ordering::SeqCst);
        if id != 0 && request.is_ours() && request.puts("latest-omos") {
            victim.store(0, Ordering::SeqCst);
            kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
            return Fault::Reset;
        }
        Fault::Pass
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = Family::of(proxy.address(), &[AMD64], &VARIANTS);
    family.smoke("true");
    family.splitbase().ok(&["release", "v1.0.0"]);
    family.append("marker", "more\n");
    family.splitbase().ok(&["build"]);
    let running = family.splitbase().start(&["release", "v1.1.0"]);
    process.store(i32::try_from(running.id()).unwrap(), Ordering::SeqCst);
    let run = running.wait().expect(137);
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "publishing");
    Killed {
        registry,
        family,
        run,
    }
}

impl Killed {
    /// Fails unless every alias is at this release.
    #[track_caller]
    fn stands(&self, version: &str) {
        let digest = |tag: &str| self.family.digest(&self.registry, tag);
        assert_eq!(digest("latest"), digest(version));
        assert_eq!(digest("latest-omos"), digest(&format!("{version}-omos")));
        let tags = self.family.tags(&self.registry);
        let newest = self.registry.json(&tags["_release"]);
        let newest = self
            .registry
            .json(newest["layers"][0]["digest"].as_str().unwrap());
        for alias in ["latest", "latest-omos", "base-latest"] {
            assert_eq!(newest["points"][alias]["version"], version, "{alias}");
            assert_eq!(newest["points"][alias]["digest"], tags[alias], "{alias}");
        }
    }

    fn state(&self) -> String {
        self.family.record(&self.registry, "v1.1.0")["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn writes(&self) -> usize {
        self.registry.writes().len()
    }
}

#[test]
fn e2e_recover_finishes_what_was_cut_off() {
    let it = killed(false);
    let splitbase = it.family.splitbase();
    // Another version is refused, and pointed here.
    splitbase
        .run(&["release", "v1.2.0"])
        .expect(7)
        .says("`v1.1.0` is unfinished")
        .says("splitbase recover");
    it.writes();
    let old = it.family.digest(&it.registry, "latest-omos");
    let shown = splitbase.run(&["recover"]).expect(2);
    shown
        .says("v1.1.0 is unfinished")
        .says("--yes")
        .shows("latest-omos")
        .shows("→")
        .shows(&old[..19]);
    let document = splitbase.run(&["recover", "-o", "json"]).expect(2).json();
    assert!(
        document["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["id"] == "move/latest-omos"),
        "{document}"
    );
    assert_eq!(it.writes(), 0);
    // The sources are not asked: they may be gone.
    it.family.append("marker", "and more\n");
    let run = splitbase.ok(&["recover", "--yes"]);
    assert_eq!(run.docker, [""; 0]);
    assert!(run.steps().contains(&"move/latest-omos"), "{:?}", run.steps());
    it.stands("v1.1.0");
    assert_eq!(it.state(), "done");
    it.writes();
    splitbase.ok(&["recover", "--yes"]).says("nothing to recover");
    let document = splitbase.ok(&["recover", "-o", "json"]).json();
    assert_eq!(document["steps"], serde_json::json!([]));
    assert_eq!(it.writes(), 0);
}

#[test]
fn e2e_recover_undoes_what_was_cut_off() {
    for deletes in [true, false] {
        let it = killed(deletes);
        let splitbase = it.family.splitbase();
        let run = splitbase.ok(&["recover", "--undo", "--yes"]);
        assert_eq!(run.docker, [""; 0]);
        it.stands("v1.0.0");
        assert_eq!(it.state(), "undone");
        let tags = it.family.public_tags(&it.registry);
        assert_eq!(tags.contains_key("v1.1.0"), !deletes, "{tags:#?}");
        if !deletes {
            run.says("`v1.1.0` cannot be deleted there: it stays at sha256:");
        }
        // What is under machine tags stays: the same version can be released again, and builds nothing.
        let again = splitbase.ok(&["release", "v1.1.0"]);
        assert_eq!(again.builds(), [""; 0]);
        it.stands("v1.1.0");
        assert_eq!(built(&again), built(&it.run));
    }
}

fn built(run: &Run) -> usize {
    run.steps_of("build/").len()
}

#[test]
fn e2e_recover_the_same_version_goes_on_by_itself() {
    let it = killed(false);
    it.family.splitbase().ok(&["release", "v1.1.0"]);
    it.stands("v1.1.0");
    assert_eq!(it.state(), "done");
}

#[test]
fn e2e_recover_gives_up_what_was_never_published() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["recover"]).says("there is no release yet");
    let mut running = splitbase.start(&["release", "v1.0.0"]);
    running.wait_for_start("build/variant/base/linux-amd64");
    running.signal(Signal::KILL);
    running.wait().expect(137);
    splitbase
        .run(&["recover", "--undo"])
        .expect(2)
        .says("nothing of it is published");
    splitbase.ok(&["recover", "--undo", "--yes"]);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "undone");
    splitbase.ok(&["status"]).shows("undone");
    splitbase
        .run(&["promote", "v1.0.0", "--yes"])
        .expect(7)
        .says("it was undone");
    // It stands in nobody's way.
    splitbase.ok(&["release", "v1.1.0"]);
    assert_eq!(family.public_tags(&registry).len(), 3);
}

#[test]
fn e2e_recover_makes_what_was_only_planned() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    let mut running = splitbase.start(&["release", "v1.0.0"]);
    running.wait_for_start("build/variant/base/linux-amd64");
    running.signal(Signal::KILL);
    running.wait().expect(137);
    splitbase
        .run(&["recover"])
        .expect(2)
        .shows("build/variant/base/linux-amd64");
    splitbase.ok(&["recover", "--yes"]);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "done");
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.0.0")
    );
}

/// Of a process on another machine nothing is known: it may be alive.
#[test]
fn e2e_recover_waits_for_what_may_be_alive_elsewhere() {
    let registry = Registry::start();
    let later = Arc::new(AtomicI32::new(0));
    let skew = later.clone();
    let proxy = Proxy::start(registry.address(), move |request| {
        match skew.load(Ordering::SeqCst) {
            seconds @ 1.. if request.is_ours() => Fault::Later(seconds.into()),
            _ => Fault::Pass,
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.append("Dockerfile.base", "RUN sleep 20\n");
    let mut child = elsewhere(&family, &family.path("one.log"), &["release", "v1.0.0"]);
    while !family.tags(&registry).contains_key("_release") {
        std::thread::sleep(Duration::from_millis(20));
    }
    let splitbase = family.splitbase();
    for args in [
        &["release", "v1.0.0"][..],
        &["recover", "--undo", "--yes"],
        &["promote", "v1.0.0", "--yes"],
    ] {
        let run = splitbase.run(args).expect(7);
        if args[0] != "promote" {
            run.says("`v1.0.0` may be on its way elsewhere").says("--force");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // It is gone, which only a person can know here, for ten minutes by the registry's own clock.
    later.store(570, Ordering::SeqCst);
    splitbase.run(&["recover", "--undo", "--yes"]).expect(7);
    let copy = registry.copy();
    let here = format!("{}/{}", copy.address(), family.repository());
    splitbase.ok(&["recover", "--undo", "--yes", "--force", "--repository", &here]);
    later.store(601, Ordering::SeqCst);
    splitbase.ok(&["recover", "--undo", "--yes"]);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "undone");
}

/// A run that ends by itself says so: nobody waits for it, wherever it was.
#[test]
fn e2e_recover_does_not_wait_for_a_run_that_said_that_it_ended() {
    let registry = Registry::start();
    let refuse = Arc::new(AtomicI32::new(1));
    let refusing = refuse.clone();
    let proxy = Proxy::start(registry.address(), move |request| {
        if refusing.load(Ordering::SeqCst) == 1 && request.is_ours() && request.puts("latest") {
            return Fault::Status(403);
        }
        Fault::Pass
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let mut child = elsewhere(&family, &family.path("one.log"), &["release", "v1.0.0"]);
    assert_eq!(
        child.wait().unwrap().code(),
        Some(8),
        "{}",
        family.read("one.log")
    );
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(
        (&record["state"], &record["ended"]),
        (&"publishing".into(), &true.into())
    );
    refuse.store(0, Ordering::SeqCst);
    family.splitbase().ok(&["recover", "--yes"]);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.0.0")
    );
}

#[test]
fn e2e_rollback_and_promote_move_aliases_between_releases_that_stand() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke("true");
    let splitbase = family.splitbase();
    splitbase
        .run(&["rollback", "--yes"])
        .expect(7)
        .says("there is no release");
    splitbase.ok(&["release", "v1.0.0"]);
    let first = family.public_tags(&registry);
    family.append("marker", "more\n");
    splitbase.ok(&["release", "v2.0.0"]);
    let second = family.public_tags(&registry);
    let aliases = |of: &BTreeMap<String, String>| {
        ["latest", "latest-omos", "base-latest"].map(|alias| of[alias].clone())
    };
    let now = || aliases(&family.public_tags(&registry));
    assert_ne!(aliases(&first), aliases(&second));

    registry.requests();
    let shown = splitbase.run(&["rollback"]).expect(2);
    shown.shows("from v2.0.0 to v1.0.0").shows("→").says("--yes");
    assert_eq!(registry.writes(), []);
    let report = splitbase.ok(&["rollback", "--yes", "-o", "json"]).json();
    assert_eq!(
        (&report["outcome"], &report["version"]),
        (&"done".into(), &"v2.0.0".into())
    );
    assert_eq!(now(), aliases(&first));
    assert_eq!(family.record(&registry, "v2.0.0")["state"], "not-promoted");
    splitbase.ok(&["status"]).shows("v1.0.0");
    registry.requests();
    splitbase.ok(&["rollback", "v2.0.0", "--yes"]);
    assert_eq!(registry.writes(), []);

    // To any release that stands, also to an older one when told.
    splitbase.ok(&["promote", "v2.0.0", "--yes"]);
    assert_eq!(now(), aliases(&second));
    splitbase
        .run(&["promote", "v1.0.0", "--yes"])
        .expect(7)
        .says("stays at v2.0.0, which is newer than v1.0.0");
    assert_eq!(now(), aliases(&second));
    splitbase.ok(&["promote", "v1.0.0", "--yes", "--allow-older"]);
    assert_eq!(now(), aliases(&first));
    // The records know: v1.5.0 is newer than what the aliases stand for now.
    family.append("marker", "and more\n");
    splitbase.ok(&["release", "v1.5.0"]);
    assert_ne!(now(), aliases(&first));
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v1.5.0")
    );
}

#[test]
fn e2e_rollback_in_a_layout() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    let to = ["--to", "oci:out"];
    let with = |args: &[&str]| {
        let args: Vec<&str> = args.iter().copied().chain(to).collect();
        splitbase.run(&args)
    };
    let tag = |name: &str| {
        let index: serde_json::Value = serde_json::from_str(&family.read("out/index.json")).unwrap();
        let entries = index["manifests"].as_array().unwrap();
        let named =
            |entry: &&serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"] == name;
        entries
            .iter()
            .find(named)
            .map(|entry| entry["digest"].as_str().unwrap().to_owned())
    };
    with(&["release", "v1.0.0"]).expect(0);
    let first = tag("latest");
    family.append("marker", "more\n");
    with(&["release", "v1.1.0"]).expect(0);
    assert_ne!(tag("latest"), first);
    with(&["rollback", "--yes"]).expect(0);
    assert_eq!(tag("latest"), first);
    with(&["promote", "v1.1.0", "--yes"]).expect(0);
    assert_eq!(tag("latest"), tag("v1.1.0"));

    // What was killed is undone: a layout deletes tags.
    family.append("marker", "and more\n");
    let mut running = splitbase.start(&["release", "v1.2.0", "--to", "oci:out"]);
    running.wait_for_start("build/base/linux-amd64");
    running.signal(Signal::KILL);
    running.wait().expect(137);
    with(&["recover", "--undo", "--yes"]).expect(0);
    assert_eq!(tag("latest"), tag("v1.1.0"));
    assert_eq!(tag("v1.2.0"), None);
    with(&["release", "v1.3.0"]).expect(0);
    assert_eq!(registry.requests(), []);
}

/// Releases that another tool made are known by their release tags.
#[test]
fn e2e_aliases_are_known_by_the_release_tag_with_the_same_digest() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.5.0"]);
    let other = format!("{}/e2e/other", registry.address());
    for tag in ["v1.5.0", "latest"] {
        let (from, to) = (family.reference(&registry, tag), format!("{other}:{tag}"));
        crate::support::program("crane", &["copy", &from, &to]);
    }
    family.append("marker", "more\n");
    let there = |tag: &str| registry.tags("e2e/other").get(tag).cloned();
    let older = splitbase.ok(&["release", "v1.4.0", "--repository", &other]);
    older.says("alias `latest` stays at v1.5.0, which is newer than v1.4.0");
    assert_eq!(there("latest"), there("v1.5.0"));
    let newer = splitbase.ok(&["release", "v1.6.0", "--repository", &other]);
    assert!(newer.steps().contains(&"alias/latest"), "{:?}", newer.steps());
    assert_eq!(there("latest"), there("v1.6.0"));
    assert_ne!(there("latest"), there("v1.5.0"));
}
