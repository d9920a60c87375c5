//! Ctrl-C and SIGTERM: the run ends at once, leaves nothing running, says what stands, and can be taken up again.

use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, Running, docker, unique};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Processes on this machine whose command line holds this text.
fn processes(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().map(Result::unwrap);
    let line = |entry: std::fs::DirEntry| {
        let bytes = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    };
    entries
        .filter_map(line)
        .filter(|line| line.contains(text))
        .collect()
}

/// Until there is none any more: the engine takes its moment to end what was cancelled.
#[track_caller]
fn gone(text: &str) {
    let until = Instant::now() + Duration::from_secs(5);
    while !processes(text).is_empty() {
        assert!(Instant::now() < until, "still there: {:?}", processes(text));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends the signal and waits for the end, which must come soon.
#[track_caller]
fn interrupted(running: Running, signal: Signal) -> crate::support::Run {
    interrupted_with(running, &[signal], 130)
}

#[track_caller]
fn interrupted_with(running: Running, signals: &[Signal], code: i32) -> crate::support::Run {
    let began = Instant::now();
    for signal in signals {
        running.signal(*signal);
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = running.wait().expect(code);
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        began.elapsed()
    );
    run
}

fn during_a_build(signal: Signal) {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let word = unique();
    // Variant `omos` is built long after variant `base` is done.
    family.append(
        "Dockerfile.variant",
        &format!("RUN if [ \"$KIND\" = omos ]; then sh -c ': {word}; sleep 300; :'; fi\n"),
    );
    let mut running = family.splitbase().start(&["release", "v1.0.0", "-o", "json"]);
    running.wait_for("the end of the test of the other variant", |event| {
        event["event"] == "finished" && event["step"] == "smoke/variant/base/linux-amd64"
    });
    running.wait_for("the long RUN", |event| {
        event["event"] == "progress"
            && event["step"] == "build/variant/omos/linux-amd64"
            && event["stage"].as_str().is_some_and(|stage| stage.contains(&word))
    });
    assert!(!processes(&word).is_empty(), "the RUN is seen where it runs");
    let run = interrupted(running, signal);
    // The program, its children, and the RUN in the engine.
    gone(registry.address());
    gone(&word);
    assert!(family.public_tags(&registry).is_empty());
    // What was being stopped, and what was done and not done.
    run.says("interrupt")
        .says("build/variant/omos/linux-amd64")
        .says("not started");
    let report = run.json();
    assert_eq!(
        (&report["outcome"], &report["exit_code"]),
        (&"interrupted".into(), &130.into())
    );
    let outcomes: Vec<_> = report["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["built", "built", "skipped"]);
    assert_eq!(report["images"][1]["tags"], serde_json::json!([]));
    assert_eq!(report["images"][1]["platforms"][0]["smoke"], "passed");

    // It stands in nobody's way, and what was done is not done again.
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "failed");
    family.replace("Dockerfile.variant", "sleep 300", "sleep 0");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.steps_of("build/base"), [""; 0]);
    assert!(family.public_tags(&registry).contains_key("v1.0.0-omos"));
}

#[test]
fn e2e_interrupt_by_sigint_during_a_build() {
    during_a_build(Signal::INT);
}

#[test]
fn e2e_interrupt_by_sigterm_during_a_build() {
    during_a_build(Signal::TERM);
}

fn during_a_test(signal: Signal) {
    let registry = Registry::start();
    let family = Family::new(&registry);
    // PID 1 in a container ignores TERM and INT.
    family.smoke("echo it runs\ndocker run --rm \"$SPLITBASE_IMAGE\" sleep 300");
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    running.wait_for_start("smoke/variant/base/linux-amd64");
    let containers = || {
        let all = docker(&["ps", "--all", "--no-trunc", "--format", "{{.Image}} {{.Status}}"]);
        all.lines()
            .filter(|line| line.starts_with(registry.address()))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let until = Instant::now() + Duration::from_secs(30);
    while !containers().iter().any(|line| line.contains(" Up ")) {
        assert!(Instant::now() < until, "no container: {:?}", containers());
        std::thread::sleep(Duration::from_millis(50));
    }
    let run = interrupted(running, signal);
    // What is there for one more moment is on its way out.
    let until = Instant::now() + Duration::from_secs(5);
    while !containers().is_empty() {
        assert!(
            Instant::now() < until && !containers().iter().any(|line| line.contains(" Up ")),
            "a container is left: {:?}",
            containers()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    gone(registry.address());
    assert!(family.public_tags(&registry).is_empty());
    run.says("interrupt")
        .says("smoke/variant/base/linux-amd64")
        .says("not started");
    run.shows("built").shows("not run").shows("interrupted");
    assert!(
        !family.tags(&registry).keys().any(|tag| tag.contains("-ok-")),
        "no receipt"
    );

    family.smoke("docker run --rm \"$SPLITBASE_IMAGE\" true");
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds(), [""; 0]);
}

#[test]
fn e2e_interrupt_by_sigint_during_a_smoke_test() {
    during_a_test(Signal::INT);
}

#[test]
fn e2e_interrupt_by_sigterm_during_a_smoke_test() {
    during_a_test(Signal::TERM);
}

/// The registry takes a release's tags, and does not answer where an alias is moved. One interrupt, and two of them.
#[test]
fn e2e_interrupt_while_the_registry_is_slow_says_what_stands() {
    let registry = Registry::start();
    // How many requests more are to stall, and how many have.
    let (left, stalled) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(0)));
    let counts = (left.clone(), stalled.clone());
    let proxy = Proxy::start(registry.address(), move |request| {
        let take = |left: usize| left.checked_sub(1);
        let stalls = request.puts("latest-omos")
            && counts
                .0
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                .is_ok();
        if stalls {
            counts.1.fetch_add(1, Ordering::SeqCst);
            Fault::Stall
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base", "omos"]);
    let stopped = |signals: &[Signal], code: i32| {
        let seen = stalled.load(Ordering::SeqCst);
        let mut running = family.splitbase().start(&["release", "v1.0.0", "-o", "json"]);
        let until = Instant::now() + Duration::from_secs(60);
        while stalled.load(Ordering::SeqCst) == seen {
            assert!(Instant::now() < until && !running.ended(), "no alias was moved");
            std::thread::sleep(Duration::from_millis(5));
        }
        interrupted_with(running, signals, code)
    };
    let run = stopped(&[Signal::INT], 8);
    run.says("interrupt")
        .says("`latest-omos` was written, and the registry had not answered");
    let report = run.json();
    assert_eq!(report["exit_code"], 8);
    // What stands, and what is not known to.
    assert_eq!(report["images"][2]["tags"], serde_json::json!(["v1.0.0-omos"]));
    assert_eq!(report["images"][2]["aliases"], serde_json::json!([]));
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(
        (&record["state"], &record["ended"]),
        (&"publishing".into(), &true.into())
    );
    assert!(family.public_tags(&registry).contains_key("v1.0.0-omos"));

    // Who cannot wait even for that is told as much in a line.
    left.store(1, Ordering::SeqCst);
    let run = stopped(&[Signal::INT, Signal::TERM], 8);
    run.says("interrupted twice")
        .says("done or not, for the answer did not come: `latest-omos`");
    assert_eq!(run.json()["exit_code"], 8);

    let run = family.splitbase().ok(&["recover", "--yes"]);
    assert_eq!(run.builds(), [""; 0]);
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "done");
    assert!(family.public_tags(&registry).contains_key("latest-omos"));
}
