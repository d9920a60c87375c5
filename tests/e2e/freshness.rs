//! Refresh periods and salts: a new one gives another image, whatever the build cache holds; the same one gives the same.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, Run, Splitbase, program, unique};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The last day of 2026-W47, and the first ones of the weeks that follow.
const SUNDAY: &str = "2026-11-22";
const MONDAY: &str = "2026-11-23";
const NEXT: &str = "2026-11-30";

/// Base and variants each hold a number that another build does not have, in steps before those that change here; what the cache has of them is in
/// the registry too.
fn family(registry: &str, variants: &[&str], table: &str) -> Family {
    let family = Family::of(registry, &[AMD64], variants);
    // The engine keeps what it did for other tests too, and these steps are to be of this one alone.
    let of = unique();
    let number = |path: &str| format!("RUN : {of} && cat /proc/sys/kernel/random/uuid >{path}\n");
    let before = "COPY marker /etc/marker\n";
    family
        .replace(
            "Dockerfile.base",
            before,
            &format!("{}{before}", number("/etc/base-number")),
        )
        .append("Dockerfile.variant", &number("/etc/own-number"))
        .replace("variants.toml", "to = \"none\"", "to = \"registry\"")
        .smoke(
            "docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" sh -c \
             'echo numbers: $(cat /etc/base-number) $(cat /etc/own-number)'",
        );
    if !table.is_empty() {
        family.set("base", table);
    }
    family
}

fn on(family: &Family, day: &str) -> Splitbase {
    family.splitbase().env("SPLITBASE_TODAY", day)
}

/// The numbers in the images that a run has built and tested: those of the base, and of its variants.
fn numbers(run: &Run) -> (Vec<String>, Vec<String>) {
    let lines = run.stderr.lines().filter_map(|line| line.split_once("numbers: "));
    let pairs = lines.filter_map(|(_, numbers)| numbers.split_once(' '));
    let (mut bases, mut own): (Vec<_>, Vec<_>) = pairs
        .map(|(base, own)| (base.trim().to_owned(), own.trim().to_owned()))
        .unzip();
    bases.sort();
    bases.dedup();
    own.sort();
    own.dedup();
    (bases, own)
}

/// Fails unless all its builds were without cache, or all with it.
#[track_caller]
fn cached(run: &Run, cached: bool) {
    for build in run.builds() {
        assert_eq!(build.contains(" --no-cache "), !cached, "{build}");
        assert_eq!(build.contains(" --cache-from "), cached, "{build}");
    }
}

#[test]
fn e2e_freshness_a_new_period_gives_another_image_with_a_full_cache_at_hand() {
    let registry = Registry::start();
    let family = family(registry.address(), &["base"], "refresh = \"weekly\"");
    let first = on(&family, "2026-11-16").ok(&["release", "v1.0.0"]);
    cached(&first, false);
    assert_eq!(first.builds().len(), 2);
    let (base, own) = numbers(&first);
    assert_eq!((base.len(), own.len()), (1, 1));
    assert_eq!(family.record(&registry, "v1.0.0")["period"], "2026-W47");

    // The same week, and nothing changed: the same.
    let same = on(&family, SUNDAY).ok(&["release", "v1.1.0"]);
    assert_eq!(same.builds(), [""; 0]);
    assert_eq!(
        family.digest(&registry, "v1.1.0"),
        family.digest(&registry, "v1.0.0")
    );

    // A change in the same week uses the cache.
    family.append("marker", "changed\n");
    let plan = on(&family, SUNDAY).ok(&["plan", "v1.2.0"]);
    assert!(!plan.stdout.contains("without cache"), "{}", plan.stdout);
    let changed = on(&family, SUNDAY).ok(&["release", "v1.2.0"]);
    cached(&changed, true);
    assert_eq!(changed.builds().len(), 2);
    assert_eq!(numbers(&changed).0, base);

    // A new week: another base, and others on it.
    let tags = family.tags(&registry);
    for cache in ["cache-base-amd64", "cache-variant-base-amd64"] {
        assert!(tags.contains_key(cache), "{tags:?}");
    }
    let why = "a new refresh period, 2026-W48: built without cache";
    on(&family, MONDAY)
        .ok(&["plan", "v1.3.0"])
        .shows(why)
        .shows("2026-W48  refresh period");
    let fresh = on(&family, MONDAY).ok(&["release", "v1.3.0"]);
    cached(&fresh, false);
    fresh.says(why);
    let (fresh_base, fresh_own) = numbers(&fresh);
    assert_eq!((fresh_base.len(), fresh_own.len()), (1, 1));
    assert_ne!(fresh_base, base);
    assert!(
        fresh_own
            .iter()
            .all(|number| !numbers(&changed).1.contains(number))
    );
    assert_ne!(
        family.digest(&registry, "v1.3.0"),
        family.digest(&registry, "v1.2.0")
    );

    // In the week after, the sources change too.
    family.append("marker", "again\n");
    let both = on(&family, NEXT).ok(&["release", "v1.4.0"]);
    cached(&both, false);
    assert_ne!(numbers(&both).0, fresh_base);
}

