//! A private folder with docker's configuration for one run: the user's own, but with the credential of the variables for one registry.
//!
//! See `docs/decisions/private-docker-config.md` for why it is made so.

use super::docker_config::{self, DockerConfig};
use super::lookup::given;
use super::secret::Credential;
use crate::environment::Environment;
use crate::process::{self, Leftover};
use base64::Engine as _;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How the name of such a folder begins.
const PREFIX: &str = "splitbase-login-";
/// Another process may take a new folder for a leftover before it is locked; this many of them in a row cannot be chance.
const ATTEMPTS: usize = 8;

/// It could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make a private folder for docker's configuration: {reason}")]
pub struct PrivateConfigError {
    /// Why: one line.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// The folder. It is removed when this is dropped; when the process is killed, by a child that outlives it, or by the next run's [`sweep`].
#[derive(Debug)]
pub struct PrivateConfig {
    // In the order in which they go: the folder, the child that would remove it, the lock.
    folder: tempfile::TempDir,
    _leftover: Leftover,
    _lock: File,
    /// What must be masked: as it stands in the folder.
    encoded: Option<String>,
    /// `DOCKER_AUTH_CONFIG` without the host, where it had something for it: docker would take that first.
    variable: Option<String>,
}

impl PrivateConfig {
    /// Makes one where `SPLITBASE_USERNAME` and `SPLITBASE_PASSWORD` are both set. The credential is for `host`; all else is as the user has it:
    /// other keys of `config.json`, and links to everything beside it (contexts, plugins, builders).
    ///
    /// # Errors
    /// The user's `config.json` is damaged, or the folder could not be written.
    pub fn of(environment: &Environment, host: &str) -> Result<Option<Self>, PrivateConfigError> {
        let Some(Ok(credential)) = given(environment) else {
            return Ok(None);
        };
        let host = host.to_lowercase();
        let own = docker_config::folder(environment);
        let config = own
            .as_ref()
            .map_or_else(
                || Ok(DockerConfig::default()),
                |own| DockerConfig::read(&own.join("config.json")),
            )
            .map_err(|reason| PrivateConfigError {
                reason,
                hint: "mend the file; `DOCKER_CONFIG` says where it is".to_owned(),
            })?
            .with_credential(&host, &credential);
        let parent = parents(environment)
            .into_iter()
            .next()
            .unwrap_or_else(|| PathBuf::from("/tmp"));
        let failed = |error: std::io::Error| PrivateConfigError {
            reason: format!("in `{}`: {error}", parent.display()),
            hint: "set TMPDIR to a folder that this user can write to".to_owned(),
        };
        let (folder, lock) = locked(&parent).map_err(failed)?;
        let leftover = process::remove_at_end(folder.path(), environment);
        if let Some(own) = &own {
            link(own, folder.path()).map_err(failed)?;
        }
        write(&folder.path().join("config.json"), &config.text()).map_err(failed)?;
        let variable = environment.get("DOCKER_AUTH_CONFIG");
        let variable = variable.and_then(|text| DockerConfig::parse(text).ok()?.without_host(&host));
        let encoded = match &credential {
            Credential::Password { username, password } => {
                let pair = format!("{username}:{}", password.expose());
                Some(base64::engine::general_purpose::STANDARD.encode(pair))
            }
            Credential::IdentityToken(_) => None,
        };
        Ok(Some(Self {
            folder,
            _leftover: leftover,
            _lock: lock,
            encoded,
            variable: variable.map(|variable| variable.text()),
        }))
    }

    /// The environment for children that pull or push: `DOCKER_CONFIG` is this folder, and builders are where the user has them.
    #[must_use]
    pub fn environment(&self, children: Environment) -> Environment {
        let folder = self.folder.path().display().to_string();
        let mut children = children.with("DOCKER_CONFIG", folder);
        if let Some(variable) = &self.variable {
            children = children.with("DOCKER_AUTH_CONFIG", variable.clone());
        }
        match &self.encoded {
            Some(encoded) => {
                children.hide(encoded.clone());
                children
            }
            None => children,
        }
    }
}

/// Removes what runs that were killed have left: folders of this user that no living process holds a lock on.
pub fn sweep(environment: &Environment) {
    for parent in parents(environment) {
        for path in folders(&parent) {
            // That it is gone already, or somebody else's, is as good.
            if let Ok(lock) = open(&path)
                && lock.try_lock().is_ok()
            {
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }
}

/// Where such folders are made: the first. In memory and for this user alone where the system has such a place, else with the temporary files.
fn parents(environment: &Environment) -> Vec<PathBuf> {
    let runtime = environment.get("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usable = |path: &PathBuf| {
        let metadata = path.metadata();
        path.is_absolute()
            && metadata.is_ok_and(|metadata| {
                metadata.is_dir() && metadata.uid() == user() && metadata.mode() & 0o300 == 0o300
            })
    };
    let temporary = environment.get("TMPDIR").unwrap_or("/tmp");
    runtime
        .into_iter()
        .filter(usable)
        .chain([environment.directory().join(temporary)])
        .collect()
}

/// This user's folders of that name, and nothing that a name alone would lead to.
#[expect(clippy::disallowed_methods, reason = "leftovers are found by their names")]
fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(PREFIX.as_bytes())
        })
        .map(|entry| entry.path())
        .filter(|path| {
            path.symlink_metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user())
        })
        .collect()
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[expect(clippy::disallowed_methods, reason = "a folder is opened for its lock")]
fn open(path: &Path) -> std::io::Result<File> {
    File::open(path)
}

