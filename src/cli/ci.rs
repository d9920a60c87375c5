//! `ci`: writes the workflows that release the family, or says how those that are there differ.

use super::args::{CiArgs, ForgeChoice};
use super::failure::Failure;
use super::session::Session;
use crate::ci::{self, Forge, Settings, SettingsError, Standing, Workflow};
use crate::config::Family;
use crate::domain::ExitCode;
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use std::path::Path;

/// A workflow beside what is there.
struct Written {
    workflow: Workflow,
    found: Option<String>,
    standing: Standing,
}

pub(super) fn run(session: &Session, args: &CiArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let (top, file) = place(session, &family)?;
    let forges = forges(args.forge, &family, &top, &file)?;
    let mut all = Vec::new();
    for forge in forges {
        for workflow in workflows(&family, forge, &top, &file, args)? {
            let found = read(&top, &workflow.path)?;
            let standing = Standing::of(found.as_deref(), &workflow.text);
            all.push(Written {
                workflow,
                found,
                standing,
            });
        }
    }
    if args.check {
        return check(session, &all);
    }
    let kept: Vec<_> = all.iter().filter(|written| !written.standing.is_ours()).collect();
    if !args.force && !kept.is_empty() {
        return Err(refused(&kept));
    }
    for written in &all {
        if written.standing != Standing::Same {
            write(&top, &written.workflow)?;
        }
    }
    tell(session, &all, |standing| match standing {
        Standing::Absent => "written",
        Standing::Same => "unchanged",
        _ => "overwritten",
    })?;
    Ok(ExitCode::Done)
}

/// The top of the repository, and the family's file relative to it.
fn place(session: &Session, family: &Family) -> Result<(Utf8PathBuf, Utf8PathBuf), Failure> {
    let file = session.environment.directory().join(&family.file);
    let failed = |why: String| {
        Failure::new(
            ExitCode::Usage,
            format!("find the repository of `{}`: {why}", family.file),
        )
    };
    let file = resolved(&file).map_err(|error| failed(error.to_string()))?;
    let file = Utf8PathBuf::try_from(file).map_err(|error| failed(error.to_string()))?;
    let top = file
        .ancestors()
        .skip(1)
        .find(|folder| exists(&folder.join(".git")))
        .ok_or_else(|| {
            failed("neither its folder nor one above it holds `.git`".to_owned())
                .hint("forges read workflows at the top of a git repository: git init")
        })?
        .to_owned();
    let relative = file.strip_prefix(&top).unwrap_or(&file).to_owned();
    Ok((top, relative))
}

/// Those that were asked for; else those that have workflows of this family, else both.
fn forges(
    choice: Option<ForgeChoice>,
    family: &Family,
    top: &Utf8Path,
    file: &Utf8Path,
) -> Result<Vec<Forge>, Failure> {
    let both = vec![Forge::Gitea, Forge::Github];
    Ok(match choice {
        Some(ForgeChoice::Gitea) => vec![Forge::Gitea],
        Some(ForgeChoice::Github) => vec![Forge::Github],
        Some(ForgeChoice::Both) => both,
        None => {
            let settings = Settings::new(file, None, None, None, None).map_err(|error| unwritable(&error))?;
            let mut there = both.clone();
            there.retain(|forge| {
                ci::paths(family, *forge, &settings)
                    .iter()
                    .any(|path| exists(&top.join(path)))
            });
            if there.is_empty() { both } else { there }
        }
    })
}

/// The workflows of one forge, with the settings that the release job there keeps.
fn workflows(
    family: &Family,
    forge: Forge,
    top: &Utf8Path,
    file: &Utf8Path,
    args: &CiArgs,
) -> Result<[Workflow; 2], Failure> {
    let settings = |text: Option<&str>| {
        let (runner, container, action) = (args.runner.clone(), args.container.clone(), args.action.clone());
        Settings::new(file, runner, container, action, text).map_err(|error| unwritable(&error))
    };
    let [release, _] = ci::paths(family, forge, &settings(None)?);
    let found = read(top, &release)?;
    Ok(ci::workflows(family, forge, &settings(found.as_deref())?))
}

