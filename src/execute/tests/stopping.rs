//! Interrupts, failing fast, and faults of this program.

use super::world::{Goes, World, messages};
use crate::execute::{Again, Event, Report, RunOutcome, StepOutcome};
use crate::record::RecordState::{Failed, Planned};
use crate::testing::given::DEVBOX;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn an_interrupt_stops_what_runs_and_starts_nothing() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-amd64", &[Goes::Hangs]);
    world.script("build/base/linux-arm64", &[Goes::Hangs]);
    let cancel = world.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        cancel.cancel();
    });
    let report = world.release().await;
    assert_eq!((report.exit_code, report.outcome), (130, RunOutcome::Interrupted));
    assert_eq!(world.outcome("build/base/linux-amd64"), StepOutcome::Interrupted);
    assert_eq!(world.attempts("build/variant/core/linux-amd64"), []);
    assert_eq!(world.published(), Vec::<String>::new());
    assert_eq!(world.states().await, [Planned, Failed]);
    let events = world.events.0.lock().unwrap();
    let told = events
        .iter()
        .any(|event| matches!(event, Event::Interrupting { .. }));
    assert!(told);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_it_waits_for_the_next_attempt() {
    let mut world = World::new(DEVBOX);
    world.script("build/base/linux-amd64", &[Goes::Fails(Again::Push); 2]);
    let cancel = world.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    assert_eq!(world.release().await.exit_code, 130);
    assert_eq!(world.attempts("build/base/linux-amd64").len(), 1);
}

/// A test that was interrupted may end as if it had passed.
#[tokio::test(start_paused = true)]
async fn an_interrupted_test_leaves_no_receipt() {
    let mut world = World::new(DEVBOX);
    world.script("smoke/variant/core/linux-amd64", &[Goes::Hangs]);
    let cancel = world.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        cancel.cancel();
    });
    assert_eq!(world.release().await.exit_code, 130);
    let receipt = world.given.receipt("variant/core", "linux/amd64");
    assert_eq!(world.fake.target.tag(receipt.as_str()), None);
}

#[tokio::test(start_paused = true)]
async fn failing_fast_stops_everything_and_is_no_interrupt() {
    let mut world = World::new(DEVBOX);
    world.settings.fail_fast = true;
    world.script("build/base/linux-amd64", &[Goes::Fails(Again::Never)]);
    world.script("build/base/linux-arm64", &[Goes::Hangs]);
    let report = world.release().await;
    assert_eq!((report.exit_code, report.outcome), (1, RunOutcome::Failed));
    assert_eq!(report.failures.len(), 1, "{}", messages(&report));
    assert_eq!(world.attempts("build/variant/core/linux-arm64"), []);
    assert_eq!(world.outcome("build/base/linux-arm64"), StepOutcome::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_fails_and_the_rest_goes_on() {
    let mut world = World::new(DEVBOX);
    world.script("build/variant/core/linux-amd64", &[Goes::Panics]);
    let report = world.release().await;
    assert_eq!((report.exit_code, report.outcome), (1, RunOutcome::Failed));
    assert!(
        messages(&report).contains("splitbase itself failed"),
        "{}",
        messages(&report)
    );
    assert_eq!(world.outcome("smoke/variant/omos/linux-arm64"), StepOutcome::Done);
    assert_eq!(world.published(), Vec::<String>::new());
    assert_eq!(world.states().await, [Planned, Failed]);
}

#[tokio::test(start_paused = true)]
async fn the_native_platform_does_not_wait_for_the_other_one() {
    let mut world = World::new(DEVBOX);
    world.settings.parallel = 2;
    world.script("build/base/linux-arm64", &[Goes::Hangs]);
    let cancel = world.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        cancel.cancel();
    });
    world.release().await;
    for image in ["core", "omos"] {
        assert_eq!(
            world.outcome(&format!("smoke/variant/{image}/linux-amd64")),
            StepOutcome::Done
        );
    }
}

/// A registry that does not answer, from the request with this verb and reference on, while the run is interrupted there: the report is there within 5 s.
async fn interrupted_at(world: &mut World, verb: &'static str, reference: &'static str, all: bool) -> Report {
    let (cancel, came) = (world.cancel.clone(), Arc::new(OnceLock::new()));
    let stalled = came.clone();
    world.fake.target.stall(move |asked, name| {
        let here = asked == verb && name.starts_with(reference);
        if here {
            stalled.get_or_init(Instant::now);
            cancel.cancel();
        }
        here || all && stalled.get().is_some()
    });
    let report = world.release().await;
    let took = came.get().expect("it was never asked").elapsed();
    assert!(took < Duration::from_secs(5), "{verb} {reference}: {took:?}");
    report
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_while_the_registry_is_slow_leaves_a_report_in_time() {
    for all in [false, true] {
        for (verb, reference, code, step) in [
            ("put", "latest-omos", 8, "alias/latest-omos"),
            ("answer", "latest-omos", 8, "alias/latest-omos"),
            ("put", "v1.0.0-omos", 8, "tag/v1.0.0-omos"),
            ("answer", "v1.0.0-omos", 8, "tag/v1.0.0-omos"),
            ("put", "base-", 130, "build/base/linux-amd64"),
            ("put", "variant-omos-", 130, "build/variant/omos/linux-amd64"),
            ("put", "_release-", 130, "record/planned"),
        ] {
            let mut world = World::new(DEVBOX);
            let report = interrupted_at(&mut world, verb, reference, all).await;
            let what = format!("{verb} {reference} {all}");
            assert_eq!(report.exit_code, code, "{what}: {}", messages(&report));
            assert_eq!(world.outcome(step), StepOutcome::Interrupted, "{what}");
            assert_eq!(world.account.is_published(), code == 8, "{what}");
            let told = report
                .warnings
                .iter()
                .any(|warning| warning.contains("it may stand or not"));
            assert_eq!(told, code == 8, "{what}: {:?}", report.warnings);
            if code == 8 && !all {
                // The record says that nobody is at it any more.
                assert!(world.last_record().await.ended, "{what}");
            }
        }
    }
}

/// Aliases that may still read as before are asked for again, for up to 10 s: not after an interrupt.
#[tokio::test(start_paused = true)]
async fn an_interrupt_while_aliases_are_read_back_leaves_a_report_in_time() {
    let mut world = World::new(DEVBOX);
    let (cancel, moved) = (world.cancel.clone(), Arc::new(AtomicBool::new(false)));
    world.fake.target.stall(move |verb, reference| {
        if verb == "answer" && reference == "latest-omos" {
            moved.store(true, Relaxed);
        }
        let here = verb == "resolve" && reference == "latest-omos" && moved.load(Relaxed);
        if here {
            cancel.cancel();
        }
        here
    });
    let report = world.release().await;
    assert_eq!(report.exit_code, 8, "{}", messages(&report));
    assert_eq!(world.outcome("record/done"), StepOutcome::Interrupted);
    assert!(world.last_record().await.ended);
}
