//! Images from outside of the family, named by a context or by what a build argument gets: what is pinned is what is built.

use crate::support::{AMD64, ARM64, Family, Registry, Run, Upstream, docker, program};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A smoke test that tells what `/etc/word` holds.
const TELL: &str =
    "docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" sed 's/^/word: /' /etc/word";

/// `up:1` with the word `one` and `up:2` with the word `two`; the name without a tag.
fn two(registry: &Registry) -> (Upstream, String) {
    let mut upstream = Upstream::new(registry);
    upstream.push(AMD64, "one");
    upstream.retag("2").push(AMD64, "two");
    let name = upstream.reference.strip_suffix(":2").unwrap().to_owned();
    (upstream, name)
}

/// A family whose base begins with these lines, and takes its word from what it is built on.
fn on(registry: &Registry, head: &str) -> Family {
    let family = Family::new(registry);
    family
        .replace("Dockerfile.base", "FROM scratch", head)
        .replace("Dockerfile.base", "COPY busybox-${TARGETARCH} /bin/busybox\n", "")
        .append("Dockerfile.base", "RUN cp /word /etc/word\n")
        .smoke(TELL);
    family
}

/// The versions of the base: its argument `UP_TAG` gets what the file `tag` says.
fn by_version(family: &Family, tag: &str) {
    family
        .set("base", "versions = [\"UP_TAG\"]")
        .set(
            "versions",
            "UP_TAG = { command = [\"cat\", \"tag\"], pattern = \"^[0-9]$\" }",
        )
        .write("tag", format!("{tag}\n"));
}

fn digest(registry: &Registry, tag: &str) -> String {
    registry.tags("library/up")[tag].clone()
}

#[track_caller]
fn pins(run: &Run, context: &str) {
    let builds = run.builds();
    let base = builds[0];
    assert!(base.contains(&format!("--build-context {context}")), "{base}");
}

#[test]
fn e2e_upstream_an_image_as_context_is_pinned() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    let reference = &upstream.reference;
    upstream.push(AMD64, "one");
    let family = Family::new(&registry);
    let contexts = format!("contexts = {{ x = \"docker-image://{reference}\" }}");
    family
        .set("base.build", &contexts)
        .append("Dockerfile.base", "COPY --from=x /word /etc/word\n")
        .smoke(TELL);
    let splitbase = family.splitbase();
    let hashed = splitbase.json(&["hash"]);
    assert_eq!(hashed["images"][0]["unresolved"], json!([reference]));
    let first = splitbase.json(&["plan", "v1.0.0"]);
    let run = splitbase.ok(&["release", "v1.0.0"]);
    let one = digest(&registry, "1");
    pins(&run, &format!("x=docker-image://{reference}@{one}"));
    run.says("word: one");
    let record = family.record(&registry, "v1.0.0");
    assert_eq!(record["upstream"], json!({reference: one}));

    // Under its tag stands something else now: another identity, and other bytes.
    upstream.push(AMD64, "two");
    let two = digest(&registry, "1");
    let next = splitbase.json(&["plan", "v1.1.0"]);
    assert_eq!(next["upstream"], json!({reference: two}));
    assert_ne!(next["images"][0]["identity"], first["images"][0]["identity"]);
    // What is released keeps what its record says.
    let again = splitbase.json(&["plan", "v1.0.0"]);
    assert_eq!(again["upstream"], json!({reference: one}));
    assert_eq!(again["images"][0]["identity"], first["images"][0]["identity"]);
    let run = splitbase.ok(&["release", "v1.0.0"]);
    assert_eq!((run.steps(), run.builds()), (vec![], vec![]));
    splitbase.ok(&["release", "v1.1.0"]).says("word: two");

    // With a digest it is pinned already, and nothing is asked.
    family.replace("variants.toml", reference, &format!("{reference}@{one}"));
    let hashed = splitbase.json(&["hash"]);
    assert_eq!(hashed["images"][0]["unresolved"], json!([]));
    let run = splitbase.ok(&["release", "v1.2.0"]);
    pins(&run, &format!("x=docker-image://{reference}@{one}"));
    run.says("word: one");
}

