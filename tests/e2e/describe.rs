//! The repository's page, with Docker Hub's API played by a script and a real registry for everything else.

use crate::support::{AMD64, Family, Hub, Registry, Splitbase, crane};
use serde_json::Value;

const TEMPLATE: &str = "# {splitbase.family}\n\n`docker run -e A=${A} {splitbase.repository}` is {splitbase.version} of {splitbase.date}.\n\n{splitbase.tags}\n\n{splitbase.digests}\n\n{splitbase.sizes}\n\n{splitbase.variants}\n";

fn family(registry: &Registry) -> Family {
    let family = Family::new(registry);
    family.set(
        "describe",
        "template = \"HUB_TEMPLATE.md\"\noutput = \"DOCKER_HUB.md\"\nshort = \"A tiny box\"",
    );
    family.write("HUB_TEMPLATE.md", TEMPLATE);
    family
}

fn with(family: &Family, hub: &Hub, password: &str) -> Splitbase {
    family
        .splitbase()
        .env("SPLITBASE_HUB_URL", hub.address())
        .env("SPLITBASE_USERNAME", "user")
        .env("SPLITBASE_PASSWORD", password)
}

/// The page that the hub was given, and the short description.
fn given(hub: &Hub) -> (Value, Value) {
    let asked = hub.asked();
    let lines: Vec<_> = asked
        .iter()
        .map(|(method, path, ..)| format!("{method} {path}"))
        .collect();
    assert_eq!(lines, ["POST /v2/auth/token", "PATCH /v2/repositories/e2e/fam"]);
    let (.., authorization, body) = &asked[1];
    assert_eq!(authorization, "Bearer the-token");
    (body["full_description"].clone(), body["description"].clone())
}

#[test]
fn e2e_a_release_makes_its_page_when_it_is_done() {
    let registry = Registry::start();
    let (family, hub) = (family(&registry), Hub::start());
    let splitbase = with(&family, &hub, "right-word");
    let shown = splitbase.ok(&["plan", "v1.0.0", "--dry-run"]);
    shown.shows("describe/page");
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert!(run.at("finished", "record/done") < run.at("started", "describe/page"));
    run.says("describe/page");

    let page = family.read("DOCKER_HUB.md");
    let (pushed, short) = given(&hub);
    assert_eq!(
        (pushed.as_str().unwrap(), short.as_str().unwrap()),
        (page.as_str(), "A tiny box")
    );
    let index = family.index(&registry, "v1.0.0");
    let platform = &index.platforms[AMD64];
    let manifest: Value = serde_json::from_str(&crane(&[
        "manifest",
        &format!("{}/e2e/fam@{platform}", registry.address()),
    ]))
    .unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    let bytes: u64 = layers.iter().map(|layer| layer["size"].as_u64().unwrap()).sum();
    #[expect(clippy::cast_precision_loss, reason = "shown with two decimals")]
    let megabytes = format!("{:.2}", bytes as f64 / 1e6);
    for part in [
        format!(
            "# fam\n\n`docker run -e A=${{A}} {}/e2e/fam` is v1.0.0 of 20",
            registry.address()
        ),
        format!(
            "| base | `v1.0.0`, `latest` | `{}` |",
            family.digest(&registry, "v1.0.0")
        ),
        format!("| base | linux/amd64 | `{platform}` |"),
        format!(
            "| base | linux/amd64 | {}MB |",
            megabytes.trim_end_matches('0').trim_end_matches('.')
        ),
        "| base | `VERSION` | `latest` | linux/amd64 |\n".to_owned(),
    ] {
        assert!(page.contains(&part), "`{part}` in\n{page}");
    }
    assert!(!run.stderr.contains("right-word") && !page.contains("right-word"));

    // A second run does nothing, and nobody is asked.
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!((run.steps(), hub.asked().len()), (Vec::<&str>::new(), 0));

    // Without aliases there is no page; `promote` makes it.
    family.write("marker", "another");
    splitbase.ok(&["release", "v1.1.0", "--no-promote"]);
    assert!(hub.asked().is_empty() && family.read("DOCKER_HUB.md") == page);
    splitbase.ok(&["promote", "v1.1.0", "--yes"]);
    let (pushed, _) = given(&hub);
    assert!(pushed.as_str().unwrap().contains("is v1.1.0 of "), "{pushed}");
    splitbase.ok(&["describe", "v1.0.0"]);
    assert!(hub.asked().is_empty());
    assert_eq!(family.read("DOCKER_HUB.md"), page);
}

