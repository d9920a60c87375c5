//! A release that is played again and again from the same beginning, and what must be true of it however it ends.

use crate::support::faults::{Injector, Key, Rule, Schedule};
use crate::support::proxy::Proxy;
use crate::support::{AMD64, Family, Registry, Run, Splitbase, sha256};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const VERSION: &str = "v1.1.0";
/// Of each variant that there may be: its release tag, and its alias.
const NAMES: [(&str, &str); 2] = [("v1.1.0", "latest"), ("v1.1.0-omos", "latest-omos")];
const BASE_ALIAS: &str = "base-latest";

/// A second release of a family, from where it begins.
pub(super) struct Scene {
    pub(super) name: &'static str,
    /// Whether images are built.
    pub(super) builds: bool,
    family: Family,
    start: Registry,
    /// What users see before.
    before: BTreeMap<String, String>,
    names: Vec<(&'static str, &'static str)>,
    /// The platform image of each alias before it.
    old: BTreeMap<String, String>,
    /// The same after it, whatever attestations say.
    images: BTreeMap<String, String>,
    /// What is asked without faults, and how often.
    pub(super) asked: BTreeMap<Key, usize>,
}

/// How a release with faults ended.
pub(super) struct Ending {
    pub(super) code: i32,
    /// What came true of the schedule.
    pub(super) hits: Vec<Rule>,
    /// Whether it failed, and release tags or aliases are in sight, or may be.
    pub(super) half: bool,
    /// The first error that it told, or nothing.
    pub(super) error: String,
}

impl Scene {
    /// All images are built and tested: records, release tags and aliases are written.
    pub(super) fn publishing() -> Self {
        Self::new("publishing", &["base", "omos"], false)
    }

    /// Base and variant are built, with their cache in the registry, and tested.
    pub(super) fn building() -> Self {
        Self::new("building", &["omos"], true)
    }

    fn new(name: &'static str, variants: &[&str], builds: bool) -> Self {
        let mut start = Registry::start();
        let family = Family::of(start.address(), &[AMD64], variants);
        family.replace("variants.toml", "attempts = 2", "attempts = 3");
        family.replace("variants.toml", "delays   = [\"1s\"]", "delays   = [\"50ms\"]");
        // What is tested here is not the test.
        family.smoke("true");
        if builds {
            family.replace("variants.toml", "to = \"none\"", "to = \"registry\"");
            family.set("smoke", "max-size = \"1GB\"");
            // A push that stalls is given up then.
            family.set("build", "timeout = \"40s\"");
        }
        family.splitbase().ok(&["release", "v1.0.0"]);
        family.append("marker", "more\n");
        if !builds {
            family.splitbase().ok(&["build"]);
            family.splitbase().ok(&["smoke"]);
        }
        let before = family.public_tags(&start);
        let image = |digest: &String| start.index(digest).platforms[AMD64].clone();
        let images = before.iter().map(|(tag, digest)| (tag.clone(), image(digest)));
        let old = images.collect();
        start.end();
        let mut scene = Self {
            name,
            builds,
            names: NAMES
                .into_iter()
                .filter(|(_, alias)| before.contains_key(*alias))
                .collect(),
            family,
            start,
            before,
            images: BTreeMap::new(),
            old,
            asked: BTreeMap::new(),
        };
        assert_eq!(scene.names.len(), variants.len());
        // The first fills BuildKit's cache.
        for _ in 0..if builds { 2 } else { 1 } {
            let registry = scene.start.copy();
            let proxy = Proxy::start(registry.address(), |_| crate::support::proxy::Fault::Pass);
            scene.program(&proxy).ok(&["release", VERSION]);
            scene.asked.clear();
            for (request, _) in proxy.requests() {
                *scene.asked.entry(Key::of(&request)).or_default() += 1;
            }
            let aliases: Vec<_> = scene.aliases().collect();
            for alias in aliases {
                let image = scene.family.index(&registry, alias).platforms[AMD64].clone();
                scene.images.insert(alias.to_owned(), image);
            }
            scene.whole(&registry);
        }
        scene
    }

    fn program(&self, proxy: &Proxy) -> Splitbase {
        let repository = format!("{}/{}", proxy.address(), self.family.repository());
        self.family.splitbase().env("SPLITBASE_REPOSITORY", repository)
    }

