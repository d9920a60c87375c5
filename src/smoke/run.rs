//! One run of a smoke test.

use super::command::{command, not_started};
use super::containers;
use super::held::Held;
use super::load::{self, Loaded, Loading};
use super::verdict::{Tail, interrupted, verdict};
use crate::domain::{Digest, ExitCode, Platform};
use crate::environment::Environment;
use crate::plan::SmokeStep;
use crate::process::{self, Command, Ended, SpawnError};
use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a run needs beyond its step.
#[derive(Debug, Clone, Copy)]
pub struct SmokeOptions<'a> {
    /// The family's root: the command runs in it.
    pub root: &'a Path,
    /// The environment that the command gets, below what the step sets.
    pub environment: &'a Environment,
    /// Images that stay for the tests that follow.
    pub held: &'a Held,
    /// Where logs of failed tests are kept; the system's folder for temporary files when `None`.
    pub logs: Option<&'a Path>,
    /// The image, where the engine cannot pull it from a registry.
    pub load: Option<&'a Loading>,
}

/// A test that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokePassed {
    /// How long it took.
    pub took: Duration,
    /// How many containers it had left, which were removed.
    pub left: usize,
}

/// How a test did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmokeFailureKind {
    /// The command ended with this code.
    Failed(i32),
    /// A signal ended it.
    Signalled(i32),
    /// It took longer than this.
    TimedOut(Duration),
    /// The run was interrupted.
    Interrupted,
    /// This machine cannot run programs of the platform: that says nothing of the image.
    EmulationMissing,
    /// The engine could not run the image: that says nothing of what is in it.
    CouldNotRun,
    /// The command itself could not be started.
    BadCommand,
}

/// A test that did not pass. Texts hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SmokeFailure {
    /// How.
    pub kind: SmokeFailureKind,
    /// What was attempted and why it failed: one line.
    pub reason: String,
    /// The last lines of the output.
    pub output: Vec<String>,
    /// Where the whole of it is.
    pub log: Option<PathBuf>,
    /// A line for a shell, to look inside the image; empty where the engine does not have it.
    pub look_inside: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl SmokeFailure {
    /// The exit code that this failure asks for.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            SmokeFailureKind::Failed(_) | SmokeFailureKind::Signalled(_) | SmokeFailureKind::TimedOut(_) => {
                ExitCode::SmokeFailed
            }
            SmokeFailureKind::Interrupted => ExitCode::Interrupted,
            SmokeFailureKind::BadCommand => ExitCode::Usage,
            SmokeFailureKind::EmulationMissing | SmokeFailureKind::CouldNotRun => ExitCode::Failed,
        }
    }
}

/// Runs the test of a platform image.
///
/// The command is told `SPLITBASE_IMAGE` (what `docker run` takes: `REPOSITORY@DIGEST`, or the name of the image that was loaded),
/// `SPLITBASE_VARIANT` and `SPLITBASE_PLATFORM`. Containers that it started and left are removed however it ends, and so is the image record
/// that the engine made for it. An image that was loaded is kept only if its test failed, so that one can look inside.
///
/// # Errors
/// It did not pass, or could not be run.
pub async fn run(
    step: &SmokeStep,
    digest: Digest,
    options: &SmokeOptions<'_>,
    cancel: &CancellationToken,
    on_line: impl FnMut(&str) + Send,
) -> Result<SmokePassed, SmokeFailure> {
    let Some(loading) = options.load else {
        return of(
            step,
            &step.repository.with_digest(&digest),
            options,
            cancel,
            on_line,
        )
        .await;
    };
    let failed = |kind, reason, hints| SmokeFailure {
        kind,
        reason,
        output: Vec::new(),
        log: None,
        look_inside: String::new(),
        hints,
    };
    // What cannot be started needs no image.
    if let Err((reason, hint)) = command(step, "", options) {
        return Err(failed(SmokeFailureKind::BadCommand, reason, vec![hint]));
    }
    let loaded = match load::load(loading, digest, options.environment, cancel).await {
        Ok(loaded) => loaded,
        Err(_) if cancel.is_cancelled() => {
            return Err(failed(
                SmokeFailureKind::Interrupted,
                interrupted(step),
                Vec::new(),
            ));
        }
        Err(reason) => {
            let reason = format!(
                "load {} for {} into the engine: {reason}",
                step.image, step.platform
            );
            let hint =
                "see whether the engine runs and has room: `docker info`, `docker system df`".to_owned();
            return Err(failed(SmokeFailureKind::CouldNotRun, reason, vec![hint]));
        }
    };
    let mut tested = of(step, &loaded.reference, options, cancel, on_line).await;
    if let Err(failure) = &mut tested {
        failure.look_inside = keep(step, digest, &loaded, &failure.kind, options.environment, cancel).await;
    }
    if options.held.keeps() {
        // Under a name that can be known beforehand, and is the same the next time.
        let name = load::kept_name(&step.image.dashed(), &step.platform, digest);
        loaded.keep(&name, options.environment, cancel).await;
        loaded.remove(options.environment, cancel).await;
    } else if !options.held.takes(&step.platform, loaded.name()) {
        loaded.remove(options.environment, cancel).await;
    }
    tested
}

