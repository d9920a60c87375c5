//! Where the credentials for the family's registry come from. Never what they are.

use super::check::{Check, Kind};
use crate::credentials::{CredentialSource, CredentialsError};

/// The verdict.
pub(super) fn judge(host: &str, source: &Result<CredentialSource, CredentialsError>) -> Check {
    match source {
        Err(error) => Check::error(Kind::Credentials, error.to_string()).mend(error.hint.clone()),
        Ok(source) => Check::ok(Kind::Credentials, format!("for {host}: {}", words(source))),
    }
}

/// The source in words.
pub(super) fn words(source: &CredentialSource) -> String {
    match source {
        CredentialSource::Variables => "from SPLITBASE_USERNAME and SPLITBASE_PASSWORD".to_owned(),
        CredentialSource::DockerVariable => "from DOCKER_AUTH_CONFIG".to_owned(),
        CredentialSource::Helper(name) => format!("from `docker-credential-{name}`"),
        CredentialSource::File(path) => format!("from `{}`", path.display()),
        CredentialSource::Nowhere => "none, it is asked anonymously".to_owned(),
    }
}
