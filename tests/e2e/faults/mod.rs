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

/// Plays schedules, several at once; those in which something stalls beside the others, for they only wait. But a push or a cache that stalls holds up
/// every build of its engine: where images are built, each lane is a family of its own, and what stalls comes at the end, one after the other. How each
/// ended, or what was wrong with it.
fn play_all(lanes: &[Scene], schedules: Vec<Schedule>) -> Vec<(Schedule, Result<Ending, String>)> {
    let scene = &lanes[0];
    let stalls = |schedule: &Schedule| schedule.0.iter().any(|rule| rule.kind.stalls());
    // The last is taken first.
    let (waiting, quick): (Vec<_>, Vec<_>) = schedules.into_iter().rev().partition(stalls);
    if scene.builds {
        let mut ended = play_side_by_side(
            lanes,
            &[(0..lanes.len()).collect(), Vec::new()],
            [quick, Vec::new()],
        );
        ended.extend(play_side_by_side(
            &lanes[..1],
            &[vec![0], Vec::new()],
            [waiting, Vec::new()],
        ));
        return ended;
    }
    play_side_by_side(lanes, &[vec![0; 4], vec![0; 6]], [quick, waiting])
}

/// Plays two queues, each by workers that are given by the lane that they play on.
fn play_side_by_side(
    lanes: &[Scene],
    workers: &[Vec<usize>; 2],
    queues: [Vec<Schedule>; 2],
) -> Vec<(Schedule, Result<Ending, String>)> {
    let (began, total) = (Instant::now(), queues.iter().map(Vec::len).sum::<usize>());
    let (queues, ended) = (queues.map(Mutex::new), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let of_queue = |(workers, queue)| std::iter::zip(workers, std::iter::repeat(queue));
        for (lane, queue) in std::iter::zip(workers, &queues).flat_map(of_queue) {
            let (lane, ended) = (&lanes[*lane], &ended);
            scope.spawn(move || {
                loop {
                    let Some(schedule) = queue.lock().unwrap().pop() else {
                        return;
                    };
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

/// Families of a scene in which images are built: one for a sample, for it takes longer to make one than to play it.
fn lanes_of_builds() -> Vec<Scene> {
    let lanes = if matches!(wanted(), Wanted::All) { 3 } else { 1 };
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
