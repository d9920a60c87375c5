//! The user's credentials for a registry, from the variables of this program or from docker's login state.
//!
//! Docker's `config.json` is read through the crate `docker_credential`, which also runs credential helpers. Nothing here is ever printed.

use crate::environment::Environment;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a credential helper may take: one that waits for a person at a key ring must not hang a run.
const HELPER_TIMEOUT: Duration = Duration::from_secs(20);
/// The key of Docker Hub in docker's configuration, for historical reasons a URL.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// User name that marks an identity token (docker's `cli/config/credentials`).
const IDENTITY_TOKEN_USER: &str = "<token>";

/// Text that must never be shown: `Debug` and `Display` give `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, to be sent to where it belongs and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What proves to a registry who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user name and its password or access token.
    Password {
        /// The user.
        username: String,
        /// The password or access token.
        password: Secret,
    },
    /// A refresh token, to be exchanged at the token server (Azure, `docker login` through a browser).
    IdentityToken(Secret),
}

impl Credential {
    /// A credential of these two; the user `<token>` marks an identity token.
    pub fn new(username: impl Into<String>, secret: impl Into<String>) -> Self {
        let (username, secret) = (username.into(), Secret::new(secret));
        if username == IDENTITY_TOKEN_USER {
            Self::IdentityToken(secret)
        } else {
            Self::Password {
                username,
                password: secret,
            }
        }
    }
}

/// Credentials that are there, but could not be got at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("credentials for `{host}`: {reason}")]
pub struct CredentialsError {
    /// The registry.
    pub host: String,
    /// Why; without anything that a helper printed.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// Finds the credentials for a host.
#[derive(Debug, Clone)]
pub struct Credentials(Arc<Sources>);

#[derive(Debug)]
struct Sources {
    /// Credentials by host, from variables; a reason where they are incomplete.
    given: BTreeMap<String, Result<Credential, String>>,
    /// Docker's `config.json`.
    config: Option<PathBuf>,
    timeout: Duration,
}

impl Credentials {
    /// Nobody's: every registry is asked anonymously.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::sources(BTreeMap::new(), None)
    }

    /// One credential for one host, and none for the others.
    #[must_use]
    pub fn fixed(host: &str, credential: Credential) -> Self {
        Self::sources(BTreeMap::from([(host.to_lowercase(), Ok(credential))]), None)
    }

    /// The user's: `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD` for `family_host`, the registry of the family, and docker's login state
    /// (`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`) for all others.
    #[must_use]
    pub fn of(environment: &Environment, family_host: Option<&str>) -> Self {
        let username = environment.get("SPLITBASE_USERNAME");
        let password = environment.get("SPLITBASE_PASSWORD");
        let given = match (username, password) {
            (Some(username), Some(password)) => Some(Ok(Credential::new(username, password))),
            (Some(_), None) => Some(Err(
                "SPLITBASE_USERNAME is set, SPLITBASE_PASSWORD is not".to_owned()
            )),
            (None, Some(_)) => Some(Err(
                "SPLITBASE_PASSWORD is set, SPLITBASE_USERNAME is not".to_owned()
            )),
            (None, None) => None,
        };
        let given = family_host
            .zip(given)
            .map(|(host, given)| (host.to_lowercase(), given))
            .into_iter()
            .collect();
        let folder = environment
            .get("DOCKER_CONFIG")
            .map(|folder| environment.directory().join(folder))
            .or_else(|| environment.home().map(|home| home.join(".docker")));
        Self::sources(given, folder.map(|folder| folder.join("config.json")))
    }

    fn sources(given: BTreeMap<String, Result<Credential, String>>, config: Option<PathBuf>) -> Self {
        Self(Arc::new(Sources {
            given,
            config,
            timeout: HELPER_TIMEOUT,
        }))
    }

