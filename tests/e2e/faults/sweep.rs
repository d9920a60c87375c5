//! Every request of a release fails once, in each way.

use super::scene::{Ending, Scene};
use super::{Wanted, all_right, chosen, lanes_of_builds, play_all, wanted};
use crate::support::faults::{Kind, Schedule};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Instant;

/// All points of a scene, in an order in which what is next to each other has little in common.
fn points(scene: &Scene) -> Vec<Schedule> {
    let mut points = Vec::new();
    for (key, count) in &scene.asked {
        for number in 1..=*count {
            let kinds = Kind::all().filter(|kind| kind.is_for(key));
            points.extend(kinds.map(|kind| Schedule::once(key.clone(), number, kind)));
        }
    }
    let step = 37;
    (0..step)
        .flat_map(|at| points.iter().skip(at).step_by(step).cloned().collect::<Vec<_>>())
        .collect()
}

/// What is asked for of these points. What stalls is waited for half a minute: it is in no sample.
fn wanted_of(mut points: Vec<Schedule>, sample: usize) -> Vec<Schedule> {
    if matches!(wanted(), Wanted::Sample(_)) {
        points.retain(|point| !point.0[0].kind.stalls());
    }
    chosen(points, sample)
}

fn sweep(lanes: &[Scene], sample: usize) {
    let scene = &lanes[0];
    let points = wanted_of(points(scene), sample);
    let (began, number) = (Instant::now(), points.len());
    let ended = play_all(lanes, points);
    let missed = ended
        .iter()
        .filter(|(_, ending)| ending.as_ref().is_ok_and(|ending| ending.hits.is_empty()))
        .count();
    println!(
        "\n{}: {} requests, {number} faults in {} s, {missed} not reached\n",
        scene.name,
        scene.asked.values().sum::<usize>(),
        began.elapsed().as_secs()
    );
    let reached: Vec<_> = ended
        .iter()
        .filter_map(|(schedule, ending)| {
            let ending = ending.as_ref().ok()?;
            (!ending.hits.is_empty()).then_some((&schedule.0[0], ending))
        })
        .collect();
    print!(
        "{}",
        table(
            "fault",
            reached
                .iter()
                .map(|(rule, ending)| (rule.kind.name().to_owned(), *ending))
        )
    );
    println!();
    print!(
        "{}",
        table(
            "request",
            reached
                .iter()
                .map(|(rule, ending)| (rule.key.to_string(), *ending))
        )
    );
    all_right(lanes, &ended);
    // What goes on side by side is a little different from run to run.
    assert!(missed <= 1 + number / 10, "{missed} not reached");
}

/// How many ended how.
fn table<'a>(head: &str, endings: impl Iterator<Item = (String, &'a Ending)>) -> String {
    let mut rows: BTreeMap<String, BTreeMap<i32, usize>> = BTreeMap::new();
    let mut codes = BTreeSet::from([0]);
    for (row, ending) in endings {
        *rows.entry(row).or_default().entry(ending.code).or_default() += 1;
        codes.insert(ending.code);
    }
    let mut text = format!("| {head} | times |");
    for code in &codes {
        write!(text, " exit code {code} |").unwrap();
    }
    text.push_str("\n| --- | ---");
    text.push_str(&" | ---".repeat(codes.len()));
    text.push_str(" |\n");
    for (row, counts) in rows {
        write!(text, "| {row} | {} |", counts.values().sum::<usize>()).unwrap();
        for code in &codes {
            let count = counts.get(code).map_or_else(String::new, ToString::to_string);
            write!(text, " {count} |").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn e2e_faults_at_each_request_of_a_release() {
    sweep(&[Scene::publishing()], 8);
}

#[test]
fn e2e_faults_at_each_request_of_builds() {
    sweep(&lanes_of_builds(), 3);
}
