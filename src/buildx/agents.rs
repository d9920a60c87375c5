//! SSH agents of a build: that they are there is seen before the build, not by it.

use crate::environment::Environment;
use std::path::Path;

/// An SSH agent or key that a build is to get, and that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hand the SSH agent `{id}` to the build: {reason}")]
pub struct AgentError {
    /// Its id.
    pub id: String,
    /// Why: one line.
    pub reason: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

/// Looks whether each agent is there. `ID` or `default` stands for the socket in `SSH_AUTH_SOCK`; behind `ID=` stand the path of a socket or
/// the paths of private keys, separated by commas, as `docker buildx build --ssh` takes them. Relative paths are below `root`, where buildx
/// runs.
///
/// # Errors
/// The first one that is not there.
pub fn agents_are_there(agents: &[String], root: &Path, environment: &Environment) -> Result<(), AgentError> {
    for agent in agents {
        let (id, paths) = match agent.split_once('=') {
            Some((id, paths)) => (id, Some(paths)),
            None => (agent.as_str(), None),
        };
        let missing = |reason: String, hint: &str| AgentError {
            id: id.to_owned(),
            reason,
            hints: vec![hint.to_owned()],
        };
        let Some(paths) = paths else {
            let hint = "start one with `eval \"$(ssh-agent)\"` and `ssh-add`, or name a socket or key in `ssh`: `ID=PATH`";
            let Some(socket) = environment.get("SSH_AUTH_SOCK") else {
                return Err(missing(
                    "`SSH_AUTH_SOCK` is not set: no agent runs".to_owned(),
                    hint,
                ));
            };
            if !root.join(socket).exists() {
                return Err(missing(
                    format!("there is no socket `{socket}`, which `SSH_AUTH_SOCK` names"),
                    hint,
                ));
            }
            continue;
        };
        // buildx takes one option among the paths.
        for path in paths.split(',').filter(|path| !path.starts_with("raw=")) {
            if !root.join(path).exists() {
                return Err(missing(
                    format!("there is no `{path}`"),
                    "behind `=` stands the path of an agent's socket or of a private key",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("key"), "", false);
        let socket = dir.path().join("key");
        let with = Environment::of([("SSH_AUTH_SOCK", socket.to_str().unwrap())]);
        let (without, stale) = (
            Environment::default(),
            Environment::of([("SSH_AUTH_SOCK", "/none")]),
        );
        for (agent, environment, needle) in [
            ("default", &with, ""),
            ("default", &without, "`SSH_AUTH_SOCK` is not set"),
            ("default", &stale, "no socket `/none`"),
            ("other", &without, "`SSH_AUTH_SOCK` is not set"),
            ("deploy=key", &without, ""),
            ("deploy=key,raw=true", &without, ""),
            ("deploy=key,none", &without, "no `none`"),
        ] {
            let found = agents_are_there(&[agent.to_owned()], dir.path(), environment);
            match found {
                Ok(()) => assert_eq!(needle, "", "{agent}"),
                Err(error) => assert!(
                    !needle.is_empty() && error.to_string().contains(needle),
                    "{agent}: {error}"
                ),
            }
        }
    }
}
