//! `plan`, saved plans, and plans from saved facts.

use crate::support::{AMD64, ARM64, Family, Npm, Registry, Splitbase, program};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// Every file below a folder, with its time and size.
fn tree(folder: &Path) -> BTreeMap<String, (SystemTime, u64)> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.unwrap();
        let data = entry.metadata().unwrap();
        files.insert(
            entry.path().display().to_string(),
            (data.modified().unwrap(), data.len()),
        );
    }
    files
}

/// The words of a `docker buildx build` line, without what differs from run to run.
fn words(line: &str) -> Vec<String> {
    let mut words = shlex::split(line).unwrap();
    let at = words.iter().position(|word| word == "--metadata-file").unwrap();
    "FILE".clone_into(&mut words[at + 1]);
    for word in &mut words {
        if let Some((start, _)) = word.split_once('@') {
            *word = format!("{start}@DIGEST");
        }
        if word.starts_with("manifest:org.opencontainers.image.base.digest=") {
            "manifest:org.opencontainers.image.base.digest=DIGEST".clone_into(word);
        }
    }
    words
}

#[test]
fn e2e_plan_dry_run_writes_nothing_and_shows_the_exact_commands() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family
        .replace("variants.toml", "to = \"none\"", "to = \"registry\"")
        .write("private.txt", "of a test\n")
        .write("assets/one", "1\n")
        .append("Dockerfile.base", "COPY --from=assets one /\n")
        .append("Dockerfile.variant", "COPY --from=assets one /\n")
        .set(
            "build",
            "labels = { \"org.example.of\" = \"a-test\" }\ncontexts = { assets = \"assets\" }\nsecrets = [{ id = \"file\", file = \"private.txt\" }, \
             { id = \"variable\", env = \"OF_A_TEST\" }, { id = \"missing\", file = \"missing.txt\", optional = true }]",
        );
    let (temporary, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outputs = family.path("outputs");
    std::fs::write(&outputs, "").unwrap();
    // Paths of the file are relative to the file, wherever one stands.
    let splitbase = Splitbase::new(elsewhere.path())
        .env("SPLITBASE_FILE", family.path("variants.toml"))
        .env("OF_A_TEST", "a value of a test")
        .env("TMPDIR", temporary.path())
        .env("XDG_CACHE_HOME", elsewhere.path())
        .env("GITHUB_OUTPUT", &outputs)
        .env("GITHUB_STEP_SUMMARY", &outputs);
    let before = tree(family.folder());
    let planned = splitbase.ok(&["plan", "v1.0.0", "--dry-run"]);
    assert_eq!(
        splitbase.ok(&["release", "v1.0.0", "--dry-run"]).stdout,
        planned.stdout
    );
    let document = splitbase.json(&["release", "v1.0.0", "--dry-run"]);
    assert_eq!(document, splitbase.json(&["plan", "v1.0.0", "--dry-run"]));
    assert_eq!(registry.writes(), []);
    assert_eq!(tree(family.folder()), before);
    for folder in [&temporary, &elsewhere] {
        assert_eq!(tree(folder.path()).len(), 1, "only the folder itself");
    }
    assert!(family.tags(&registry).is_empty());

    let shown: Vec<_> = planned
        .stdout
        .lines()
        .filter_map(|line| Some(line.split_once(" docker buildx build ")?.1))
        .map(|line| format!("buildx build {line}"))
        .map(|line| words(&line))
        .collect();
    assert_eq!(shown.len(), 3, "{}", planned.stdout);
    planned.shows(&format!("    cd {} && ", family.folder().display()));
    for line in &shown {
        let secrets = line.iter().filter(|word| word.starts_with("id=")).count();
        assert_eq!(secrets, 2, "{line:?}");
    }
    let run = splitbase.ok(&["release", "v1.0.0"]);
    let mut done: Vec<_> = run.builds().into_iter().map(words).collect();
    let mut shown_sorted = shown;
    done.sort();
    shown_sorted.sort();
    assert_eq!(shown_sorted, done);
}

