//! Which secrets a child may know.

use super::{looks_harmless, looks_like_secret};
use std::collections::BTreeSet;

/// What a child is for, and so which secrets of the environment it may know. None gets the password for the registry.
///
/// Variables that `secrets` in `variants.toml` name belong to builds, those of npm to version sources and builds, those of cosign to cosign. What else
/// a variable holds, and who needs it, is the user's matter: a cloud's keys unlock credential helpers, cache and keys to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child<'a> {
    /// It looks at this machine alone, as `git describe` does: nothing that looks like a secret.
    Local,
    /// It logs in somewhere, with what it has itself: `git ls-remote`, credential helpers.
    Login,
    /// A command of the family's own that prints a version.
    Version,
    /// It speaks to the engine or a builder, or is a smoke test.
    Docker,
    /// A build with secrets that are in these variables.
    Build(&'a [&'a str]),
    /// cosign.
    Sign,
}

/// Docker's login state in a variable.
const DOCKER: &str = "DOCKER_AUTH_CONFIG";

/// Variables with which cosign signs, and nothing else does anything.
pub(crate) const SIGNING: [&str; 5] = [
    "COSIGN_PASSWORD",
    "COSIGN_PRIVATE_KEY",
    "COSIGN_PKCS11_PIN",
    "SIGSTORE_ID_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
];

/// Whether a variable is npm's, and holds a credential.
pub(super) fn is_npms(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(lower.as_str(), "npm_token" | "node_auth_token")
        || lower.starts_with("npm_config_") && (lower.contains("_auth") || lower.contains("_password"))
}

impl Child<'_> {
    /// Whether it can do without a variable that may hold a secret.
    pub(super) fn needs_not(self, name: &str, of_builds: &BTreeSet<String>) -> bool {
        let build = of_builds.contains(name);
        let (npm, signing) = (is_npms(name), SIGNING.contains(&name));
        match self {
            Self::Local => build || npm || name == DOCKER || looks_like_secret(name) && !looks_harmless(name),
            Self::Login => build || npm || signing || name == DOCKER,
            Self::Version => signing || name == DOCKER,
            Self::Docker => build || npm || signing,
            Self::Build(own) => (build || npm || signing) && !own.contains(&name),
            Self::Sign => build || npm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, PASSWORD};

    #[test]
    fn children_know_what_they_need() {
        let names = [
            PASSWORD,
            "BUILD",
            "OTHER_BUILD",
            "NPM_TOKEN",
            "npm_config_//r/:_authToken",
            "COSIGN_PASSWORD",
            "DOCKER_AUTH_CONFIG",
            "AWS_SECRET_ACCESS_KEY",
            "PATH",
        ];
        let environment = Environment::of(names.map(|name| (name, "value")));
        environment.learn_secrets(["BUILD", "OTHER_BUILD"]);
        let docker = ["AWS_SECRET_ACCESS_KEY", "DOCKER_AUTH_CONFIG", "PATH"];
        for (child, known) in [
            (Child::Local, vec!["PATH"]),
            (Child::Login, vec!["AWS_SECRET_ACCESS_KEY", "PATH"]),
            (
                Child::Version,
                vec![
                    "AWS_SECRET_ACCESS_KEY",
                    "BUILD",
                    "NPM_TOKEN",
                    "OTHER_BUILD",
                    "PATH",
                    "npm_config_//r/:_authToken",
                ],
            ),
            (Child::Docker, docker.to_vec()),
            (Child::Build(&[]), docker.to_vec()),
            (
                Child::Build(&["BUILD"]),
                [&docker[..1], &["BUILD"], &docker[1..]].concat(),
            ),
            (
                Child::Sign,
                [&docker[..1], &["COSIGN_PASSWORD"], &docker[1..]].concat(),
            ),
        ] {
            let given = environment.for_child(child);
            let left: Vec<_> = given.iter().map(|(name, _)| name).collect();
            assert_eq!(left, known, "{child:?}");
            assert_eq!(given.withheld().count(), names.len() - known.len(), "{child:?}");
        }
        // One that is set on purpose goes along.
        let given = environment.for_child(Child::Docker).with("BUILD", "named");
        assert_eq!(given.get("BUILD"), Some("named"));
        assert!(given.withheld().all(|name| name != "BUILD"));
    }
}
