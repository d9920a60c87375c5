//! The command line: takes arguments apart, and hands each command what it needs. `main` calls [`run`], and so do tests.

pub mod args;
mod build;
mod ci;
mod completions;
mod confirm;
mod copy;
mod describe;
mod doctor;
mod explain;
mod failure;
mod hash;
mod help;
mod history;
mod init;
mod mirrors;
mod panic;
mod plan;
mod promote;
mod prune;
mod reclaim;
mod recover;
mod release;
mod resolve;
mod rollback;
mod session;
mod status;
mod validate;
mod verify;

use crate::config;
use crate::domain::{Destination, ExitCode, Version};
use crate::environment::Environment;
use crate::execute::{Account, Interrupt};
use crate::report::Output;
use args::{Cli, Command};
use clap::{ArgMatches, FromArgMatches as _};
use failure::Failure;
use session::Session;
use std::ffi::OsString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs one command to its end.
pub fn run(args: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    panic::listen(&environment);
    let args: Vec<OsString> = args.into_iter().collect();
    let matches = help::command(&environment, &args).try_get_matches_from(args);
    let doing = matches.as_ref().ok().and_then(ArgMatches::subcommand_name);
    let doing = format!("run `splitbase {}`", doing.unwrap_or_default());
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
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
    // What is asked for by editors and shells, often, needs no runtime and waits for nothing.
    let at_once = match &cli.command {
        Command::Schema | Command::Completions(_) => Some(panic::caught(&doing, || {
            at_once(cli.global.clone(), environment.clone(), &cli.command)
        })),
        _ => None,
    };
    if let Some(written) = at_once {
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
            let outcome = panic::caught(&doing, || runtime.block_on(dispatch(cli, environment)));
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

fn at_once(global: args::Global, environment: Environment, command: &Command) -> Result<ExitCode, Failure> {
    let session = Session::new(global, environment, Interrupt::default(), Account::default())?;
    match command {
        Command::Completions(args) => completions::run(&session, args),
        _ => session.json(&config::json_schema())?,
    }
    Ok(ExitCode::Done)
}

async fn dispatch(cli: Cli, environment: Environment) -> Result<ExitCode, Failure> {
    let (interrupt, now, account) = (Interrupt::default(), CancellationToken::new(), Account::default());
    listen(&interrupt, &now, &account)?;
    let mut cli = cli;
    take_destination(&mut cli)?;
    let session = Session::new(cli.global, environment, interrupt.clone(), account.clone())?;
    let kind = Kind::of(&cli.command);
    let command = async {
        match cli.command {
            Command::Plan(args) => Box::pin(plan::run(&session, args)).await,
            Command::Release(args) => Box::pin(release::run(&session, args)).await,
            Command::Validate(args) => Box::pin(validate::run(&session, args)).await,
            Command::Promote(args) => Box::pin(promote::run(&session, args)).await,
            Command::Recover(args) => Box::pin(recover::run(&session, args)).await,
            Command::Rollback(args) => Box::pin(rollback::run(&session, args)).await,
            Command::Status(args) => Box::pin(status::run(&session, &args)).await,
            Command::History(args) => Box::pin(history::run(&session, args)).await,
            Command::Verify(args) => Box::pin(verify::run(&session, args)).await,
            Command::Prune(args) => Box::pin(prune::run(&session, &args)).await,
            Command::Hash(args) => Box::pin(hash::run(&session, args)).await,
            Command::Explain(args) => Box::pin(explain::run(&session, args)).await,
            Command::Build(args) => Box::pin(build::build(&session, args)).await,
            Command::Smoke(args) => Box::pin(build::smoke(&session, args)).await,
            Command::Describe(args) => Box::pin(describe::run(&session, args)).await,
            Command::Resolve(args) => Box::pin(resolve::run(&session, args)).await,
            Command::Doctor(args) if args.reclaim => Box::pin(reclaim::run(&session, args.yes)).await,
            Command::Doctor(_) => Box::pin(doctor::run(&session)).await,
            Command::Init(args) => Box::pin(init::run(&session, args)).await,
            Command::Ci(args) => ci::run(&session, &args),
            Command::Schema | Command::Completions(_) => Ok(ExitCode::Done),
        }
    };
    tokio::pin!(command);
    let outcome = tokio::select! {
        outcome = &mut command => outcome,
        () = interrupt.after(Interrupt::LAST_WORD) => Err(broken_off(&session, &kind, &account, "interrupted")),
        // What is dropped with the command ends its children, and removes its temporary files.
        () = now.cancelled() => Err(broken_off(&session, &kind, &account, "interrupted twice: what runs was killed")),
    };
    let outcome = outcome.map_err(|failure| of_interrupt(failure, interrupt.token()));
    session.tell_of_limits();
    if let Err(failure) = &outcome {
        session.leave(failure);
    }
    outcome
}

/// What breaks off because of an interrupt has as many errors as there are things to break off.
fn of_interrupt(mut failure: Failure, cancel: &CancellationToken) -> Failure {
    let any = matches!(
        failure.exit_code,
        ExitCode::Failed | ExitCode::Unknown | ExitCode::PushFailed | ExitCode::SmokeFailed
    );
    if any && cancel.is_cancelled() {
        failure.exit_code = ExitCode::Interrupted;
    }
    failure
}

/// `--to REPOSITORY` is where `promote` copies a release to. For all else `--to` names a target, and a repository is none.
fn take_destination(cli: &mut Cli) -> Result<(), Failure> {
    let Some(Destination::Repository(repository)) = &cli.global.to else {
        return Ok(());
    };
    let failure = |message: String| Failure::new(ExitCode::Usage, message);
    match &mut cli.command {
        Command::Promote(args) if args.into.is_none() => {
            args.into = cli.global.to.take();
            Ok(())
        }
        Command::Promote(_) => Err(failure(format!(
            "`--to {repository}` and `--into` both say where the release is copied to"
        ))
        .hint("with `--into`, `--to` says where the release is: `--to oci:DIR`, or `--repository`")),
        _ => Err(failure(format!(
            "`--to {repository}` is no target: a repository is where `promote` copies a release to"
        ))
        .hint(format!(
            "`--repository {repository}` sends everything there; `--to oci:DIR` is a folder"
        ))),
    }
}

/// What a command is, for the word on it when it was broken off.
enum Kind {
    /// `release`, of this version.
    Releases(Option<Version>),
    /// It writes release tags or aliases.
    Publishes,
    /// It does neither.
    Other,
}

impl Kind {
    fn of(command: &Command) -> Self {
        match command {
            Command::Release(args) => Self::Releases(args.version.clone()),
            Command::Promote(_) | Command::Recover(_) | Command::Rollback(_) => Self::Publishes,
            _ => Self::Other,
        }
    }
}

/// The last word on a command that did not come to say it itself: what it did to tags that users see, and what may be done to them.
fn broken_off(session: &Session, kind: &Kind, account: &Account, how: &str) -> Failure {
    let failure = match (account.told(), kind) {
        (Some(told), _) => Failure::new(
            ExitCode::CutOff,
            format!("{how} between the first release tag and the last alias; {told}"),
        )
        .hint("run the same again: it goes on; or `splitbase recover`, once this one is seen to have ended"),
        (None, Kind::Releases(_) | Kind::Publishes) => Failure::new(
            ExitCode::Interrupted,
            format!("{how}: no release tag and no alias was written"),
        ),
        (None, Kind::Other) => Failure::new(ExitCode::Interrupted, how),
    };
    if let Kind::Releases(version) = kind
        && session.is_json()
        && !session.has_shown()
    {
        let _ = session.json(&failure.report(version.as_ref()));
    }
    failure
}

/// Turns Ctrl-C, SIGTERM and a closed terminal into the interrupt. A second one ends the command without its last word, a third one the process.
fn listen(interrupt: &Interrupt, now: &CancellationToken, account: &Account) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::new(ExitCode::Failed, format!("listen for signals: {error}"));
    let mut control_c = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let (interrupt, now, account) = (interrupt.clone(), now.clone(), account.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = control_c.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if now.is_cancelled() {
                let code = if account.is_published() {
                    ExitCode::CutOff
                } else {
                    ExitCode::Interrupted
                };
                std::process::exit(i32::from(code.code()));
            }
            if interrupt.token().is_cancelled() {
                now.cancel();
            }
            interrupt.come();
        }
    });
    Ok(())
}
