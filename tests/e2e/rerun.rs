//! A version that stands: running it again starts no build and writes nothing, whatever has become of npm.

use crate::support::{AMD64, ARM64, Family, Npm, Registry, Run, Splitbase};

/// Two variants for both platforms, one of which gets a version from npm.
fn family(registry: &Registry) -> Family {
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    family.append(
        "variants.toml",
        "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"omos\" }\n",
    );
    family
}

fn npm(family: &Family, npm: &Npm) -> Splitbase {
    family.splitbase().env("NPM_CONFIG_REGISTRY", npm.address())
}

#[track_caller]
fn nothing(run: &Run, registry: &Registry) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.docker, [""; 0], "children were started");
    assert_eq!(registry.writes(), []);
    assert_eq!(run.steps(), [""; 0]);
    run.says("nothing to do").shows("v1.0.0");
}

#[test]
fn e2e_rerun_of_a_version_does_nothing() {
    let registry = Registry::start();
    let (family, server) = (family(&registry), Npm::start());
    server.publish("omos", "2.0.0", None);
    let run = npm(&family, &server).ok(&["release", "v1.0.0"]);
    assert_eq!(run.builds().len(), 6);
    let tags = family.tags(&registry);
    registry.requests();
    server.asked();

    nothing(&npm(&family, &server).run(&["release", "v1.0.0"]), &registry);
    // npm has moved on: what this release has pinned stays.
    server.publish("omos", "2.1.0", None);
    nothing(&npm(&family, &server).run(&["release", "v1.0.0"]), &registry);
    assert_eq!(server.asked(), [""; 0]);
    // npm is gone.
    let gone = family
        .splitbase()
        .env("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9");
    nothing(&gone.run(&["release", "v1.0.0"]), &registry);
    // So is the engine.
    nothing(
        &gone
            .env("DOCKER_HOST", "tcp://127.0.0.1:9")
            .run(&["release", "v1.0.0"]),
        &registry,
    );
    assert_eq!(family.tags(&registry), tags);

    // Only who asks for it gets what is new, and then the release tag stands in the way.
    let again = npm(&family, &server)
        .run(&["release", "v1.0.0", "--re-resolve"])
        .expect(7);
    again.says("v1.0.0-omos");
    let next = npm(&family, &server).ok(&["release", "v1.1.0"]);
    assert_eq!(
        next.steps_of("build/"),
        ["build/variant/omos/linux-amd64", "build/variant/omos/linux-arm64"]
    );
}
