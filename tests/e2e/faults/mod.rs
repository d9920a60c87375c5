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

/// Plays schedules, several at once; those in which something stalls beside the others, for they only wait. But builds of the same on one
/// engine wait for each other: there it is one at a time. How each ended, or what was wrong with it.
fn play_all(scene: &Scene, schedules: Vec<Schedule>) -> Vec<(Schedule, Result<Ending, String>)> {
    let began = Instant::now();
    let total = schedules.len();
    let stalls = |schedule: &Schedule| !scene.builds && schedule.0.iter().any(|rule| rule.kind.stalls());
    // The last is taken first.
    let (waiting, quick): (Vec<_>, Vec<_>) = schedules.into_iter().rev().partition(stalls);
    let queues = [Mutex::new(waiting), Mutex::new(quick)];
    let ended = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let threads = if scene.builds { [0, 1] } else { [6, 4] };
        for queue in [&queues[0]; 6]
            .into_iter()
            .take(threads[0])
            .chain([&queues[1]; 4].into_iter().take(threads[1]))
        {
            let ended = &ended;
            scope.spawn(move || {
                loop {
                    let Some(schedule) = queue.lock().unwrap().pop() else {
                        return;
                    };
                    let ending = caught(|| scene.play(&schedule));
                    if let Err(wrong) = &ending {
                        println!("WRONG: {} with {schedule}: {wrong}", scene.name);
                    }
                    let mut ended = ended.lock().unwrap();
                    ended.push((schedule, ending));
                    if ended.len().is_multiple_of(100) {
                        println!(
                            "{}: {} of {total} in {} s",
                            scene.name,
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

/// Fails where one was wrong.
fn all_right<'a>(scene: &Scene, ended: impl IntoIterator<Item = &'a (Schedule, Result<Ending, String>)>) {
    let wrong: Vec<_> = ended
        .into_iter()
        .filter_map(|(schedule, ending)| Some(format!("{schedule}: {}", ending.as_ref().err()?)))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}: {} wrong\n{}",
        scene.name,
        wrong.len(),
        wrong.join("\n")
    );
}
