//! Build secrets: finds out where their values are, so that the command line can name the place and never the value.

use super::Redactor;
use crate::config::{Secret, SecretSource};
use crate::environment::Environment;
use std::path::{Path, PathBuf};

/// Secret files larger than this are not looked through for values to mask, in bytes.
const LARGEST: u64 = 64 * 1024;
/// Parts of a secret file shorter than this are not masked by themselves.
const SHORTEST_PART: usize = 16;

/// A secret whose value is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedSecret {
    /// The id that the Dockerfile names.
    pub id: String,
    /// Where buildx finds the value.
    pub source: ResolvedSource,
}

/// Where buildx finds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolvedSource {
    /// In an environment variable of this name.
    Env(String),
    /// In this file; absolute, or relative to the family's root.
    File(PathBuf),
}

/// A secret that is not optional and not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("find the build secret `{id}`: {reason}")]
pub struct SecretError {
    /// Its id.
    pub id: String,
    /// Why: one line.
    pub reason: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// Finds every secret; one that is optional and missing is left out. Looks at variables and whether files exist, reads nothing.
///
/// # Errors
/// The first secret that is missing and not optional.
pub fn resolve(
    secrets: &[Secret],
    root: &Path,
    environment: &Environment,
) -> Result<Vec<ResolvedSecret>, SecretError> {
    let mut found = Vec::with_capacity(secrets.len());
    for secret in secrets {
        match missing(secret, root, environment) {
            None => found.push(named(secret)),
            Some(_) if secret.optional => {}
            Some(reason) => {
                return Err(SecretError {
                    id: secret.id.clone(),
                    reason,
                    hints: vec!["set `optional = true` if the build works without it".to_owned()],
                });
            }
        }
    }
    Ok(found)
}

/// The secrets of a build that is only shown: as [`resolve`], and what is missing and must not be counts as there.
#[must_use]
pub fn presume(secrets: &[Secret], root: &Path, environment: &Environment) -> Vec<ResolvedSecret> {
    let wanted = |secret: &&Secret| !secret.optional || missing(secret, root, environment).is_none();
    secrets.iter().filter(wanted).map(named).collect()
}

fn named(secret: &Secret) -> ResolvedSecret {
    ResolvedSecret {
        id: secret.id.clone(),
        source: match &secret.source {
            SecretSource::Env(name) => ResolvedSource::Env(name.clone()),
            SecretSource::File(file) => ResolvedSource::File(PathBuf::from(file)),
        },
    }
}

/// Why a secret is not there.
fn missing(secret: &Secret, root: &Path, environment: &Environment) -> Option<String> {
    match &secret.source {
        SecretSource::Env(name) if environment.get(name).is_none() => {
            Some(format!("the variable `{name}` is not set"))
        }
        SecretSource::File(file) if file.is_empty() => {
            Some("a variable in the name of its file is not set".to_owned())
        }
        SecretSource::File(file) if !root.join(file).is_file() => Some(format!("there is no file `{file}`")),
        SecretSource::Env(_) | SecretSource::File(_) => None,
    }
}

/// The variables that hold these secrets.
pub(super) fn variables(secrets: &[ResolvedSecret]) -> Vec<&str> {
    let named = secrets.iter().filter_map(|secret| match &secret.source {
        ResolvedSource::Env(name) => Some(name.as_str()),
        ResolvedSource::File(_) => None,
    });
    named.collect()
}

/// A redactor of the values of these secrets, and of what the environment knows to be secret. A file that cannot be read, or is larger than 64 KiB, masks nothing: buildx itself says what
/// is wrong with it.
#[must_use]
pub fn redactor(secrets: &[ResolvedSecret], root: &Path, environment: &Environment) -> Redactor {
    let mut values = Vec::new();
    for secret in secrets {
        match &secret.source {
            ResolvedSource::Env(name) => values.extend(environment.get(name).map(parts).unwrap_or_default()),
            ResolvedSource::File(file) => {
                values.extend(read(&root.join(file)).as_deref().map(parts).unwrap_or_default());
            }
        }
    }
    environment.redactor_with(values)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a secret must be known to be masked; its value goes nowhere"
)]
fn read(path: &Path) -> Option<String> {
    let length = std::fs::metadata(path).ok()?.len();
    if length > LARGEST {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// The value; for one of several lines, each long line and what stands behind its first `=`: output comes line by line.
fn parts(value: &str) -> Vec<String> {
    let value = value.trim();
    let mut parts = Vec::new();
    if value.lines().count() == 1 {
        parts.push(value.to_owned());
    }
    for line in value.lines().map(str::trim) {
        let behind = line
            .split_once('=')
            .map(|(_, behind)| behind.trim_matches(['"', '\'']));
        for part in [Some(line), behind].into_iter().flatten() {
            // URLs in an `.npmrc` are no secrets, and masking them makes a failure unreadable.
            if part.len() >= SHORTEST_PART && !part.contains("://") {
                parts.push(part.to_owned());
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(id: &str, source: SecretSource, optional: bool) -> Secret {
        Secret {
            id: id.to_owned(),
            source,
            optional,
        }
    }

    #[test]
    fn optional_ones_are_left_out_and_others_named() {
        let dir = tempfile::tempdir().unwrap();
        tempfile::Builder::new()
            .prefix("keep")
            .tempfile_in(dir.path())
            .unwrap()
            .keep()
            .unwrap();
        let env = Environment::of([("SET", "value"), ("EMPTY", "")]);
        let found = resolve(
            &[
                secret("a", SecretSource::Env("SET".into()), false),
                secret("b", SecretSource::Env("EMPTY".into()), true),
                secret("c", SecretSource::File(String::new()), true),
                secret("d", SecretSource::File("none".into()), true),
            ],
            dir.path(),
            &env,
        )
        .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].source, ResolvedSource::Env("SET".into()));
        for source in [
            SecretSource::Env("EMPTY".into()),
            SecretSource::File(String::new()),
            SecretSource::File("none".into()),
        ] {
            let error = resolve(&[secret("npmrc", source, false)], dir.path(), &env).unwrap_err();
            assert!(error.to_string().contains("`npmrc`"), "{error}");
        }
    }

    #[test]
    fn values_are_masked_line_by_line() {
        let env = Environment::of([(
            "NPMRC",
            "registry=https://npm.example.org/\n//npm.example.org/:_authToken=npm_0123456789abcdef\n",
        )]);
        let secrets = [ResolvedSecret {
            id: "npmrc".into(),
            source: ResolvedSource::Env("NPMRC".into()),
        }];
        let redactor = redactor(&secrets, Path::new("/"), &env);
        assert_eq!(
            redactor.line("GET https://npm.example.org/ with npm_0123456789abcdef"),
            "GET https://npm.example.org/ with ***"
        );
    }
}