#[test]
fn e2e_plan_says_by_its_exit_code_whether_there_is_something_to_do() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    let splitbase = family.splitbase();
    splitbase.run(&["plan", "v1.0.0", "--exit-code"]).expect(4);
    let plan = splitbase.json(&["plan", "v1.0.0"]);
    let top = (&plan["schema"], &plan["version"], &plan["versions"]);
    assert_eq!(top, (&json!(1), &json!("v1.0.0"), &json!({})));
    let base = &plan["images"][0];
    assert_eq!(
        (&base["image"], &base["presence"], &base["digest"]),
        (&json!("base"), &json!("absent"), &Value::Null)
    );
    let tag = format!("base-{}", &base["identity"].as_str().unwrap()[..12]);
    assert_eq!(base["tag"], tag);
    assert_eq!(base["platforms"][0]["presence"], "absent");
    let actions: Vec<_> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            assert!(step["why"].as_str().is_some_and(|why| !why.is_empty()), "{step}");
            assert!(step["needs"].is_array(), "{step}");
            (
                step["id"].as_str().unwrap().to_owned(),
                step["action"]
                    .as_str()
                    .unwrap_or_else(|| panic!("{step}"))
                    .to_owned(),
            )
        })
        .collect();
    let of = |id: &str| {
        actions
            .iter()
            .find(|(known, _)| known == id)
            .map(|(_, action)| action.as_str())
    };
    for (id, action) in [
        ("build/variant/omos/linux-amd64", "build"),
        ("smoke/variant/omos/linux-amd64", "smoke"),
        ("assemble/variant/omos", "assemble"),
        ("tag/v1.0.0-omos", "tag"),
        ("alias/latest-omos", "alias"),
        ("record/done", "record"),
    ] {
        assert_eq!(of(id), Some(action), "{id}");
    }

    splitbase.ok(&["release", "v1.0.0"]);
    splitbase
        .run(&["plan", "v1.0.0", "--exit-code"])
        .expect(0)
        .shows("nothing to do");
    splitbase.run(&["plan", "v1.1.0", "--exit-code"]).expect(4);
    // Without a version: builds and tests alone.
    splitbase.run(&["plan", "--exit-code"]).expect(0);
    family.append("scripts/smoke.sh", "true\n");
    splitbase
        .run(&["plan", "--exit-code"])
        .expect(4)
        .shows("today's test has not passed on it");
    family.replace("variants.toml", "KIND = \"omos\"", "KIND = \"changed\"");
    splitbase
        .run(&["plan", "v1.1.0"])
        .expect(0)
        .shows("build/variant/omos/linux-amd64  KIND omos → changed");
}

/// A saved plan as a document, changed and saved again.
fn edit(family: &Family, change: impl FnOnce(&mut Value)) {
    let mut plan: Value = serde_json::from_str(&family.read("plan.json")).unwrap();
    change(&mut plan);
    family.write("plan.json", plan.to_string());
}

fn step<'a>(plan: &'a mut Value, id: &str) -> &'a mut Value {
    let steps = plan["steps"].as_array_mut().unwrap();
    steps
        .iter_mut()
        .find(|step| step["id"] == id)
        .unwrap_or_else(|| panic!("no step {id}"))
}

#[test]
fn e2e_plan_saved_and_changed_changes_what_is_done() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["plan", "v1.0.0", "--save", "plan.json"]);
    assert_eq!(registry.writes(), []);
    edit(&family, |plan| {
        let build = step(plan, "build/variant/base/linux-amd64");
        let text = build.to_string();
        assert!(text.contains("\"KIND\":\"base\""), "{text}");
        *build = serde_json::from_str(&text.replace("\"KIND\":\"base\"", "\"KIND\":\"edited\"")).unwrap();
        let alias = step(plan, "alias/latest");
        *alias = serde_json::from_str(&alias.to_string().replace("\"latest\"", "\"edited\"")).unwrap();
        plan["steps"]
            .as_array_mut()
            .unwrap()
            .retain(|step| step["id"] != "alias/base-latest");
        let done = step(plan, "record/done");
        done["needs"]
            .as_array_mut()
            .unwrap()
            .retain(|need| need != "alias/base-latest");
    });
    let run = splitbase.ok(&["release", "--plan", "plan.json"]);
    assert!(run.builds()[1].contains("KIND=edited"), "{:#?}", run.builds());
    let names: Vec<_> = family.public_tags(&registry).into_keys().collect();
    assert_eq!(names, ["edited", "v1.0.0"]);
}

