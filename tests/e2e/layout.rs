//! Releases into a folder in OCI image layout. The registry of their families is nowhere.

use crate::support::{AMD64, ARM64, Family, Index, Layout, Registry, Run, crane, docker, program, sha256};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeSet;

const TO: [&str; 2] = ["--to", "oci:out"];

/// A family whose registry is nowhere.
fn family(platforms: &[&str], variants: &[&str]) -> (Family, Layout) {
    let family = Family::of("docker.io", platforms, variants);
    let layout = Layout::at(family.path("out"));
    (family, layout)
}

fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
    args.iter().copied().chain(TO).collect()
}

/// Fails where the run left an image in the engine that it loaded.
fn loaded_and_removed(run: &Run, times: usize) {
    let loads = run
        .docker
        .iter()
        .filter(|call| call.starts_with("image load"))
        .count();
    assert_eq!(loads, times, "{:#?}", run.docker);
    let removed: Vec<_> = run
        .docker
        .iter()
        .filter_map(|call| call.strip_prefix("image rm "))
        .flat_map(|names| names.split(' '))
        .filter_map(|name| {
            name.strip_prefix("localhost/splitbase-smoke-")?
                .strip_suffix(":test")
        })
        .collect();
    assert_eq!(
        removed.iter().collect::<BTreeSet<_>>().len(),
        times,
        "{:#?}",
        run.docker
    );
    for name in removed {
        let name = format!("localhost/splitbase-smoke-{name}");
        assert_eq!(
            docker(&["image", "ls", "--quiet", "--filter", &format!("reference={name}")]),
            ""
        );
    }
}

#[test]
fn e2e_layout_release_is_read_alike_by_skopeo_crane_and_docker() {
    let (family, layout) = family(&[AMD64, ARM64], &["base", "omos"]);
    let run = family.splitbase().ok(&with(&["release", "v1.2.3", "-o", "json"]));
    assert_eq!(run.builds().len(), 6);
    layout.check();
    loaded_and_removed(&run, 4);
    let report = run.json();
    assert_eq!(
        (&report["target"], &report["outcome"]),
        (&json!("oci:out"), &json!("done"))
    );
    assert_eq!(layout.record("v1.2.3")["state"], "done");
    let folder = layout.folder().display();
    let base = layout.index("base-latest");
    for (tag, alias) in [("v1.2.3", "latest"), ("v1.2.3-omos", "latest-omos")] {
        let digest = layout.digest(tag);
        assert_eq!(layout.digest(alias), digest);
        let raw = program("skopeo", &["inspect", "--raw", &format!("oci:{folder}:{tag}")]);
        assert_eq!(sha256(&raw), digest);
        let index = Index::of(&serde_json::from_slice(&raw).unwrap());
        assert_eq!((index.platforms.len(), index.attestations.len()), (2, 2));
        for (platform, own) in &index.platforms {
            let manifest = layout.json(own);
            // It is built on this very base, and what was tested is what the tag holds.
            let on = &manifest["annotations"]["org.opencontainers.image.base.digest"];
            assert_eq!(*on, base.platforms[platform]);
            let tested = format!(" --platform {platform} localhost/splitbase-smoke-");
            let tests = run
                .docker
                .iter()
                .filter(|call| call.starts_with("run ") && call.contains(&tested));
            assert_eq!(
                tests.filter(|call| call.contains(&format!("@{own} "))).count(),
                1,
                "{:#?}",
                run.docker
            );
            let receipt = format!("-{}-ok-", &platform["linux/".len()..]);
            let receipts = layout
                .tags()
                .into_iter()
                .filter(|(tag, at)| tag.contains(&receipt) && at == own);
            assert_eq!(receipts.count(), 1);
        }
    }
    // To an archive, for the platform that is asked for.
    let archive = family.path("omos.tar");
    let (from, to) = (
        format!("oci:{folder}:v1.2.3-omos"),
        format!("docker-archive:{}", archive.display()),
    );
    program("skopeo", &["copy", "--override-arch", "arm64", &from, &to]);
    let config = program("skopeo", &["inspect", "--config", &to]);
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["architecture"], "arm64");
    // To a registry, as a whole.
    let registry = Registry::start();
    let place = format!("{}/e2e/pushed", registry.address());
    crane(&[
        "push",
        "--index",
        &layout.folder().to_string_lossy(),
        &format!("{place}:all"),
    ]);
    let omos = layout.digest("v1.2.3-omos");
    assert_eq!(crane(&["digest", &format!("{place}@{omos}")]), omos);
    // Into an engine, as a whole, under the names that the registry would have.
    let tar = family.path("layout.tar");
    let (tar, out) = (tar.to_string_lossy(), layout.folder().to_string_lossy());
    program(
        "tar",
        &["-cf", &tar, "-C", &out, "oci-layout", "index.json", "blobs"],
    );
    let names: Vec<_> = layout
        .tags()
        .into_keys()
        .map(|tag| format!("e2e/fam:{tag}"))
        .collect();
    let said = docker(&["load", "--input", &tar]);
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", "e2e/fam:v1.2.3-omos"]);
    let kind = docker(&["run", "--rm", "e2e/fam:v1.2.3-omos", "cat", "/etc/kind"]);
    let names: Vec<&str> = ["image", "rm"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    docker(&names);
    assert!(said.contains("e2e/fam:latest"), "{said}");
    assert_eq!((id, kind.as_str()), (omos, "omos"));
}