    /// The credential for a registry; `None` means anonymously. May run a credential helper, for at most 20 s.
    ///
    /// # Errors
    /// The configuration is damaged, or a helper failed otherwise than by knowing nothing of the host.
    pub async fn for_host(&self, host: &str) -> Result<Option<Credential>, CredentialsError> {
        let host = host.to_lowercase();
        if let Some(given) = self.0.given.get(&host) {
            return given.clone().map(Some).map_err(|reason| CredentialsError {
                host,
                reason,
                hint: "set both variables or neither".to_owned(),
            });
        }
        let Some(config) = self.0.config.clone() else {
            return Ok(None);
        };
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let (file, asked) = (config.clone(), host.clone());
        // A thread of its own and not one of tokio's: those are waited for at the end of the program, and a helper that hangs would hang it.
        std::thread::spawn(move || sender.send(from_config(&file, &asked)));
        let timeout = self.0.timeout;
        let (reason, hint) = match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(Ok(credential))) => return Ok(credential),
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(_)) => ("reading them failed".to_owned(), check(&config)),
            Err(_) => (
                format!(
                    "the credential helper did not answer within {} s",
                    timeout.as_secs()
                ),
                "unlock the key ring, or log in without a helper".to_owned(),
            ),
        };
        Err(CredentialsError { host, reason, hint })
    }
}

/// Where the credentials for a host come from. Says nothing of what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`.
    Variables,
    /// A credential helper of docker: `docker-credential-NAME`.
    Helper(String),
    /// `auths` of docker's `config.json`, which is this file.
    File(PathBuf),
    /// There are none: the registry is asked anonymously.
    Nowhere,
}

impl Credentials {
    /// Where the credentials for a registry come from. Asks for them, to know whether there are any.
    ///
    /// # Errors
    /// They are there, but cannot be got at.
    pub async fn source(&self, host: &str) -> Result<CredentialSource, CredentialsError> {
        let host = host.to_lowercase();
        if self.for_host(&host).await?.is_none() {
            return Ok(CredentialSource::Nowhere);
        }
        if self.0.given.contains_key(&host) {
            return Ok(CredentialSource::Variables);
        }
        let Some(file) = self.0.config.clone() else {
            return Ok(CredentialSource::Nowhere);
        };
        Ok(match helper(&file, &host) {
            Some(name) => CredentialSource::Helper(name),
            None => CredentialSource::File(file),
        })
    }
}

/// The helper that docker's configuration names for a host.
#[expect(
    clippy::disallowed_methods,
    reason = "docker's login state is this module's to read"
)]
fn helper(config: &Path, host: &str) -> Option<String> {
    let text = std::fs::read_to_string(config).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    let name = |value: &serde_json::Value| value.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    let own = config.get("credHelpers");
    keys(host)
        .into_iter()
        .find_map(|key| own?.get(key).and_then(name))
        .or_else(|| config.get("credsStore").and_then(name))
}

fn check(config: &Path) -> String {
    format!(
        "check `auths`, `credsStore` and `credHelpers` in `{}`",
        config.display()
    )
}

/// The names under which docker keeps a host, the usual one first.
fn keys(host: &str) -> Vec<&str> {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => {
            vec![
                DOCKER_HUB_KEY,
                "index.docker.io",
                "docker.io",
                "registry-1.docker.io",
            ]
        }
        host => vec![host],
    }
}

/// Blocks: runs a helper where the configuration names one.
fn from_config(config: &Path, host: &str) -> Result<Option<Credential>, (String, String)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "docker's login state is this module's to read"
    )]
    let text = match std::fs::read_to_string(config) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err((format!("read `{}`: {error}", config.display()), check(config))),
    };
    let keys = keys(host);
    // `credHelpers` is looked up by its exact key; everything else by any of a host's names.
    let helpers = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|config| config.get("credHelpers")?.as_object().cloned())
        .unwrap_or_default();
    let key = keys
        .iter()
        .copied()
        .find(|key| helpers.contains_key(*key))
        .or(keys.first().copied())
        .unwrap_or(host);
    match docker_credential::get_credential_from_reader(text.as_bytes(), key) {
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::IdentityToken(Secret::new(token)))),
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            Ok(Some(Credential::new(username, password)))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => {
            Ok(None)
        }
        Err(error) => failure(error, config),
    }
}

