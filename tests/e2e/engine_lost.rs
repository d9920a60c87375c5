//! An engine that is killed while a release runs on it: it is said to have gone, nothing is published, and the release goes on when it is back.

use crate::support::proxy::{Fault, Proxy, Request};
use crate::support::{Engine, Family, Registry, Running, unique};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[track_caller]
fn until(what: &str, running: &mut Running, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(
            !running.ended() && Instant::now() < end,
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn e2e_engine_killed_during_a_run_a_push_and_a_test_is_said_to_have_gone() {
    let (mut engine, registry) = (Engine::start(400), Registry::start());
    let (stalls, stalled) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let fault = {
        let (stalls, stalled) = (stalls.clone(), stalled.clone());
        move |request: &Request| {
            let push = !request.is_ours() && request.puts("variant-") && stalls.load(Ordering::SeqCst);
            if push {
                stalled.store(true, Ordering::SeqCst);
                return Fault::Stall;
            }
            Fault::Pass
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = Family::of(proxy.address(), &["linux/amd64"], &["base"]);
    let word = unique();
    family
        .append("Dockerfile.variant", &format!("RUN sleep 3 && echo {word}\n"))
        .smoke("docker run --rm \"$SPLITBASE_IMAGE\" sleep 300");
    let splitbase = family.splitbase().env("DOCKER_HOST", engine.host());
    let release = || splitbase.start(&["release", "v1.0.0", "-o", "json"]);
    let gone = |running: Running, doing: &str| {
        let run = running.wait().expect(1);
        run.says(&format!("the engine has gone while this was {doing}"))
            .says("then run this again: what is built and tested is kept");
        assert_eq!(run.json()["exit_code"], 1);
        assert!(family.public_tags(&registry).is_empty());
        assert_eq!(family.record(&registry, "v1.0.0")["state"], "failed");
    };

    let mut running = release();
    running.wait_for("the RUN", |event| {
        event["event"] == "progress" && event["stage"].as_str().is_some_and(|stage| stage.contains(&word))
    });
    engine.kill();
    gone(running, "built");
    engine.up();

    stalls.store(true, Ordering::SeqCst);
    let mut running = release();
    until("the push", &mut running, || stalled.load(Ordering::SeqCst));
    engine.kill();
    gone(running, "built");
    stalls.store(false, Ordering::SeqCst);
    engine.up();

    let mut running = release();
    let runs = || {
        let containers = engine.docker(&["ps", "--format", "{{.Status}}"]);
        containers.is_ok_and(|containers| containers.starts_with("Up "))
    };
    until("the container", &mut running, runs);
    engine.kill();
    gone(running, "tested");
    engine.up();

    // All is built; what was not tested is.
    family.smoke("docker run --rm \"$SPLITBASE_IMAGE\" true");
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds(), [""; 0]);
    assert!(family.public_tags(&registry).contains_key("latest"));
}