#[test]
fn e2e_layout_holds_the_platform_digests_that_a_registry_gets() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let layout = Layout::at(family.path("out"));
    family.splitbase().ok(&["release", "v1.0.0"]);
    registry.requests();
    let run = family.splitbase().ok(&with(&["release", "v1.0.0"]));
    assert_eq!(run.builds().len(), 3);
    assert_eq!(registry.requests(), [], "the registry was asked");
    for tag in ["v1.0.0", "v1.0.0-omos", "base-latest"] {
        assert_eq!(
            layout.index(tag).platforms,
            family.index(&registry, tag).platforms,
            "{tag}"
        );
    }
}

#[test]
fn e2e_layout_rerun_does_nothing_and_a_change_builds_what_changed() {
    let (family, layout) = family(&[AMD64], &["base", "omos"]);
    family.splitbase().ok(&with(&["release", "v1.0.0"]));
    let before = layout.snapshot();
    let run = family.splitbase().ok(&with(&["release", "v1.0.0"]));
    assert_eq!((run.docker.len(), run.steps().len()), (0, 0));
    run.says("nothing to do").shows("into oci:out");
    assert_eq!(layout.snapshot(), before);

    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"changed\"");
    // Planning writes nothing, and shows the lines that are run.
    let plan = family.splitbase().ok(&with(&["plan", "v1.1.0", "--dry-run"]));
    plan.shows("target      oci:out")
        .shows(",tar=false,dest=<folder>");
    let base = &layout.index("base-latest").platforms[AMD64];
    plan.shows(&format!("=oci-layout://{}@{base}", layout.folder().display()));
    assert_eq!(layout.snapshot(), before);
    let run = family.splitbase().ok(&with(&["release", "v1.1.0"]));
    assert_eq!(run.steps_of("build/"), ["build/variant/omos/linux-amd64"]);
    assert_eq!(layout.digest("v1.1.0"), layout.digest("v1.0.0"));
    assert_ne!(layout.digest("v1.1.0-omos"), layout.digest("v1.0.0-omos"));
    let line = run.builds()[0].to_owned();
    assert!(
        line.contains(&format!("BASE_IMAGE=docker.io/e2e/fam@{base}")),
        "{line}"
    );
    let shown = line.split(" --output ").next().unwrap().to_owned();
    assert!(
        plan.stdout.replace('\'', "").contains(&shown),
        "{shown}\n{}",
        plan.stdout
    );
    let status = family.splitbase().json(&with(&["status"]));
    assert_eq!(
        (&status["target"], &status["newest"]["version"]),
        (&json!("oci:out"), &json!("v1.1.0"))
    );
    assert_eq!(status["aliases"].as_array().unwrap().len(), 3);
    // A release tag is written once, here too.
    family.replace("variants.toml", "KIND = \"changed\"", "KIND = \"again\"");
    let run = family
        .splitbase()
        .run(&with(&["release", "v1.1.0", "--re-resolve"]))
        .expect(7);
    run.says("v1.1.0-omos");
    layout.check();
}

