//! Everything that reads what others wrote, by the name of its fuzz target. Nothing here is in the program.

use crate::config::{self, Overrides};
use crate::domain::{Digest, Identity, Platform, Repository, Tag, Version};
use crate::environment::{Environment, Redactor};
use crate::facts::Facts;
use crate::failure::{self, Place};
use crate::gather;
use crate::inputs::dockerfile::{
    Checks, Context, Dockerfile, Scope, check, floating, needs_paths, references, taken, triggers, unclear,
};
use crate::inputs::{Dockerignore, InputList};
use crate::plan::{Action, Plan};
use crate::record::Record;
use crate::target::oci::{ImageManifest, Index};
use crate::target::{RawManifest, layout, registry};
use crate::{buildx, credentials, versions};
use camino::Utf8Path;
use std::collections::BTreeMap;
use std::path::Path;

/// The names of all targets.
pub const TARGETS: [&str; 16] = [
    "dockerfile",
    "dockerignore",
    "variants_toml",
    "registry_answer",
    "manifest",
    "document",
    "buildx_output",
    "npm_document",
    "npmrc",
    "docker_config",
    "redaction",
    "words",
    "failure_text",
    "layer",
    "engine_answer",
    "helper_answer",
];

/// Gives a target something to read. Returns whether there is such a target.
///
/// # Panics
/// What was read broke a promise: that is what is looked for.
#[must_use]
pub fn run(target: &str, data: &[u8]) -> bool {
    let text = || String::from_utf8_lossy(data);
    match target {
        "dockerfile" => dockerfile(&text()),
        "dockerignore" => dockerignore(data),
        "variants_toml" => variants_toml(&text()),
        "registry_answer" => registry::fuzz::answer(data),
        "manifest" => manifest(data),
        "document" => document(data),
        "buildx_output" => buildx::fuzz::output(data),
        "npm_document" => versions::fuzz::npm(data),
        "npmrc" => versions::fuzz::npmrc(&text()),
        "docker_config" => credentials::fuzz::docker_config(&text()),
        "redaction" => redaction(data),
        "words" => words(&text()),
        "failure_text" => failure_text(&text()),
        "layer" => crate::target::fuzz::layer(data),
        "engine_answer" => engine_answer(&text()),
        "helper_answer" => credentials::fuzz::helper(&text()),
        _ => return false,
    }
    true
}

/// A Dockerfile, read by all that reads Dockerfiles.
fn dockerfile(text: &str) {
    let file = Dockerfile::parse(text);
    let platforms = ["linux/amd64", "linux/arm64"].map(str::parse::<Platform>);
    let platforms: Vec<Platform> = platforms.into_iter().flatten().collect();
    let args = BTreeMap::from([("A".to_owned(), "latest".to_owned())]);
    let (open, found) = (["OPEN_REF".to_owned()], triggers(&file, None));
    let scope = Scope {
        args: Some(&args),
        open: &open,
        platforms: &platforms,
        contexts: &["assets"],
        base_arg: Some("BASE_IMAGE"),
        triggers: &found,
        target: None,
    };
    let paths = ["a", "a/b.txt", "rootfs/etc/motd", "ä b"].map(str::to_owned);
    let links = BTreeMap::from([("a/link".to_owned(), "../rootfs".to_owned())]);
    let context = Context {
        paths: &paths,
        links: Some(&links),
    };
    let inputs = ["a".into(), "rootfs".into()];
    let _ = references(&file, &scope);
    let _ = taken(&file, &scope, context);
    let _ = unclear(&file, &["A"]);
    for inputs in [None, Some(&inputs[..])] {
        let _ = needs_paths(&file, inputs);
        let checks = Checks {
            name: Utf8Path::new("Dockerfile"),
            file: &file,
            base: None,
            scope,
            versions: &open,
            inputs,
            context,
        };
        for problem in check(&checks).into_iter().chain(floating(&checks)) {
            let _ = problem.warning();
        }
    }
}

/// A path in the first line, and an ignore file in the others.
fn dockerignore(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (path, rest) = data.split_at(end);
    let (Ok(path), Ok(rules)) = (std::str::from_utf8(path), Dockerignore::parse(rest)) else {
        return;
    };
    let ignored = rules.ignores(path);
    assert_eq!(ignored, rules.line_for(path).is_some());
    assert!(ignored || !rules.ignores_all_of(path));
    assert!(!ignored || rules.empties(path).is_none());
}

