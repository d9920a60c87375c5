//! The user's credentials for a registry, from the variables of this program or from docker's login state, and a folder that hands the former on to docker.
//!
//! Nothing here is ever printed. Docker's own rules are followed (docker/cli, `cli/config`), so that docker and this program come to the same credential.

mod docker_config;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod helper;
mod lookup;
mod private;
mod secret;
mod source;

pub use lookup::{Credentials, CredentialsError};
pub use private::{PrivateConfig, PrivateConfigError, sweep};
pub use secret::{Credential, Secret};
pub use source::CredentialSource;
