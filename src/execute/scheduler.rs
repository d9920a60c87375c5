//! Runs steps as their needs are met.
//!
//! Knows nothing of what steps do: it starts them in the plan's order, bounds how many heavy ones run at once, skips what depends on a
//! failure, and stops starting when the run is interrupted.

use crate::plan::{Step, StepId};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How a step ended, for the scheduler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Badly,
}

/// How the scheduler is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How many heavy steps (builds, tests) run at once; at least 1.
    pub(super) parallel: usize,
    /// Whether the first failure stops everything.
    pub(super) fail_fast: bool,
}

/// Runs `steps`. `start` begins one; `skipped` is told of each that is never started, with what kept it from it (`None`: the interrupt).
pub(super) async fn run<F: Future<Output = Ended> + Send + 'static>(
    steps: &[Step],
    bounds: Bounds,
    cancel: &CancellationToken,
    is_heavy: impl Fn(&Step) -> bool,
    mut start: impl FnMut(&Step) -> F,
    mut skipped: impl FnMut(&Step, Option<&StepId>),
) {
    let mut waiting: Vec<usize> = (0..steps.len()).collect();
    let known: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    let mut well: BTreeSet<&StepId> = BTreeSet::new();
    let mut badly: BTreeMap<&StepId, &StepId> = BTreeMap::new();
    let mut running: JoinSet<(usize, Ended)> = JoinSet::new();
    let mut heavy_running = 0;
    loop {
        // Whatever depends on a failure will never run.
        loop {
            let doomed = |index: &usize| {
                steps[*index]
                    .needs
                    .iter()
                    .find_map(|need| badly.get(need).copied())
            };
            let Some((at, cause)) = waiting
                .iter()
                .enumerate()
                .find_map(|(at, index)| Some((at, doomed(index)?)))
            else {
                break;
            };
            let step = &steps[waiting.remove(at)];
            skipped(step, Some(cause));
            badly.insert(&step.id, cause);
        }
        if !cancel.is_cancelled() {
            let mut at = 0;
            while at < waiting.len() {
                let step = &steps[waiting[at]];
                // A need that is not in the plan was met before the plan was made.
                let ready = step
                    .needs
                    .iter()
                    .all(|need| well.contains(need) || !known.contains(need));
                let heavy = is_heavy(step);
                if !ready || (heavy && heavy_running >= bounds.parallel) {
                    at += 1;
                    continue;
                }
                let index = waiting.remove(at);
                heavy_running += usize::from(heavy);
                let future = start(step);
                running.spawn(async move { (index, future.await) });
            }
        }
        let Some(joined) = running.join_next().await else {
            break;
        };
        // A step that panicked is a fault of this program, and ends the run as any failed step does.
        let Ok((index, ended)) = joined else {
            cancel.cancel();
            continue;
        };
        let step = &steps[index];
        heavy_running -= usize::from(is_heavy(step));
        if ended == Ended::Well {
            well.insert(&step.id);
        } else {
            badly.insert(&step.id, &step.id);
            if bounds.fail_fast {
                cancel.cancel();
            }
        }
    }
    for index in waiting {
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
            |_| true,
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

    #[tokio::test(start_paused = true)]
    async fn what_depends_on_a_failure_is_skipped_and_the_rest_goes_on() {
        let (log, _) = play(chain(), 1, &["a"]).await;
        assert_eq!(log, ["a", "b skipped by a", "d skipped by a", "c", "e"]);
    }
}
