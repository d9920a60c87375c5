//! Reads that fail, behind a proxy: what passes is tried again, and what stays unknown stops the run.

use super::refused_at_once;
use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry, Upstream, unique};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
#[test]
fn e2e_a_pull_that_meets_server_errors_is_tried_again() {
    let registry = Registry::start();
    Upstream::new(&registry).push(AMD64, &unique());
    let healed = Arc::new(AtomicBool::new(false));
    let fault = {
        let healed = healed.clone();
        move |request: &crate::support::proxy::Request| {
            let pull = !request.is_ours() && request.path.contains("/library/up/manifests/");
            if pull && !healed.load(Ordering::SeqCst) {
                Fault::Status(503)
            } else {
                Fault::Pass
            }
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.replace(
        "Dockerfile.base",
        "FROM scratch",
        &format!("FROM {}/library/up:1", proxy.address()),
    );
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    let retry = running.wait_for("another attempt", |event| event["event"] == "retry");
    healed.store(true, Ordering::SeqCst);
    let _ = running.wait().expect(0);
    assert_eq!(retry["step"], "build/base/linux-amd64");
    assert!(retry["reason"].as_str().unwrap().contains("503"), "{retry}");
}

#[test]
fn e2e_reads_that_meet_server_errors_are_tried_again() {
    let registry = Registry::start();
    let seen = std::sync::Mutex::new(BTreeSet::new());
    let proxy = Proxy::start(registry.address(), move |request| {
        let first =
            request.is_ours() && request.reads("") && seen.lock().unwrap().insert(request.path.clone());
        match (first, request.number % 2) {
            (false, _) => Fault::Pass,
            (true, 0) => Fault::Status(503),
            (true, _) => Fault::Reset,
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    let reasons: Vec<_> = run
        .events
        .iter()
        .filter(|event| event["event"] == "retry")
        .map(|event| &event["reason"])
        .collect();
    let has = |text: &str| {
        reasons
            .iter()
            .any(|reason| reason.as_str().unwrap().contains(text))
    };
    assert!(has("503") && (has("reset") || has("broke")), "{reasons:?}");
    assert_eq!(family.public_tags(&registry).len(), 3);
}

/// A 404 that is no registry's: of a proxy, of a captive portal, of a path that is not served.
#[test]
fn e2e_unknown_is_not_absent() {
    let registry = Registry::start();
    for (status, headers, body) in [
        (404, "Content-Type: text/html\r\n", "<html>404</html>"),
        (404, "Content-Type: text/plain\r\n", "404 page not found"),
        (400, "Content-Type: text/html\r\n", "<html>400</html>"),
        (200, "Content-Type: text/html\r\n", "<html>Please log in</html>"),
    ] {
        let proxy = Proxy::start(registry.address(), move |request| {
            let probe = request.is_ours() && (request.reads("base-") || request.reads("variant-"));
            if probe {
                Fault::Answer(status, headers, body)
            } else {
                Fault::Pass
            }
        });
        let family = Family::of(proxy.address(), &[AMD64], &["base"]);
        let run = family.splitbase().run(&["release", "v1.0.0"]);
        refused_at_once(run, 5, &["error: read `"], &family, &registry);
    }
}

#[test]
fn e2e_a_slow_registry_is_only_slow() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.is_ours() {
            Fault::Delay(Duration::from_millis(200))
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    assert!(!run.events.iter().any(|event| event["event"] == "retry"));
}
