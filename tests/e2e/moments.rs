//! A release is interrupted at moments that are spread over all of it, into a registry and into a layout, by SIGINT and by SIGTERM. Within 5 s it says
//! what stands; nothing runs on, nothing half-written is left, what users see is wholly old or the record says that it is not; and a plain run after it
//! ends well.
//!
//! A few moments. `SPLITBASE_INTERRUPTS=all` takes fifty, and prints the table of `docs/reliability.md`.

use crate::support::{AMD64, Family, Layout, Registry, Run, Running, docker, unique, variable, with_text};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Moments of each test where not all are asked for.
const FEW: usize = 4;
const ALL: usize = 25;

/// What is promised.
const SOON: Duration = Duration::from_secs(5);

/// Where a release goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    Registry,
    Layout,
}

/// A family, and where its releases go.
struct Stage {
    into: Into,
    registry: Registry,
    family: Family,
}

/// One release of it: in a repository or folder of its own.
struct Place<'a> {
    stage: &'a Stage,
    name: String,
    /// In the environment of all that it starts, and a label of its containers.
    mark: String,
    temporary: tempfile::TempDir,
}

impl Stage {
    fn new(into: Into) -> Self {
        let registry = Registry::start();
        let family = Family::of(registry.address(), &[AMD64], &["base", "omos"]);
        family.smoke("docker run --rm --label \"moment=$MOMENT\" \"$SPLITBASE_IMAGE\" true");
        Self {
            into,
            registry,
            family,
        }
    }

    fn place(&self, name: &str) -> Place<'_> {
        Place {
            stage: self,
            name: name.to_owned(),
            mark: unique(),
            temporary: tempfile::tempdir().unwrap(),
        }
    }
}

