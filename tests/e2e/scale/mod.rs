//! Large families, against an engine and a registry that cost nothing: what the program itself needs for them, and how much it does at once.

mod engine;
mod gauge;
mod store;

use crate::support::{Splitbase, variable};
use engine::Engine;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::Store;

/// Builds at once.
const PARALLEL: usize = 5;
/// Requests at once to all registries together.
const REQUESTS: usize = 16;
/// The most that a run may need, whatever the size of the family: resident memory in KiB beside `KIB_PER_IMAGE`, open files, threads.
const MOST: Needs = Needs {
    memory: 64 * 1024,
    files: 160,
    threads: 48,
};
const KIB_PER_IMAGE: usize = 96;

/// What a process had at most.
#[derive(Debug, Clone, Copy, Default)]
struct Needs {
    /// `VmHWM`, in KiB.
    memory: usize,
    files: usize,
    threads: usize,
}

fn look(process: u32, needs: &mut Needs) {
    let folder = Path::new("/proc").join(process.to_string());
    let status = std::fs::read_to_string(folder.join("status")).unwrap_or_default();
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    let files = std::fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
    needs.memory = needs.memory.max(number("VmHWM:"));
    needs.threads = needs.threads.max(number("Threads:"));
    needs.files = needs.files.max(files);
}

/// Runs it to a good end, and says what it needed.
fn run(splitbase: &Splitbase, args: &[&str]) -> (crate::support::Run, Needs) {
    let running = splitbase.start(args);
    let (process, ended) = (running.id(), Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&ended);
    let looking = std::thread::spawn(move || {
        let mut needs = Needs::default();
        while !stop.load(Ordering::Relaxed) {
            look(process, &mut needs);
            std::thread::sleep(Duration::from_millis(10));
        }
        needs
    });
    let run = running.wait().expect(0);
    ended.store(true, Ordering::Relaxed);
    (run, looking.join().unwrap())
}

/// A family of so many variants, each with a test.
fn write(folder: &Path, address: &str, variants: usize) {
    let mut text = format!(
        r#"schema = 1
[family]
name = "many"
repository = "{address}/bench/many"
platforms = ["linux/amd64"]
[base]
dockerfile = "Dockerfile.base"
inputs = ["marker"]
[build]
provenance = "off"
[cache]
to = "none"
[smoke]
command = ["true"]
[variant]
dockerfile = "Dockerfile.variant"
inputs = []
tags = ["{{version}}-{{variant}}"]
aliases = ["latest-{{variant}}"]
"#
    );
    for number in 0..variants {
        let _ = write!(
            text,
            "[variants.v{number:04}]\nargs = {{ NUMBER = \"{number}\" }}\n"
        );
    }
    std::fs::write(folder.join("variants.toml"), text).unwrap();
    std::fs::write(folder.join(".dockerignore"), "*\n!marker\n").unwrap();
    std::fs::write(folder.join("marker"), "x").unwrap();
    std::fs::write(folder.join("Dockerfile.base"), "FROM scratch\nCOPY marker /\n").unwrap();
    let variant = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nARG NUMBER\nLABEL number=${NUMBER}\n";
    std::fs::write(folder.join("Dockerfile.variant"), variant).unwrap();
}

/// A family of `SPLITBASE_SCALE` variants is planned, released and released once more.
#[test]
fn e2e_scale_a_large_family_needs_little() {
    let variants = variable("SPLITBASE_SCALE").map_or(100, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    write(folder.path(), &store.serve(), variants);
    let bin = folder.path().join("bin");
    let engine = Engine::start(&bin, &store, PARALLEL);
    let path = format!("{}:{}", bin.display(), variable("PATH").unwrap());
    let splitbase = Splitbase::new(folder.path()).env("PATH", path);
    let parallel = PARALLEL.to_string();
    let release = ["release", "v1.0.0", "--parallel", &parallel, "-o", "json"];

    let (plan, plan_needs) = run(&splitbase, &["plan", "v1.0.0", "-o", "json"]);
    assert_eq!(plan.json()["images"].as_array().unwrap().len(), variants + 1);
    assert_eq!(engine.builds.all(), 0);
    let (released, needs) = run(&splitbase, &release);
    assert_eq!(engine.builds.all(), variants + 1);
    let tags = store.held.lock().unwrap().tags.clone();
    for number in 0..variants {
        let digest = tags.get(&format!("v1.0.0-v{number:04}"));
        assert!(
            digest.is_some() && digest == tags.get(&format!("latest-v{number:04}")),
            "{number}"
        );
    }
    let (again, again_needs) = run(&splitbase, &release);
    assert_eq!((again.steps().len(), engine.builds.all()), (0, variants + 1));

    println!(
        "{variants} variants: plan {:.1} s, {plan_needs:?}; release {:.1} s, {needs:?}; again {:.1} s, {again_needs:?}; {} requests, at most {} at once; at most {} builds at once",
        plan.took.as_secs_f64(),
        released.took.as_secs_f64(),
        again.took.as_secs_f64(),
        store.requests.all(),
        store.requests.most(),
        engine.builds.most(),
    );
    assert_eq!(engine.builds.most(), PARALLEL, "builds at once");
    let requests = store.requests.most();
    assert!((2..=REQUESTS).contains(&requests), "{requests} requests at once");
    for needs in [plan_needs, needs, again_needs] {
        let memory = MOST.memory + KIB_PER_IMAGE * variants;
        assert!(
            needs.memory > 0 && needs.memory <= memory,
            "{needs:?}, more than {memory} KiB"
        );
        assert!(
            needs.files <= MOST.files && needs.threads <= MOST.threads,
            "{needs:?}"
        );
    }
}
