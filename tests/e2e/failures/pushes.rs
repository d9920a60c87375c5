//! Pushes and writes that fail, behind a proxy: what passes is tried again, and not built again.

use super::{refused, refused_at_once};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{AMD64, Family, Registry};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
/// A family whose base holds a random word that its `RUN` makes, in a repository behind a proxy.
fn random(proxy: &Proxy) -> Family {
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    family.append(
        "Dockerfile.base",
        "RUN echo \"random=$(cat /proc/sys/kernel/random/uuid)\" >/etc/random\n",
    );
    family
}

/// The random words in all layers that ever reached the registry.
fn words(registry: &Registry) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for blob in registry.blobs() {
        let text = String::from_utf8_lossy(&blob).into_owned();
        words.extend(
            text.split("random=")
                .skip(1)
                .map(|rest| rest.chars().take(36).collect::<String>()),
        );
    }
    words.retain(|word| word.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
    words
}

/// Pushes that fail with this status until splitbase tries again.
fn push_again(status: u16, reason: &str) {
    let registry = Registry::start();
    let healed = Arc::new(AtomicBool::new(false));
    let fault = {
        let healed = healed.clone();
        move |request: &crate::support::proxy::Request| {
            let broken = request.puts("-staging") && !healed.load(Ordering::SeqCst);
            if broken {
                Fault::Status(status)
            } else {
                Fault::Pass
            }
        }
    };
    let proxy = Proxy::start(registry.address(), fault);
    let family = random(&proxy);
    let mut running = family.splitbase().start(&["release", "v1.0.0"]);
    let retry = running.wait_for("another attempt", |event| event["event"] == "retry");
    healed.store(true, Ordering::SeqCst);
    let run = running.wait().expect(0);
    println!("{}", run.stderr);
    assert_eq!(retry["step"], "build/base/linux-amd64");
    assert!(retry["reason"].as_str().unwrap().contains(reason), "{retry}");
    assert_eq!((&retry["attempt"], &retry["of"]), (&1.into(), &2.into()));
    run.says("build/base/linux-amd64: ")
        .says(reason)
        .says("again in 1");
    // The step was done twice, its instructions once.
    assert_eq!(
        run.builds()
            .iter()
            .filter(|line| line.contains("Dockerfile.base"))
            .count(),
        2
    );
    let built = &run.events[run.at("finished", "build/base/linux-amd64")];
    assert_eq!(
        (&built["outcome"], &built["run"]),
        (&"done".into(), &0.into()),
        "{built}"
    );
    assert!(built["cached"].as_u64().unwrap() >= 4, "{built}");
    assert_eq!(words(&registry).len(), 1);
    assert_eq!(family.public_tags(&registry).len(), 3);
}

#[test]
fn e2e_a_push_that_is_told_to_slow_down_is_pushed_again_and_not_built_again() {
    push_again(429, "toomanyrequests");
}

#[test]
fn e2e_a_push_that_meets_server_errors_is_pushed_again_and_not_built_again() {
    push_again(503, "503");
}

#[test]
fn e2e_a_push_that_keeps_failing() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.puts("-staging") {
            Fault::Status(429)
        } else {
            Fault::Pass
        }
    });
    let family = random(&proxy);
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = [
        "error: build/base/linux-amd64: push `",
        "toomanyrequests",
        "2 attempts",
        "hint: run this again later: what was built is kept",
    ];
    let run = refused(run, 6, &says, &family, &registry);
    assert_eq!(run.builds().len(), 2);
    assert_eq!(words(&registry).len(), 1);
}

#[test]
fn e2e_a_push_that_is_refused_is_not_tried_again() {
    let registry = Registry::start();
    for status in [401, 403] {
        let proxy = Proxy::start(registry.address(), move |request| {
            if request.method == "POST" && !request.is_ours() {
                Fault::Answer(
                    status,
                    "Content-Type: application/json\r\nWWW-Authenticate: Basic realm=\"test\"\r\n",
                    r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
                )
            } else {
                Fault::Pass
            }
        });
        let family = random(&proxy);
        let run = family.splitbase().run(&["release", "v1.0.0"]);
        let says = [
            "error: build/base/linux-amd64: push `",
            "hint: log in with an account that may push there: `docker login",
        ];
        let run = refused(run, 6, &says, &family, &registry);
        assert_eq!(run.builds().len(), 1, "{status}");
    }
}

#[test]
fn e2e_a_record_that_cannot_be_written() {
    let registry = Registry::start();
    let proxy = Proxy::start(registry.address(), |request| {
        if request.is_ours() && request.method == "POST" {
            Fault::Status(503)
        } else {
            Fault::Pass
        }
    });
    let family = Family::of(proxy.address(), &[AMD64], &["base"]);
    let run = family.splitbase().run(&["release", "v1.0.0"]);
    let says = ["error: record/planned: write ", "503", "2 attempts"];
    refused_at_once(run, 6, &says, &family, &registry);
}
