//! What is said when this program itself breaks: where, and why, without secrets. Whatever broke may have held one.

use super::failure::Failure;
use crate::domain::ExitCode;
use crate::environment::{Environment, Redactor};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};

/// From now on a panic of this process is told so.
pub(super) fn listen(environment: &Environment) {
    let environment = environment.clone();
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = told(&place, payload(info), &environment.redactor());
        let mut stderr = std::io::stderr().lock();
        // Nobody may be there to read it.
        let _ = write!(stderr, "{text}");
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            let _ = write!(stderr, "{trace}");
        }
    }));
}

/// A panic of `act` as the failure that it is: with an exit code that scripts know, and with what was being done. Why it broke was told when it did.
pub(super) fn caught<T>(doing: &str, act: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    // Nothing of what it used is used afterwards.
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        let message = format!("{doing}: splitbase itself failed, where the line above says");
        Err(Failure::new(ExitCode::Failed, message)
            .hint("this is a bug of splitbase and of nothing else: please report it, with that line"))
    })
}

fn payload<'p>(info: &'p PanicHookInfo<'_>) -> Option<&'p str> {
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
}

fn told(place: &str, payload: Option<&str>, redactor: &Redactor) -> String {
    let why = payload.map(|payload| redactor.line(payload));
    let why = why.unwrap_or_else(|| "no word".to_owned());
    format!(
        "error: splitbase itself broke at {place}: {why}\nhint: please report it; `RUST_BACKTRACE=1` says more\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_a_code_that_scripts_know() {
        let failure = caught("run `splitbase plan`", || -> Result<ExitCode, Failure> {
            panic!("somewhere")
        });
        let failure = failure.unwrap_err();
        assert_eq!(failure.exit_code, ExitCode::Failed);
        assert_eq!(
            failure.line(),
            "run `splitbase plan`: splitbase itself failed, where the line above says"
        );
        let done = caught("run it", || Ok::<_, Failure>(ExitCode::Done));
        assert_eq!(done.unwrap(), ExitCode::Done);
    }

    #[test]
    fn a_panic_is_told_without_secrets() {
        let environment = Environment::of([("GITHUB_TOKEN", "planted-secret")]);
        environment.hide("another-secret");
        let text = told(
            "src/x.rs:1:2",
            Some("called on Err(\"planted-secret\nYW5vdGhlci1zZWNyZXQ=\")"),
            &environment.redactor(),
        );
        assert!(
            text.contains("at src/x.rs:1:2: called on Err(\"*** ***"),
            "{text}"
        );
        assert!(told("", None, &Redactor::default()).contains("no word"));
    }
}
