//! Registry and version source fail around a release, in every way and at every request: it ends well, or it says why it does not, and
//! what users see is whole.
//!
//! A sample of it. `SPLITBASE_FAULTS=all` takes all, `SPLITBASE_FAULTS=NUMBER` another sample, `SPLITBASE_FAULTS=TEXT` what has the text
//! in its line, and `SPLITBASE_FAULTS_SEED=NUMBER` that schedule alone.

mod git_refs;
mod scene;
mod schedules;
mod sweep;
mod versions;

use crate::support::faults::Schedule;
use scene::{Ending, Scene};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Instant;

/// What of a test was asked for.
enum Wanted {
    /// This one of the samples.
    Sample(usize),
    All,
    /// Whose line holds this.
    Like(String),
}

fn wanted() -> Wanted {
    match crate::support::variable("SPLITBASE_FAULTS") {
        None => Wanted::Sample(0),
        Some(all) if all == "all" => Wanted::All,
        Some(text) => text.parse().map_or(Wanted::Like(text), Wanted::Sample),
    }
}

/// What is wanted of these; a sample is so many, which lie far from each other.
fn chosen<T: fmt::Display>(all: Vec<T>, sample: usize) -> Vec<T> {
    match wanted() {
        // Spread all the same: what is stopped has seen something of everything.
        Wanted::All => all,
        Wanted::Like(text) => all
            .into_iter()
            .filter(|one| one.to_string().contains(&text))
            .collect(),
        Wanted::Sample(number) => {
            let every = (all.len() / sample).max(1);
            let from = number * 7 % every;
            all.into_iter().skip(from).step_by(every).take(sample).collect()
        }
    }
}

/// What it gives, or what a failed assertion in it says.
fn caught<T>(play: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(play)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        text.unwrap_or_default()
    })
}

/// Plays schedules, several at once; those in which something stalls beside the others, for they only wait. But builds of the same on one engine wait
/// for each other: there each lane is a family of its own, and plays one at a time. How each ended, or what was wrong with it.
fn play_all(lanes: &[Scene], schedules: Vec<Schedule>) -> Vec<(Schedule, Result<Ending, String>)> {
    let (began, total, scene) = (Instant::now(), schedules.len(), &lanes[0]);
    let stalls = |schedule: &Schedule| schedule.0.iter().any(|rule| rule.kind.stalls());
    // The last is taken first.
    let (waiting, quick): (Vec<_>, Vec<_>) = schedules.into_iter().rev().partition(stalls);
    let (waiting, quick) = (Mutex::new(waiting), Mutex::new(quick));
    let workers: Vec<_> = if scene.builds {
        let quick_first = |at: usize| at < QUICK_LANES;
        let of_lane = |(at, lane)| (lane, quick_first(at));
        lanes.iter().enumerate().map(of_lane).collect()
    } else {
        (0..10).map(|at| (scene, at < 4)).collect()
    };
    let ended = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (lane, quick_first) in workers {
            let (ended, waiting, quick) = (&ended, &waiting, &quick);
            scope.spawn(move || {
                let queues = if quick_first {
                    [quick, waiting]
                } else {
                    [waiting, quick]
                };
                loop {
                    let next = queues.iter().find_map(|queue| queue.lock().unwrap().pop());
                    let Some(schedule) = next else { return };
                    let ending = caught(|| lane.play(&schedule));
                    if let Err(wrong) = &ending {
                        println!("WRONG: {} with {schedule}: {wrong}", lane.name);
                    }
                    let mut ended = ended.lock().unwrap();
                    ended.push((schedule, ending));
                    if ended.len().is_multiple_of(100) {
                        println!(
                            "{}: {} of {total} in {} s",
                            lane.name,
                            ended.len(),
                            began.elapsed().as_secs()
                        );
                    }
                }
            });
        }
    });
    ended.into_inner().unwrap()
}

/// Lanes that take what stalls last. The processor is theirs.
const QUICK_LANES: usize = 3;
/// Lanes where all is played in which images are built: most of them wait for what stalls.
const ALL_LANES: usize = 12;

/// Families of a scene in which images are built: one for a sample, for it takes longer to make one than to play it.
fn lanes_of_builds() -> Vec<Scene> {
    let lanes = if matches!(wanted(), Wanted::All) {
        ALL_LANES
    } else {
        1
    };
    (0..lanes).map(|_| Scene::building()).collect()
}

/// Fails where one was wrong.
fn all_right<'a>(lanes: &[Scene], ended: impl IntoIterator<Item = &'a (Schedule, Result<Ending, String>)>) {
    let wrong: Vec<_> = ended
        .into_iter()
        .filter_map(|(schedule, ending)| Some(format!("{schedule}: {}", ending.as_ref().err()?)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}: {} wrong\n{}",
        lanes[0].name,
        wrong.len(),
        wrong.join("\n")
    );
}
