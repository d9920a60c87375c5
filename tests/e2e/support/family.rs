//! A tiny family of a test's own.

use super::{AMD64, ARM64, Index, Registry, Splitbase, busybox, unique};
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

const BASE: &str = r#"FROM scratch
ARG TARGETARCH
COPY busybox-${TARGETARCH} /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY marker /etc/marker
ENV PATH=/bin
CMD ["/bin/sh"]
"#;

const VARIANT: &str = r#"ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG KIND=none
RUN echo "$KIND" >/etc/kind
"#;

const SMOKE: &str = r#"#!/bin/sh
set -eu
docker run --rm --network none --platform "$SPLITBASE_PLATFORM" "$SPLITBASE_IMAGE" cat /etc/marker
"#;

/// A tiny busybox family in a temporary folder. Its base holds a word that no other test has, so nothing of it is anywhere before.
pub struct Family {
    folder: tempfile::TempDir,
    repository: String,
}

impl Family {
    /// Variant `base` alone, for amd64: the fastest there is.
    pub fn new(registry: &Registry) -> Self {
        Self::of(registry.address(), &[AMD64], &["base"])
    }

    /// Variants `base` and `omos` for amd64.
    pub fn of_two(registry: &Registry) -> Self {
        Self::of(registry.address(), &[AMD64], &["base", "omos"])
    }

    /// Variant `base` for both platforms.
    pub fn for_both(registry: &Registry) -> Self {
        Self::of(registry.address(), &[AMD64, ARM64], &["base"])
    }

    /// These variants for these platforms, in `REGISTRY/e2e/fam`. The tag of variant `base` is `{version}`, its alias `latest`; others have
    /// `{version}-{variant}` and `latest-{variant}`; the base has the alias `base-latest`.
    pub fn of(registry: &str, platforms: &[&str], variants: &[&str]) -> Self {
        let repository = "e2e/fam".to_owned();
        let family = Self {
            folder: tempfile::tempdir().unwrap(),
            repository,
        };
        for architecture in ["amd64", "arm64"] {
            let name = format!("busybox-{architecture}");
            let from = busybox().join(&name);
            std::fs::copy(&from, family.path(&name)).unwrap_or_else(|error| {
                panic!(
                    "copy `{}`: {error}; `scripts/engine install` gets it",
                    from.display()
                )
            });
        }
        family.write("marker", format!("{}\n", unique()));
        family.write(
            ".dockerignore",
            "*\n!busybox-*\n!marker\n!files\n**/.DS_Store\n**/._*\n**/*.pyc\n**/__pycache__\n**/*~\n**/.*.sw?\n",
        );
        family.write("Dockerfile.base", BASE);
        family.write("Dockerfile.variant", VARIANT);
        family.write_script("scripts/smoke.sh", SMOKE);
        let platforms = platforms
            .iter()
            .map(|platform| format!("\"{platform}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let mut text = format!(
            r#"schema = 1

[family]
name       = "fam"
repository = "{registry}/{}"
platforms  = [{platforms}]
versioning = "semver"

[base]
dockerfile = "Dockerfile.base"
inputs     = ["busybox-amd64", "busybox-arm64", "marker"]
aliases    = ["base-latest"]

[cache]
to = "none"

[retry]
attempts = 2
delays   = ["1s"]

[smoke]
command = ["scripts/smoke.sh"]
inputs  = ["scripts/smoke.sh"]
timeout = "2m"

[variant]
dockerfile = "Dockerfile.variant"
inputs     = []
tags       = ["{{version}}-{{variant}}"]
aliases    = ["latest-{{variant}}"]
"#,
            family.repository
        );
        for variant in variants {
            text = format!("{text}\n[variants.{variant}]\nargs = {{ KIND = \"{variant}\" }}\n");
            if *variant == "base" {
                text.push_str("tags = [\"{version}\"]\naliases = [\"latest\"]\n");
            }
        }
        family.write("variants.toml", text);
        family
    }

    /// In this repository of its registry instead.
    pub fn in_repository(mut self, repository: &str) -> Self {
        let end = |repository: &str| format!("/{repository}\"\nplatforms");
        self.replace("variants.toml", &end(&self.repository), &end(repository));
        repository.clone_into(&mut self.repository);
        self
    }

    /// With this in the place of its `[base]` table.
    pub fn base(self, table: &str) -> Self {
        let text = self.read("variants.toml");
        let (from, to) = (text.find("[base]").unwrap(), text.find("[cache]").unwrap());
        self.write(
            "variants.toml",
            format!("{}{table}\n\n{}", &text[..from], &text[to..]),
        );
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Its repository without the registry: `e2e/fam`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("write `{name}`: {error}"));
        self
    }

