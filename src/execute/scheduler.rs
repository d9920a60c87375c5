//! Runs steps as their needs are met.
//!
//! Knows nothing of what steps do: it starts them in the plan's order, bounds how many heavy ones run at once, skips what depends on a
//! failure, and stops starting when the run is interrupted.

use crate::plan::{Step, StepId};
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many steps that are not heavy run at once: they are requests to the registry.
const LIGHT: usize = 64;

/// How a step ended, for the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
}

/// What a step spends most of its time with. Each lane has a bound and a queue of its own: a test waits for the engine and a build for the
/// CPU, and neither is to hold the other up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Requests to the registry.
    Light,
    /// A build.
    Build,
    /// A smoke test.
    Test,
}

impl Lane {
    const ALL: [Self; 3] = [Self::Light, Self::Build, Self::Test];

    const fn bound(self, bounds: Bounds) -> usize {
        match self {
            Self::Light => LIGHT,
            Self::Build => bounds.parallel,
            Self::Test => bounds.parallel.div_ceil(2),
        }
    }
}

/// How the scheduler is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How many builds run at once, and half as many tests beside them; at least 1.
    pub(super) parallel: usize,
    /// Whether the first failure stops everything.
    pub(super) fail_fast: bool,
}

/// What waits for what. Each need is looked at twice in a run, however many steps there are.
struct Waiting {
    /// The needs of each step that are not met yet.
    unmet: Vec<usize>,
    /// The steps that need each step.
    dependents: Vec<Vec<usize>>,
    /// Which steps were neither started nor skipped.
    left: BTreeSet<usize>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "every number is the place of one of `steps`, and both lists are as long"
)]
impl Waiting {
    fn of(steps: &[Step]) -> Self {
        let index: HashMap<&StepId, usize> = steps.iter().zip(0..).map(|(step, at)| (&step.id, at)).collect();
        let mut dependents = vec![Vec::new(); steps.len()];
        let mut unmet = vec![0; steps.len()];
        for (at, step) in steps.iter().enumerate() {
            // A need that is not in the plan was met before the plan was made.
            for need in step.needs.iter().filter_map(|need| index.get(need)) {
                dependents[*need].push(at);
                unmet[at] += 1;
            }
        }
        Self {
            unmet,
            dependents,
            left: (0..steps.len()).collect(),
        }
    }

    fn is_ready(&self, step: usize) -> bool {
        self.unmet[step] == 0
    }

    /// The steps that can start now that `step` ended well.
    fn met(&mut self, step: usize) -> Vec<usize> {
        let mut ready = Vec::new();
        for dependent in &self.dependents[step] {
            self.unmet[*dependent] -= 1;
            if self.unmet[*dependent] == 0 && self.left.contains(dependent) {
                ready.push(*dependent);
            }
        }
        ready
    }

    /// The steps that will never run now that `step` failed, in the plan's order.
    fn doomed(&mut self, step: usize) -> BTreeSet<usize> {
        let (mut doomed, mut look) = (BTreeSet::new(), vec![step]);
        while let Some(at) = look.pop() {
            for dependent in &self.dependents[at] {
                if self.left.remove(dependent) {
                    doomed.insert(*dependent);
                    look.push(*dependent);
                }
            }
        }
        doomed
    }
}

