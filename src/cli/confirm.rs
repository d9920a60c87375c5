//! Asking before public tags are moved by hand.
//!
//! What is about to happen is shown first, old and new digest of each tag. It is done with `--yes`, or when a person at a terminal says so. A job in CI is
//! never asked: without `--yes` it ends with exit code 2, for the flag is what is missing, and a job must not take "only shown" for "done".

use super::args::Running;
use super::failure::Failure;
use super::plan as plan_command;
use super::release::perform;
use super::session::Session;
use crate::config::Family;
use crate::domain::ExitCode;
use crate::plan::Plan;
use crate::report;
use serde_json::json;
use std::io::{BufRead as _, IsTerminal as _};

/// What a command that only showed something ends with.
pub(super) const SHOWN: ExitCode = ExitCode::Usage;

/// Shows a plan, and runs it where that is agreed to.
pub(super) async fn carry_out(
    session: &Session,
    family: Family,
    plan: Plan,
    yes: bool,
) -> Result<ExitCode, Failure> {
    if plan.steps.is_empty() {
        plan_command::show_plan(session, &plan, None)?;
        return Ok(ExitCode::Done);
    }
    if !agreed(session, &plan, yes).await? {
        return Ok(SHOWN);
    }
    let running = Running {
        parallel: 1,
        fail_fast: false,
        keep_images: false,
    };
    Box::pin(perform(session, family, None, plan, running)).await
}

/// Whether it is to be done: shown first, unless a document of what was done is wanted.
pub(super) async fn agreed(session: &Session, plan: &Plan, yes: bool) -> Result<bool, Failure> {
    if yes {
        if !session.is_json() && !session.global.quiet {
            session.stderr.write(&report::moves(plan));
        }
        return Ok(true);
    }
    plan_command::show_plan(session, plan, None)?;
    let shown = report::moves(plan);
    if session.is_json() {
        session.note("nothing was done: `--yes` does it");
        return Ok(false);
    }
    session.stdout.write(&shown);
    if !asks(session) {
        session.note("nothing was done: `--yes` does it");
        return Ok(false);
    }
    let agreed = yes_or_no(session, "do it?").await?;
    if !agreed {
        session.note("nothing was done");
    }
    Ok(agreed)
}

/// Whether there is a person to ask.
fn asks(session: &Session) -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && session.environment.get("CI").is_none()
        && !session.is_json()
}

/// Asks the person at the terminal; where there is none, the answer is no.
pub(super) async fn yes_or_no(session: &Session, question: &str) -> Result<bool, Failure> {
    if !asks(session) {
        return Ok(false);
    }
    session.stderr.write(&format!("{question} [y/N] "));
    // Nobody may answer at all: an interrupt must get through.
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = answer => answer.ok().and_then(Result::ok).unwrap_or_default(),
        () = session.cancel.cancelled() => return Err(Failure::new(ExitCode::Interrupted, "interrupted")),
    };
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// There was nothing to do at all, and not even a plan for it.
pub(super) fn nothing(session: &Session) -> Result<ExitCode, Failure> {
    if session.is_json() {
        session.json(&json!({"schema": 1, "version": null, "steps": [], "warnings": []}))?;
    }
    Ok(ExitCode::Done)
}
