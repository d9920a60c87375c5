//! The workflows that release a family on Gitea Actions and GitHub Actions: their text, and what becomes of files that are there already.
//! Nothing here reads or writes; the command `ci` does.

mod diff;
mod render;
mod settings;
mod standing;

pub use diff::diff;
pub use settings::{Forge, Settings, SettingsError};
pub use standing::Standing;

use crate::config::Family;
use camino::Utf8PathBuf;

/// One workflow: a file below the top of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The forge that reads it.
    pub forge: Forge,
    /// Relative to the top of the repository.
    pub path: Utf8PathBuf,
    /// All of it, the marker in its first line included.
    pub text: String,
}

/// The paths of a family's workflows on a forge, release first. A `variants.toml` that is not at the top of the repository has workflows of
/// its own beside those of others.
#[must_use]
pub fn paths(family: &Family, forge: Forge, settings: &Settings) -> [Utf8PathBuf; 2] {
    let suffix = if settings.file == "variants.toml" {
        String::new()
    } else {
        format!("-{}", family.name)
    };
    ["release", "validate"].map(|name| forge.folder().join(format!("{name}{suffix}.yml")))
}

/// The family's workflows on a forge: release, then the gate for pull requests.
#[must_use]
pub fn workflows(family: &Family, forge: Forge, settings: &Settings) -> [Workflow; 2] {
    let [release, validate] = paths(family, forge, settings);
    let workflow = |path, body: &str| Workflow {
        forge,
        path,
        text: standing::marked(body),
    };
    [
        workflow(release, &render::release(family, forge, settings)),
        workflow(validate, &render::validate(family, forge, settings)),
    ]
}

#[cfg(test)]
mod tests;