#[test]
fn e2e_upstream_an_image_as_context_floats() {
    let registry = Registry::start();
    let upstream = Upstream::new(&registry);
    let reference = &upstream.reference;
    upstream.push(AMD64, "fresh");
    upstream.keep("stale");
    let family = Family::new(&registry);
    let contexts = format!("contexts = {{ x = \"docker-image://{reference}\" }}");
    family
        .set("base", "upstream = \"float\"")
        .set("base.build", &contexts)
        .append("Dockerfile.base", "COPY --from=x /word /etc/word\n")
        .smoke(TELL);
    let run = family.splitbase().ok(&["release", "v1.0.0"]);
    pins(&run, &format!("x=docker-image://{reference} "));
    run.says("word: fresh");
}

#[test]
fn e2e_upstream_from_a_version_that_is_set() {
    let registry = Registry::start();
    let (upstream, name) = two(&registry);
    let family = on(&registry, &format!("ARG UP_TAG=1\nFROM {name}:${{UP_TAG}}"));
    // Nobody asks for what is set.
    by_version(&family, "never");
    let splitbase = family.splitbase();
    let of = |document: &Value| document["images"][0]["identity"].clone();
    let open = |document: &Value| document["images"][0]["unresolved"].clone();

    let hashed = splitbase.json(&["hash"]);
    assert_eq!(of(&hashed), Value::Null);
    assert_eq!(open(&hashed), json!(["UP_TAG", format!("{name}:${{UP_TAG}}")]));
    let hashed = splitbase.json(&["hash", "--set", "UP_TAG=2"]);
    assert_eq!(
        (of(&hashed), open(&hashed)),
        (Value::Null, json!([format!("{name}:2")]))
    );
    let hashed = splitbase.json(&["hash", "--set", "UP_TAG=2", "--resolve"]);
    assert_eq!(open(&hashed), json!([]));

    let set = ["--set", "UP_TAG=2"];
    let plan = splitbase.json(&["plan", "v1.0.0", set[0], set[1]]);
    let second = digest(&registry, "2");
    assert_eq!(plan["upstream"], json!({format!("{name}:2"): second}));
    assert_eq!(of(&plan), of(&hashed));
    let run = splitbase.ok(&["release", "v1.0.0", set[0], set[1]]);
    pins(&run, &format!("{name}:2=docker-image://{name}:2@{second}"));
    run.says("word: two");

    // The image behind the value moves, and nothing else.
    upstream.push(AMD64, "three");
    let plan = splitbase.json(&["plan", "v1.1.0", set[0], set[1]]);
    assert_ne!(of(&plan), of(&hashed));
    splitbase
        .ok(&["release", "v1.1.0", set[0], set[1]])
        .says("word: three");
    // The released version goes on with what its record has pinned.
    let again = splitbase.json(&["plan", "v1.0.0"]);
    assert_eq!(again["upstream"], json!({format!("{name}:2"): second}));
    assert_eq!(of(&again), of(&hashed));
}

#[test]
fn e2e_upstream_from_a_version_that_is_asked_for() {
    let registry = Registry::start();
    let (_upstream, name) = two(&registry);
    // No default: without the version there is nothing to build on.
    let family = on(&registry, &format!("ARG UP_TAG\nFROM {name}:${{UP_TAG}}"));
    by_version(&family, "2");
    let splitbase = family.splitbase();
    let second = digest(&registry, "2");
    let run = splitbase.ok(&["release", "v1.0.0"]);
    pins(&run, &format!("{name}:2=docker-image://{name}:2@{second}"));
    run.says("word: two");
    // The source moves on.
    family.write("tag", "1\n");
    splitbase.ok(&["release", "v1.1.0"]).says("word: one");

    // Locked, it is known without asking.
    let first = digest(&registry, "1");
    let resolved = splitbase.json(&["resolve", "--write"]);
    assert_eq!(resolved["upstream"], json!({format!("{name}:1"): first}));
    family.write("tag", "2\n");
    registry.requests();
    let hashed = splitbase.json(&["hash"]);
    assert_eq!(hashed["images"][0]["unresolved"], json!([]));
    assert!(hashed["images"][0]["identity"].is_string());
    assert_eq!(registry.requests(), []);
}

