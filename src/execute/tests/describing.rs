//! The page comes last and never fails a release.

use super::world::{Goes, World, messages};
use crate::execute::{Again, StepOutcome};
use crate::record::RecordState;
use crate::testing::given::DESCRIBED;

#[tokio::test(start_paused = true)]
async fn the_page_is_made_from_the_record_that_is_done() {
    let mut world = World::new(DESCRIBED);
    let report = world.release().await;
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    let described = world.fake.described.lock().unwrap().clone();
    assert_eq!(described.len(), 1);
    assert_eq!(described[0].state, RecordState::Done);
    assert!(described[0].images.iter().all(|image| image.digest.is_some()));
    assert!(
        report.warnings.contains(&"describe/page: it was cut".to_owned()),
        "{:?}",
        report.warnings
    );
    assert_eq!(world.outcome("describe/page"), StepOutcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_a_warning() {
    for goes in [Goes::Fails(Again::Never), Goes::Panics] {
        let mut world = World::new(DESCRIBED);
        world.script("describe/page", &[goes]);
        let report = world.release().await;
        assert_eq!(report.exit_code, 0, "{}", messages(&report));
        assert_eq!(report.images[1].aliases.len(), 2);
        assert_eq!(report.failures, []);
        assert!(
            report
                .warnings
                .iter()
                .any(|warning| warning.starts_with("describe/page: "))
        );
        assert_eq!(world.record().await.state, RecordState::Done);
    }
    let mut world = World::new(DESCRIBED);
    world.script("describe/page", &[Goes::Fails(Again::Never)]);
    let report = world.release().await;
    let warning = "describe/page: no page; mend it; the release is done; `splitbase describe v1.0.0 --push` does it again";
    assert_eq!(report.warnings.last().unwrap(), warning);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_interrupted_while_describing_is_done() {
    let mut world = World::new(DESCRIBED);
    world.script("describe/page", &[Goes::Hangs]);
    world.look().await;
    let (plan, cancel) = (world.given.plan(), world.cancel.clone());
    let fake = world.fake.clone();
    let stop = async move {
        while fake.described.lock().unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(world.run(plan), stop);
    assert_eq!(report.exit_code, 0, "{}", messages(&report));
    assert_eq!(world.record().await.state, RecordState::Done);
    assert!(
        report
            .warnings
            .iter()
            .any(|warning| warning.contains("interrupted")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_described_that_failed() {
    let mut world = World::new(DESCRIBED);
    world.script("smoke/variant/omos/linux-amd64", &[Goes::Fails(Again::Never)]);
    assert_eq!(world.release().await.exit_code, 3);
    assert!(world.fake.described.lock().unwrap().is_empty());
    assert_eq!(world.outcome("describe/page"), StepOutcome::Skipped);
}
