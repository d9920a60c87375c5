//! A disk that is full: before a release, and in the midst of it. It is named, with figures; nothing is published.

use crate::support::{AMD64, Engine, Family, Layout, Registry, Run, Splitbase};
use std::time::{Duration, Instant};

/// Megabytes of the engine's disk.
const SIZE: u32 = 220;
/// The same in the program's figures.
const FIGURES: &str = "of 230.69MB";

fn family(registry: &Registry) -> Family {
    let family = Family::of(registry.address(), &[AMD64], &["base"]);
    family.smoke("docker run --rm \"$SPLITBASE_IMAGE\" true");
    family
}

#[track_caller]
fn named(run: &Run, doing: &str, engine: &Engine) {
    run.says(&format!("the disk was full while this was {doing}: "))
        .says(FIGURES)
        .says(&format!("free in `{}` (engine)", engine.data().display()))
        .says("hint: make room: `splitbase doctor --reclaim`");
}

fn free(engine: &Engine) -> u64 {
    let free = rustix::fs::statvfs(engine.data()).unwrap();
    free.f_bavail * free.f_frsize
}

fn fill(engine: &Engine, leave: u64) {
    let bytes = free(engine) - leave;
    let file = engine.data().join("filler");
    crate::support::program("fallocate", &["-l", &bytes.to_string(), file.to_str().unwrap()]);
}

fn empty(engine: &Engine) {
    std::fs::remove_file(engine.data().join("filler")).unwrap();
}

#[test]
fn e2e_disk_that_fills_in_a_run_and_a_context_is_named() {
    let (engine, registry) = (Engine::start(SIZE), Registry::start());
    let on = |family: &Family| -> Splitbase { family.splitbase().env("DOCKER_HOST", engine.host()) };
    let release = ["release", "v1.0.0"];

    // Before anything is begun.
    let fam = family(&registry);
    fill(&engine, 65_000_000);
    let run = on(&fam).run(&release).expect(1);
    run.says("begin to build and test: the disk is full: 6")
        .says(FIGURES)
        .says("`splitbase doctor --reclaim`");
    assert_eq!((run.builds(), fam.tags(&registry).len()), (vec![], 0));
    empty(&engine);

    fam.append(
        "Dockerfile.variant",
        "RUN dd if=/dev/zero of=/big bs=1M count=400\n",
    );
    let run = on(&fam).run(&release).expect(1);
    named(&run, "built", &engine);
    run.says("warning: the disk may fill up: ");
    assert!(fam.public_tags(&registry).is_empty());

    // The text of this one is another, and so is buildx' exit code.
    let fam = family(&registry);
    let big = std::fs::File::create(fam.path("big")).unwrap();
    big.set_len(300 << 20).unwrap();
    fam.append("Dockerfile.variant", "COPY big /big\n")
        .append(".dockerignore", "!big\n")
        .replace("variants.toml", "inputs     = []", "inputs     = [\"big\"]");
    let run = on(&fam).run(&release).expect(1);
    named(&run, "built", &engine);
    assert!(fam.public_tags(&registry).is_empty());
}

#[test]
fn e2e_disk_that_fills_under_a_test_is_named_and_room_is_made() {
    let (engine, registry) = (Engine::start(SIZE), Registry::start());
    // The image is built and lies in the layout; there is no room to unpack it a second time.
    let fam = family(&registry);
    fam.append(
        "Dockerfile.variant",
        "RUN dd if=/dev/zero of=/big bs=1M count=130\n",
    );
    let splitbase = fam.splitbase().env("DOCKER_HOST", engine.host());
    let run = splitbase.run(&["release", "v1.0.0", "--to", "oci:out"]).expect(1);
    named(&run, "tested", &engine);
    let layout = Layout::at(fam.path("out"));
    layout.check();
    assert!(!layout.tags().contains_key("v1.0.0"), "{:?}", layout.tags());

    // What can go is shown first, and then it goes.
    let shown = reclaim(&engine, &[]);
    let item = cache(&shown);
    assert_eq!(
        (&shown["acts"], &item["outcome"]),
        (&false.into(), &"shown".into())
    );
    assert!(item["bytes"].as_u64().unwrap() > 100_000_000, "{shown:#}");
    assert!(free(&engine) < 100_000_000, "it was only shown");
    let removed = reclaim(&engine, &["--yes"]);
    let item = cache(&removed);
    assert_eq!(
        (&item["kind"], &item["outcome"]),
        (&"build-cache".into(), &"removed".into())
    );
    has_room(&engine);
}

/// `doctor --reclaim` on this engine, with nothing of this machine's own.
fn reclaim(engine: &Engine, args: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    Splitbase::new(folder.path())
        .env("DOCKER_HOST", engine.host())
        .env("TMPDIR", folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .json(&[&["doctor", "--reclaim"], args].concat())
}

/// The build cache among what can go.
fn cache(document: &serde_json::Value) -> &serde_json::Value {
    let items = document["items"].as_array().unwrap();
    let cache = items.iter().find(|item| item["kind"] == "build-cache");
    cache.unwrap_or_else(|| panic!("{document:#}"))
}

/// Waits until the engine has collected what nobody needs any more.
#[track_caller]
fn has_room(engine: &Engine) {
    let until = Instant::now() + Duration::from_secs(60);
    while free(engine) < 190_000_000 {
        assert!(Instant::now() < until, "{} are free", free(engine));
        std::thread::sleep(Duration::from_millis(50));
    }
}
