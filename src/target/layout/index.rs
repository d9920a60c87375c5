//! `index.json`: the tags of a layout. What other programs wrote into it is kept as it is.

use crate::target::oci::{self, Descriptor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Annotation that holds the tag (OCI image specification, "Image Layout").
const TAG: &str = "org.opencontainers.image.ref.name";
/// Annotation that holds the whole name; `docker load` and `ctr` call the image by it.
const NAME: &str = "io.containerd.image.name";

/// The document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexFile {
    document: Map<String, Value>,
}

impl IndexFile {
    /// That of a layout without tags.
    pub(super) fn empty() -> Self {
        let mut document = Map::new();
        document.insert("schemaVersion".to_owned(), json!(2));
        document.insert("mediaType".to_owned(), json!(oci::INDEX));
        document.insert("manifests".to_owned(), json!([]));
        Self { document }
    }

    /// Reads the document; what is wrong with it otherwise.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| format!("`index.json` is not JSON: {error}"))?;
        let Value::Object(document) = value else {
            return Err("`index.json` is not an object".to_owned());
        };
        if document.get("schemaVersion") != Some(&json!(2)) {
            return Err("`index.json` does not say `\"schemaVersion\": 2`".to_owned());
        }
        let entries = document.get("manifests").and_then(Value::as_array);
        if !entries.is_some_and(|entries| entries.iter().all(Value::is_object)) {
            return Err("`index.json` has no list of manifests".to_owned());
        }
        Ok(Self { document })
    }

    /// Whether it has no tags at all.
    pub(super) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// What stands under a tag; an error where that is not clear.
    pub(super) fn find(&self, tag: &str) -> Result<Option<Descriptor>, String> {
        let mut found: Option<Descriptor> = None;
        for entry in self.entries().iter().filter(|entry| tag_of(entry) == Some(tag)) {
            let entry: Descriptor = serde_json::from_value(entry.clone())
                .map_err(|error| format!("the entry `{tag}` of `index.json` is damaged: {error}"))?;
            match &found {
                Some(other) if other.digest != entry.digest => {
                    return Err(format!(
                        "`index.json` has two entries `{tag}`, at {} and at {}",
                        other.digest, entry.digest
                    ));
                }
                _ => found = Some(entry),
            }
        }
        Ok(found)
    }

    /// Puts a descriptor under a tag; `name` is the whole name, with the repository.
    pub(super) fn set(&mut self, tag: &str, name: &str, descriptor: Map<String, Value>) {
        let mut entry = descriptor;
        entry.insert("annotations".to_owned(), json!({ NAME: name, TAG: tag }));
        let Some(Value::Array(entries)) = self.document.get_mut("manifests") else {
            return;
        };
        let before = entries.iter().position(|entry| tag_of(entry) == Some(tag));
        entries.retain(|entry| tag_of(entry) != Some(tag));
        let at = before.unwrap_or(entries.len()).min(entries.len());
        entries.insert(at, Value::Object(entry));
    }

    /// Takes a tag out; whether it was there.
    pub(super) fn take_out(&mut self, tag: &str) -> bool {
        let Some(Value::Array(entries)) = self.document.get_mut("manifests") else {
            return false;
        };
        let before = entries.len();
        entries.retain(|entry| tag_of(entry) != Some(tag));
        entries.len() < before
    }

    /// All tags, each once.
    pub(super) fn all_tags(&self) -> Vec<String> {
        let tags: BTreeSet<&str> = self.entries().iter().filter_map(tag_of).collect();
        tags.into_iter().map(str::to_owned).collect()
    }

    /// The digests of all entries, those of other programs too, whatever their algorithm.
    pub(super) fn digests(&self) -> Vec<String> {
        let digests = self
            .entries()
            .iter()
            .filter_map(|entry| entry.get("digest")?.as_str());
        digests.map(str::to_owned).collect()
    }

    /// The document as it is written.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.document)
    }

    fn entries(&self) -> &[Value] {
        let entries = self.document.get("manifests").and_then(Value::as_array);
        entries.map(Vec::as_slice).unwrap_or_default()
    }
}

fn tag_of(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(TAG)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;

    fn descriptor(text: &str) -> Map<String, Value> {
        let value =
            json!({"mediaType": oci::MANIFEST, "digest": Digest::of(text.as_bytes()), "size": text.len()});
        value.as_object().unwrap().clone()
    }

    #[test]
    fn tags_move_and_what_others_wrote_stays() {
        let foreign = json!({"mediaType": "x/y", "digest": "sha512:00", "size": 1, "urls": ["u"], "annotations": {"a": "b"}});
        let text =
            json!({"schemaVersion": 2, "manifests": [foreign], "annotations": {"kept": "yes"}}).to_string();
        let mut index = IndexFile::parse(text.as_bytes()).unwrap();
        index.set("a", "r:a", descriptor("1"));
        index.set("b", "r:b", descriptor("2"));
        index.set("a", "r:a", descriptor("3"));
        let index = IndexFile::parse(&index.to_bytes().unwrap()).unwrap();
        assert_eq!(index.find("a").unwrap().unwrap().digest, Digest::of(b"3"));
        assert_eq!(index.find("b").unwrap().unwrap().digest, Digest::of(b"2"));
        assert_eq!(index.find("c").unwrap(), None);
        assert_eq!(index.entries().len(), 3);
        assert_eq!(index.entries()[0], foreign);
        assert_eq!(index.document["annotations"], json!({"kept": "yes"}));
    }

    #[test]
    fn what_is_not_clear_is_no_absence() {
        let mut twice = IndexFile::empty();
        twice.set("a", "r:a", descriptor("1"));
        twice.set("b", "r:b", descriptor("2"));
        let text = String::from_utf8(twice.to_bytes().unwrap()).unwrap();
        let twice = IndexFile::parse(text.replace("\"b\"", "\"a\"").as_bytes()).unwrap();
        assert!(twice.find("a").unwrap_err().contains("two entries"));
        let damaged = IndexFile::parse(text.replace("sha256:", "sha256:x").as_bytes()).unwrap();
        assert!(damaged.find("a").is_err());
        for text in [
            "",
            "[]",
            "{}",
            r#"{"schemaVersion":2}"#,
            r#"{"schemaVersion":2,"manifests":[1]}"#,
        ] {
            assert!(IndexFile::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
