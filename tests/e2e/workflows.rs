//! The workflows that `ci` writes do what they are for, in a container that has git, docker and the program, and nothing else.

use crate::support::{AMD64, ARM64, Family, Job, Registry, commit_all};
use std::collections::BTreeMap;

/// The values of the expressions that a release has.
fn values<'a>(version: &'a str, no_promote: &'a str) -> BTreeMap<&'a str, &'a str> {
    BTreeMap::from([
        ("github.token", "a-token-of-the-job"),
        ("inputs.version", version),
        ("format('{0}', inputs.promote_latest) == 'false'", no_promote),
    ])
}

#[test]
fn e2e_workflows_release_on_a_pushed_tag_and_by_hand() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    // Writes them where forges look, which is not the family's folder alone.
    std::fs::create_dir(family.path(".git")).unwrap();
    family.splitbase().ok(&["ci", "--forge", "gitea"]);
    std::fs::remove_dir(family.path(".git")).unwrap();
    let workflow = family.read(".gitea/workflows/release.yml");

    let commit = commit_all(family.folder());
    let job = Job::start(family.folder());
    let pushed = [
        ("GITEA_ACTIONS", "true"),
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "tag"),
        ("GITHUB_REF_NAME", "v1.0.0"),
    ];
    let output = job.run(&workflow, &values("", "false"), &pushed);
    assert!(!output.contains("a-token-of-the-job"), "{output}");
    let tags = family.public_tags(&registry);
    assert_eq!(
        tags.keys().collect::<Vec<_>>(),
        ["base-latest", "latest", "latest-omos", "v1.0.0", "v1.0.0-omos"]
    );
    assert_eq!(tags["latest"], tags["v1.0.0"]);
    assert!(job.sh("cat /runner/output").contains("outcome<<"));
    assert!(job.sh("cat /runner/summary").contains("v1.0.0"));
    assert_eq!(family.record(&registry, "v1.0.0")["state"], "done");
    assert_eq!(family.record(&registry, "v1.0.0")["revision"], commit);

    // The next job on the same runner finds the folder as the last one left it.
    job.sh("echo old >/workspace/acme/tiny/marker; echo left >/workspace/acme/tiny/left");
    family.write("marker", "something else\n");
    let commit = commit_all(family.folder());
    job.push();
    let by_hand = [
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "main"),
    ];
    job.run(&workflow, &values("v1.1.0", "true"), &by_hand);
    let after = family.public_tags(&registry);
    assert_ne!(after["v1.1.0"], tags["v1.0.0"], "another commit was released");
    assert_eq!(after["latest"], tags["v1.0.0"], "aliases were not to be moved");
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "not-promoted");
    job.run(&workflow, &values("v1.1.0", "false"), &by_hand);
    assert_eq!(family.public_tags(&registry)["latest"], after["v1.1.0"]);
}

#[test]
fn e2e_workflows_release_for_both_platforms_from_a_folder_below() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base"]);
    let top = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(top.path().join("images")).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-R")
        .args([family.folder(), &top.path().join("images/fam")])
        .status();
    assert!(copied.unwrap().success());
    std::fs::create_dir(top.path().join(".git")).unwrap();
    let file = top.path().join("images/fam/variants.toml");
    family
        .splitbase()
        .ok(&["ci", "--forge", "github", "--file", file.to_str().unwrap()]);
    std::fs::remove_dir(top.path().join(".git")).unwrap();
    let workflow = std::fs::read_to_string(top.path().join(".github/workflows/release-fam.yml")).unwrap();
    assert!(workflow.contains("--install arm64\n"), "{workflow}");
    let commit = commit_all(top.path());
    let job = Job::start(top.path());
    let event = [
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "tag"),
        ("GITHUB_REF_NAME", "v2.0.0"),
    ];
    job.run(&workflow, &values("", "false"), &event);
    let index = family.index(&registry, "v2.0.0");
    assert_eq!(index.platforms.keys().collect::<Vec<_>>(), [AMD64, ARM64]);
    assert_eq!(
        family.digest(&registry, "latest"),
        family.digest(&registry, "v2.0.0")
    );
}

#[test]
fn e2e_workflows_check_a_pull_request_in_a_bare_container() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    std::fs::create_dir(family.path(".git")).unwrap();
    family.splitbase().ok(&["ci", "--forge", "gitea"]);
    std::fs::remove_dir(family.path(".git")).unwrap();
    let gate = family.read(".gitea/workflows/validate.yml");
    let commit = commit_all(family.folder());
    let job = Job::start(family.folder());
    let event = [
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "1/merge"),
    ];
    let output = job.run(&gate, &values("", "false"), &event);
    for step in [
        "build/base/linux-amd64",
        "smoke/variant/base/linux-amd64",
        "smoke/variant/omos/linux-amd64",
    ] {
        assert!(output.contains(step), "{step}: {output}");
    }
    assert_eq!(registry.writes(), []);
    assert!(family.tags(&registry).is_empty());
    assert!(job.sh("cat /runner/output").contains("outcome<<"));
}