#[test]
fn e2e_layout_is_promoted_later() {
    let (family, layout) = family(&[AMD64], &["base"]);
    family
        .splitbase()
        .ok(&with(&["release", "v1.0.0", "--no-promote"]));
    assert!(!layout.tags().contains_key("latest"));
    assert_eq!(layout.record("v1.0.0")["state"], "not-promoted");
    family.splitbase().ok(&with(&["promote", "v1.0.0", "--yes"]));
    assert_eq!(layout.digest("latest"), layout.digest("v1.0.0"));
    assert_eq!(layout.record("v1.0.0")["state"], "done");
    layout.check();
}

#[test]
fn e2e_layout_saved_plan_carries_its_target() {
    let (family, layout) = family(&[AMD64], &["base"]);
    family
        .splitbase()
        .ok(&with(&["plan", "v1.0.0", "--save", "plan.json"]));
    assert!(!layout.folder().exists(), "planning made the folder");
    let other = ["release", "--plan", "plan.json", "--to", "oci:elsewhere"];
    family
        .splitbase()
        .run(&other)
        .expect(7)
        .says("it is for `oci:out`");
    family.splitbase().ok(&["release", "--plan", "plan.json"]);
    assert!(layout.tags().contains_key("latest"));
}

#[test]
fn e2e_layout_of_three_processes_at_once_loses_nothing_and_they_agree() {
    let variants = ["a", "b", "c", "d", "e", "f"];
    let (family, layout) = family(&[AMD64], &variants);
    let running: Vec<_> = variants
        .chunks(2)
        .map(|two| {
            let args = ["build", "--variant", two[0], "--variant", two[1]];
            family.splitbase().start(&with(&args))
        })
        .collect();
    let runs: Vec<_> = running
        .into_iter()
        .map(|running| running.wait().expect(0))
        .collect();
    let builds: usize = runs.iter().map(|run| run.builds().len()).sum();
    assert!(builds > 7, "they did not overlap");
    layout.check();
    // An index, a platform image, what was staged and the list of inputs, of the base and of each variant.
    let tags = layout.tags();
    assert_eq!(tags.len(), 4 * 7, "{:?}", tags.keys());
    let is_index = |tag: &&String| !tag.contains("-amd64") && !tag.ends_with("-inputs");
    let base = tags.keys().filter(is_index).find(|tag| tag.starts_with("base-"));
    let base = layout.index(base.unwrap()).platforms[AMD64].clone();
    for tag in tags
        .keys()
        .filter(is_index)
        .filter(|tag| tag.starts_with("variant-"))
    {
        let own = &layout.index(tag).platforms[AMD64];
        let on = &layout.json(own)["annotations"]["org.opencontainers.image.base.digest"];
        assert_eq!(*on, base, "{tag}");
    }
    let run = family.splitbase().ok(&with(&["release", "v1.0.0"]));
    assert_eq!(run.builds(), [""; 0]);
}

/// Waits until no process names the layout in its command line.
fn await_end_of_processes_on(layout: &Layout) {
    let folder = layout.folder().to_str().unwrap();
    let names_it = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(folder)
    };
    for _ in 0..300 {
        if !std::fs::read_dir("/proc").unwrap().flatten().any(names_it) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("a process still works on {folder}");
}