#[test]
fn e2e_freshness_a_release_goes_on_with_its_period() {
    let registry = Registry::start();
    let family = family(registry.address(), &["base"], "refresh = \"weekly\"");
    let good = family.read("scripts/smoke.sh");
    family.smoke("false");
    let run = on(&family, SUNDAY).run(&["release", "v1.0.0"]).expect(3);
    assert_eq!(run.builds().len(), 2);
    assert_eq!(family.record(&registry, "v1.0.0")["period"], "2026-W47");

    // It is Monday when it is run again.
    family.write_script("scripts/smoke.sh", &good);
    let again = on(&family, MONDAY).ok(&["release", "v1.0.0"]);
    assert_eq!(again.builds(), [""; 0]);
    assert_eq!(family.record(&registry, "v1.0.0")["period"], "2026-W47");
    // Who wants today's, says so: then it is another image.
    let plan = on(&family, MONDAY)
        .run(&["plan", "v1.0.0", "--re-resolve"])
        .expect(7);
    plan.says("`v1.0.0`");
    let next = on(&family, MONDAY).json(&["plan", "v1.2.0"]);
    assert_eq!(
        (&next["period"], &next["images"][0]["presence"]),
        (&"2026-W48".into(), &"absent".into())
    );

    // A saved plan has its period with it.
    let saved = family.path("plan.json");
    let saved = saved.to_str().unwrap();
    on(&family, SUNDAY).ok(&["plan", "v1.1.0", "--save", saved]);
    let run = on(&family, MONDAY).ok(&["release", "--plan", saved]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.record(&registry, "v1.1.0")["period"], "2026-W47");

    // What is thrown away may come from the cache.
    let run = on(&family, NEXT).ok(&["validate"]);
    assert_eq!(run.builds().len(), 2);
    assert!(!run.builds().iter().any(|build| build.contains("--no-cache")));
}

#[test]
fn e2e_freshness_the_period_is_that_of_the_clock() {
    let registry = Registry::start();
    let family = family(registry.address(), &["base"], "refresh = \"weekly\"");
    let week = || {
        let text = program("date", &["--utc", "+%G-W%V"]);
        String::from_utf8(text).unwrap().trim().to_owned()
    };
    let before = week();
    let hashed = family.splitbase().json(&["hash"]);
    let plan = family.splitbase().json(&["plan", "v1.0.0"]);
    let weeks = [before, week()];
    for period in [&hashed["images"][0]["period"], &plan["period"]] {
        assert!(
            weeks.iter().any(|week| period == week),
            "{period} is not of {weeks:?}"
        );
    }
    // It counts, in either kind, and `hash` says for which it is.
    let identity = |day: &str| {
        let run = on(&family, day).ok(&["hash"]);
        run.says(" for `refresh`");
        run.stdout
    };
    assert_eq!(identity("2026-11-16"), identity(SUNDAY));
    assert_ne!(identity(SUNDAY), identity(MONDAY));
    family.replace("variants.toml", "\"weekly\"", "\"monthly\"");
    assert_eq!(identity("2026-11-01"), identity("2026-11-30"));
    assert_ne!(identity("2026-11-30"), identity("2026-12-01"));
    family
        .splitbase()
        .run(&["hash", "--today", "2026-11"])
        .expect(2)
        .says("--today");
}

#[test]
fn e2e_freshness_a_push_that_is_tried_again_builds_nothing_again() {
    let registry = Registry::start();
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = broken.clone();
    let proxy = Proxy::start(registry.address(), move |request| {
        if request.puts("-staging") && is_broken.load(Ordering::SeqCst) {
            Fault::Status(429)
        } else {
            Fault::Pass
        }
    });
    let family = family(proxy.address(), &["base"], "refresh = \"weekly\"");
    // No step of it is one that another test builds at the same time: whose result BuildKit keeps then is another matter.
    family.replace(
        "Dockerfile.base",
        "FROM scratch\n",
        "FROM scratch\nCOPY marker /etc/first\n",
    );
    let before = on(&family, SUNDAY).ok(&["release", "v1.0.0"]);
    broken.store(true, Ordering::SeqCst);
    let mut running = on(&family, MONDAY).start(&["release", "v1.1.0"]);
    running.wait_for("another attempt", |event| event["event"] == "retry");
    broken.store(false, Ordering::SeqCst);
    let run = running.wait().expect(0);
    let builds = run.builds();
    let of_base = |build: &&&str| build.contains("Dockerfile.base");
    let of_base: Vec<&&str> = builds.iter().filter(of_base).collect();
    assert_eq!(of_base.len(), 2, "{builds:#?}");
    assert!(of_base[0].contains(" --no-cache "), "{builds:#?}");
    for flag in [" --no-cache ", " --cache-from "] {
        assert!(!of_base[1].contains(flag), "{builds:#?}");
    }
    let built = &run.events[run.at("finished", "build/base/linux-amd64")];
    assert_eq!(built["run"], 0, "{built}");
    let (before, now) = (numbers(&before).0, numbers(&run).0);
    assert_eq!(now.len(), 1);
    assert_ne!(now, before);
}

#[test]
fn e2e_freshness_a_new_salt_builds_without_cache() {
    let registry = Registry::start();
    let family = family(registry.address(), &["base", "omos"], "");
    let first = family.splitbase().ok(&["release", "v1.0.0"]);
    cached(&first, true);
    // Of one variant: that one alone.
    family.set("variants.omos", "salt = \"1\"");
    let run = family.splitbase().ok(&["release", "v1.1.0"]);
    cached(&run, false);
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    run.says("a new salt: built without cache");
    let (base, own) = numbers(&run);
    assert_eq!(base, numbers(&first).0);
    assert!(!numbers(&first).1.contains(&own[0]));
    // Of the base: all of it. Built by hand, and the release takes it.
    family.set("base", "salt = \"1\"");
    let built = family.splitbase().ok(&["build"]);
    cached(&built, false);
    assert_eq!(built.builds().len(), 3);
    let run = family.splitbase().ok(&["release", "v1.2.0"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_ne!(numbers(&run).0, base);
    // It stays, and what changes uses the cache again.
    family.append("marker", "changed\n");
    let changed = family.splitbase().ok(&["release", "v1.3.0"]);
    cached(&changed, true);
    assert_eq!(
        (changed.builds().len(), numbers(&changed).0),
        (3, numbers(&run).0)
    );
}