fn check(session: &Session, all: &[Written]) -> Result<ExitCode, Failure> {
    let differ: Vec<_> = all
        .iter()
        .filter(|written| written.standing != Standing::Same)
        .collect();
    if session.is_json() || differ.is_empty() {
        tell(session, all, describe)?;
    } else {
        for written in &differ {
            let path = &written.workflow.path;
            session.stdout.write(&match &written.found {
                None => format!("{path}: absent\n"),
                Some(found) => format!(
                    "--- {path}\n+++ {path} (splitbase ci)\n{}",
                    ci::diff(found, &written.workflow.text)
                ),
            });
        }
    }
    if differ.is_empty() {
        return Ok(ExitCode::Done);
    }
    let count = differ.len();
    let what = if count == 1 {
        "1 workflow differs from what `splitbase ci` writes".to_owned()
    } else {
        format!("{count} workflows differ from what `splitbase ci` writes")
    };
    let mut failure = Failure::new(ExitCode::Failed, what).hint("write them: splitbase ci");
    if differ.iter().any(|written| !written.standing.is_ours()) {
        failure = failure.hint("some were changed by hand; --force overwrites those too");
    }
    Err(failure)
}

const fn describe(standing: Standing) -> &'static str {
    match standing {
        Standing::Absent => "absent",
        Standing::Same => "unchanged",
        Standing::Outdated => "outdated",
        Standing::Changed => "changed by hand",
        Standing::Foreign => "not written by splitbase",
    }
}

fn refused(kept: &[&Written]) -> Failure {
    let list: Vec<_> = kept
        .iter()
        .map(|written| format!("`{}` ({})", written.workflow.path, describe(written.standing)))
        .collect();
    Failure::new(
        ExitCode::Refused,
        format!(
            "write workflows: nothing was written, to keep {}",
            list.join(", ")
        ),
    )
    .hint("see what would change: splitbase ci --check")
    .hint("overwrite them: splitbase ci --force")
}

fn tell(session: &Session, all: &[Written], word: impl Fn(Standing) -> &'static str) -> Result<(), Failure> {
    if session.is_json() {
        let files: Vec<Value> = all
            .iter()
            .map(|written| json!({"path": written.workflow.path, "outcome": word(written.standing)}))
            .collect();
        return session.json(&json!({"schema": 1, "files": files}));
    }
    for written in all {
        session
            .stdout
            .line(&format!("{}  {}", written.workflow.path, word(written.standing)));
    }
    Ok(())
}

fn unwritable(error: &SettingsError) -> Failure {
    Failure::new(ExitCode::Usage, error.to_string()).hint(error.hint())
}

fn resolved(path: &Path) -> std::io::Result<std::path::PathBuf> {
    std::fs::canonicalize(path)
}

fn exists(path: &Utf8Path) -> bool {
    path.as_std_path().exists()
}

/// A workflow that is there.
#[expect(
    clippy::disallowed_methods,
    reason = "`ci` compares the workflows that are there"
)]
fn read(top: &Utf8Path, path: &Utf8Path) -> Result<Option<String>, Failure> {
    match std::fs::read(top.join(path)) {
        // What is no text was not written by this program, and compares as such.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(ExitCode::Usage, format!("read `{path}`: {error}"))),
    }
}

/// Writes a workflow, whole or not at all.
fn write(top: &Utf8Path, workflow: &Workflow) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let path = top.join(&workflow.path);
    let failed =
        |error: std::io::Error| Failure::new(ExitCode::Failed, format!("write `{}`: {error}", workflow.path));
    let folder = path.parent().unwrap_or(top);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(workflow.text.as_bytes()).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}
