//! Where the credentials for a host come from: named in errors and by `doctor`, never what they are.

use std::fmt;
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
    /// A credential helper is in charge and knows nothing of the host: the registry is asked anonymously.
    HelperWithout(String),
    /// There are none: the registry is asked anonymously.
    Nowhere,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables => f.write_str("from SPLITBASE_USERNAME and SPLITBASE_PASSWORD"),
            Self::DockerVariable => f.write_str("from DOCKER_AUTH_CONFIG"),
            Self::Helper(name) => write!(f, "from `docker-credential-{name}`"),
            Self::File(path) => write!(f, "from `{}`", path.display()),
            Self::HelperWithout(name) => write!(
                f,
                "none, `docker-credential-{name}` has none for it, so it is asked anonymously"
            ),
            Self::Nowhere => f.write_str("none, it is asked anonymously"),
        }
    }
}