#[test]
fn e2e_upstream_from_arguments() {
    let registry = Registry::start();
    let (_upstream, name) = two(&registry);
    let second = digest(&registry, "2");
    let family = on(
        &registry,
        &format!("ARG UP_TAG=1\nARG UP={name}:${{UP_TAG}}\nFROM ${{UP}}"),
    );
    family.set("base.build", "args = { UP_TAG = \"2\" }");
    let splitbase = family.splitbase();
    let plain = splitbase.ok(&["release", "v1.0.0"]);
    // An argument that is made of a version.
    family
        .replace("variants.toml", "UP_TAG = \"2\"", "UP_TAG = \"{versions.MAJOR}\"")
        .set(
            "versions",
            "MAJOR = { command = [\"cat\", \"tag\"], pattern = \"^[0-9]$\" }",
        )
        .write("tag", "2\n")
        .append("Dockerfile.base", "RUN true\n");
    let made = splitbase.ok(&["release", "v1.1.0"]);
    for run in [plain, made] {
        pins(&run, &format!("{name}:2=docker-image://{name}:2@{second}"));
        run.says("word: two");
    }
}

/// The source of the version answers once the registry was asked for the other image: who asks for it later waits in vain.
#[test]
fn e2e_upstream_only_what_a_version_names_waits_for_it() {
    let registry = Registry::start();
    let (_upstream, name) = two(&registry);
    let family = on(
        &registry,
        &format!("ARG UP_TAG\nFROM {name}:1 AS other\nFROM {name}:${{UP_TAG}}"),
    );
    by_version(&family, "2");
    family
        .replace("variants.toml", "\"cat\", \"tag\"", "\"scripts/tag\"")
        .write_script(
            "scripts/tag",
            format!(
                "#!/bin/sh\nfor try in $(seq 200); do\n  test \"$(grep -ac 'up/manifests/1' {})\" -gt \"$(cat before)\" && exec cat \
                 tag\n  sleep 0.05\ndone\necho asked in vain\nexit 1\n",
                registry.log().display()
            ),
        );
    let splitbase = family.splitbase();
    for args in [&["plan", "v1.0.0"][..], &["resolve"], &["hash", "--resolve"]] {
        let log = std::fs::read_to_string(registry.log()).unwrap();
        let before = log.lines().filter(|line| line.contains("up/manifests/1"));
        family.write("before", before.count().to_string());
        let document = splitbase.json(args);
        if args[0] != "hash" {
            let (first, second) = (digest(&registry, "1"), digest(&registry, "2"));
            assert_eq!(
                document["upstream"],
                json!({format!("{name}:1"): first, format!("{name}:2"): second})
            );
        }
    }
}

