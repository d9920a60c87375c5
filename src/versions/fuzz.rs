//! What version sources say, whatever it holds, for fuzz targets.

use super::package::Package;
use super::{Lock, NpmSettings, git};
use crate::environment::Environment;
use url::Url;

/// A range in the first line, and a package document in the others.
pub(crate) fn npm(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (range, document) = data.split_at(end);
    let (Ok(range), Ok(package)) = (
        std::str::from_utf8(range),
        serde_json::from_slice::<Package>(document),
    ) else {
        return;
    };
    for wanted in [range, "latest", "^1"] {
        if let Ok(picked) = package.pick(wanted) {
            let _ = (picked.release.deprecated(), picked.release.tarball());
        }
    }
}

/// An `.npmrc`.
pub(crate) fn npmrc(text: &str) {
    let environment = Environment::of([("TOKEN", "x"), ("HOME", "/")]);
    let mut settings = NpmSettings::default();
    settings.add_file(text, "fuzz", &environment);
    for package in ["a", "@scope/a"] {
        if let Ok(address) = settings.registry(package) {
            let _ = settings.authorization(&address);
            let _ = settings.withheld(&address);
        }
    }
    if let Ok(address) = Url::parse("https://registry.example:8/a/b/c.tgz") {
        let _ = settings.authorization(&address);
    }
}

/// What `git ls-remote` prints, and a `variants.lock`.
pub(crate) fn text(text: &str) {
    let _ = git::commit(text, "main");
    if let Ok(lock) = Lock::parse(text) {
        assert!(Lock::parse(&lock.to_toml()).is_ok());
    }
}
