//! The command of a smoke test, and what is wrong with one that cannot be started.

use super::SmokeOptions;
use crate::environment::Child;
use crate::plan::SmokeStep;
use crate::process::{Command, SpawnError};
use std::path::Path;

/// The command as a child, or why it cannot be one, with the mend.
pub(super) fn command(
    step: &SmokeStep,
    image: &str,
    options: &SmokeOptions<'_>,
) -> Result<Command, (String, String)> {
    let Some((program, args)) = step.command.split_first() else {
        return Err((
            "run the smoke test: `command` is empty".to_owned(),
            "set `command` in `[smoke]`".to_owned(),
        ));
    };
    let path = if program.contains('/') {
        let path = options.root.join(program);
        usable(program, &path)?;
        path.into_os_string()
    } else {
        program.into()
    };
    let mut command = Command::new(path)
        .args(args.iter().cloned())
        .dir(options.root)
        .within(&options.environment.for_child(Child::Docker));
    for (name, value) in &step.env {
        command = command.env(name, value);
    }
    Ok(command
        .env("SPLITBASE_IMAGE", image)
        .env("SPLITBASE_VARIANT", step.image.name())
        .env("SPLITBASE_PLATFORM", step.platform.to_string()))
}

fn usable(program: &str, path: &Path) -> Result<(), (String, String)> {
    use std::os::unix::fs::PermissionsExt as _;
    match path.metadata() {
        Err(error) => Err((
            format!("run the smoke test `{program}`: {}", plain(&error)),
            "`command` in `[smoke]` is relative to the folder of the configuration file".to_owned(),
        )),
        Ok(metadata) if !metadata.is_file() => Err((
            format!("run the smoke test `{program}`: it is not a file"),
            "`command` in `[smoke]` names a program and its arguments".to_owned(),
        )),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Err((
            format!("run the smoke test `{program}`: it is not executable"),
            format!("chmod +x {program}"),
        )),
        Ok(_) => Ok(()),
    }
}

/// Why a program that is there could not be started.
pub(super) fn not_started(step: &SmokeStep, error: &SpawnError) -> (String, String) {
    let program = step.command.first().map_or("", String::as_str);
    let (why, hint) = match error.source.raw_os_error() {
        // ENOEXEC
        Some(8) => (
            "it is neither a program of this machine nor a script".to_owned(),
            "begin the script with a line such as `#!/bin/sh`".to_owned(),
        ),
        // ENOENT, of a file that was there a moment ago.
        Some(2) if program.contains('/') => (
            "the interpreter in its first line does not exist".to_owned(),
            "see its `#!` line; Windows line ends break it too".to_owned(),
        ),
        Some(2) => (
            "there is no such program on the PATH".to_owned(),
            "a program of the family needs a slash: `./NAME` or `scripts/NAME`".to_owned(),
        ),
        _ => (
            plain(&error.source),
            "see whether this user may run it".to_owned(),
        ),
    };
    (format!("run the smoke test `{program}`: {why}"), hint)
}

/// The system's words, in this program's style.
fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
