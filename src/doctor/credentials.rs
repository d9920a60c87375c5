//! Where the credentials for the family's registry come from. Never what they are.

use super::check::{Check, Kind};
use crate::credentials::{CredentialSource, CredentialsError};

/// The verdict.
pub(super) fn judge(host: &str, source: &Result<CredentialSource, CredentialsError>) -> Check {
    match source {
        Err(error) => Check::error(Kind::Credentials, error.to_string()).mend(error.hint.clone()),
        Ok(source) => Check::ok(Kind::Credentials, format!("for {host}: {source}")),
    }
}
