//! What a build takes from its context, as we read it and as BuildKit does it: for shapes of Dockerfiles from public repositories
//! (`shapes/dockerfiles.txt`), all of them in one build at a time.
//!
//! Every second of them; all with `SPLITBASE_SHAPES=all`, and with a number of 0 or 1 those that begin there.
//!
//! With `SPLITBASE_PARENTS=1` those of `shapes/parents.txt` are among them: `SPLITBASE_TEST_BUILDER` names a builder that knows `--parents` (BuildKit
//! 0.26 or newer).
//!
//! A change of what we say is not taken must leave each step of each build in the cache; a change of what we say is taken must run one again.

use crate::support::{Family, Registry, busybox, docker, unique, variable};
use serde_json::{Map, Value, json};
use splitbase::domain::Platform;
use splitbase::inputs::dockerfile::{Context, Dockerfile, Scope, references, taken, unclear};
use splitbase::inputs::{Request, context_listing};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SHAPES: &str = include_str!("shapes/dockerfiles.txt");
const PARENTS: &str = include_str!("shapes/parents.txt");

/// How many of the files that a build takes are changed, one at a time.
const CHANGED: usize = 2;

struct Shape {
    /// Repository, commit and path of the Dockerfile whose shape it has; or `own`.
    origin: String,
    folder: PathBuf,
    files: Vec<String>,
    taken: BTreeSet<String>,
    contexts: BTreeSet<String>,
}

impl Shape {
    /// Lays the context out, and reads it.
    fn new(block: &str, folder: PathBuf, nonce: &str) -> Self {
        let (head, rest) = block.split_once("\n=== ").unwrap();
        let (files, text) = rest.split_once('\n').unwrap();
        let mut regular = Vec::new();
        for file in files.split(' ') {
            let (path, target) = file.split_once("->").map_or((file, None), |(p, t)| (p, Some(t)));
            let place = folder.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match target {
                Some(target) => std::os::unix::fs::symlink(target, place).unwrap(),
                None if path == ".dockerignore" => fs::write(place, "**/*.log\n!a/keep.log\n").unwrap(),
                None => {
                    // Shapes that are alike must not share their steps: each file is of its shape alone.
                    fs::write(place, format!("{path} {nonce} {}\n", folder.display())).unwrap();
                    regular.push(path.to_owned());
                }
            }
        }
        fs::write(folder.join("Dockerfile"), text).unwrap();
        let file = Dockerfile::parse(text);
        assert_eq!(unclear(&file, &[]), [], "{head}");
        let platforms = [Platform::native()];
        let scope = Scope {
            platforms: &platforms,
            ..Scope::default()
        };
        let request = Request {
            root: camino::Utf8Path::from_path(&folder).unwrap(),
            context: camino::Utf8Path::new(""),
            dockerfile: camino::Utf8Path::new("Dockerfile"),
            inputs: None,
            contexts: Vec::new(),
            given: Vec::new(),
        };
        let listing = context_listing(&request).unwrap();
        let context = Context {
            paths: &listing.paths,
            links: Some(&listing.links),
        };
        let external = references(&file, &scope).external;
        Self {
            origin: head.replace('\n', " "),
            taken: taken(&file, &scope, context),
            contexts: external.into_iter().map(|reference| reference.image).collect(),
            files: regular,
            folder,
        }
    }

    fn change(&self, path: &str) {
        let place = self.folder.join(path);
        let before = fs::read_to_string(&place).unwrap();
        fs::write(place, before + "changed\n").unwrap();
    }

    /// The files of which one at a time is changed: spread over all that are taken.
    fn samples(&self) -> Vec<&String> {
        let all: Vec<&String> = self
            .files
            .iter()
            .filter(|file| self.taken.contains(*file))
            .collect();
        let step = all.len().div_ceil(CHANGED).max(1);
        all.into_iter().step_by(step).collect()
    }
}

