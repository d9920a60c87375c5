//! Signing through the program `cosign`: what a digest is signed with is the family's matter, which digest it is is ours.

use crate::config::Sign;
use crate::domain::{Digest, Repository};
use crate::environment::{Child, Environment, SIGNING};
use crate::process::{self, Command, Ended};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The program.
const COSIGN: &str = "cosign";
/// Longest time for one signature: beside its own of three minutes for a request.
const PATIENCE: Duration = Duration::from_secs(300);
/// Lines of its output that an error repeats.
const LINES: usize = 8;
/// Something that cosign did not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SignError {
    /// What was attempted, on what, and why it failed: one line.
    pub message: String,
    /// The end of its output.
    pub output: Vec<String>,
    /// What to do about it.
    pub hints: Vec<String>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// How cosign is called.
#[derive(Debug, Clone, Copy)]
pub struct Cosign<'a> {
    /// What the family says.
    pub sign: &'a Sign,
    /// The family's root, in which it runs: paths of keys are relative to it.
    pub root: &'a Path,
    /// The environment that it gets.
    pub environment: &'a Environment,
}

/// Whether the program can be run at all.
///
/// # Errors
/// It is not there, or does not start.
pub async fn is_there(environment: &Environment, cancel: &CancellationToken) -> Result<(), SignError> {
    let command = Command::new(COSIGN)
        .arg("version")
        .within(&environment.for_child(Child::Local));
    let failed = |message: String| SignError {
        message,
        output: Vec::new(),
        hints: vec![
            "install cosign (Debian: package `cosign`), or take `[sign]` out of the family".to_owned(),
        ],
        interrupted: false,
    };
    match process::output(&command, Some(Duration::from_secs(30)), cancel).await {
        Ok(output) if output.ended == Ended::Exited(0) => Ok(()),
        Ok(output) if output.ended == Ended::Cancelled => Err(SignError {
            interrupted: true,
            ..failed("interrupted".to_owned())
        }),
        Ok(output) => Err(failed(format!(
            "`[sign]` needs the program `cosign`, and `cosign version` {}",
            ending(output.ended)
        ))),
        Err(error) => Err(failed(format!("`[sign]` needs the program `cosign`: {error}"))),
    }
}

impl Cosign<'_> {
    /// Signs what has this digest.
    ///
    /// # Errors
    /// Cosign failed, or could not be run.
    pub async fn sign(
        &self,
        repository: &Repository,
        digest: &Digest,
        cancel: &CancellationToken,
    ) -> Result<(), SignError> {
        let args = [
            &["sign".to_owned(), "--yes".to_owned()],
            self.sign.cosign.as_slice(),
        ]
        .concat();
        self.run("sign", args, repository, digest, cancel).await
    }

    /// Whether what has this digest bears a signature that the family's `verify` takes; `None` where the family does not say how to tell. Cosign says
    /// no in the same way when it could not ask, so a no is to be told with its reason.
    pub async fn verify(
        &self,
        repository: &Repository,
        digest: &Digest,
        cancel: &CancellationToken,
    ) -> Option<Result<(), SignError>> {
        let verify = self.sign.verify.as_ref()?;
        let args = [&["verify".to_owned()], verify.as_slice()].concat();
        Some(self.run("verify", args, repository, digest, cancel).await)
    }

    async fn run(
        &self,
        verb: &str,
        args: Vec<String>,
        repository: &Repository,
        digest: &Digest,
        cancel: &CancellationToken,
    ) -> Result<(), SignError> {
        let command = Command::new(COSIGN)
            .args(args)
            .arg(repository.with_digest(digest))
            .within(&self.environment.for_child(Child::Sign))
            .dir(self.root);
        let attempted = format!("{verb} `{}`", repository.with_digest(digest));
        let failed = |reason: String, output, interrupted| SignError {
            message: format!("{attempted}: {reason}"),
            output,
            hints: vec![format!(
                "`cosign {verb}` gets the arguments of `[sign]`: try it by hand with a digest"
            )],
            interrupted,
        };
        let output = process::output(&command, Some(PATIENCE), cancel)
            .await
            .map_err(|error| failed(error.to_string(), Vec::new(), false))?;
        if output.ended == Ended::Exited(0) {
            return Ok(());
        }
        let said = self.last_lines(&output.stderr);
        let reason = format!("`cosign {verb}` {}", ending(output.ended));
        Err(failed(reason, said, output.ended == Ended::Cancelled))
    }

    /// The end of what it said, without what the secrets of its environment are.
    fn last_lines(&self, text: &str) -> Vec<String> {
        let named = self.sign.cosign.iter().chain(self.sign.verify.iter().flatten());
        let named = named.filter_map(|arg| arg.rsplit_once("env://").map(|(_, name)| name));
        let own = SIGNING.into_iter().chain(named);
        let own = own.filter_map(|name| self.environment.get(name).map(str::to_owned));
        let redactor = self.environment.redactor_with(own);
        let clean = |line: &str| redactor.line(line);
        let lines: Vec<String> = text
            .lines()
            .map(clean)
            .filter(|line| !line.trim().is_empty())
            .collect();
        let before = lines.len().saturating_sub(LINES);
        lines.into_iter().skip(before).collect()
    }
}

fn ending(ended: Ended) -> String {
    match ended {
        Ended::Exited(code) => format!("ended with {code}"),
        Ended::Signalled(signal) => format!("was ended by signal {signal}"),
        Ended::TimedOut => format!("took longer than {} s", PATIENCE.as_secs()),
        Ended::Cancelled => "was interrupted".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_what_cosign_is_said_to_have_said() {
        let sign = Sign {
            cosign: vec!["--key".to_owned(), "env://OUR_KEY".to_owned()],
            verify: None,
        };
        let environment = Environment::of([("COSIGN_PASSWORD", "geheim"), ("OUR_KEY", "abcdef")]);
        let cosign = Cosign {
            sign: &sign,
            root: Path::new("/"),
            environment: &environment,
        };
        let said = (0..20).map(|at| [&at.to_string(), " geheim\u{1b}[0m abcdef\n"].concat());
        let said: String = said.collect();
        let lines = cosign.last_lines(&said);
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[LINES - 1], "19 *** ***");
    }
}
