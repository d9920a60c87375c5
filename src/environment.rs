//! The one module that reads environment variables. Everything else gets an [`Environment`] handed to it, so that tests can make one up.
//!
//! It also knows what of a run is secret, which [child](Child) may know which of it, and [masks](Redactor) it in what others say.

mod child;
mod looks;
mod redact;

pub use child::Child;
pub(crate) use child::SIGNING;
pub use looks::{looks_harmless, looks_like_secret, looks_like_token};
pub use redact::Redactor;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The variable that holds the password for the family's registry. No child gets it.
pub const PASSWORD: &str = "SPLITBASE_PASSWORD";

/// Shorter values of variables that look like secrets are not masked: they are words of every text.
const SHORTEST: usize = 8;

/// A snapshot of the environment, taken once at the start.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    directory: PathBuf,
    /// Variables that were taken away, and that no child must inherit.
    withheld: BTreeSet<String>,
    known: Arc<Known>,
}

/// What was learnt of the run's secrets. All clones share it: whoever learns of one later keeps it out of everybody's texts.
#[derive(Default)]
struct Known {
    /// Values that must not be shown.
    hidden: Mutex<BTreeSet<String>>,
    /// Variables that hold secrets of builds, by what the family says.
    of_builds: Mutex<BTreeSet<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names alone: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    /// This process's environment. Variables that are not UTF-8 are left out: nothing that splitbase reads may be so.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one module that reads the environment"
    )]
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            ..Self::default()
        }
    }

    /// An environment of these variables, in the folder `/`.
    pub fn of<I: IntoIterator<Item = (K, V)>, K: Into<String>, V: Into<String>>(variables: I) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            directory: PathBuf::from("/"),
            ..Self::default()
        }
    }

    /// The variable's value; `None` when it is not set **or empty**, as most tools take it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a variable is set to something that is not `0`, `false` or `no`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value, "0" | "false" | "no"))
    }

    /// The same without what no child needs to know: the password for the registry, which is [hidden](Self::hidden) then.
    #[must_use]
    pub fn for_children(&self) -> Self {
        if let Some(password) = self.get(PASSWORD) {
            self.hide(password);
        }
        self.without(|name| name == PASSWORD)
    }

    /// The same without what this kind of child needs not know.
    #[must_use]
    pub fn for_child(&self, child: Child<'_>) -> Self {
        let of_builds = locked(&self.known.of_builds).clone();
        self.for_children()
            .without(|name| child.needs_not(name, &of_builds))
    }

    fn without(&self, goes: impl Fn(&str) -> bool) -> Self {
        let mut environment = self.clone();
        environment.variables.retain(|name, _| !goes(name));
        let gone = self.variables.keys().filter(|name| goes(name)).cloned();
        environment.withheld.extend(gone);
        environment
    }

    /// Variables that were taken away, and that a child must not inherit from this process either.
    pub fn withheld(&self) -> impl Iterator<Item = &str> {
        self.withheld.iter().map(String::as_str)
    }

    /// The same with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self.withheld.remove(name);
        self
    }

    /// From now on these variables are known to hold secrets of builds, here and in all clones.
    pub fn learn_secrets<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        locked(&self.known.of_builds).extend(names.into_iter().map(str::to_owned));
    }

    /// From now on this value is not to be shown, here and in all clones.
    pub fn hide(&self, value: impl Into<String>) {
        locked(&self.known.hidden).insert(value.into());
    }

    /// Values that must not be shown, though a child may come to know them: each text of a child is masked for them.
    #[must_use]
    pub fn hidden(&self) -> Vec<String> {
        locked(&self.known.hidden).iter().cloned().collect()
    }

    /// Masks what is known to be secret at this moment: what was [hidden](Self::hide), variables that look like secrets, passwords in the
    /// URLs of other variables (of a proxy, of a registry).
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        self.redactor_with([])
    }

    /// The same, masking these values too.
    #[must_use]
    pub fn redactor_with(&self, values: impl IntoIterator<Item = String>) -> Redactor {
        let of_builds = locked(&self.known.of_builds).clone();
        let secret = |name: &str| {
            of_builds.contains(name)
                || child::is_npms(name)
                || looks_like_secret(name) && !looks_harmless(name)
        };
        let variables = self.variables.iter().filter_map(|(name, value)| {
            let value = if secret(name) { value } else { password(value)? };
            (value.len() >= SHORTEST && !value.starts_with('/')).then(|| value.to_owned())
        });
        Redactor::new(variables.chain(self.hidden()).chain(values))
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The working folder at the start.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// The user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }
}

/// The password in a URL: `https://USER:PASSWORD@HOST`.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_masks_what_looks_like_a_secret_and_what_was_learnt_since() {
        let environment = Environment::of([
            ("GITHUB_TOKEN", "forge-token-1"),
            ("GITHUB_TOKEN_FILE", "/run/forge"),
            ("SHORT_TOKEN", "main"),
            ("HTTPS_PROXY", "http://me:proxy-password@proxy:3128"),
            ("npm_config_//r/:_auth", "npm-auth-of-r"),
            ("HOME", "/home/forge"),
            ("PLAIN_NAME", "of-a-build-secret"),
        ]);
        let clone = environment.for_children();
        environment.hide("learnt-later");
        environment.learn_secrets(["PLAIN_NAME"]);
        let text = "forge-token-1 /run/forge main proxy-password npm-auth-of-r /home/forge of-a-build-secret learnt-later";
        assert_eq!(
            clone.redactor().line(text),
            "*** /run/forge main *** *** /home/forge *** ***"
        );
        assert_eq!(format!("{environment:?}").matches("token").count(), 0);
    }
}