/// A new folder that this process holds the lock of, so that no other sweeps it away. Nothing is in it before.
fn locked(parent: &Path) -> std::io::Result<(tempfile::TempDir, File)> {
    for _ in 0..ATTEMPTS {
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let Ok(lock) = open(folder.path()) else {
            continue;
        };
        match lock.try_lock() {
            // Where a file system knows no locks, nobody can take it away either.
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => {}
            Err(std::fs::TryLockError::WouldBlock) => continue,
        }
        let still = folder.path().metadata();
        if still.is_ok_and(|still| lock.metadata().is_ok_and(|lock| lock.ino() == still.ino())) {
            return Ok((folder, lock));
        }
    }
    Err(std::io::Error::other("another process removes it each time"))
}

/// Links everything beside the user's `config.json`: contexts and their certificates, plugins, builders.
#[expect(
    clippy::disallowed_methods,
    reason = "docker's folder is this module's to read"
)]
fn link(own: &Path, folder: &Path) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(own) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        if name != "config.json" {
            std::os::unix::fs::symlink(own.join(&name), folder.join(&name))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, write};

    /// A docker folder of a user, a folder for temporary files, and an environment with both.
    fn user_of(config: &str) -> (tempfile::TempDir, Environment) {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("docker/config.json"), config, false);
        write(&root.path().join("docker/contexts/meta/x/meta.json"), "{}", false);
        write(&root.path().join("tmp/other"), "", false);
        let path = |name: &str| root.path().join(name).display().to_string();
        let environment = Environment::of([
            ("DOCKER_CONFIG", path("docker")),
            ("TMPDIR", path("tmp")),
            ("SPLITBASE_USERNAME", "user".to_owned()),
            ("SPLITBASE_PASSWORD", "hunter2".to_owned()),
        ]);
        (root, environment)
    }

    fn config_of(environment: &Environment) -> PathBuf {
        PathBuf::from(environment.get("DOCKER_CONFIG").unwrap())
    }

    #[test]
    fn private_config_is_the_users_with_one_credential_for_this_user_alone() {
        let (root, environment) =
            user_of(r#"{"currentContext":"far","auths":{"b.example":{"auth":"dTpw"}}}"#);
        let private = PrivateConfig::of(&environment, "A.example").unwrap().unwrap();
        let children = private.environment(environment.for_children());
        let folder = config_of(&children);
        assert_eq!(children.get("SPLITBASE_PASSWORD"), None);
        assert_eq!(children.hidden(), ["dXNlcjpodW50ZXIy", "hunter2"]);
        assert!(!format!("{private:?} {children:?}").contains("hunter2"));
        assert_eq!(folder.parent().unwrap(), root.path().join("tmp"));
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        let config = folder.join("config.json");
        assert_eq!(config.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            read(&config),
            r#"{"auths":{"a.example":{"auth":"dXNlcjpodW50ZXIy"},"b.example":{"auth":"dTpw"}},"currentContext":"far"}"#
        );
        assert_eq!(read(&folder.join("contexts/meta/x/meta.json")), "{}");

        // Another run leaves it alone, and its end leaves the user's folder alone.
        sweep(&environment);
        assert!(config.exists());
        drop(private);
        assert!(!folder.exists());
        assert!(root.path().join("docker/contexts/meta/x/meta.json").exists());
    }

    #[test]
    fn private_config_that_nobody_holds_is_swept_away() {
        let (root, environment) = user_of("{}");
        let left = root.path().join("tmp/splitbase-login-left");
        write(&left.join("config.json"), "{}", false);
        std::os::unix::fs::symlink(root.path().join("docker"), left.join("contexts")).unwrap();
        let linked = root.path().join("tmp/splitbase-login-link");
        std::os::unix::fs::symlink(root.path().join("docker"), &linked).unwrap();
        sweep(&environment);
        assert!(!left.exists());
        assert!(linked.exists() && root.path().join("docker/config.json").exists());
        assert!(root.path().join("tmp/other").exists());
    }

    #[test]
    fn private_config_is_made_for_both_variables_alone() {
        for (name, wanted) in [("SPLITBASE_PASSWORD", 0), ("SPLITBASE_USERNAME", 0), ("OTHER", 1)] {
            let (root, environment) = user_of("{}");
            let private = PrivateConfig::of(&environment.with(name, ""), "a.example").unwrap();
            assert_eq!(folders(&root.path().join("tmp")).len(), wanted, "{name}");
            assert_eq!(private.is_some(), wanted == 1, "{name}");
        }
    }

    #[test]
    fn private_config_of_a_damaged_one_is_an_error() {
        let (root, environment) = user_of("{\"hunter2");
        let error = PrivateConfig::of(&environment, "a.example").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("docker/config.json` is not valid JSON"),
            "{error}"
        );
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(folders(&root.path().join("tmp")).is_empty());
        let environment = environment
            .with("DOCKER_CONFIG", "/nonexistent")
            .with("TMPDIR", "/nonexistent/tmp");
        let error = PrivateConfig::of(&environment, "a.example").unwrap_err();
        assert!(error.to_string().contains("in `/nonexistent/tmp`"), "{error}");
    }

    #[test]
    fn private_config_takes_the_host_out_of_dockers_own_variable() {
        let (_root, environment) = user_of("{}");
        let variable = r#"{"auths":{"a.example":{"auth":"dTpw"},"b.example":{"auth":"dTpw"}}}"#;
        let environment = environment.with("DOCKER_AUTH_CONFIG", variable);
        let private = PrivateConfig::of(&environment, "a.example").unwrap().unwrap();
        let children = private.environment(environment.for_children());
        assert_eq!(
            children.get("DOCKER_AUTH_CONFIG"),
            Some(r#"{"auths":{"b.example":{"auth":"dTpw"}}}"#)
        );
    }
}