#[test]
fn e2e_plan_saved_is_refused_by_name_where_something_changed() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    splitbase.ok(&["plan", "v1.0.1", "--save", "plan.json"]);
    registry.requests();
    let refused = |names: &[&str]| {
        let run = splitbase.run(&["release", "--plan", "plan.json"]).expect(7);
        for name in names {
            run.says(name);
        }
        assert_eq!(run.builds(), [""; 0]);
        assert_eq!(registry.writes(), []);
    };
    // A file.
    family.append("marker", "changed\n");
    refused(&["plan.json", "inputs of base", "splitbase plan --save"]);
    family.replace("marker", "changed\n", "");
    // A test.
    family.append("scripts/smoke.sh", "false\n");
    refused(&["plan.json", "the test of variant/base"]);
    family.replace("scripts/smoke.sh", "false\n", "");
    // The version.
    let run = splitbase
        .run(&["release", "v1.0.2", "--plan", "plan.json"])
        .expect(7);
    run.says("v1.0.1").says("v1.0.2");
    // A plan that releases nothing.
    splitbase.ok(&["plan", "--save", "none.json"]);
    splitbase
        .run(&["release", "--plan", "none.json"])
        .expect(2)
        .says("no version");
    // A release tag.
    let crane =
        |from: &str, to: &str| drop(program("crane", &["tag", &family.reference(&registry, from), to]));
    crane("base-latest", "v1.0.1");
    registry.requests();
    refused(&["v1.0.1"]);
    // An alias, by another release in between.
    splitbase.ok(&["plan", "v1.1.0", "--save", "plan.json"]);
    family.replace("variants.toml", "KIND = \"base\"", "KIND = \"changed\"");
    splitbase.ok(&["plan", "v1.1.0", "--save", "plan.json"]);
    family.replace("variants.toml", "KIND = \"changed\"", "KIND = \"two\"");
    splitbase.ok(&["release", "v2.0.0"]);
    family.replace("variants.toml", "KIND = \"two\"", "KIND = \"changed\"");
    registry.requests();
    refused(&["plan.json", "alias `latest`"]);
    // The family.
    splitbase.ok(&["plan", "v3.0.0", "--save", "plan.json"]);
    family.append("variants.toml", "\n[variants.more]\n");
    refused(&["variant/more"]);
    assert!(!family.tags(&registry).contains_key("v1.1.0"));
}

#[test]
fn e2e_plan_from_saved_facts_needs_neither_network_nor_files() {
    let registry = Registry::start();
    let family = Family::of(registry.address(), &[AMD64, ARM64], &["base", "omos"]);
    let server = Npm::start();
    server.publish("omos", "2.0.0", None);
    family.append(
        "variants.toml",
        "versions = [\"OMOS_VERSION\"]\n\n[versions]\nOMOS_VERSION = { npm = \"omos\" }\n",
    );
    let splitbase = family.splitbase().env("NPM_CONFIG_REGISTRY", server.address());
    splitbase.ok(&["build", "--platform", AMD64]);
    let planned = splitbase.ok(&["plan", "v1.0.0", "-o", "json", "--save-facts", "facts.json"]);

    // A root that holds the program and its libraries, and nothing else.
    let root = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_splitbase"));
    std::fs::copy(binary, root.path().join("splitbase")).unwrap();
    let libraries = String::from_utf8(program("ldd", &[binary.to_str().unwrap()])).unwrap();
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')) {
        let to = root.path().join(library.trim_start_matches('/'));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(library, to).unwrap();
    }
    let output = Command::new("unshare")
        .args(["--map-root-user", "--net", "chroot"])
        .arg(root.path())
        .args(["/splitbase", "plan", "--facts", "-", "-o", "json"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(std::fs::File::open(family.path("facts.json")).unwrap())
        .output()
        .unwrap_or_else(|error| panic!("run `unshare`: {error}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), planned.stdout);
    let saved = splitbase.clone().input(&family.path("facts.json"));
    registry.requests();
    assert_eq!(
        saved.ok(&["plan", "--facts", "-", "-o", "json"]).stdout,
        planned.stdout
    );
    assert_eq!(registry.requests(), []);
    let plan: Value = planned.json();
    assert_eq!(plan["versions"]["OMOS_VERSION"]["version"], "2.0.0");
    assert_eq!(plan["images"][0]["presence"], "incomplete");
}
