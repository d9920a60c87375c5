//! Where the credentials for a host come from, for `doctor`.

use super::docker_config::{DockerConfig, Found};
use super::lookup::{Credentials, CredentialsError};
use std::path::PathBuf;

/// Where the credentials for a host come from. Says nothing of what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`.
    Variables,
    /// `DOCKER_AUTH_CONFIG`.
    DockerVariable,
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
        if self.given_for(&host) {
            return Ok(CredentialSource::Variables);
        }
        if self.in_variable(&host).is_some() {
            return Ok(CredentialSource::DockerVariable);
        }
        let Some(file) = self.config() else {
            return Ok(CredentialSource::Nowhere);
        };
        let found = DockerConfig::read(file).and_then(|config| config.find(&host));
        Ok(match found {
            Ok(Found::Helper { name, .. }) => CredentialSource::Helper(name),
            _ => CredentialSource::File(file.to_owned()),
        })
    }
}