/// Builds all shapes; the steps that were not in the cache, by shape.
fn build(shapes: &[Shape], image: &str, file: &Path) -> BTreeMap<usize, Vec<String>> {
    let mut targets = Map::new();
    for (at, shape) in shapes.iter().enumerate() {
        let image = format!("docker-image://{image}");
        let contexts: BTreeMap<&String, &String> = shape.contexts.iter().map(|name| (name, &image)).collect();
        let target = json!({"context": shape.folder, "contexts": contexts, "output": ["type=cacheonly"]});
        targets.insert(format!("p{at}"), target);
    }
    let names: Vec<&String> = targets.keys().collect();
    let document = json!({"group": {"default": {"targets": names}}, "target": targets});
    fs::write(file, document.to_string()).unwrap();
    let output = Command::new("docker")
        .args(["buildx", "bake", "--progress=rawjson", "--file"])
        .arg(file)
        .env("BUILDX_BAKE_ENTITLEMENTS_FS", "0")
        .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
        .envs(variable("SPLITBASE_TEST_BUILDER").map(|builder| ("BUILDX_BUILDER", builder)))
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let told: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(output.status.success(), "{}", told.join("\n"));
    let mut steps: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let status: Value = serde_json::from_str(line).unwrap();
        for vertex in status["vertexes"].as_array().into_iter().flatten() {
            let name = vertex["name"].as_str().unwrap().to_owned();
            let cached = vertex["cached"] == true;
            let step = steps
                .entry(vertex["digest"].as_str().unwrap().to_owned())
                .or_default();
            *step = (name, step.1 || cached);
        }
    }
    let mut run: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (name, cached) in steps.into_values() {
        // `[p7 s1 2/3] COPY …`
        let Some((place, what)) = name.strip_prefix("[p").and_then(|name| name.split_once("] ")) else {
            continue;
        };
        let number = place.split(' ').next().and_then(|number| number.parse().ok());
        let is_step = ["ADD ", "COPY ", "RUN "]
            .iter()
            .any(|keyword| what.starts_with(keyword));
        // What an `ADD` of a URL got is asked for each time.
        let asks = what.contains("http://");
        if let (Some(number), true, false) = (number, is_step && !asks, cached) {
            run.entry(number).or_default().push(name);
        }
    }
    run
}

#[test]
fn e2e_dockerfiles_take_what_we_say_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let image = format!("{}/shapes:1", registry.address());
    let base = folder.path().join("base");
    fs::create_dir(&base).unwrap();
    fs::copy(
        busybox().join(format!("busybox-{}", Platform::native().architecture())),
        base.join("busybox"),
    )
    .unwrap();
    let programs = ["busybox", "sh", "true"].map(|name| format!("COPY busybox /bin/{name}\n"));
    fs::write(
        base.join("Dockerfile"),
        format!("FROM scratch\n{}", programs.concat()),
    )
    .unwrap();
    docker(&[
        "buildx",
        "build",
        "--quiet",
        "--provenance=false",
        "--push",
        "--tag",
        &image,
        base.to_str().unwrap(),
    ]);

    let nonce = unique();
    let parents = variable("SPLITBASE_PARENTS").map_or("", |_| PARENTS);
    let blocks = [SHAPES, parents]
        .into_iter()
        .flat_map(|shapes| shapes.split("### ").skip(1));
    let (from, every) = match variable("SPLITBASE_SHAPES").as_deref() {
        Some("all") => (0, 1),
        Some(number) => (number.parse().unwrap(), 2),
        None => (0, 2),
    };
    let known = SHAPES
        .split("### ")
        .skip(1)
        .filter_map(|block| block.lines().next());
    let known: BTreeSet<&str> = known.filter(|origin| !origin.starts_with("own")).collect();
    assert!(known.len() >= 40, "{}", known.len());
    let shapes: Vec<Shape> = blocks
        .skip(from)
        .step_by(every)
        .enumerate()
        .map(|(at, block)| Shape::new(block, folder.path().join(format!("{nonce}-{at}")), &nonce))
        .collect();
    let bake = folder.path().join("bake.json");
    build(&shapes, &image, &bake);

    for shape in &shapes {
        for file in shape.files.iter().filter(|file| !shape.taken.contains(*file)) {
            shape.change(file);
        }
    }
    let run = build(&shapes, &image, &bake);
    let unseen: Vec<_> = run
        .iter()
        .map(|(at, steps)| (&shapes[*at].origin, steps))
        .collect();
    assert!(unseen.is_empty(), "taken, and we do not say so: {unseen:#?}");

    for round in 0..CHANGED {
        let mut expected = BTreeMap::new();
        for (at, shape) in shapes.iter().enumerate() {
            if let Some(file) = shape.samples().get(round) {
                shape.change(file);
                expected.insert(at, (*file).clone());
            }
        }
        let run = build(&shapes, &image, &bake);
        let idle: Vec<_> = expected
            .iter()
            .filter(|(at, _)| !run.contains_key(at))
            .map(|(at, file)| (&shapes[*at].origin, file))
            .collect();
        assert!(idle.is_empty(), "not taken, though we say so: {idle:#?}");
    }
}

