//! Several faults in one release, as a seed has it.

use super::scene::Scene;
use super::{Wanted, all_right, chosen, lanes_of_builds, play_all, wanted};
use crate::support::faults::Schedule;
use crate::support::variable;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// How many seeds there are.
const SEEDS: u64 = 200;
/// One of so many is played where images are built.
const BUILDING: u64 = 5;

/// A schedule, and the seed that it comes of.
struct Seeded(u64, Schedule);

impl Seeded {
    fn stalls(&self) -> bool {
        self.1.0.iter().any(|rule| rule.kind.stalls())
    }
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.0, self.1)
    }
}

fn play(lanes: &[Scene], schedules: Vec<Seeded>) {
    let began = Instant::now();
    for schedule in &schedules {
        println!("{schedule}");
    }
    let number = schedules.len();
    let ended = play_all(
        lanes,
        schedules
            .into_iter()
            .map(|Seeded(_, schedule)| schedule)
            .collect(),
    );
    let (mut codes, mut hits) = (BTreeMap::new(), 0);
    for ending in ended.iter().filter_map(|(_, ending)| ending.as_ref().ok()) {
        *codes.entry(ending.code).or_insert(0) += 1;
        hits += ending.hits.len();
        println!(
            "{}: {} {}",
            ending.code,
            Schedule(ending.hits.clone()),
            ending.error
        );
    }
    println!(
        "{}: {number} schedules, {hits} faults in {} s; exit codes and how often: {codes:?}",
        lanes[0].name,
        began.elapsed().as_secs()
    );
    all_right(lanes, &ended);
}

#[test]
fn e2e_faults_by_schedules() {
    let seeds = (0..SEEDS).map(|seed| Seeded(seed, Schedule::of(seed)));
    let seeds = match variable("SPLITBASE_FAULTS_SEED") {
        Some(seed) => vec![seeds.into_iter().nth(seed.parse().unwrap()).unwrap()],
        // What stalls is waited for half a minute: it is in no sample.
        None if matches!(wanted(), Wanted::Sample(_)) => {
            chosen(seeds.filter(|seeded| !seeded.stalls()).collect(), 6)
        }
        None => chosen(seeds.collect(), 6),
    };
    let builds = |seeded: &Seeded| seeded.0 % BUILDING == BUILDING - 1;
    let (building, publishing): (Vec<_>, Vec<_>) = seeds.into_iter().partition(builds);
    if !publishing.is_empty() {
        play(&[Scene::publishing()], publishing);
    }
    if !building.is_empty() {
        play(&lanes_of_builds(), building);
    }
}