/// What the engine itself has under a name, and what moves there after the plan, is not what is built.
#[test]
fn e2e_upstream_every_image_that_a_dockerfile_names_is_what_the_plan_saw() {
    let registry = Registry::start();
    let both = format!("{AMD64},{ARM64}");
    let mut upstream = Upstream::new(&registry);
    let tags = ["1", "2", "3", "4"];
    for tag in tags {
        upstream.retag(tag).push(&both, &format!("planned-{tag}"));
    }
    let name = upstream.reference.strip_suffix(":4").unwrap().to_owned();
    let digests: Vec<String> = tags.map(|tag| digest(&registry, tag)).into();
    let family = Family::for_both(&registry);
    family
        .write(
            "Dockerfile.base",
            format!(
                "ARG TOOLS={name}:2\nFROM ${{TOOLS}} AS tools\nFROM scratch AS nothing\nFROM {name}:1\n\
                 RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nCOPY marker /etc/marker\nCOPY --from=tools /word /etc/tools\n\
                 COPY --from={name}:3 /word /etc/copied\nCOPY --from={name}:4@{} /word /etc/fixed\n\
                 RUN --mount=type=bind,from={name}:2,source=/word,target=/run/word cp /run/word /etc/mounted\nENV PATH=/bin\n",
                digests[3]
            ),
        )
        .smoke("docker run --rm --platform \"$SPLITBASE_PLATFORM\" \"$SPLITBASE_IMAGE\" sh -c 'echo words: $(cat /word /etc/tools /etc/copied /etc/fixed /etc/mounted)'");
    let saved = family.path("plan.json");
    let saved = saved.to_str().unwrap();
    let splitbase = family.splitbase();
    splitbase.ok(&["plan", "v1.0.0", "--save", saved]);
    for tag in tags {
        upstream.retag(tag).push(&both, "moved");
        upstream.keep("stale");
    }
    let run = splitbase.ok(&["release", "--plan", saved]);
    // Those of an index, not of a platform; what the Dockerfile pins itself counts with its text.
    let pinned: BTreeMap<String, &String> = (0..3)
        .map(|at| (format!("{name}:{}", tags[at]), &digests[at]))
        .collect();
    assert_eq!(family.record(&registry, "v1.0.0")["upstream"], json!(pinned));
    let words = "words: planned-1 planned-2 planned-3 planned-4 planned-2";
    assert_eq!(run.stderr.matches(words).count(), 2, "{}", run.stderr);
    // What moved is another identity, also where only a mount names it.
    let (before, after) = (family.read("plan.json"), splitbase.json(&["plan", "v1.1.0"]));
    let before: Value = serde_json::from_str(&before).unwrap();
    assert_ne!(before["images"][0]["identity"], after["images"][0]["identity"]);
    assert_eq!(after["upstream"].as_object().unwrap().len(), 3);
    for tag in tags {
        upstream.retag(tag);
        docker(&["image", "rm", &upstream.reference]);
    }
}

/// An image from a registry of its own, which wants a password.
#[test]
fn e2e_upstream_from_a_registry_that_wants_a_password() {
    let (registry, locked) = (
        Registry::start(),
        Registry::with_passwords("user:$2b$04$Rrvxkkcx2MzMoaZS4rCtMusRT3tCft8xzbwcevB9wQZSQGlAdwqt.\n"),
    );
    let upstream = Upstream::new(&registry);
    upstream.push(AMD64, "private");
    let reference = format!("{}/library/up:1", locked.address());
    let family = on(&registry, &format!("FROM {reference}"));
    family.write("docker/config.json", "{}");
    let splitbase = family.splitbase().env("DOCKER_CONFIG", family.path("docker"));
    let run = splitbase.run(&["plan", "v1.0.0"]).expect(5);
    run.says(&reference[..reference.rfind(':').unwrap()]);

    let login = "export DOCKER_CONFIG=\"$1\"; printf %s Tr0ub4dor-and-3-secrets | docker login --username user --password-stdin \"$2\" && \
                 crane copy \"$3\" \"$4\"";
    let config = family.path("docker").display().to_string();
    let args = [
        "-c",
        login,
        "sh",
        &config,
        locked.address(),
        &upstream.reference,
        &reference,
    ];
    program("sh", &args);
    let run = splitbase.ok(&["release", "v1.0.0"]);
    let pinned = locked.tags("library/up")["1"].clone();
    pins(&run, &format!("{reference}=docker-image://{reference}@{pinned}"));
    run.says("word: private");
}