/// Everywhere where people look: in the plan, on the terminal, in a report; and an error where that is asked for.
#[test]
fn e2e_dockerfiles_that_float_are_told_everywhere() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.append(
        "Dockerfile.variant",
        "RUN true || npm install -g something\nRUN true || pip install x==1 y@$Y\n",
    );
    let text = family.read("Dockerfile.variant");
    let at = 1 + text
        .lines()
        .position(|line| line.contains("npm install"))
        .unwrap();
    let place =
        format!("Dockerfile.variant:{at}: `npm install -g` takes whatever `something` is at the moment");
    let splitbase = family.splitbase();
    let told = |document: &Value| {
        let warnings = document["warnings"].as_array().unwrap();
        let of_it: Vec<_> = warnings
            .iter()
            .filter(|warning| warning.as_str().unwrap().contains("Dockerfile"))
            .collect();
        assert_eq!(of_it.len(), 1, "{warnings:#?}");
        let warning = of_it[0].as_str().unwrap();
        assert!(
            warning.starts_with(&place) && warning.contains("`something@${VERSION}`"),
            "{warning}"
        );
    };
    told(&splitbase.json(&["plan", "v1.0.0"]));
    told(&splitbase.json(&["hash"]));
    splitbase.ok(&["plan", "v1.0.0"]).shows(&place);
    splitbase.ok(&["hash"]).says(&place);
    let strict = family.splitbase().env("SPLITBASE_STRICT", "true");
    for args in [
        &["plan", "v1.0.0"][..],
        &["hash"],
        &["validate"],
        &["build"],
        &["release", "v1.0.0"],
    ] {
        let run = strict.run(args).expect(2);
        run.says(&place).says("hint: name its version");
    }
    assert_eq!(registry.writes(), []);
    told(&splitbase.ok(&["validate", "-o", "json"]).json());
    told(&splitbase.ok(&["release", "v1.0.0", "-o", "json"]).json());
    family.replace(
        "Dockerfile.variant",
        "install -g something",
        "install -g something@1.0.0",
    );
    splitbase.ok(&["release", "v1.0.1", "--strict"]);
}

/// What no input covers ends it; what cannot be known has the whole context count, and is said; a secret ends it all.
#[test]
fn e2e_dockerfiles_that_cannot_be_known_have_the_whole_context_count() {
    let registry = Registry::start();
    let family = Family::new(&registry);
    family.write("files/besides", "one\n");
    let identity = || {
        let document = family.splitbase().json(&["hash"]);
        document["images"]
            .as_array()
            .unwrap()
            .iter()
            .map(|image| image["identity"].clone())
            .collect::<Vec<_>>()
    };
    let before = identity();
    family.write("files/besides", "two\n");
    assert_eq!(identity(), before, "it is no input");
    let text = family.read("Dockerfile.variant");
    let line = 1 + text.lines().count();
    family.append("Dockerfile.variant", "COPY files/besides /besides\n");
    let uncovered = format!("Dockerfile.variant:{line}: `COPY` takes `files/besides`, which no input covers");
    for args in [&["plan", "v1.0.0"][..], &["release", "v1.0.0"]] {
        let run = family.splitbase().run(args).expect(2);
        run.says(&uncovered)
            .says("hint: add `files/besides` to `inputs`, or leave `inputs` out");
    }
    assert_eq!(registry.writes(), []);

    // The base sets it, and an `ARG` without a value leaves that as it is.
    family.append("Dockerfile.base", "ENV ONLY_IN_THE_BASE=besides\n");
    let from_base = "ARG ONLY_IN_THE_BASE\nCOPY files/$ONLY_IN_THE_BASE /besides\nRUN test -f /besides\n";
    family.write("Dockerfile.variant", format!("{text}{from_base}"));
    let line = line + 1;
    family
        .splitbase()
        .ok(&["plan", "v1.0.0"])
        .shows(&format!(
            "Dockerfile.variant:{line}: there is `$ONLY_IN_THE_BASE`"
        ))
        .shows("so the whole context counts");
    let before = identity();
    family.write("files/besides", "three\n");
    assert_ne!(identity(), before);
    assert_eq!(identity()[0], before[0], "the base is not concerned");
    family.splitbase().ok(&["release", "v1.0.0"]);

    family.append("Dockerfile.variant", "ARG NPM_TOKEN\n");
    let run = family.splitbase().run(&["plan", "v1.0.1"]).expect(2);
    run.says(&format!(
        "Dockerfile.variant:{}: `ARG NPM_TOKEN` looks like a secret",
        line + 2
    ));
}