#[test]
fn e2e_a_page_that_is_refused_fails_no_release() {
    let registry = Registry::start();
    let (family, hub) = (family(&registry), Hub::start());
    for (version, password, status, needle) in [
        (
            "v1.0.0",
            "wrong-word",
            200,
            "the password or token of `user` is not the right one",
        ),
        (
            "v1.1.0",
            "right-word",
            403,
            "a token needs the scope Read, Write, Delete",
        ),
        ("v1.2.0", "right-word", 404, "there is no repository `e2e/fam`"),
        (
            "v1.3.0",
            "right-word",
            503,
            "503 Service Unavailable (said the hub), 2 attempts",
        ),
    ] {
        hub.answers(status);
        let splitbase = with(&family, &hub, password);
        let run = splitbase.ok(&["release", version, "-o", "json"]);
        run.says("warning")
            .says(needle)
            .says(&format!("splitbase describe {version} --push"));
        let report = run.json();
        assert_eq!(report["outcome"], "done");
        assert!(report["warnings"].to_string().contains(needle), "{report}");
        assert_eq!(family.record(&registry, version)["state"], "done");
        assert!(
            family
                .read("DOCKER_HUB.md")
                .contains(&format!("is {version} of "))
        );

        let run = splitbase.run(&["describe", version, "--push"]).expect(6);
        run.says("error: ").says(needle);
        assert!(!run.stderr.contains(password), "{}", run.stderr);
        family.write("marker", version);
    }
    // What the hint says: it is done again.
    hub.answers(200).asked();
    let run = with(&family, &hub, "right-word").ok(&["describe", "--push", "-o", "json"]);
    let document = run.json();
    assert_eq!(
        (&document["version"], &document["pushed"]),
        (&"v1.3.0".into(), &true.into())
    );
    given(&hub);
    let nobody = family
        .splitbase()
        .env("SPLITBASE_HUB_URL", hub.address())
        .env("DOCKER_CONFIG", family.path("none"));
    nobody
        .run(&["describe", "--push"])
        .expect(6)
        .says("nobody is logged in to localhost:");
}

#[test]
fn e2e_a_page_that_is_too_long_is_cut() {
    let registry = Registry::start();
    let (family, hub) = (family(&registry), Hub::start());
    family
        .write("HUB_TEMPLATE.md", format!("a{}", "ä".repeat(13_000)))
        .replace("variants.toml", "A tiny box", &format!("b{}", "€".repeat(40)));
    let run = with(&family, &hub, "right-word").ok(&["release", "v1.0.0"]);
    run.says("`DOCKER_HUB.md` is 1001 bytes longer than the 25000 that Docker Hub takes")
        .says("the short description is 21 bytes longer than the 100 that Docker Hub takes");
    let (page, short) = given(&hub);
    assert_eq!(page, format!("a{}", "ä".repeat(12_499)));
    assert_eq!(short, format!("b{}", "€".repeat(33)));
    assert_eq!(family.read("DOCKER_HUB.md").len(), 26_001);
}

#[test]
fn e2e_another_registry_has_its_page_in_the_file_only() {
    let registry = Registry::start();
    let family = family(&registry);
    let run = family.splitbase().ok(&["describe"]);
    run.says("there is no release yet")
        .says("`DOCKER_HUB.md` written");
    assert!(
        family
            .read("DOCKER_HUB.md")
            .contains("is (none yet) of (none yet).")
    );
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    run.says("has no pages that could be changed: it is in the file only");
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
    let run = family.splitbase().ok(&["describe"]);
    run.says("`DOCKER_HUB.md` is as it was");
    let run = family.splitbase().run(&["describe", "v9.9.9"]).expect(7);
    run.says("describe v9.9.9: no record of it is there");
}

#[test]
fn e2e_a_page_is_checked_offline() {
    let registry = Registry::start();
    let family = family(&registry);
    family.splitbase().ok(&["release", "v1.0.0"]);
    registry.requests();
    // Nobody is asked: neither the registry nor an engine.
    let offline = family.splitbase().env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let check = |code| offline.run(&["describe", "--check"]).expect(code);
    check(0).says("`DOCKER_HUB.md` is what `HUB_TEMPLATE.md` makes");
    family.replace(
        "HUB_TEMPLATE.md",
        "# {splitbase.family}",
        "# {splitbase.family}\n\nNew.",
    );
    check(1)
        .says("error: `DOCKER_HUB.md` is not what `HUB_TEMPLATE.md` makes: line 3 should begin with `New.`")
        .says("hint: `splitbase describe` writes it");
    let run = offline.run(&["describe", "--check", "-o", "json"]).expect(1);
    assert_eq!(run.json()["difference"]["line"], 3);
    family.splitbase().ok(&["describe"]);
    registry.requests();
    check(0);
    // A change of the configuration shows too.
    family.replace(
        "variants.toml",
        "aliases = [\"latest\"]",
        "aliases = [\"latest\", \"newest\"]",
    );
    check(1).says("| base | `VERSION` | `latest`, `newest` | linux/amd64 |");
    family.write("HUB_TEMPLATE.md", "{splitbase.tag}\n  {splitbase.nope}\n");
    check(2)
        .says("error: HUB_TEMPLATE.md:1:1: `{splitbase.tag}` is no placeholder")
        .says("HUB_TEMPLATE.md:2:3: ");
    std::fs::remove_file(family.path("HUB_TEMPLATE.md")).unwrap();
    check(2).says("read the template `HUB_TEMPLATE.md`: there is no such file");
    family.write("HUB_TEMPLATE.md", "a\n");
    std::fs::remove_file(family.path("DOCKER_HUB.md")).unwrap();
    check(1).says("line 1 should begin with `a`, and has nothing");
    family.replace("variants.toml", "\n[describe]\n", "\n[other]\n");
    check(2).says("not a known key");
    assert!(registry.requests().is_empty());
}