    /// Writes a file that can be run.
    pub fn write_script(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        self.write(name, text);
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("read `{name}`: {error}"))
    }

    /// Adds to the end of a file.
    pub fn append(&self, name: &str, text: &str) -> &Self {
        self.write(name, format!("{}{text}", self.read(name)))
    }

    /// Replaces what must be there, once.
    pub fn replace(&self, name: &str, from: &str, to: &str) -> &Self {
        let text = self.read(name);
        assert_eq!(text.matches(from).count(), 1, "`{from}` in `{name}`:\n{text}");
        self.write(name, text.replacen(from, to, 1))
    }

    /// Puts lines into a table of `variants.toml`, which gets it if it has none.
    pub fn set(&self, table: &str, lines: &str) -> &Self {
        let head = format!("[{table}]\n");
        if self.read("variants.toml").contains(&format!("\n{head}")) {
            self.replace(
                "variants.toml",
                &format!("\n{head}"),
                &format!("\n{head}{lines}\n"),
            )
        } else {
            self.append("variants.toml", &format!("\n{head}{lines}\n"))
        }
    }

    /// Makes the smoke test this shell script.
    pub fn smoke(&self, script: &str) -> &Self {
        self.write_script("scripts/smoke.sh", format!("#!/bin/sh\nset -eu\n{script}\n"))
    }

    /// The program, in this family's folder.
    pub fn splitbase(&self) -> Splitbase {
        Splitbase::new(self.folder())
    }

    /// All its tags in the registry, and what they point at.
    pub fn tags(&self, registry: &Registry) -> BTreeMap<String, String> {
        registry.tags(&self.repository)
    }

    /// Its tags that are neither machine tags nor records: what users see.
    pub fn public_tags(&self, registry: &Registry) -> BTreeMap<String, String> {
        let machine = |tag: &str| {
            let hexed = |rest: &str| {
                rest.split('-')
                    .any(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_hexdigit()))
            };
            tag.starts_with('_')
                || tag.starts_with("cache-")
                || (tag.starts_with("base-") || tag.starts_with("variant-")) && hexed(tag)
        };
        let mut tags = self.tags(registry);
        tags.retain(|tag, _| !machine(tag));
        tags
    }

    /// The index under a tag.
    pub fn index(&self, registry: &Registry, tag: &str) -> Index {
        registry.index(&self.digest(registry, tag))
    }

    /// What a tag points at.
    pub fn digest(&self, registry: &Registry, tag: &str) -> String {
        let tags = self.tags(registry);
        tags.get(tag)
            .unwrap_or_else(|| panic!("no tag `{tag}`; there are {:?}", tags.keys().collect::<Vec<_>>()))
            .clone()
    }

    /// The record of a release.
    pub fn record(&self, registry: &Registry, version: &str) -> Value {
        let manifest = registry.json(&self.digest(registry, &format!("_release-{version}")));
        registry.json(manifest["layers"][0]["digest"].as_str().unwrap())
    }

    /// `REGISTRY/REPOSITORY:TAG`.
    pub fn reference(&self, registry: &Registry, tag: &str) -> String {
        format!("{}/{}:{tag}", registry.address(), self.repository)
    }
}
