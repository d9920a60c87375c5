//! Docker Hub deletes tags through its own API only.

use crate::config::Family;
use crate::credentials::{Credential, Credentials, Secret};
use crate::domain::Tag;
use crate::environment::Environment;
use crate::pace::Pace;
use crate::target::TargetError;
use crate::target::registry::{HUB, Hub, Observer, Options};

/// The host of Docker Hub.
const DOCKER_HUB: &str = "docker.io";

/// Why tags cannot be deleted through the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HubError {
    /// What was attempted and why it failed.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// An account that deletes tags of one repository.
#[derive(Debug)]
pub struct HubAccount {
    hub: Hub,
    repository: crate::domain::Repository,
    username: String,
    password: Secret,
    token: tokio::sync::OnceCell<Secret>,
}

impl HubAccount {
    /// The account for the family's machine tags, where they are on Docker Hub, or `SPLITBASE_HUB_URL` names another address of its API. Sends
    /// nothing yet.
    ///
    /// # Errors
    /// Nobody is logged in, or not with a password; or the address is none.
    pub async fn of(
        family: &Family,
        environment: &Environment,
        observer: Observer,
        pace: Pace,
    ) -> Result<Option<Self>, HubError> {
        let repository = family.work().clone();
        let host = repository.host();
        let address = environment.get("SPLITBASE_HUB_URL");
        let Some(address) = address.or((host == DOCKER_HUB).then_some(HUB)) else {
            return Ok(None);
        };
        let attempted = format!("delete tags of `{repository}`");
        let error = |reason: &str, hint: &str| HubError {
            message: format!("{attempted}: {reason}"),
            hint: hint.to_owned(),
        };
        let login = "`docker login --username NAME` with an access token, or `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD`";
        let credentials = Credentials::of(environment, Some(host));
        let found = credentials.for_host(host).await;
        let (username, password) = match found.map_err(|failed| error(&failed.to_string(), &failed.hint))? {
            Some(Credential::Password { username, password }) => (username, password),
            Some(Credential::IdentityToken(_)) => {
                return Err(error(
                    "the login holds an identity token, and Docker Hub's API wants a password",
                    login,
                ));
            }
            None => return Err(error(&format!("nobody is logged in to {host}"), login)),
        };
        let options = Options {
            pace,
            ..Options::default()
        };
        let hub = Hub::new(address, family.retry.clone(), observer, options).map_err(|reason| {
            error(
                &format!("SPLITBASE_HUB_URL cannot be used: {reason}"),
                "leave it unset for Docker Hub itself",
            )
        })?;
        Ok(Some(Self {
            hub,
            repository,
            username,
            password,
            token: tokio::sync::OnceCell::new(),
        }))
    }

    /// Deletes a tag; logs in before the first.
    ///
    /// # Errors
    /// The account is not accepted, may not do this, or the API could not be reached.
    pub async fn delete(&self, tag: &Tag) -> Result<(), TargetError> {
        let log_in = || self.hub.log_in(&self.repository, &self.username, &self.password);
        let token = self.token.get_or_try_init(log_in).await?;
        self.hub.delete_tag(&self.repository, tag, token).await
    }
}
