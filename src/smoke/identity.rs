//! The identity of a smoke test: what makes it another test, so that it is run again on an unchanged image.

use crate::config::Smoke;
use crate::domain::{Digest, Identity, SmokeIdentity};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Counts up when the list below changes its form: every test is then run again.
const FORMAT: &[u8] = b"splitbase smoke 1";

/// A file that belongs to a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeFile<'a> {
    /// Its path, relative to the family's root.
    pub path: &'a str,
    /// Whether it may be executed.
    pub executable: bool,
    /// The digest of its content.
    pub digest: Digest,
}

/// SHA-256 over a length-framed list: the command and environment as templates, the versions that the test is told to expect, the size
/// limit, and its files sorted by path. As templates, so that a new release does not test unchanged images again.
///
/// `versions` are the ones that reach the test as `EXPECTED_<NAME>`. The time-out and the choice of platforms do not make another test.
#[must_use]
pub fn smoke_identity(
    smoke: &Smoke,
    files: &[SmokeFile<'_>],
    versions: &BTreeMap<String, String>,
) -> SmokeIdentity {
    let mut list = Framed(Sha256::new());
    list.text(FORMAT);
    list.count(smoke.command.len());
    for word in &smoke.command {
        list.text(word.to_string().as_bytes());
    }
    // Sorted: the order in the file changes nothing.
    let env: BTreeMap<&str, String> = smoke
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_string()))
        .collect();
    list.count(env.len());
    for (name, value) in env {
        list.text(name.as_bytes());
        list.text(value.as_bytes());
    }
    list.count(versions.len());
    for (name, value) in versions {
        list.text(name.as_bytes());
        list.text(value.as_bytes());
    }
    match smoke.max_size {
        Some(size) => {
            list.count(1);
            list.text(&size.0.to_be_bytes());
        }
        None => list.count(0),
    }
    let mut files: Vec<&SmokeFile<'_>> = files.iter().collect();
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    list.count(files.len());
    for file in files {
        list.text(file.path.as_bytes());
        list.text(&[u8::from(file.executable)]);
        list.text(file.digest.as_bytes());
    }
    SmokeIdentity(Identity::from_bytes(list.0.finalize().into()))
}

/// Each text with its length before it, so that no two lists have the same bytes.
struct Framed(Sha256);

impl Framed {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.0.update(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Template;
    use crate::domain::{ByteSize, Duration};

    fn smoke() -> Smoke {
        Smoke {
            command: vec![
                Template::parse("scripts/smoke.sh").unwrap(),
                Template::parse("{variant}").unwrap(),
            ],
            inputs: vec!["scripts/smoke.sh".into()],
            platforms: vec!["linux/amd64".parse().unwrap()],
            env: [
                ("B", Template::parse("{version}").unwrap()),
                ("A", Template::literal("1")),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            timeout: Duration::from_secs(60),
            max_size: Some(ByteSize(10)),
        }
    }

    fn of(smoke: &Smoke, files: &[SmokeFile<'_>], version: &str) -> SmokeIdentity {
        smoke_identity(
            smoke,
            files,
            &[("X_VERSION".to_owned(), version.to_owned())].into(),
        )
    }

    fn file(path: &str, executable: bool) -> SmokeFile<'_> {
        SmokeFile {
            path,
            executable,
            digest: Digest::of(b"x"),
        }
    }

    #[test]
    fn what_changes_it_and_what_does_not() {
        let files = [file("a", true), file("b", false)];
        let edited = SmokeFile {
            digest: Digest::of(b"y"),
            ..file("b", false)
        };
        let first = of(&smoke(), &files, "1");

        let mut same = smoke();
        same.timeout = Duration::from_secs(1);
        same.platforms.clear();
        same.env.reverse();
        assert_eq!(of(&same, &[file("b", false), file("a", true)], "1"), first);

        let mut others = vec![
            of(&smoke(), &files, "2"),
            of(&smoke(), &files[..1], "1"),
            of(&smoke(), &[file("a", false), file("b", false)], "1"),
            of(&smoke(), &[file("ab", true), file("b", false)], "1"),
            of(&smoke(), &[file("a", true), edited], "1"),
        ];
        for change in [
            |smoke: &mut Smoke| smoke.max_size = None,
            |smoke: &mut Smoke| smoke.max_size = Some(ByteSize(11)),
            |smoke: &mut Smoke| smoke.command.truncate(1),
            |smoke: &mut Smoke| {
                smoke.env.insert("C".into(), Template::literal(""));
            },
        ] {
            let mut other = smoke();
            change(&mut other);
            others.push(of(&other, &files, "1"));
        }
        for (at, other) in others.iter().enumerate() {
            assert_ne!(*other, first, "{at}");
            assert!(!others[..at].contains(other), "{at}");
        }
    }
}
