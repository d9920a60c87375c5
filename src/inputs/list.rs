//! The list of an image's inputs as it is kept in the registry, under `<identity tag>-inputs`: what `explain` compares with.

use super::entry::{EntryKind, InputEntry};
use super::tree::{CanonicalList, IdentityInputs, TREE_FORMAT};
use super::values::{NamedValue, ValueKind};
use crate::config::HashFormat;
use crate::domain::{Identity, ImageId};
use serde::{Deserialize, Serialize};

/// Type of the artifact that holds a list, and media type of its one layer.
pub const LIST_TYPE: &str = "application/vnd.splitbase.inputs.v1+json";
/// Largest list that is written or read, in bytes: some 400,000 files.
pub const LIST_LIMIT: usize = 64 * 1024 * 1024;
/// Version of the document.
const SCHEMA: u32 = 1;
/// The format of a list whose identity is a concat hash.
const CONCAT_FORMAT: &str = "concat";

/// All that counted for one image: a function of its inputs alone, so that whoever writes it writes the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputList {
    /// Version of this document: 1.
    schema: u32,
    /// Which hash the identity is: `splitbase-tree/1` or `concat`.
    pub format: String,
    /// Of which image.
    pub image: ImageId,
    /// The identity that these inputs have.
    pub identity: Identity,
    /// The path of the entry that is the Dockerfile.
    pub dockerfile: String,
    /// Files, symlinks and empty folders.
    pub files: Vec<InputEntry>,
    /// Everything else. Of secrets and SSH agents the id, never a value.
    pub values: Vec<NamedValue>,
}

/// A list that is none, or is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidList {
    /// It is no list that this version can read.
    #[error("it is not a list of inputs: {0}")]
    Unreadable(String),
    /// It is the list of something else.
    #[error("it is that of {image} under identity {identity}")]
    Another {
        /// Of which image.
        image: ImageId,
        /// Its identity.
        identity: Identity,
    },
    /// What it lists has another identity.
    #[error("what it lists has the identity {0}")]
    Damaged(Identity),
}

impl InputList {
    /// The list of `image`, whose identity is a hash of this format.
    #[must_use]
    pub fn new(image: &ImageId, identity: Identity, hash: HashFormat, inputs: IdentityInputs) -> Self {
        let IdentityInputs {
            mut files,
            dockerfile,
            mut values,
        } = inputs;
        let format = match hash {
            HashFormat::Tree => TREE_FORMAT,
            HashFormat::Concat => {
                // Neither symlinks nor exec bits nor values count in it.
                files.retain(|file| file.kind == EntryKind::File);
                for file in &mut files {
                    file.executable = false;
                }
                values.retain(|value| value.kind == ValueKind::Extra);
                CONCAT_FORMAT
            }
        };
        files.sort_unstable();
        files.dedup();
        values.sort_unstable();
        values.dedup();
        Self {
            schema: SCHEMA,
            format: format.to_owned(),
            image: image.clone(),
            identity,
            dockerfile,
            files,
            values,
        }
    }

    /// The list that was published for `image` under `identity`, from its bytes. That of a `tree` identity is hashed again.
    ///
    /// # Errors
    /// It is another one, damaged, or none.
    pub fn read(bytes: &[u8], image: &ImageId, identity: &Identity) -> Result<Self, InvalidList> {
        let list: Self =
            serde_json::from_slice(bytes).map_err(|error| InvalidList::Unreadable(error.to_string()))?;
        if list.schema != SCHEMA || ![TREE_FORMAT, CONCAT_FORMAT].contains(&list.format.as_str()) {
            let (schema, format) = (list.schema, list.format);
            return Err(InvalidList::Unreadable(format!(
                "schema {schema} and format `{format}` are not known"
            )));
        }
        if list.image != *image || list.identity != *identity {
            return Err(InvalidList::Another {
                image: list.image,
                identity: list.identity,
            });
        }
        if list.format == TREE_FORMAT {
            let inputs = IdentityInputs {
                files: list.files.clone(),
                dockerfile: list.dockerfile.clone(),
                values: list.values.clone(),
            };
            let found = CanonicalList::new(image, inputs).identity();
            if found != *identity {
                return Err(InvalidList::Damaged(found));
            }
        }
        Ok(list)
    }

    /// The identity of the base that the image stands on, where the family builds one.
    #[must_use]
    pub fn base(&self) -> Option<Identity> {
        let base = self.values.iter().find(|value| value.kind == ValueKind::Base)?;
        base.value.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;

    fn inputs() -> IdentityInputs {
        let file = |path: &str, kind, executable| InputEntry {
            path: path.to_owned(),
            kind,
            executable,
            size: 1,
            digest: Digest::of(path.as_bytes()),
        };
        let value = |kind, name: &str, value: &str| NamedValue {
            kind,
            name: name.to_owned(),
            value: value.to_owned(),
        };
        IdentityInputs {
            files: vec![
                file("run", EntryKind::File, true),
                file("Dockerfile", EntryKind::File, false),
                file("link", EntryKind::Symlink, false),
            ],
            dockerfile: "Dockerfile".to_owned(),
            values: vec![
                value(ValueKind::Sbom, "", "false"),
                value(ValueKind::Base, "", &"ab".repeat(32)),
                value(ValueKind::Extra, "0", "x"),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_and_hashed_again() {
        let image: ImageId = "variant/omos".parse().unwrap();
        let identity = CanonicalList::new(&image, inputs()).identity();
        let list = InputList::new(&image, identity, HashFormat::Tree, inputs());
        let bytes = serde_json::to_vec(&list).unwrap();
        assert_eq!(InputList::read(&bytes, &image, &identity), Ok(list.clone()));
        assert_eq!(list.base().unwrap().to_string(), "ab".repeat(32));

        // In whatever order it was found.
        let mut other = inputs();
        other.files.reverse();
        let other = InputList::new(&image, identity, HashFormat::Tree, other);
        assert_eq!(serde_json::to_vec(&other).unwrap(), bytes);

        let text = String::from_utf8(bytes.clone()).unwrap();
        let read = |text: &str| InputList::read(text.as_bytes(), &image, &identity);
        let changed = text.replace("\"size\":1", "\"size\":2");
        assert!(
            matches!(read(&changed), Err(InvalidList::Damaged(_))),
            "{changed}"
        );
        for (from, to) in [("\"schema\":1", "\"schema\":2"), ("tree/1", "tree/2"), ("{", "[")] {
            assert!(matches!(
                read(&text.replacen(from, to, 1)),
                Err(InvalidList::Unreadable(_))
            ));
        }
        let base = InputList::read(&bytes, &ImageId::Base, &identity);
        assert!(matches!(base, Err(InvalidList::Another { .. })));
    }

    #[test]
    fn a_concat_list_holds_what_counts_in_it() {
        let identity = Identity::from_bytes([7; 32]);
        let list = InputList::new(&ImageId::Base, identity, HashFormat::Concat, inputs());
        let paths: Vec<_> = list
            .files
            .iter()
            .map(|file| (file.path.as_str(), file.executable))
            .collect();
        assert_eq!(paths, [("Dockerfile", false), ("run", false)]);
        assert_eq!(list.values.len(), 1);
        let bytes = serde_json::to_vec(&list).unwrap();
        assert_eq!(InputList::read(&bytes, &ImageId::Base, &identity), Ok(list));
    }
}
