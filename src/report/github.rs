//! What a run leaves for a workflow: `GITHUB_OUTPUT` and `GITHUB_STEP_SUMMARY`, of GitHub Actions and of Gitea Actions.

use crate::domain::ImageId;
use crate::environment::Environment;
use crate::execute::Report;
use crate::plan::{Action, Plan};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};

/// The longest value that is written: a job may have 1 MiB of outputs in all, counted in UTF-16.
const LONGEST: usize = 256 * 1024;

/// Why something could not be left for the workflow. Never a reason to fail a run: show it as a warning.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The value would end its own heredoc.
    #[error("output `{name}` was not written: its value contains the delimiter")]
    Delimiter {
        /// Of which output.
        name: String,
    },
    /// The value is longer than what a job can hand on.
    #[error("output `{name}` was not written: it has {size} bytes, and a job's outputs are limited to 1 MiB")]
    TooLong {
        /// Of which output.
        name: String,
        /// Its size in bytes.
        size: usize,
    },
    /// The file could not be written.
    #[error("could not append to `{path}`, which `{variable}` names: {error}")]
    File {
        /// The environment variable.
        variable: &'static str,
        /// The file that it names.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// Outputs by name, in the order in which they are written.
pub type Outputs = Vec<(&'static str, String)>;

/// What a plan hands on: `version`, `need_build`, `base_identity`, `base_tag`, `images`.
#[must_use]
pub fn outputs_of_plan(plan: &Plan) -> Outputs {
    let mut outputs = planned(plan);
    let images: Vec<Value> = plan
        .images
        .iter()
        .map(|image| {
            let builds = plan.steps.iter().filter_map(|step| match &step.action {
                Action::Build(build) if build.image == image.image => Some(build.platform.to_string()),
                _ => None,
            });
            json!({
                "image": image.image,
                "tag": image.tag,
                "presence": image.presence,
                "build": builds.collect::<Vec<_>>(),
            })
        })
        .collect();
    outputs.push(("images", Value::from(images).to_string()));
    outputs
}

/// What a run hands on: `version`, `outcome`, `exit_code`, `images`, and of its plan `need_build`, `base_identity`, `base_tag`.
#[must_use]
pub fn outputs_of_report(report: &Report, plan: Option<&Plan>) -> Outputs {
    let mut outputs = plan.map(planned).unwrap_or_default();
    outputs.retain(|(name, _)| *name != "version");
    if let Some(version) = &report.version {
        outputs.insert(0, ("version", version.to_string()));
    }
    if let Ok(Value::String(outcome)) = serde_json::to_value(report.outcome) {
        outputs.push(("outcome", outcome));
    }
    outputs.push(("exit_code", report.exit_code.to_string()));
    let images: Vec<Value> = report
        .images
        .iter()
        .map(|image| {
            json!({
                "image": image.image,
                "digest": image.digest,
                "outcome": image.outcome,
                "tags": image.tags,
                "aliases": image.aliases,
            })
        })
        .collect();
    outputs.push(("images", Value::from(images).to_string()));
    outputs
}

fn planned(plan: &Plan) -> Outputs {
    let mut outputs = Outputs::new();
    if let Some(version) = &plan.version {
        outputs.push(("version", version.to_string()));
    }
    let builds = plan
        .steps
        .iter()
        .any(|step| matches!(step.action, Action::Build(_)));
    outputs.push(("need_build", builds.to_string()));
    if let Some(base) = plan.images.iter().find(|image| image.image == ImageId::Base) {
        outputs.push(("base_identity", base.identity.to_string()));
        outputs.push(("base_tag", base.tag.to_string()));
    }
    outputs
}

/// Appends `outputs` to the file that `GITHUB_OUTPUT` names and `summary` (Markdown) to the one that `GITHUB_STEP_SUMMARY` names, where
/// they are set. What could not be written comes back: warnings, and no reason to fail.
#[must_use]
pub fn publish(environment: &Environment, outputs: &Outputs, summary: Option<&str>) -> Vec<GithubError> {
    let mut errors = Vec::new();
    if environment.get("GITHUB_OUTPUT").is_some() {
        let mut entries = String::new();
        for (name, value) in outputs {
            match entry(name, value, &delimiter()) {
                Ok(entry) => entries.push_str(&entry),
                Err(error) => errors.push(error),
            }
        }
        errors.extend(append(environment, "GITHUB_OUTPUT", &entries));
    }
    if let Some(summary) = summary {
        errors.extend(append(
            environment,
            "GITHUB_STEP_SUMMARY",
            &format!("{summary}\n"),
        ));
    }
    errors
}

/// A delimiter that a value can only contain by knowing it: 128 random bits, from the keys that the standard library takes from the system
/// for its hash maps.
fn delimiter() -> String {
    let random = || RandomState::new().hash_one("splitbase");
    format!("splitbase_{:016x}{:016x}", random(), random())
}

/// One output as a heredoc.
fn entry(name: &str, value: &str, delimiter: &str) -> Result<String, GithubError> {
    if value.contains(delimiter) {
        return Err(GithubError::Delimiter {
            name: name.to_owned(),
        });
    }
    if value.len() > LONGEST {
        return Err(GithubError::TooLong {
            name: name.to_owned(),
            size: value.len(),
        });
    }
    Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

fn append(environment: &Environment, variable: &'static str, text: &str) -> Option<GithubError> {
    let path = environment.get(variable)?;
    let full = environment.directory().join(path);
    let file = OpenOptions::new().append(true).create(true).open(full);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.err().map(|error| GithubError::File {
        variable,
        path: path.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "reads what the test had written")]
    fn read(path: &std::path::Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_value_that_contains_the_delimiter_is_refused() {
        assert_eq!(entry("a", "x\ny", "END").unwrap(), "a<<END\nx\ny\nEND\n");
        let refused = entry("a", "x\nEND\nb<<END\nforged", "END").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "output `a` was not written: its value contains the delimiter"
        );
        assert!(matches!(
            entry("a", &"x".repeat(LONGEST + 1), "END"),
            Err(GithubError::TooLong { .. })
        ));
    }

    #[test]
    fn delimiters_differ() {
        let (first, second) = (delimiter(), delimiter());
        assert_ne!(first, second);
        assert_eq!(first.len(), "splitbase_".len() + 32);
    }

    #[test]
    fn outputs_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let (outputs, summary) = (folder.path().join("outputs"), folder.path().join("summary"));
        let environment = Environment::of([
            ("GITHUB_OUTPUT", outputs.to_str().unwrap()),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ]);
        let values = vec![("version", "v1".to_owned()), ("images", "[]".to_owned())];
        assert!(publish(&environment, &values, Some("| a |")).is_empty());
        assert!(publish(&environment, &values, None).is_empty());
        let written = read(&outputs);
        assert_eq!(written.matches("version<<splitbase_").count(), 2);
        assert_eq!(written.lines().count(), 12);
        assert_eq!(read(&summary), "| a |\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_warning() {
        let environment = Environment::of([("GITHUB_OUTPUT", "/nowhere/outputs")]);
        let errors = publish(&environment, &vec![("version", "v1".to_owned())], Some("x"));
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "could not append to `/nowhere/outputs`, which `GITHUB_OUTPUT` names: No such file or directory (os error 2)"
            ]
        );
    }

    #[test]
    fn what_is_handed_on() {
        let show = |outputs: Outputs| -> String {
            let lines: Vec<String> = outputs
                .iter()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            lines.join("\n")
        };
        let plan = fixture::plan();
        insta::assert_snapshot!(show(outputs_of_plan(&plan)), @r#"
        version = v1.2.3
        need_build = true
        base_identity = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        base_tag = base-aaaaaaaaaaaa
        images = [{"build":[],"image":"base","presence":"present","tag":"base-aaaaaaaaaaaa"},{"build":["linux/arm64"],"image":"variant/omos","presence":"incomplete","tag":"variant-omos-bbbbbbbbbbbb"}]
        "#);
        insta::assert_snapshot!(show(outputs_of_report(&fixture::failed(), Some(&plan))), @r#"
        version = v1.2.3
        need_build = true
        base_identity = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        base_tag = base-aaaaaaaaaaaa
        outcome = failed
        exit_code = 3
        images = [{"aliases":[],"digest":"sha256:a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0","image":"base","outcome":"reused","tags":[]},{"aliases":[],"digest":null,"image":"variant/omos","outcome":"failed","tags":[]}]
        "#);
    }
}
