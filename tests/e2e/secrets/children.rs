//! The children of a run: what they were called with, and what they were given.

use super::{BUILD, FORGE, found_in};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A command line, and an environment.
pub type Child = (String, String);

/// The lines of a script that write down how it was called, by whom, and with which environment.
pub fn log_of(name: &str, log: &str) -> String {
    format!(
        "{{ printf 'run {name} %s\\n' \"$*\"; printf 'by '; tr '\\0' ' ' </proc/$PPID/cmdline; echo; env; }} >>'{log}.'$$\ncat '{log}.'$$ >>'{log}'; rm '{log}.'$$\n"
    )
}

/// The calls in such a log.
pub fn logged(log: &str) -> Vec<Child> {
    let mut calls: Vec<Child> = Vec::new();
    for line in log.lines() {
        match (
            line.strip_prefix("run "),
            line.strip_prefix("by "),
            calls.last_mut(),
        ) {
            (Some(call), ..) => calls.push((call.to_owned(), String::new())),
            (_, Some(parent), Some((call, environment))) if environment.is_empty() => {
                *call = format!("{call} by {parent}");
                environment.push('\n');
            }
            (_, _, Some((_, environment))) => {
                environment.push_str(line);
                environment.push('\n');
            }
            _ => {}
        }
    }
    calls
}

/// A child knows no secret that is for others.
pub fn check(line: &str, environment: &str, args: &[&str]) {
    let found = found_in(environment.as_bytes());
    let builds = line.contains("buildx build");
    let local = line.contains("git describe") || line.contains("rm -rf");
    for secret in found {
        let may = match secret {
            BUILD => builds,
            // A forge's token may unlock a helper, a cache or a test; what looks at this machine alone needs it not.
            FORGE => !local,
            // Neither those of npm and cosign, nor what was got for a credential.
            _ => false,
        };
        assert!(may, "{args:?}: `{line}` was given {secret:?}");
    }
}

/// Looks at the descendants of a process until it is ended.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<BTreeSet<Child>>,
}

impl Watch {
    pub fn of(process: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let looking = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                seen.extend(descendants(process).into_iter().filter_map(look));
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Self { stop, looking }
    }

    pub fn end(self) -> BTreeSet<Child> {
        self.stop.store(true, Ordering::Relaxed);
        self.looking.join().unwrap()
    }
}

fn read(process: u32, name: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{process}/{name}")).ok()?;
    let between = if name == "cmdline" { " " } else { "\n" };
    Some(String::from_utf8_lossy(&bytes).replace('\0', between))
}

fn parent(process: u32) -> Option<u32> {
    let stat = read(process, "stat")?;
    // `ID (NAME) STATE PARENT …`: the name may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

/// A process, with all by whom it was called, up to the program itself. Of one that ends meanwhile that cannot be said: a `git` that a build calls has
/// what the build has.
fn look(process: u32) -> Option<Child> {
    let line = read(process, "cmdline").filter(|line| !line.is_empty() && !is_splitbase(line))?;
    let environment = read(process, "environ")?;
    let mut whole = line;
    let mut at = process;
    loop {
        let above = parent(at)?;
        let line = read(above, "cmdline")?;
        if line.is_empty() || is_splitbase(&line) {
            return Some((whole, environment));
        }
        whole = format!("{whole} by {line}");
        at = above;
    }
}

/// Between fork and exec a child still is the program itself.
fn is_splitbase(line: &str) -> bool {
    line.split(' ')
        .next()
        .is_some_and(|program| program.ends_with("/splitbase"))
}

fn descendants(process: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let parents: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            Some((id, parent(id)?))
        })
        .collect();
    let mut found = vec![process];
    let mut at = 0;
    while let Some(&above) = found.get(at) {
        found.extend(parents.iter().filter(|(_, of)| *of == above).map(|(id, _)| *id));
        at += 1;
    }
    found.split_off(1)
}
