//! `prune`: deletes what nothing needs any more.

use super::args::PruneArgs;
use super::failure::Failure;
use super::session::Session;
use crate::config::Family;
use crate::domain::ExitCode;
use crate::prune::{self, Ended, HubAccount, Plan, Way};
use crate::report;
use crate::target::upkeep::Deletes;
use serde_json::{Value, json};

pub(super) async fn run(session: &Session, args: &PruneArgs) -> Result<ExitCode, Failure> {
    let family = session.family()?;
    let target = session.target(&family, &session.asked_target())?;
    let reading = prune::gather(&target, &family);
    let mut facts = tokio::select! {
        facts = reading => facts?,
        () = session.cancel.cancelled() => return Err(Failure::new(ExitCode::Interrupted, "interrupted")),
    };
    let acts = args.yes && !args.dry_run;
    let mut way = Way::Target;
    if target.folder().is_none() {
        match HubAccount::of(
            &family,
            &session.environment,
            session.observer(),
            session.pace(&family),
        )
        .await
        {
            Ok(None) => {}
            Ok(Some(account)) => {
                facts.deletes = Deletes::Tags;
                way = Way::Hub(Box::new(account));
            }
            // What would go can be shown without an account.
            Err(_) if !acts => facts.deletes = Deletes::Tags,
            Err(error) => return Err(Failure::new(ExitCode::Usage, error.message).hint(error.hint)),
        }
    }
    let plan = prune::plan(&family, &facts).map_err(|unfinished| {
        Failure::new(ExitCode::Refused, unfinished.to_string()).hint(format!(
            "finish it with `splitbase release {}` or `splitbase recover` (with `--undo`: take it back), then run this again",
            unfinished.version
        ))
    })?;
    show(session, &family, &plan, acts)?;
    if !acts {
        if !plan.deletions.is_empty() {
            session.note("nothing was deleted: `--yes` does it");
        }
        return Ok(ExitCode::Done);
    }
    let tell = |event: &prune::Event| {
        if session.is_json() {
            line(session, &json!(event));
        } else {
            session.stdout.write(&report::deletion(event));
        }
    };
    let ended = prune::run(&target, &way, family.work(), &plan, &session.cancel, tell).await;
    finish(session, ended)
}

fn show(session: &Session, family: &Family, plan: &Plan, acts: bool) -> Result<(), Failure> {
    if !session.is_json() {
        session.stdout.write(&report::prune(plan, session.global.verbose));
        return Ok(());
    }
    let mut document = serde_json::to_value(plan)
        .map_err(|error| Failure::new(ExitCode::Failed, format!("write JSON: {error}")))?;
    if let Some(fields) = document.as_object_mut() {
        let more = [
            ("schema", json!(1)),
            ("event", json!("planned")),
            ("repository", json!(family.work())),
            ("target", json!(session.asked_target())),
            ("acts", json!(acts)),
        ];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    line(session, &document);
    Ok(())
}

fn finish(session: &Session, ended: Ended) -> Result<ExitCode, Failure> {
    let Ended {
        deleted,
        skipped,
        left,
        freed,
        failure,
    } = ended;
    let (code, message, hints) = failure
        .map_or((ExitCode::Done, None, Vec::new()), |(code, message, hints)| {
            (code, Some(message), hints)
        });
    if session.is_json() {
        line(
            session,
            &json!({"event": "ended", "deleted": deleted, "skipped": skipped, "left": left, "freed": freed, "exit_code": code.code(), "message": message}),
        );
    } else {
        let freed = if freed > 0 {
            format!(", {} are free again", crate::domain::ByteSize(freed))
        } else {
            String::new()
        };
        session.note(&format!(
            "{deleted} tags deleted, {skipped} skipped, {left} not reached{freed}"
        ));
    }
    let Some(message) = message else {
        return Ok(code);
    };
    let failure = Failure::new(code, message);
    Err(hints
        .into_iter()
        .fold(failure, Failure::hint)
        .hint("what was not deleted is as it was: run this again"))
}

/// A line of its own for each event, so that the report is there however it ends.
fn line(session: &Session, document: &Value) {
    session.stdout.write_raw(format!("{document}\n").as_bytes());
}