/// Keeps an image whose own test failed, and says how to look inside; nothing of others.
async fn keep(
    step: &SmokeStep,
    digest: Digest,
    loaded: &Loaded,
    kind: &SmokeFailureKind,
    environment: &Environment,
    cancel: &CancellationToken,
) -> String {
    let of_image = matches!(
        kind,
        SmokeFailureKind::Failed(_) | SmokeFailureKind::Signalled(_) | SmokeFailureKind::TimedOut(_)
    );
    if !of_image {
        return String::new();
    }
    let name = load::kept_name(&step.image.dashed(), &step.platform, digest);
    loaded.keep(&name, environment, cancel).await;
    look_inside(&name, &step.platform)
}

/// Runs the test of an image that the engine has or can pull.
async fn of(
    step: &SmokeStep,
    image: &str,
    options: &SmokeOptions<'_>,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(&str) + Send,
) -> Result<SmokePassed, SmokeFailure> {
    let look_inside = look_inside(image, &step.platform);
    let failed = |kind, reason: String, hints: Vec<String>| SmokeFailure {
        kind,
        reason,
        output: Vec::new(),
        log: None,
        look_inside: look_inside.clone(),
        hints,
    };
    let command = match command(step, image, options) {
        Ok(command) => command,
        Err((reason, hint)) => {
            return Err(failed(SmokeFailureKind::BadCommand, reason, vec![hint]));
        }
    };
    let _alone = tokio::select! {
        guard = containers::alone(image) => guard,
        () = cancel.cancelled() => {
            return Err(failed(SmokeFailureKind::Interrupted, interrupted(step), Vec::new()));
        }
    };
    let before = containers::before(image, options.environment, cancel).await;

    let start = tokio::time::Instant::now();
    let mut tested = attempt(step, image, &command, &before, options, cancel, &mut on_line).await;
    if let (Ok(ended), output, _) = &tested
        && output.lost_by_the_engine(*ended)
        && !cancel.is_cancelled()
    {
        on_line(
            "splitbase: the engine lost what it had pulled of the image before the container began: tried once more",
        );
        tested = attempt(step, image, &command, &before, options, cancel, &mut on_line).await;
    }
    let (ended, output, log) = tested;
    let took = start.elapsed();
    let held = |image: &str| options.held.takes(&step.platform, image);
    let left = containers::remove_new(image, &before, held, options.environment, cancel).await;

    let (kind, reason, hints) = match ended {
        Ok(Ended::Exited(0)) => return Ok(SmokePassed { took, left }),
        Ok(ended) => verdict(step, ended, &output),
        Err(error) => {
            let (reason, hint) = not_started(step, &error);
            return Err(failed(SmokeFailureKind::BadCommand, reason, vec![hint]));
        }
    };
    // Nobody is told where the output of an interrupted test is.
    let log = log.filter(|_| kind != SmokeFailureKind::Interrupted);
    let log = log.and_then(|log| log.keep().ok()).map(|(_, path)| path);
    Err(SmokeFailure {
        output: output.lines.into(),
        log,
        ..failed(kind, reason, hints)
    })
}

