//! The workflows that `ci` writes do what they are for, in a container that has git, docker and the program, and nothing else.

use crate::support::{AMD64, ARM64, Family, Job, Known, Registry, Value, commit_all, env, parse};

const TOKEN: &str = "a-token-of-the-job";

/// What a forge knows when a tag was pushed: there are no inputs then.
fn pushed() -> Known {
    Known::default().with("github.token", TOKEN)
}

/// What it knows when somebody started the job by hand.
fn by_hand(version: &str, promote_latest: Value) -> Known {
    pushed()
        .with("inputs.version", version)
        .with("inputs.promote_latest", promote_latest)
}

#[test]
fn workflows_leave_aliases_where_they_are_only_if_somebody_said_so() {
    let family = Family::of("localhost:1", &[AMD64], &["base"]);
    std::fs::create_dir(family.path(".git")).unwrap();
    family.splitbase().ok(&["ci"]);
    for forge in [".gitea", ".github"] {
        let workflow = parse(&family.read(&format!("{forge}/workflows/release.yml")));
        let job = workflow["jobs"].as_hash().unwrap().front().unwrap().1;
        let steps = job["steps"].as_vec().unwrap();
        let variables = env(steps.last().unwrap());
        let given = |known: &Known| {
            let value = |wanted: &str| {
                let found = variables.iter().find(|(name, _)| name == wanted);
                known.value(&found.unwrap().1)
            };
            (value("SPLITBASE_VERSION"), value("SPLITBASE_NO_PROMOTE"))
        };
        let answer = |version: &str, no_promote: &str| (version.to_owned(), no_promote.to_owned());
        assert_eq!(given(&pushed()), answer("", "false"), "{forge}");
        // As a boolean, as its name, in another case, and not at all.
        for (promote_latest, no_promote) in [
            (Value::Bool(true), "false"),
            (Value::Bool(false), "true"),
            ("true".into(), "false"),
            ("false".into(), "true"),
            ("False".into(), "true"),
            (Value::Null, "false"),
            ("".into(), "false"),
        ] {
            let known = by_hand("v1.1.0", promote_latest.clone());
            assert_eq!(
                given(&known),
                answer("v1.1.0", no_promote),
                "{forge}: {promote_latest:?}"
            );
        }
    }
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
    let event = [
        ("GITEA_ACTIONS", "true"),
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "tag"),
        ("GITHUB_REF_NAME", "v1.0.0"),
    ];
    let output = job.run(&workflow, &pushed(), &event);
    assert!(!output.contains(TOKEN), "{output}");
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
    let event = [
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "main"),
    ];
    job.run(&workflow, &by_hand("v1.1.0", "false".into()), &event);
    let after = family.public_tags(&registry);
    assert_ne!(after["v1.1.0"], tags["v1.0.0"], "another commit was released");
    assert_eq!(after["latest"], tags["v1.0.0"], "aliases were not to be moved");
    assert_eq!(family.record(&registry, "v1.1.0")["state"], "not-promoted");
    job.run(&workflow, &by_hand("v1.1.0", Value::Bool(true)), &event);
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
    job.run(&workflow, &pushed(), &event);
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
    family.splitbase().ok(&["ci"]);
    std::fs::remove_dir(family.path(".git")).unwrap();
    let commit = commit_all(family.folder());
    let job = Job::start(family.folder());
    let event = [
        ("GITHUB_SHA", commit.as_str()),
        ("GITHUB_REF_TYPE", "branch"),
        ("GITHUB_REF_NAME", "1/merge"),
    ];
    for forge in [".gitea", ".github"] {
        let gate = family.read(&format!("{forge}/workflows/validate.yml"));
        let output = job.run(&gate, &pushed(), &event);
        for step in [
            "build/base/linux-amd64",
            "smoke/variant/base/linux-amd64",
            "smoke/variant/omos/linux-amd64",
        ] {
            assert!(output.contains(step), "{forge}: {step}: {output}");
        }
        assert!(
            job.sh("cat /runner/output; rm /runner/output")
                .contains("outcome<<")
        );
    }
    assert_eq!(registry.writes(), []);
    assert!(family.tags(&registry).is_empty());
}
