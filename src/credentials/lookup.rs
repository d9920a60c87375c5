//! Finds the credential for a host.

use super::docker_config::{self, DockerConfig, Found};
use super::helper;
use super::secret::{Credential, Secret};
use super::source::CredentialSource;
use crate::environment::Environment;
use futures_util::future::{BoxFuture, FutureExt as _};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a credential helper may take: one that waits for a person at a key ring must not hang a run.
const HELPER_TIMEOUT: Duration = Duration::from_secs(20);

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

#[derive(Debug, Default)]
struct Sources {
    /// Credentials by host, from variables; a reason where they are incomplete.
    given: BTreeMap<String, Result<Credential, String>>,
    /// Docker's `config.json`.
    config: Option<PathBuf>,
    /// What helpers get, and docker's own variable is read from.
    environment: Environment,
    /// Where those that were asked for came from.
    used: Mutex<BTreeMap<String, CredentialSource>>,
}

impl Credentials {
    /// Nobody's: every registry is asked anonymously.
    #[must_use]
    pub fn anonymous() -> Self {
        Self(Arc::default())
    }

    /// One credential for one host, and none for the others.
    #[must_use]
    pub fn fixed(host: &str, credential: Credential) -> Self {
        Self(Arc::new(Sources {
            given: BTreeMap::from([(host.to_lowercase(), Ok(credential))]),
            ..Sources::default()
        }))
    }

    /// The user's: `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD` for `family_host`, the registry of the family, and docker's login state
    /// (`$DOCKER_AUTH_CONFIG`, then `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`) for all others.
    #[must_use]
    pub fn of(environment: &Environment, family_host: Option<&str>) -> Self {
        let given = family_host
            .zip(given(environment))
            .map(|(host, given)| (host.to_lowercase(), given))
            .into_iter()
            .collect();
        Self(Arc::new(Sources {
            given,
            config: docker_config::folder(environment).map(|folder| folder.join("config.json")),
            environment: environment.for_children(),
            used: Mutex::default(),
        }))
    }

    /// Whether this host's come from variables of this program, and not from docker's login state.
    #[must_use]
    pub fn given_for(&self, host: &str) -> bool {
        self.0.given.contains_key(&host.to_lowercase())
    }

    /// What `DOCKER_AUTH_CONFIG` has. Docker takes it before any file, and passes over it when it is damaged.
    fn in_variable(&self, host: &str) -> Option<Credential> {
        let text = self.0.environment.get("DOCKER_AUTH_CONFIG")?;
        match DockerConfig::parse(text).ok()?.find(host) {
            Ok(Found::Credential(credential)) => Some(credential),
            _ => None,
        }
    }

    /// Where the credentials for a registry come from. Asks for them, to know whether there are any.
    ///
    /// # Errors
    /// They are there, but cannot be got at.
    pub async fn source(&self, host: &str) -> Result<CredentialSource, CredentialsError> {
        Ok(self.look_up(&host.to_lowercase()).await?.1)
    }

    /// Where the credentials for a registry came from when they were asked for last; `None` when they never were.
    #[must_use]
    pub fn used(&self, host: &str) -> Option<CredentialSource> {
        let used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(&host.to_lowercase()).cloned()
    }

    /// Keeps all that docker's configuration holds out of all texts of this run, whatever host it is for: a test or a build may print the file.
    pub fn hide_all(&self) {
        let sources = &*self.0;
        let variable = sources.environment.get("DOCKER_AUTH_CONFIG");
        let variable = variable.and_then(|text| DockerConfig::parse(text).ok());
        // One that is damaged is told where it is needed.
        let file = sources
            .config
            .as_ref()
            .and_then(|file| DockerConfig::read(file).ok());
        for secret in variable.iter().chain(&file).flat_map(DockerConfig::secrets) {
            sources.environment.hide(secret);
        }
    }

    /// Keeps something that was got for a credential, such as a token, out of all texts of this run.
    pub fn hide(&self, secret: &Secret) {
        self.0.environment.hide(secret.expose());
    }

    /// The credential for a registry; `None` means anonymously. May run a credential helper, for at most 20 s.
    ///
    /// # Errors
    /// The configuration is damaged, or a helper failed otherwise than by knowing nothing of the host.
    pub async fn for_host(&self, host: &str) -> Result<Option<Credential>, CredentialsError> {
        let host = host.to_lowercase();
        let (credential, source) = self.look_up(&host).await?;
        if let Some(credential) = &credential {
            self.hide(credential.secret());
        }
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(host, source);
        Ok(credential)
    }

