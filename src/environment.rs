//! The one module that reads environment variables. Everything else gets an [`Environment`] handed to it, so that tests can make one up.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The variable that holds the password for the family's registry. No child gets it.
pub const PASSWORD: &str = "SPLITBASE_PASSWORD";

/// A snapshot of the environment, taken once at the start.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    directory: PathBuf,
    /// Values that were taken out, and must not be shown either.
    hidden: Vec<String>,
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
            hidden: Vec::new(),
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
            hidden: Vec::new(),
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
        let mut environment = self.clone();
        environment.hidden.extend(environment.variables.remove(PASSWORD));
        environment
    }

    /// The same with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// The same, hiding this value too.
    #[must_use]
    pub fn hiding(mut self, value: impl Into<String>) -> Self {
        self.hidden.push(value.into());
        self
    }

    /// Values that must not be shown, though a child may come to know them: each text of a child is masked for them.
    #[must_use]
    pub fn hidden(&self) -> &[String] {
        &self.hidden
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