impl Place<'_> {
    fn repository(&self) -> String {
        format!("e2e/{}", self.name)
    }

    fn folder(&self) -> PathBuf {
        self.stage.family.path(&self.name)
    }

    fn start(&self) -> Running {
        let target = match self.stage.into {
            Into::Registry => [
                "--repository".to_owned(),
                format!("{}/{}", self.stage.registry.address(), self.repository()),
            ],
            Into::Layout => ["--to".to_owned(), format!("oci:{}", self.name)],
        };
        self.stage
            .family
            .splitbase()
            .env("MOMENT", self.mark.as_str())
            .env("TMPDIR", self.temporary.path())
            .start(&["release", "v1.0.0", &target[0], &target[1]])
    }

    fn tags(&self) -> BTreeMap<String, String> {
        match self.stage.into {
            Into::Registry => self.stage.registry.tags(&self.repository()),
            Into::Layout if self.folder().join("index.json").exists() => Layout::at(self.folder()).tags(),
            Into::Layout => BTreeMap::new(),
        }
    }

    /// What users see.
    fn public(&self) -> Vec<String> {
        let known = ["v1.0.0", "v1.0.0-omos", "latest", "latest-omos", "base-latest"];
        let tags = self.tags();
        known
            .iter()
            .filter(|tag| tags.contains_key(**tag))
            .map(|tag| (*tag).to_owned())
            .collect()
    }

    fn state(&self) -> String {
        let tags = self.tags();
        let Some(digest) = tags.get("_release-v1.0.0") else {
            return "none".to_owned();
        };
        let json = |digest: &str| match self.stage.into {
            Into::Registry => self.stage.registry.json(digest),
            Into::Layout => Layout::at(self.folder()).json(digest),
        };
        let record: Value = json(json(digest)["layers"][0]["digest"].as_str().unwrap());
        record["state"].as_str().unwrap().to_owned()
    }

    /// Nothing runs on: no process that it started, no container.
    #[track_caller]
    fn is_quiet(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        let mark = format!("MOMENT={}", self.mark);
        let label = format!("label=moment={}", self.mark);
        loop {
            let processes = with_text("environ", &mark);
            let containers = docker(&["ps", "--all", "--quiet", "--filter", &label]);
            if processes.is_empty() && containers.is_empty() {
                return;
            }
            assert!(
                Instant::now() < until,
                "{}: processes {processes:?}, containers {containers:?} are left",
                self.name
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Nor does its `RUN` in the engine.
    #[track_caller]
    fn no_run_goes_on(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while !with_text("cmdline", &self.mark).is_empty() {
            assert!(Instant::now() < until, "the RUN goes on");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Nothing half-written is left.
    #[track_caller]
    fn is_clean(&self) {
        let left: Vec<_> = std::fs::read_dir(self.temporary.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            left.is_empty(),
            "{}: temporary files are left: {left:?}",
            self.name
        );
        if self.stage.into == Into::Layout && self.folder().join("index.json").exists() {
            let layout = Layout::at(self.folder());
            layout.check();
            let own = |path: &PathBuf| {
                let path = path.strip_prefix(self.folder()).unwrap();
                path.starts_with(".splitbase") && path.file_name().is_none_or(|name| name != "lock")
            };
            let left: Vec<_> = layout.snapshot().into_keys().filter(own).collect();
            assert!(left.is_empty(), "{}: half-written: {left:?}", self.name);
        }
    }

    /// What users see is wholly old, or the record says that it is not.
    #[track_caller]
    fn is_old_or_told(&self, run: &Run) {
        let public = self.public();
        match run.code {
            0 => assert_eq!(self.state(), "done"),
            8 => assert_eq!(self.state(), "publishing", "{}", run.stderr),
            130 => assert!(public.is_empty(), "{}: {public:?}\n{}", self.name, run.stderr),
            code => panic!("{}: exit code {code}\n{}", self.name, run.stderr),
        }
    }
}

fn interrupted(into: Into) {
    let stage = Stage::new(into);
    // Fills BuildKit's cache, and shows how many events there are.
    let all = stage.place("all");
    let whole = all.start().wait().expect(0);
    all.is_quiet();
    all.is_clean();
    let events = whole.events.len();
    let asked = variable("SPLITBASE_INTERRUPTS").is_some_and(|asked| asked == "all");
    let moments = if asked { ALL } else { FEW };
    let mut table = String::new();
    for moment in 0..moments {
        let signal = if moment % 2 == 0 {
            Signal::INT
        } else {
            Signal::TERM
        };
        // The first comes while facts are gathered, before any event; the last as late as events are told.
        let wanted = moment * (events - 1) / (moments - 1).max(1);
        let place = stage.place(&format!("m{moment}"));
        let mut running = place.start();
        if wanted == 0 {
            std::thread::sleep(Duration::from_millis(150));
        }
        while running.events().len() < wanted && !running.ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let before = running
            .events()
            .last()
            .map(|event| format!("{} {}", event["event"], event["step"]));
        let began = Instant::now();
        if !running.ended() {
            running.signal(signal);
        }
        let run = running.wait();
        let took = began.elapsed();
        assert!(took < SOON, "{}: it took {took:?}", place.name);
        let words = ["interrupt", "stopping"];
        let told = words.iter().any(|word| run.stderr.contains(word));
        // A program that was only about to start has nothing to say.
        let told = told || run.events.is_empty();
        assert!(run.code == 0 || told, "{}: no word: {}", place.name, run.stderr);
        place.is_quiet();
        place.is_clean();
        place.is_old_or_told(&run);
        let (public, state) = (place.public().len(), place.state());
        let again = place.start().wait().expect(0);
        assert_eq!(
            (place.public().len(), place.state().as_str()),
            (5, "done"),
            "{}",
            again.stderr
        );
        place.is_quiet();
        place.is_clean();
        let before = before
            .unwrap_or_else(|| "before the first event".to_owned())
            .replace('"', "");
        let name = if signal == Signal::INT {
            "SIGINT"
        } else {
            "SIGTERM"
        };
        writeln!(
            table,
            "| {name} | {wanted} of {events} | {before} | {} | {} ms | {state} | {public} of 5 |",
            run.code,
            took.as_millis()
        )
        .unwrap();
    }
    println!(
        "{into:?}\n| signal | event | after | exit code | ended within | record | public tags |\n| --- | --- | --- | --- | --- | --- | --- |\n{table}"
    );
}

#[test]
fn e2e_interrupt_at_moments_of_a_release_into_a_registry() {
    interrupted(Into::Registry);
}

#[test]
fn e2e_interrupt_at_moments_of_a_release_into_a_layout() {
    interrupted(Into::Layout);
}

/// A `RUN` that takes long, and the release that waits for it.
fn long(stage: &Stage, place: &Place<'_>) -> Running {
    stage.family.append(
        "Dockerfile.variant",
        &format!("RUN sleep 300; : {}\n", place.mark),
    );
    let mut running = place.start();
    running.wait_for("the RUN", |event| {
        event["event"] == "progress"
            && event["stage"]
                .as_str()
                .is_some_and(|stage| stage.contains(&place.mark))
    });
    running
}

/// The second signal comes before the first has been handed on.
#[test]
fn e2e_interrupt_that_comes_twice_leaves_nothing_either() {
    let stage = Stage::new(Into::Registry);
    let place = stage.place("twice");
    let running = long(&stage, &place);
    let began = Instant::now();
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let run = running.wait().expect(130);
    assert!(began.elapsed() < SOON);
    run.says("interrupt");
    place.is_quiet();
    place.is_clean();
    assert_eq!(place.public(), [""; 0]);
}

/// As CI ends a job, only faster: SIGINT, SIGTERM and SIGKILL, each while what the one before has begun is still going on.
#[test]
fn e2e_interrupt_as_ci_does_leaves_no_child() {
    let stage = Stage::new(Into::Registry);
    let place = stage.place("ci");
    let running = long(&stage, &place);
    for signal in [Signal::INT, Signal::TERM, Signal::KILL] {
        running.signal(signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    let run = running.wait();
    assert!(matches!(run.code, 130 | 137), "{}: {}", run.code, run.stderr);
    place.is_quiet();
    place.no_run_goes_on();
    assert_eq!(place.public(), [""; 0]);
}

/// Nobody can clean up after SIGKILL but what it started: builds, and what they run in the engine, do not go on.
#[test]
fn e2e_killed_outright_no_child_goes_on() {
    let stage = Stage::new(Into::Registry);
    let place = stage.place("killed");
    let running = long(&stage, &place);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, 137);
    place.is_quiet();
    place.no_run_goes_on();
}
