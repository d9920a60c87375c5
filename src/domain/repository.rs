//! Repositories.

use super::{Digest, InvalidText, Tag, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str =
    "a repository: `[HOST[:PORT]/]PATH` in lower case and without a tag, for example `docker.io/acme/devbox`";

/// A repository on a registry, with its host spelled out: `docker.io/acme/devbox`, `localhost:5000/acme/tiny`.
///
/// The grammar is that of the `distribution/reference` package: the first component is a host when it holds a dot or a colon, or is
/// `localhost`; without a host it is `docker.io`, and there a single component stands for `library/…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: String,
    path: String,
}

impl Repository {
    /// The registry's host, with its port: `docker.io`, `localhost:5000`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The name of the repository on its registry: `acme/devbox`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The repository of an image reference: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, as Dockerfiles write it.
    #[must_use]
    pub fn of_reference(reference: &str) -> Option<Self> {
        let name = reference.split('@').next()?;
        // A colon after the last slash begins a tag, before it a port.
        let (folders, name) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
        let name = name.split(':').next()?;
        format!("{folders}{name}").parse().ok()
    }

    /// `HOST/PATH:TAG`, as docker takes it.
    #[must_use]
    pub fn with_tag(&self, tag: &Tag) -> String {
        format!("{self}:{tag}")
    }

    /// `HOST/PATH@DIGEST`, as docker takes it.
    #[must_use]
    pub fn with_digest(&self, digest: &Digest) -> String {
        format!("{self}@{digest}")
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// A path component: `[a-z0-9]+` joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

fn is_host(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", port.strip_prefix(':').or((!port.is_empty()).then_some("")))
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.split('.').all(label) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

impl FromStr for Repository {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidText::new(text, EXPECTED);
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
            _ => ("docker.io", text),
        };
        let host = match host {
            "index.docker.io" | "registry-1.docker.io" => "docker.io",
            host => host,
        };
        let path = if host == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if is_host(host) && path.len() <= 255 && path.split('/').all(is_component) {
            Ok(Self {
                host: host.to_owned(),
                path,
            })
        } else {
            Err(invalid())
        }
    }
}

string_serde!(Repository);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_of_references() {
        for (text, repository) in [
            ("debian:13", "docker.io/library/debian"),
            ("localhost:5000/x", "localhost:5000/x"),
            ("localhost:5000/x:1@sha256:0", "localhost:5000/x"),
            ("a.b/c@sha256:0", "a.b/c"),
        ] {
            let found = Repository::of_reference(text).unwrap();
            assert_eq!(found.to_string(), repository, "{text}");
        }
        assert_eq!(Repository::of_reference("A/b:1"), None);
    }

    #[test]
    fn hosts_are_told_from_paths() {
        for (text, full) in [
            ("debian", "docker.io/library/debian"),
            ("acme/devbox", "docker.io/acme/devbox"),
            ("index.docker.io/acme/devbox", "docker.io/acme/devbox"),
            ("localhost/acme", "localhost/acme"),
            ("localhost:5000/acme/tiny", "localhost:5000/acme/tiny"),
            ("127.0.0.1:5000/a__b/c-d", "127.0.0.1:5000/a__b/c-d"),
            ("[::1]:5000/acme", "[::1]:5000/acme"),
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), full);
        }
        for text in [
            "",
            "Acme/devbox",
            "acme/devbox:latest",
            "acme//devbox",
            "acme/_x",
            "host:port/x",
            "a.b:99999/x",
            "https://docker.io/x",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }
}
