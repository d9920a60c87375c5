//! `--keep-images`: what was pulled or loaded for tests stays in the engine.

use crate::support::{Family, Registry, docker, try_program};

/// Whether the engine has an image of this name. It goes with the test.
struct Kept(String);

impl Kept {
    fn is_there(&self) -> bool {
        try_program("docker", &["image", "inspect", &self.0]).is_ok()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = try_program("docker", &["image", "rm", &self.0]);
    }
}

#[test]
fn e2e_keep_images_that_were_pulled_for_a_test() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.splitbase().ok(&["release", "v1.0.0", "--keep-images"]);
    let kept = |tag: &str| {
        let digest = family.index(&registry, tag).platforms["linux/amd64"].clone();
        Kept(format!("{}/{}@{digest}", registry.address(), family.repository()))
    };
    let all = [kept("v1.0.0"), kept("v1.0.0-omos")];
    for image in &all {
        assert!(image.is_there(), "{}", image.0);
    }
    // The test left them; they are what it tested.
    family.splitbase().ok(&["smoke", "--again", "--variant", "omos"]);
    assert!(all[1].is_there(), "what was there before a test stays");
}

#[test]
fn e2e_keep_images_that_were_loaded_for_a_test() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let run = family
        .splitbase()
        .ok(&["release", "v1.0.0", "--to", "oci:out", "--keep-images"]);
    let layout = crate::support::Layout::at(family.path("out"));
    let digest = layout.index("v1.0.0").platforms["linux/amd64"].clone();
    let kept = Kept(format!(
        "localhost/splitbase-smoke:variant-base-amd64-{}",
        &digest["sha256:".len()..][..12]
    ));
    assert!(kept.is_there(), "{}: {:#?}", kept.0, run.docker);
    // Under that name alone.
    let loaded = run.docker.iter().find_map(|call| {
        let name = call.strip_prefix("image inspect --format {{.Id}} localhost/splitbase-smoke-")?;
        Some(name.to_owned())
    });
    let names = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
    assert!(!names.contains(&loaded.unwrap()), "{names}");
    drop(kept);

    let run = family.splitbase().ok(&["release", "v1.1.0", "--to", "oci:other"]);
    let removed = |call: &&String| call.starts_with("image rm localhost/splitbase-smoke-");
    assert_eq!(run.docker.iter().filter(removed).count(), 1, "{:#?}", run.docker);
}
