//! Temporary files that runs have left which were killed, and the cache of digests.

use super::YOUNG_FILE;
use super::item::{Item, Kind, Removal};
use crate::digest_cache;
use crate::environment::Environment;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What splitbase makes among temporary files, and what each is. Folders with credentials are not among it: every run removes those that nobody holds.
const LEFT: [(&str, &str); 4] = [
    ("splitbase-build-", "of a build that was killed"),
    ("splitbase-smoke-", "the output of a test that failed"),
    ("splitbase-validate-", "images of a `validate` that was killed"),
    ("splitbase-doctor-", "of a `doctor` that was killed"),
];

/// What can go. Blocks.
pub(super) fn find(environment: &Environment, temporary: &Path) -> Vec<Item> {
    let mut items = left(temporary, rustix::process::geteuid().as_raw());
    if let Some((path, bytes)) = digest_cache::file(environment) {
        let why = "spares reading files again: the next run makes it anew";
        let name = path.display().to_string();
        items.push(Item::new(
            Kind::DigestCache,
            name,
            Some(bytes),
            why,
            Removal::Path(path),
        ));
    }
    items
}

fn left(temporary: &Path, user: u32) -> Vec<Item> {
    let mut items = Vec::new();
    for path in children(temporary) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let known = LEFT.iter().find(|(prefix, _)| name.starts_with(prefix));
        let (Some((_, why)), Ok(metadata)) = (known, path.symlink_metadata()) else {
            continue;
        };
        if metadata.uid() != user || metadata.is_symlink() {
            continue;
        }
        let (bytes, newest) = measure(&path, &metadata);
        let young = newest.elapsed().map_or(true, |age| age < YOUNG_FILE);
        if !young {
            let shown = path.display().to_string();
            items.push(Item::new(
                Kind::Temporary,
                shown,
                Some(bytes),
                *why,
                Removal::Path(path),
            ));
        }
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    items
}

/// What a file or folder takes with all in it, and when something in it was changed last. Symlinks are not followed.
fn measure(path: &Path, metadata: &std::fs::Metadata) -> (u64, SystemTime) {
    let mut bytes = metadata.blocks().saturating_mul(512);
    let mut newest = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    if metadata.is_dir() {
        for child in children(path) {
            if let Ok(metadata) = child.symlink_metadata() {
                let (size, changed) = measure(&child, &metadata);
                bytes = bytes.saturating_add(size);
                newest = newest.max(changed);
            }
        }
    }
    (bytes, newest)
}

#[expect(clippy::disallowed_methods, reason = "folders that splitbase made itself")]
fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;
    use std::time::Duration;

    #[expect(clippy::disallowed_methods, reason = "a test that makes files older")]
    fn aged(path: &Path, hours: u64) {
        let then = SystemTime::now() - Duration::from_secs(hours * 3600);
        std::fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn only_old_things_of_its_own_go() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["splitbase-build-old/a", "splitbase-build-live/b", "other-build/c"] {
            write(&at(name), "12345", false);
        }
        write(&at("splitbase-smoke-x.log"), "12345", false);
        std::os::unix::fs::symlink(at("other-build"), at("splitbase-build-link")).unwrap();
        aged(&at("splitbase-build-old/a"), 7);
        // Its folder is old, what is in it is not.
        for name in [
            "splitbase-build-old",
            "splitbase-build-live",
            "other-build",
            "splitbase-smoke-x.log",
        ] {
            aged(&at(name), 7);
        }
        let user = rustix::process::geteuid().as_raw();
        let found: Vec<_> = left(dir.path(), user)
            .into_iter()
            .map(|item| item.removal)
            .collect();
        assert_eq!(
            found,
            [
                Removal::Path(at("splitbase-build-old")),
                Removal::Path(at("splitbase-smoke-x.log"))
            ]
        );
        assert_eq!(left(dir.path(), user + 1), []);
    }
}
