//! Images from outside of the family, named by a context or by what a build argument gets: what is pinned is what is built.

use crate::support::{AMD64, Family, Registry, Run, Upstream};
use serde_json::{Value, json};

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