/// A `variants.toml`; its errors are told as well.
fn variants_toml(text: &str) {
    let file = Utf8Path::new("variants.toml");
    if let Err(errors) = config::parse(text, file, &Environment::default(), &Overrides::default()) {
        let _ = errors.to_string();
    }
}

/// A manifest or an index, of a registry or in a folder.
fn manifest(data: &[u8]) {
    let _ = RawManifest::new(data.to_vec());
    if let Ok(index) = serde_json::from_slice::<Index>(data) {
        for child in &index.manifests {
            let _ = (child.image_platform(), child.attests());
        }
    }
    let _ = serde_json::from_slice::<ImageManifest>(data);
    layout::fuzz::index(data);
}

/// What is read back of what was written: a record, a list of inputs, a saved plan, saved facts.
fn document(data: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<Record>(data) {
        let written = serde_json::to_vec(&record).unwrap_or_default();
        assert!(serde_json::from_slice::<Record>(&written).is_ok_and(|again| again == record));
    }
    if let Ok(list) = serde_json::from_slice::<InputList>(data) {
        let _ = (InputList::read(data, &list.image, &list.identity), list.base());
    }
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        for step in &plan.steps {
            if let Action::Build(build) = &step.action {
                let io = buildx::BuildIo {
                    root: Path::new("/"),
                    builder: None,
                    metadata_file: Path::new("/metadata"),
                    attests: true,
                    exports_cache: true,
                    without_cache_from: false,
                    no_cache: false,
                    secrets: &[],
                    layout: None,
                };
                let _ = buildx::shell_line(&buildx::command(build, None, &io));
            }
        }
        let _ = plan.work();
    }
    let _ = serde_json::from_slice::<Facts>(data);
}

/// A secret in the first line, and a text in the others: the text is given whole, and with the secret in it.
fn redaction(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (secret, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let secret = secret.trim();
    let redactor = Redactor::new([secret.to_owned()]);
    let _ = redactor.line(rest);
    // A mask that is like the secret itself hides nothing, and what is cut out may put the ends together.
    if secret.chars().count() < 4 || secret.contains(|c: char| c == '*' || c == '…' || c.is_control()) {
        return;
    }
    let planted = redactor.masked(format!("{rest} {secret} {rest}"));
    assert!(!planted.contains(secret), "{secret:?}");
}

/// What a registry, an engine or a git server said of a failure, wherever it came up.
fn failure_text(text: &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let _ = (failure::code(first), failure::request(first));
    for place in [
        Place::RegistryRead,
        Place::RegistryWrite,
        Place::Push,
        Place::Base,
        Place::CacheExport,
        Place::Copy,
        Place::Run,
        Place::Buildx,
        Place::GitRefs,
        Place::NpmDocument,
    ] {
        let symptom = failure::Symptom {
            status: failure::status(first),
            text: first,
            log: rest,
            ..failure::Symptom::at(place)
        };
        let _ = failure::classify(&symptom);
    }
}

/// What `docker info`, `docker image ls` and `docker buildx du` print.
fn engine_answer(text: &str) {
    let _ = serde_json::from_str::<crate::engine::Info>(text);
    crate::reclaim::fuzz::answer(text);
}

/// Short texts that anybody may write: names of images and tags, versions, what git and a lock say.
fn words(text: &str) {
    let _ = (
        text.parse::<Repository>(),
        text.parse::<Tag>(),
        text.parse::<Version>(),
    );
    let _ = (
        text.parse::<Digest>(),
        text.parse::<Identity>(),
        text.parse::<Platform>(),
    );
    let _ = gather::parse_reference(text);
    versions::fuzz::text(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every target reads its seeds, and has some.
    #[test]
    fn fuzz_seeds_are_read() {
        for target in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fuzz/seeds")
                .join(target);
            let mut seeds = 0;
            for data in crate::testing::read_all(&folder) {
                assert!(run(target, &data), "{target}");
                // And what is cut short or spoilt.
                for at in (0..data.len()).step_by(data.len() / 50 + 1) {
                    let _ = run(target, &data[..at]);
                    let mut other = data.clone();
                    other[at] ^= 0x20;
                    let _ = run(target, &other);
                }
                seeds += 1;
            }
            assert!(seeds > 0, "{target} has no seeds");
        }
        assert!(!run("none", b""));
    }
}
