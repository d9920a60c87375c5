//! A layout as it lies in its folder.

use super::{Index, sha256};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder in OCI image layout.
pub struct Layout(PathBuf);

impl Layout {
    /// That in this folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its tags, and what they point at. Fails where a tag stands twice.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let index: Value = serde_json::from_slice(&std::fs::read(self.path("index.json")).unwrap()).unwrap();
        let mut tags = BTreeMap::new();
        for entry in index["manifests"].as_array().unwrap() {
            let tag = entry["annotations"]["org.opencontainers.image.ref.name"]
                .as_str()
                .unwrap();
            let digest = entry["digest"].as_str().unwrap();
            let other = tags.insert(tag.to_owned(), digest.to_owned());
            assert_eq!(other, None, "`{tag}` stands twice");
        }
        tags
    }

    /// What a tag points at.
    pub fn digest(&self, tag: &str) -> String {
        let tags = self.tags();
        tags.get(tag)
            .unwrap_or_else(|| panic!("no tag `{tag}` in {:?}", tags.keys()))
            .clone()
    }

    /// Where a blob lies.
    pub fn blob_path(&self, digest: &str) -> PathBuf {
        self.path("blobs/sha256")
            .join(digest.strip_prefix("sha256:").unwrap())
    }

    /// A blob, which has its digest.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        let bytes = std::fs::read(self.blob_path(digest)).unwrap_or_else(|error| panic!("{digest}: {error}"));
        assert_eq!(sha256(&bytes), digest);
        bytes
    }

    /// A manifest, index, config or record.
    pub fn json(&self, digest: &str) -> Value {
        serde_json::from_slice(&self.blob(digest)).unwrap()
    }

    /// The index under a tag.
    pub fn index(&self, tag: &str) -> Index {
        Index::of(&self.json(&self.digest(tag)))
    }

    /// The record of a release.
    pub fn record(&self, version: &str) -> Value {
        let manifest = self.json(&self.digest(&format!("_release-{version}")));
        self.json(manifest["layers"][0]["digest"].as_str().unwrap())
    }

    /// Fails where something that a tag leads to is not there or not what it must be.
    pub fn check(&self) {
        let marker: Value = serde_json::from_slice(&std::fs::read(self.path("oci-layout")).unwrap()).unwrap();
        assert_eq!(marker["imageLayoutVersion"], "1.0.0");
        let mut open: Vec<String> = self.tags().into_values().collect();
        while let Some(digest) = open.pop() {
            let document = self.json(&digest);
            let children = document["manifests"].as_array();
            open.extend(
                children
                    .into_iter()
                    .flatten()
                    .map(|child| child["digest"].as_str().unwrap().to_owned()),
            );
            let layers = document["layers"].as_array();
            for blob in layers.into_iter().flatten().chain(document.get("config")) {
                let bytes = self.blob(blob["digest"].as_str().unwrap());
                assert_eq!(blob["size"], bytes.len());
            }
        }
    }

    /// Every file in it with the time of its last change, `.splitbase` less the lock included.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, std::time::SystemTime> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.0.clone()]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.map(Result::unwrap) {
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(entry.path());
                } else {
                    files.insert(entry.path(), metadata.modified().unwrap());
                }
            }
        }
        files
    }
}
