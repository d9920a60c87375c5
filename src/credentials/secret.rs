//! Secrets as types that cannot be shown by accident.

use std::fmt;

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
    /// The part of it that is secret.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        match self {
            Self::Password { password: secret, .. } | Self::IdentityToken(secret) => secret,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_secrets_are_not_shown() {
        let credential = Credential::new("alice", "hunter2");
        assert!(!format!("{credential:?} {}", Secret::new("hunter2")).contains("hunter2"));
    }
}
