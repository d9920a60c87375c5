//! Several faults in one release, as a seed has it.

use super::scene::Scene;
use super::{Wanted, all_right, play_all, wanted};
use crate::support::faults::Schedule;
use crate::support::variable;
use std::collections::BTreeMap;
use std::time::Instant;

/// How many seeds there are.
const SEEDS: u64 = 200;
/// One of so many is played where images are built.
const BUILDING: u64 = 5;

/// The seeds that are asked for.
fn seeds(sample: &[u64]) -> Vec<u64> {
    if let Some(seed) = variable("SPLITBASE_FAULTS_SEED") {
        return vec![seed.parse().unwrap()];
    }
    match wanted() {
        Wanted::Sample => sample.to_vec(),
        _ => (0..SEEDS).collect(),
    }
}

fn play(scene: &Scene, seeds: impl Iterator<Item = u64>) {
    let began = Instant::now();
    let schedules: Vec<_> = seeds.map(|seed| (seed, Schedule::of(seed))).collect();
    for (seed, schedule) in &schedules {
        println!("seed {seed}: {schedule}");
    }
    let number = schedules.len();
    let ended = play_all(
        scene,
        schedules.into_iter().map(|(_, schedule)| schedule).collect(),
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
        scene.name,
        began.elapsed().as_secs()
    );
    all_right(scene, &ended);
}

#[test]
fn e2e_faults_by_schedules() {
    let seeds = seeds(&[0, 1, 2, 3, 4, 5]);
    let (building, publishing): (Vec<_>, Vec<_>) = seeds
        .into_iter()
        .partition(|seed| seed % BUILDING == BUILDING - 1);
    if !publishing.is_empty() {
        play(&Scene::publishing(), publishing.into_iter());
    }
    if !building.is_empty() {
        play(&Scene::building(), building.into_iter());
    }
}
