//! The command line: takes arguments apart, and hands each command what it needs. `main` calls [`run`], and so do tests.

pub mod args;
mod build;
mod describe;
mod failure;
mod hash;
mod plan;
mod promote;
mod release;
mod resolve;
mod session;
mod status;

use crate::config;
use crate::domain::ExitCode;
use crate::environment::Environment;
use crate::report::Output;
use args::{Cli, Command};
use clap::Parser as _;
use failure::Failure;
use session::Session;
use std::ffi::OsString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs one command to its end.
pub fn run(args: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results; everything else is misuse.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Done
            };
        }
    };
    let stderr = Output::stderr(&environment, cli.global.color);
    if matches!(cli.command, Command::Schema) {
        let written = schema(cli.global, environment);
        return written.unwrap_or_else(|failure| {
            failure.tell(&stderr);
            failure.exit_code
        });
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(cli, environment));
            // A worker that hangs on a lost file system must not keep the process.
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            outcome
        }
        Err(error) => Err(Failure::new(
            ExitCode::Failed,
            format!("start the runtime: {error}"),
        )),
    };
    outcome.unwrap_or_else(|failure| {
        failure.tell(&stderr);
        failure.exit_code
    })
}

/// The schema is asked for by editors, often: it needs no runtime and waits for nothing.
fn schema(global: args::Global, environment: Environment) -> Result<ExitCode, Failure> {
    let session = Session::new(global, environment, CancellationToken::new())?;
    session.json(&config::json_schema())?;
    Ok(ExitCode::Done)
}

async fn dispatch(cli: Cli, environment: Environment) -> Result<ExitCode, Failure> {
    let cancel = CancellationToken::new();
    listen(&cancel)?;
    let session = Session::new(cli.global, environment, cancel.clone())?;
    let command = async {
        match cli.command {
            Command::Plan(args) => plan::run(&session, args).await,
            Command::Release(args) => release::run(&session, args).await,
            Command::Promote(args) => promote::run(&session, args).await,
            Command::Status => status::run(&session).await,
            Command::Hash(args) => hash::run(&session, args).await,
            Command::Build(args) => build::build(&session, args).await,
            Command::Smoke(args) => build::smoke(&session, args).await,
            Command::Describe(args) => describe::run(&session, args).await,
            Command::Resolve(args) => resolve::run(&session, args).await,
            Command::Schema => Ok(ExitCode::Done),
        }
    };
    tokio::pin!(command);
    tokio::select! {
        outcome = &mut command => outcome,
        () = patience(&cancel) => Err(Failure::new(ExitCode::Interrupted, "interrupted")),
    }
}

/// How long an interrupted command may take to say its last word.
async fn patience(cancel: &CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(std::time::Duration::from_millis(4500)).await;
}

/// Turns Ctrl-C, SIGTERM and a closed terminal into the interrupt; a second one ends the process at once.
fn listen(cancel: &CancellationToken) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(ExitCode::Failed, format!("listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let cancel = cancel.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(i32::from(ExitCode::Interrupted.code()));
            }
            cancel.cancel();
        }
    });
    Ok(())
}