/// What a failure means. Never the error's own text: it holds all that the helper printed.
fn failure(error: CredentialRetrievalError, config: &Path) -> Result<Option<Credential>, (String, String)> {
    let reason = match error {
        CredentialRetrievalError::HelperFailure {
            helper,
            stdout,
            stderr,
        } => {
            if stdout.contains("credentials not found") || stderr.contains("credentials not found") {
                return Ok(None);
            }
            format!("`{helper}` failed")
        }
        CredentialRetrievalError::HelperCommunicationError => {
            "the credential helper could not be run: is `docker-credential-…` on PATH?".to_owned()
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            "the credential helper's answer cannot be read".to_owned()
        }
        CredentialRetrievalError::CredentialMismatchError => {
            "`auth` does not agree with `username` and `password`".to_owned()
        }
        CredentialRetrievalError::CredentialDecodingError => {
            "`auth` is not base64 of `USER:PASSWORD`".to_owned()
        }
        CredentialRetrievalError::ConfigReadError => format!("`{}` is not valid", config.display()),
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => {
            return Ok(None);
        }
    };
    Err((reason, check(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test writes docker's configuration")]
    fn folder(config: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::File::create(folder.path().join("config.json"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, config.as_bytes()))
            .unwrap();
        let environment = Environment::of([("DOCKER_CONFIG", folder.path().to_str().unwrap())]);
        let credentials = Credentials::of(&environment, Some("registry.example"));
        (folder, credentials)
    }

    #[test]
    fn credentials_secrets_are_not_shown() {
        let credential = Credential::new("alice", "hunter2");
        assert!(!format!("{credential:?} {}", Secret::new("hunter2")).contains("hunter2"));
    }

    #[tokio::test]
    async fn credentials_from_auths_under_any_name_of_the_host() {
        // "alice:hunter2", "bob:pw"
        let (_folder, credentials) = folder(
            r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWxpY2U6aHVudGVyMg=="},
                "registry.example":{"auth":"Ym9iOnB3"},
                "azure.example":{"auth":"Og==","identitytoken":"refresh"}}}"#,
        );
        assert_eq!(
            credentials.for_host("docker.io").await.unwrap(),
            Some(Credential::new("alice", "hunter2"))
        );
        assert_eq!(
            credentials.for_host("registry.example").await.unwrap(),
            Some(Credential::new("bob", "pw"))
        );
        assert_eq!(
            credentials.for_host("azure.example").await.unwrap(),
            Some(Credential::IdentityToken(Secret::new("refresh")))
        );
        assert_eq!(credentials.for_host("other.example").await.unwrap(), None);
    }

    #[tokio::test]
    async fn credentials_from_variables_come_first_for_the_family_alone() {
        let environment = Environment::of([("SPLITBASE_USERNAME", "u"), ("SPLITBASE_PASSWORD", "p")]);
        let credentials = Credentials::of(&environment, Some("Registry.example"));
        assert_eq!(
            credentials.for_host("registry.example").await.unwrap(),
            Some(Credential::new("u", "p"))
        );
        assert_eq!(credentials.for_host("docker.io").await.unwrap(), None);
        let half = Credentials::of(&Environment::of([("SPLITBASE_USERNAME", "u")]), Some("a.example"));
        assert!(half.for_host("a.example").await.is_err());
    }

    #[tokio::test]
    async fn credentials_missing_file_is_anonymous_and_a_damaged_one_an_error() {
        let environment = Environment::of([("DOCKER_CONFIG", "/nonexistent")]);
        let missing = Credentials::of(&environment, None);
        assert_eq!(missing.for_host("docker.io").await.unwrap(), None);
        let (_folder, damaged) = folder("{");
        assert!(damaged.for_host("docker.io").await.is_err());
    }

    #[test]
    fn credentials_helper_that_knows_nothing_means_anonymous_and_one_that_fails_keeps_its_output_to_itself() {
        let not_found = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: "credentials not found in native keychain".to_owned(),
            stderr: String::new(),
        };
        assert_eq!(failure(not_found, Path::new("c")), Ok(None));
        let leaky = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".to_owned(),
            stdout: "hunter2".to_owned(),
            stderr: "hunter2".to_owned(),
        };
        let (reason, hint) = failure(leaky, Path::new("c")).unwrap_err();
        assert!(!format!("{reason} {hint}").contains("hunter2"));
        assert!(reason.contains("docker-credential-x"));
    }

    #[tokio::test]
    async fn credentials_helper_is_chosen_by_any_name_of_the_host() {
        let (_folder, credentials) = folder(r#"{"credHelpers":{"docker.io":"does-not-exist-anywhere"}}"#);
        let error = credentials.for_host("docker.io").await.unwrap_err();
        assert!(error.reason.contains("could not be run"), "{error}");
        assert_eq!(credentials.for_host("registry.example").await.unwrap(), None);
    }
}