    fn aliases(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().map(|(_, alias)| *alias).chain([BASE_ALIAS])
    }

    /// A release with these faults, and where it failed the same once more without any.
    pub(super) fn play(&self, schedule: &Schedule) -> Ending {
        let registry = self.start.copy();
        let injector = Arc::new(Injector::new(schedule.clone()));
        let faults = injector.clone();
        let proxy = Proxy::start(registry.address(), move |request| faults.fault(request));
        let run = self.program(&proxy).run(&["release", VERSION]);
        injector.end();
        let hits = injector.hits();
        let mut ending = Ending {
            code: run.code,
            half: false,
            error: String::new(),
            hits,
        };
        if !self.builds && !believes(&ending) {
            assert_eq!(
                run.builds(),
                [""; 0],
                "what is there is built once more:\n{}",
                run.stderr
            );
        }
        if run.code == 0 {
            self.whole(&registry);
            return ending;
        }
        let error = run.stderr.lines().find(|line| line.starts_with("error: "));
        error.unwrap_or_default().clone_into(&mut ending.error);
        assert!(!ending.error.is_empty(), "nothing is said:\n{}", run.stderr);
        self.check_failed(&registry, &run, &mut ending, &injector.corrupted());
        let proxy = Proxy::start(registry.address(), |_| crate::support::proxy::Fault::Pass);
        let again = self.program(&proxy).run(&["release", VERSION]);
        assert_eq!(
            again.code, 0,
            "run again after {}:\n{}\n--- before\n{}",
            run.code, again.stderr, run.stderr
        );
        self.whole(&registry);
        ending
    }

    /// What may be in sight after a failure, and whether the exit code is right.
    fn check_failed(
        &self,
        registry: &Registry,
        run: &Run,
        ending: &mut Ending,
        other_bytes: &BTreeSet<String>,
    ) {
        let tags = self.family.public_tags(registry);
        let corrupted = ending.hits.iter().any(|rule| rule.kind.corrupts_writes());
        // Nothing points at something that is neither the old nor the new, but a tag whose own bytes were changed on the way.
        for (tag, digest) in &tags {
            if self.before.get(tag) == Some(digest) || other_bytes.contains(tag) {
                continue;
            }
            let alias = self.names.iter().find(|(name, _)| name == tag);
            let alias = alias.map_or(tag.as_str(), |(_, alias)| alias);
            self.is_image(registry, alias, digest);
        }
        let moved = self
            .aliases()
            .filter(|alias| tags.get(*alias) != self.before.get(*alias))
            .count();
        let tagged = self
            .names
            .iter()
            .filter(|(tag, _)| tags.contains_key(*tag))
            .count();
        let known = self.family.tags(registry).contains_key("_release-v1.1.0");
        let record = if known {
            self.family.record(registry, VERSION)["state"]
                .as_str()
                .unwrap()
                .to_owned()
        } else {
            "none".to_owned()
        };
        let told = format!("exit code {}, record `{record}`:\n{}", run.code, run.stderr);
        ending.half = moved + tagged > 0;
        let put_back = record == "not-promoted" && run.code == 7 && moved == 0;
        if ending.half && !put_back {
            assert!(
                matches!(record.as_str(), "publishing" | "done"),
                "in sight, {told}"
            );
        }
        // A write that failed may have been taken.
        ending.half |= record == "publishing" && run.code == 8;
        assert!(
            moved == 0 || tagged == self.names.len(),
            "aliases before release tags, {told}"
        );
        if record == "done" {
            assert_eq!(
                (moved, tagged),
                (self.aliases().count(), self.names.len()),
                "{told}"
            );
        }
        assert!(
            right_codes(ending, corrupted).contains(&run.code),
            "the wrong exit code after {}, {told}",
            Schedule(ending.hits.clone())
        );
    }

