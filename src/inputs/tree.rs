//! The canonical list of an image's inputs, and the identity that is its hash. Pure; the format is told in `docs/identity.md`.

use super::entry::InputEntry;
use super::values::NamedValue;
use crate::domain::{Identity, ImageId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The format of the list, its first field. Another way of framing or another meaning of a field is another version.
pub const TREE_FORMAT: &str = "splitbase-tree/1";

/// All that counts for one image, as plain data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityInputs {
    /// Files, symlinks and empty folders.
    pub files: Vec<InputEntry>,
    /// The path of the entry that is the Dockerfile.
    pub dockerfile: String,
    /// Everything else.
    pub values: Vec<NamedValue>,
}

/// The canonical list: the same whatever order its parts were given in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalList {
    image: ImageId,
    dockerfile: String,
    files: Vec<InputEntry>,
    values: Vec<NamedValue>,
}

impl CanonicalList {
    /// Puts the inputs of an image in order.
    #[must_use]
    pub fn new(image: &ImageId, inputs: IdentityInputs) -> Self {
        let IdentityInputs {
            mut files,
            dockerfile,
            mut values,
        } = inputs;
        files.sort_unstable();
        files.dedup();
        values.sort_unstable();
        values.dedup();
        Self {
            image: image.clone(),
            dockerfile,
            files,
            values,
        }
    }

    /// Everything in it but the files.
    #[must_use]
    pub fn into_values(self) -> Vec<NamedValue> {
        self.values
    }

    /// The bytes that are hashed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut |part| bytes.extend_from_slice(part));
        bytes
    }

    /// SHA-256 over [`bytes`](Self::bytes).
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut hash = Sha256::new();
        self.write(&mut |part| hash.update(part));
        Identity::from_bytes(hash.finalize().into())
    }

    fn write(&self, sink: &mut impl FnMut(&[u8])) {
        // `<length>:<bytes>,`. Each record has a fixed number of fields and each list tells its length, so no two lists have the same bytes.
        let mut field = |bytes: &[u8]| {
            sink(bytes.len().to_string().as_bytes());
            sink(b":");
            sink(bytes);
            sink(b",");
        };
        field(TREE_FORMAT.as_bytes());
        field(self.image.to_string().as_bytes());
        field(self.dockerfile.as_bytes());
        field(self.files.len().to_string().as_bytes());
        for file in &self.files {
            field(file.path.as_bytes());
            field(file.kind.as_str().as_bytes());
            field(executable(file).as_bytes());
            field(file.size.to_string().as_bytes());
            field(file.digest.to_string().as_bytes());
        }
        field(self.values.len().to_string().as_bytes());
        for value in &self.values {
            field(value.kind.as_str().as_bytes());
            field(value.name.as_bytes());
            field(value.value.as_bytes());
        }
    }

    /// The list as lines for people; equal lists and no others have equal text.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = String::new();
        let mut line = |parts: std::fmt::Arguments<'_>| {
            // Writing to a `String` does not fail.
            let _ = text.write_fmt(parts);
            text.push('\n');
        };
        line(format_args!("format {TREE_FORMAT}"));
        line(format_args!("image {}", self.image));
        line(format_args!("dockerfile {}", quoted(&self.dockerfile)));
        for file in &self.files {
            let (kind, size, digest) = (file.kind.as_str(), file.size, file.digest);
            line(format_args!(
                "{kind} {} {size} {digest} {}",
                executable(file),
                quoted(&file.path)
            ));
        }
        for value in &self.values {
            let (name, text) = (quoted(&value.name), quoted(&value.value));
            line(format_args!("{} {name} {text}", value.kind.as_str()));
        }
        text
    }
}

const fn executable(file: &InputEntry) -> &'static str {
    if file.executable { "x" } else { "-" }
}

/// As a JSON string: one line, whatever it holds.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