/// The command once: how it ended, what it said, and where all of that is written down.
async fn attempt(
    step: &SmokeStep,
    image: &str,
    command: &Command,
    before: &containers::Before,
    options: &SmokeOptions<'_>,
    cancel: &CancellationToken,
    on_line: &mut (impl FnMut(&str) + Send),
) -> (Result<Ended, SpawnError>, Tail, Option<tempfile::NamedTempFile>) {
    let mut log = log_file(step, options.logs);
    let redactor = options.environment.redactor();
    let mut output = Tail::default();
    let test = process::run(command, Some(step.timeout.0), cancel, |_, line| {
        if let Some(log) = &mut log {
            // A full disk must not fail a test.
            let _ = writeln!(log, "{}", redactor.masked(line.to_owned()));
        }
        let line = redactor.line(line);
        on_line(&line);
        output.add(line);
    });
    let ended = tokio::select! {
        ended = test => ended,
        never = end_containers(image, before, options.environment, cancel) => match never {},
    };
    (ended, output, log)
}

/// Ends the containers of a test as soon as it is interrupted. The first process of a container ignores the signal that its client hands on, so a
/// script that waits for one would wait until it is killed, and then there is no time left to clean up.
async fn end_containers(
    image: &str,
    before: &containers::Before,
    environment: &Environment,
    cancel: &CancellationToken,
) -> Infallible {
    cancel.cancelled().await;
    containers::end_new(image, before, environment, cancel).await;
    std::future::pending().await
}

fn look_inside(image: &str, platform: &Platform) -> String {
    format!("docker run -it --rm --platform {platform} {image}")
}

/// Where the whole output goes; removed again unless it is kept.
fn log_file(step: &SmokeStep, folder: Option<&Path>) -> Option<tempfile::NamedTempFile> {
    let prefix = format!(
        "splitbase-smoke-{}-{}-",
        step.image.dashed(),
        step.platform.dashed()
    );
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".log");
    match folder {
        Some(folder) => builder.tempfile_in(folder),
        None => builder.tempfile(),
    }
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{read, smoke_step, write};

    async fn fails(step: &SmokeStep, root: &Path) -> SmokeFailure {
        let environment = Environment::default();
        let options = SmokeOptions {
            root,
            environment: &environment,
            held: &Held::default(),
            logs: None,
            load: None,
        };
        run(step, Digest::of(b""), &options, &CancellationToken::new(), |_| {})
            .await
            .unwrap_err()
    }

    #[tokio::test]
    async fn commands_that_cannot_be_started_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("plain.sh"), "#!/bin/sh\n", false);
        write(&dir.path().join("folder/x"), "", false);
        for (program, needle, hint) in [
            ("./none.sh", "there is no such file", "relative"),
            ("./plain.sh", "not executable", "chmod +x ./plain.sh"),
            ("./folder", "not a file", "names a program"),
        ] {
            let mut step = smoke_step("localhost:5000/acme/tiny");
            step.command = vec![program.to_owned()];
            let failure = fails(&step, dir.path()).await;
            assert!(failure.reason.contains(needle), "{failure:?}");
            assert!(failure.hints[0].contains(hint), "{failure:?}");
            assert_eq!(failure.exit_code(), ExitCode::Usage);
        }
    }

    #[tokio::test]
    async fn what_the_engine_lost_is_tried_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let refused = "docker: Error response from daemon: content digest sha256:0f2e: not found";
        // The first run is refused; in the second case each run is.
        for (name, until, passes) in [("once.sh", 1, true), ("always.sh", 9, false)] {
            let counted = dir.path().join(format!("{name}.runs"));
            let text = format!(
                "#!/bin/sh\necho run >>{counted}\nif [ $(wc -l <{counted}) -le {until} ]; then echo '{refused}' >&2; exit 125; fi\n",
                counted = counted.display()
            );
            write(&dir.path().join(name), &text, true);
            let mut step = smoke_step("localhost:5000/acme/tiny");
            step.command = vec![format!("./{name}")];
            let environment = Environment::default();
            let options = SmokeOptions {
                root: dir.path(),
                environment: &environment,
                held: &Held::default(),
                logs: None,
                load: None,
            };
            let mut lines = Vec::new();
            let tested = run(
                &step,
                Digest::of(b""),
                &options,
                &CancellationToken::new(),
                |line| lines.push(line.to_owned()),
            )
            .await;
            assert_eq!(tested.is_ok(), passes, "{tested:?}");
            assert_eq!(read(&counted).lines().count(), 2);
            assert!(
                lines.iter().any(|line| line.ends_with("tried once more")),
                "{lines:?}"
            );
        }
    }
}