#[test]
fn e2e_layout_of_a_killed_release_is_whole_and_the_next_run_goes_on() {
    let (family, layout) = family(&[AMD64], &["base", "omos"]);
    let moments = [
        ("progress", "build/variant/omos/linux-amd64"),
        ("output", "smoke/variant/omos/linux-amd64"),
        ("started", "tag/v1.0.0"),
        ("started", "alias/latest"),
    ];
    for (event, step) in moments {
        let _ = std::fs::remove_dir_all(layout.folder());
        let mut running = family.splitbase().start(&with(&["release", "v1.0.0"]));
        running.wait_for(&format!("{event} of {step}"), |told| {
            told["event"] == event && told["step"] == step
        });
        running.signal(Signal::KILL);
        assert_eq!(running.wait().code, 137);
        // buildx goes on a while, and nobody wants what it writes.
        await_end_of_processes_on(&layout);
        layout.check();
        let run = family.splitbase().ok(&with(&["release", "v1.0.0"]));
        layout.check();
        assert_eq!(layout.record("v1.0.0")["state"], "done", "{step}");
        assert_eq!(layout.digest("latest-omos"), layout.digest("v1.0.0-omos"));
        // A test that was killed leaves its image; that is the only thing.
        let orphans = docker(&[
            "image",
            "ls",
            "--format",
            "{{.Repository}}:{{.Tag}} {{.ID}}",
            "--no-trunc",
        ]);
        let ours = ["v1.0.0", "v1.0.0-omos"].map(|tag| layout.index(tag).platforms[AMD64].clone());
        for line in orphans
            .lines()
            .filter(|line| line.starts_with("localhost/splitbase-smoke-"))
        {
            if let Some((name, _)) = line
                .split_once(' ')
                .filter(|(_, id)| ours.iter().any(|own| own == id))
            {
                docker(&["image", "rm", "--force", name]);
            }
        }
        if !run.builds().is_empty() {
            let left: Vec<_> = std::fs::read_dir(layout.path(".splitbase"))
                .unwrap()
                .map(Result::unwrap)
                .collect();
            assert_eq!(left.len(), 1, "{step}: {left:?}");
        }
    }
}

