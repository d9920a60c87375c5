//! Interrupts, failing fast, and faults of this program.

use super::world::{Goes, World, messages};
use crate::execute::{Again, Event, RunOutcome, StepOutcome};
use crate::record::RecordState::{Failed, Planned};
use crate::testing::given::DEVBOX;
use std::time::Duration;

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