    async fn look_up(&self, host: &str) -> Result<(Option<Credential>, CredentialSource), CredentialsError> {
        let sources = &*self.0;
        let failed = |(reason, hint)| CredentialsError {
            host: host.to_owned(),
            reason,
            hint,
        };
        if let Some(given) = sources.given.get(host) {
            return given
                .clone()
                .map(|credential| (Some(credential), CredentialSource::Variables))
                .map_err(|reason| failed((reason, "set both variables or neither".to_owned())));
        }
        if let Some(credential) = self.in_variable(host) {
            return Ok((Some(credential), CredentialSource::DockerVariable));
        }
        let Some(config) = &sources.config else {
            return Ok((None, CredentialSource::Nowhere));
        };
        let found = DockerConfig::read(config).and_then(|found| {
            found
                .find(host)
                .map_err(|reason| format!("`{}`: {reason}", config.display()))
        });
        match found.map_err(|reason| failed((reason, check(config))))? {
            Found::Nobody => Ok((None, CredentialSource::Nowhere)),
            Found::Credential(credential) => Ok((Some(credential), CredentialSource::File(config.clone()))),
            Found::Helper { name, server } => {
                // Boxed: it is rare, and far down in the types of all that asks a registry.
                let asked: BoxFuture<'_, _> =
                    helper::ask(&name, &server, &sources.environment, HELPER_TIMEOUT).boxed();
                let credential = asked.await.map_err(|(reason, hint)| {
                    let reason = format!("{reason}; `{}` names it", config.display());
                    failed((reason, hint))
                })?;
                let source = match credential {
                    Some(_) => CredentialSource::Helper(name),
                    None => CredentialSource::HelperWithout(name),
                };
                Ok((credential, source))
            }
        }
    }
}

/// What the two variables give; `None` where neither is set.
pub(super) fn given(environment: &Environment) -> Option<Result<Credential, String>> {
    match (
        environment.get("SPLITBASE_USERNAME"),
        environment.get(crate::environment::PASSWORD),
    ) {
        (Some(username), Some(password)) => Some(Ok(Credential::new(username, password))),
        (Some(_), None) => Some(Err(
            "SPLITBASE_USERNAME is set, SPLITBASE_PASSWORD is not".to_owned()
        )),
        (None, Some(_)) => Some(Err(
            "SPLITBASE_PASSWORD is set, SPLITBASE_USERNAME is not".to_owned()
        )),
        (None, None) => None,
    }
}

fn check(config: &Path) -> String {
    format!(
        "check `auths`, `credsStore` and `credHelpers` in `{}`",
        config.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;

    fn folder(config: &str) -> (tempfile::TempDir, Credentials) {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("config.json"), config, false);
        let script = "#!/bin/sh\necho '{\"Username\":\"kept\",\"Secret\":\"by a helper\"}'\n";
        write(&folder.path().join("docker-credential-x"), script, true);
        let path = folder.path().to_str().unwrap();
        let search = format!("{path}:/usr/bin:/bin");
        let environment = Environment::of([("DOCKER_CONFIG", path), ("PATH", &search)]);
        let credentials = Credentials::of(&environment, Some("registry.example"));
        (folder, credentials)
    }

    #[tokio::test]
    async fn credentials_from_the_file_and_from_helpers() {
        // "alice:hunter2"
        let (_folder, credentials) = folder(
            r#"{"auths":{"registry.example":{"auth":"YWxpY2U6aHVudGVyMg=="}},
                "credHelpers":{"helped.example":"x", "broken.example":"does-not-exist-anywhere"}}"#,
        );
        let found = credentials.for_host("Registry.example").await.unwrap();
        assert_eq!(found, Some(Credential::new("alice", "hunter2")));
        let found = credentials.for_host("helped.example").await.unwrap();
        assert_eq!(found, Some(Credential::new("kept", "by a helper")));
        let error = credentials.for_host("broken.example").await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("`docker-credential-does-not-exist-anywhere`"),
            "{error}"
        );
        assert_eq!(credentials.for_host("other.example").await.unwrap(), None);
        let (_folder, all) = folder(r#"{"auths":{"registry.example":{}},"credsStore":"x"}"#);
        let found = all.for_host("registry.example").await.unwrap();
        assert_eq!(found, Some(Credential::new("kept", "by a helper")));
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
    async fn credentials_from_dockers_own_variable_come_before_its_file() {
        let (folder, _) = folder(r#"{"auths":{"b.example":{"auth":"YWxpY2U6aHVudGVyMg=="}}}"#);
        let path = folder.path().to_str().unwrap();
        let variable = r#"{"auths":{"a.example":{"auth":"dTpw"}}}"#;
        let environment = Environment::of([("DOCKER_CONFIG", path), ("DOCKER_AUTH_CONFIG", variable)]);
        let credentials = Credentials::of(&environment, None);
        let found = credentials.for_host("a.example").await.unwrap();
        assert_eq!(found, Some(Credential::new("u", "p")));
        let found = credentials.for_host("b.example").await.unwrap();
        assert_eq!(found, Some(Credential::new("alice", "hunter2")));
    }

    #[tokio::test]
    async fn credentials_missing_file_is_anonymous_and_a_damaged_one_an_error() {
        let environment = Environment::of([("DOCKER_CONFIG", "/nonexistent")]);
        let missing = Credentials::of(&environment, None);
        assert_eq!(missing.for_host("docker.io").await.unwrap(), None);
        let (_folder, damaged) = folder("{");
        let error = damaged.for_host("docker.io").await.unwrap_err();
        assert!(error.reason.contains("config.json` is not valid JSON"), "{error}");
    }
}