#[test]
fn e2e_layout_that_is_damaged_is_unknown_and_a_foreign_folder_is_refused() {
    let (family, layout) = family(&[AMD64], &["base"]);
    family.splitbase().ok(&with(&["release", "v1.0.0"]));
    let own = layout.index("v1.0.0").platforms[AMD64].clone();
    let layer = layout.json(&own)["layers"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let bytes = layout.blob(&layer);
    std::fs::write(layout.blob_path(&layer), &bytes[..bytes.len() - 1]).unwrap();
    for args in [&["release", "v1.0.0"][..], &["plan", "v1.1.0"], &["status"]] {
        let run = family.splitbase().run(&with(args)).expect(5);
        run.says("is damaged").says("hint: the layout is damaged");
        assert_eq!(run.builds(), [""; 0]);
    }
    std::fs::write(layout.blob_path(&layer), &bytes).unwrap();
    family.splitbase().ok(&with(&["status"]));
    std::fs::write(layout.path("index.json"), "{}").unwrap();
    family
        .splitbase()
        .run(&with(&["release", "v1.1.0"]))
        .expect(5)
        .says("index.json");

    let to = ["release", "v1.0.0", "--to", "oci:scripts"];
    family
        .splitbase()
        .run(&to)
        .expect(2)
        .says("is not empty, and is no OCI layout");
    let to = ["release", "v1.0.0", "--to", "oci:a@b"];
    family.splitbase().run(&to).expect(2).says("cannot take the path");
    let to = ["release", "v1.0.0", "--to", "out"];
    family.splitbase().run(&to).expect(2).says("oci:DIR");
    family.write(".dockerignore", "\n").replace(
        "variants.toml",
        "inputs     = [\"busybox-amd64\", \"busybox-arm64\", \"marker\"]\n",
        "",
    );
    let run = family
        .splitbase()
        .run(&["release", "v1.0.0", "--to", "oci:new"])
        .expect(2);
    run.says("lies among the inputs of base")
        .says("add the line `new` to `.dockerignore`");
}

#[test]
fn e2e_layout_image_whose_test_fails_can_be_looked_into() {
    let (family, _) = family(&[AMD64], &["omos"]);
    family.smoke(
        "docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" cat /etc/kind\ndocker run -d \"$SPLITBASE_IMAGE\" sleep 1000\nexit 3",
    );
    let run = family.splitbase().run(&with(&["release", "v1.0.0"])).expect(3);
    loaded_and_removed(&run, 1);
    let started = run.docker.iter().find_map(|call| call.strip_prefix("run -d "));
    let image = started.unwrap_or_else(|| panic!("{:#?}", run.docker));
    let image = image.split(' ').next().unwrap();
    let containers = docker(&["ps", "--all", "--no-trunc", "--format", "{{.Image}}"]);
    assert!(!containers.contains(image), "{containers}");
    let line = run
        .stderr
        .lines()
        .find_map(|line| line.split_once("to look inside: `"));
    let line = line
        .unwrap_or_else(|| panic!("{}", run.stderr))
        .1
        .trim_end_matches('`');
    let name = line.rsplit(' ').next().unwrap();
    let line = format!("{} cat /etc/kind", line.replace(" -it", ""));
    let looked = program("sh", &["-c", &line]);
    docker(&["image", "rm", name]);
    assert_eq!(looked, b"omos\n");
    assert!(
        name.starts_with("localhost/splitbase-smoke:variant-omos-amd64-"),
        "{name}"
    );
}

#[test]
fn e2e_layout_size_limit_is_that_of_the_uncompressed_layers() {
    let (family, _) = family(&[AMD64], &["omos"]);
    // Far more than it is when it is compressed.
    family.append("Dockerfile.base", "RUN head -c 8000000 /dev/zero >/zeros\n");
    family.set("smoke", "max-size = \"6MB\"");
    let run = family.splitbase().run(&with(&["release", "v1.0.0"])).expect(3);
    run.says("`max-size` is 6MB");
    loaded_and_removed(&run, 0);
    family.replace("variants.toml", "\"6MB", "\"60MB");
    family.splitbase().ok(&with(&["release", "v1.0.0"]));
}

#[test]
fn e2e_layout_does_without_build_cache_in_a_registry() {
    let (family, _) = family(&[AMD64], &["base"]);
    family.replace(
        "variants.toml",
        "to = \"none\"",
        "to = \"registry\"\nfrom = [\"localhost:1/x:cache\"]",
    );
    let run = family.splitbase().ok(&with(&["build"]));
    run.says("no build cache in a registry is read or written");
    assert!(
        run.builds().iter().all(|line| !line.contains("--cache-")),
        "{:#?}",
        run.builds()
    );
    // Another kind of cache is none of the registry's business.
    family
        .replace(
            "variants.toml",
            "to = \"registry\"",
            "to = \"type=local,dest=../cache-{image}-{arch}\"",
        )
        .replace("variants.toml", "from = [\"localhost:1/x:cache\"]", "from = []");
    let run = family
        .splitbase()
        .ok(&with(&["build", "--rebuild", "variant/base"]));
    assert!(
        run.builds()[0].contains("type=local,dest=../cache-variant-base-amd64"),
        "{:#?}",
        run.builds()
    );
    let cache = family.folder().parent().unwrap().join("cache-variant-base-amd64");
    std::fs::remove_dir_all(cache).unwrap();
}

#[test]
fn e2e_layout_needs_a_builder_that_exports_and_tests_on_any_engine() {
    let (family, layout) = family(&[AMD64, ARM64], &["omos"]);
    let refused = family
        .splitbase()
        .classic()
        .run(&with(&["release", "v1.0.0"]))
        .expect(1);
    refused
        .says("keeps images in the classic store")
        .says("docker buildx create")
        .says("containerd-snapshotter");
    assert!(!layout.folder().exists());
    // What another engine built is tested on this one: by the digest of its config.
    family.splitbase().ok(&with(&["build"]));
    let classic = family.splitbase().classic().ok(&with(&["smoke"]));
    let loads = classic
        .docker
        .iter()
        .filter(|call| call.starts_with("image load"))
        .count();
    assert_eq!(loads, 2, "{:#?}", classic.docker);
    let run = classic
        .docker
        .iter()
        .find(|call| call.starts_with("run --rm"))
        .unwrap();
    assert!(
        run.contains("localhost/splitbase-smoke-") && run.contains(":test "),
        "{run}"
    );
    assert!(layout.tags().keys().any(|tag| tag.contains("-ok-")));
    layout.check();
}