    /// Fails unless all is at the new release, and all of it is there and is what its digest says.
    fn whole(&self, registry: &Registry) {
        let tags = self.family.tags(registry);
        let at = |tag: &str| {
            let digest = tags.get(tag).unwrap_or_else(|| panic!("no `{tag}`: {tags:#?}"));
            digest.clone()
        };
        for (tag, alias) in &self.names {
            assert_eq!(at(tag), at(alias), "{alias}");
        }
        for alias in self.aliases() {
            assert_ne!(Some(&at(alias)), self.before.get(alias), "{alias} is the old one");
            self.is_image(registry, alias, &at(alias));
        }
        let record = self.family.record(registry, VERSION);
        assert_eq!(record["state"], "done");
        assert_eq!(at("_release"), at("_release-v1.1.0"), "the newest record");
        let images = record["images"].as_array().unwrap();
        assert_eq!(images.len(), 1 + self.names.len());
        for image in images {
            let names = [&image["tags"], &image["aliases"]];
            for tag in names.iter().flat_map(|names| names.as_array().unwrap()) {
                assert_eq!(image["digest"], at(tag.as_str().unwrap()), "{tag}");
            }
        }
        let manifest = json(registry, &at("_release"));
        let newest = json(registry, manifest["layers"][0]["digest"].as_str().unwrap());
        let points = newest["points"].as_object().unwrap();
        assert_eq!(points.len(), 1 + self.names.len());
        for (alias, point) in points {
            assert_eq!(point["digest"], at(alias), "{alias}");
            assert_eq!(point["version"], VERSION, "{alias}");
        }
    }

    /// Fails unless this is the index of the new image that the alias is for, whole.
    fn is_image(&self, registry: &Registry, alias: &str, digest: &str) {
        let index = crate::support::Index::of(&json(registry, digest));
        assert_eq!(index.platforms.keys().collect::<Vec<_>>(), [AMD64], "{alias}");
        let image = &index.platforms[AMD64];
        match self.images.get(alias) {
            // What is built again has other times in it.
            Some(other) if self.builds => assert_eq!(self.old[alias] == *image, self.old[alias] == *other),
            Some(expected) => assert_eq!(image, expected, "{alias} is another image"),
            None => {}
        }
        for manifest in [image, &index.attestations[image]] {
            let manifest = json(registry, manifest);
            json(registry, manifest["config"]["digest"].as_str().unwrap());
            for layer in manifest["layers"].as_array().unwrap() {
                content(registry, layer["digest"].as_str().unwrap());
            }
        }
    }
}

/// Bytes that are what their digest says.
fn content(registry: &Registry, digest: &str) -> Vec<u8> {
    let bytes = registry.blob(digest);
    assert_eq!(sha256(&bytes), digest);
    bytes
}

fn json(registry: &Registry, digest: &str) -> Value {
    serde_json::from_slice(&content(registry, digest)).unwrap()
}

/// The exit codes that are right for what happened (design, "Commands"). Refused is none of them, for nobody else writes here; but where the
/// registry says that somebody does.
fn right_codes(ending: &Ending, corrupted: bool) -> Vec<i32> {
    let (ours, theirs): (Vec<_>, Vec<_>) = ending.hits.iter().partition(|rule| rule.key.ours);
    // Another attempt succeeds; what builds wait for is only given up.
    let harmless = |rule: &Rule| rule.kind.passes() && (rule.key.ours || !rule.kind.stalls());
    if ending.hits.len() == 1 && ending.hits.iter().all(harmless) {
        return vec![0];
    }
    let mut right = if ending.half { vec![8] } else { Vec::new() };
    if corrupted || believes(ending) {
        right.extend([1, 3, 5, 6, 7, 8]);
    }
    if !ending.half {
        right.extend(ours.iter().flat_map(|rule| of_request(rule, &ending.error)));
        if !theirs.is_empty() {
            right.extend([1, 6]);
        }
    }
    right
}

/// What the failure of one of our requests ends with: 5 where it reads, 6 where it writes, and where it reads back what was written or looks whether a
/// blob has to be.
fn of_request(rule: &Rule, error: &str) -> Vec<i32> {
    let of_write = error.contains("read back") || rule.key.path.starts_with("blobs/");
    match rule.key.method.as_str() {
        "GET" | "HEAD" if of_write => vec![5, 6],
        "GET" | "HEAD" => vec![5],
        _ => vec![6],
    }
}

/// Whether what the registry said had to be believed: it denied twice what is there, or named a digest that nothing else tells.
fn believes(ending: &Ending) -> bool {
    let denies = |rule: &&Rule| matches!(rule.kind.name(), "401" | "403" | "404-unknown");
    ending.hits.iter().filter(denies).count() > 1
        || ending
            .hits
            .iter()
            .any(|rule| rule.kind.name() == "corrupt-digest")
}