/// Runs `steps`. `start` begins one; `skipped` is told of each that is never started, with what kept it from it (`None`: the interrupt).
#[expect(
    clippy::indexing_slicing,
    reason = "every number is the place of one of `steps`, and there is one queue for each lane"
)]
pub(super) async fn run<F: Future<Output = Ended> + Send + 'static>(
    steps: &[Step],
    bounds: Bounds,
    cancel: &CancellationToken,
    lane: impl Fn(&Step) -> Lane,
    mut start: impl FnMut(&Step) -> F,
    mut skipped: impl FnMut(&Step, Option<&StepId>),
) {
    let mut waiting = Waiting::of(steps);
    let mut ready: [BTreeSet<usize>; 3] = Default::default();
    let mut busy = [0_usize; 3];
    for index in (0..steps.len()).filter(|step| waiting.is_ready(*step)) {
        ready[lane(&steps[index]) as usize].insert(index);
    }
    let mut running: JoinSet<(usize, Ended)> = JoinSet::new();
    loop {
        while !cancel.is_cancelled() {
            let free =
                |lane: &Lane| busy[*lane as usize] < lane.bound(bounds) && !ready[*lane as usize].is_empty();
            let Some(lane) = Lane::ALL.into_iter().find(free) else {
                break;
            };
            let Some(index) = ready[lane as usize].pop_first() else {
                break;
            };
            busy[lane as usize] += 1;
            waiting.left.remove(&index);
            let future = start(&steps[index]);
            running.spawn(async move { (index, future.await) });
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        // Steps catch their own panics: this is one of the run itself, which ends it.
        let Ok((index, ended)) = joined else {
            cancel.cancel();
            continue;
        };
        let step = &steps[index];
        busy[lane(step) as usize] -= 1;
        if ended == Ended::Well {
            for met in waiting.met(index) {
                ready[lane(&steps[met]) as usize].insert(met);
            }
        } else {
            // Whatever depends on a failure will never run.
            for doomed in waiting.doomed(index) {
                skipped(&steps[doomed], Some(&step.id));
            }
            if bounds.fail_fast {
                cancel.cancel();
            }
        }
    }
    for index in waiting.left {
        skipped(&steps[index], None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, RecordStep};
    use crate::record::RecordState;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn step(id: &str, needs: &[&str]) -> Step {
        let id_of = |text: &str| -> StepId { serde_json::from_value(text.into()).unwrap() };
        let action = Action::Record(RecordStep {
            state: RecordState::Planned,
        });
        Step {
            id: id_of(id),
            needs: needs.iter().map(|need| id_of(need)).collect(),
            why: String::new(),
            action,
        }
    }

    async fn play(steps: Vec<Step>, parallel: usize, fails: &'static [&'static str]) -> (Vec<String>, usize) {
        let log = Arc::new(Mutex::new(Vec::new()));
        let now = Arc::new(Mutex::new((0_usize, 0_usize)));
        let cancel = CancellationToken::new();
        let bounds = Bounds {
            parallel,
            fail_fast: false,
        };
        let (start_log, start_now) = (log.clone(), now.clone());
        run(
            &steps,
            bounds,
            &cancel,
            |_| Lane::Build,
            move |step| {
                let (id, log, now) = (step.id.to_string(), start_log.clone(), start_now.clone());
                async move {
                    {
                        let mut now = now.lock().unwrap();
                        now.0 += 1;
                        now.1 = now.1.max(now.0);
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    now.lock().unwrap().0 -= 1;
                    log.lock().unwrap().push(id.clone());
                    if fails.contains(&id.as_str()) {
                        Ended::Badly
                    } else {
                        Ended::Well
                    }
                }
            },
            |step, cause| {
                log.lock()
                    .unwrap()
                    .push(format!("{} skipped by {}", step.id, cause.unwrap()));
            },
        )
        .await;
        let most = now.lock().unwrap().1;
        let log = log.lock().unwrap().clone();
        (log, most)
    }

    fn chain() -> Vec<Step> {
        vec![
            step("a", &[]),
            step("b", &["a"]),
            step("c", &[]),
            step("d", &["b"]),
            step("e", &["c"]),
        ]
    }

    #[tokio::test(start_paused = true)]
    async fn needs_come_first_and_the_bound_holds() {
        let (log, most) = play(chain(), 1, &[]).await;
        assert_eq!((log.join(" "), most), ("a b c d e".to_owned(), 1));
        let (log, most) = play(chain(), 2, &[]).await;
        assert_eq!((log.len(), most), (5, 2));
    }

    #[test]
    fn every_lane_has_room() {
        let bounds = |parallel| Bounds {
            parallel,
            fail_fast: false,
        };
        assert_eq!(Lane::ALL.map(|lane| lane.bound(bounds(1))), [LIGHT, 1, 1]);
        assert_eq!(Lane::ALL.map(|lane| lane.bound(bounds(4))), [LIGHT, 4, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_depends_on_a_failure_is_skipped_and_the_rest_goes_on() {
        let (log, _) = play(chain(), 1, &["a"]).await;
        assert_eq!(log, ["a", "b skipped by a", "d skipped by a", "c", "e"]);
    }
}
