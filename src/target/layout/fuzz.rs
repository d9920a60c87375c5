//! An `index.json`, whatever it holds, for fuzz targets.

use super::index::IndexFile as Index;

/// Reads it, changes it, writes it and reads it again.
pub(crate) fn index(data: &[u8]) {
    let Ok(mut index) = Index::parse(data) else {
        return;
    };
    for tag in index.all_tags() {
        let _ = index.find(&tag);
    }
    let _ = index.digests();
    index.take_out("v1");
    index.set("v1", "a/b", serde_json::Map::new());
    let bytes = index.to_bytes();
    assert!(bytes.is_ok_and(|bytes| Index::parse(&bytes).is_ok()));
}
