//! From a path to a [`Family`].

use super::document::Reader;
use super::raw::RawFile;
use super::{ConfigErrors, Family, Problem, Severity, resolve};
use crate::domain::{Platform, Repository};
use crate::environment::Environment;
use camino::Utf8Path;

/// What the command line says instead of the file. A flag goes before its variable, and that before the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--repository`; without it, `SPLITBASE_REPOSITORY` counts.
    pub repository: Option<Repository>,
    /// `--platform`: only these, of those that an image is built for.
    pub platforms: Option<Vec<Platform>>,
}

/// A family, and what is odd about its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The family.
    pub family: Family,
    /// What is probably not meant as it is written, in the order of the file.
    pub warnings: Vec<Problem>,
}

/// Reads a `variants.toml`.
///
/// # Errors
/// It cannot be read, or something is wrong with it: every problem at once.
#[expect(clippy::disallowed_methods, reason = "`config` reads its own file")]
pub fn load(
    path: &Utf8Path,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<Loaded, ConfigErrors> {
    let whole = |message: String, hint: Option<&str>| ConfigErrors {
        file: path.to_owned(),
        problems: vec![Problem {
            file: path.to_owned(),
            place: None,
            severity: Severity::Error,
            message,
            hint: hint.map(str::to_owned),
        }],
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let hint = (error.kind() == std::io::ErrorKind::NotFound).then_some("name the file with `--file`");
        whole(format!("reading `{path}`: {}", plain(&error)), hint)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let valid = error.as_bytes().iter().take(at);
        let line = valid.filter(|byte| **byte == b'\n').count() + 1;
        whole(
            format!("`{path}` is not UTF-8 in line {line}"),
            Some("save it as UTF-8"),
        )
    })?;
    parse(&text, path, environment, overrides)
}

/// An I/O error without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let said = text.split(" (os error").next().unwrap_or(&text);
    said.to_lowercase()
}

/// Takes the text of a `variants.toml`; `file` is what messages call it, and where its relative paths start.
///
/// # Errors
/// Something is wrong with it: every problem at once.
pub fn parse(
    text: &str,
    file: &Utf8Path,
    environment: &Environment,
    overrides: &Overrides,
) -> Result<Loaded, ConfigErrors> {
    let mut reader = Reader::new(file, text);
    let family = reader
        .document::<RawFile>()
        .and_then(|raw| resolve::family(&raw, file, environment, overrides, &mut reader));
    let problems = reader.finish();
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    match family {
        Some(family) if !failed => Ok(Loaded {
            family,
            warnings: problems,
        }),
        _ => Err(ConfigErrors {
            file: file.to_owned(),
            problems,
        }),
    }
}
