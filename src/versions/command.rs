//! Versions that a command of the family's own prints.

use super::error::Failure;
use super::{Context, Found, redact, shape};
use crate::config::VersionSource;
use crate::environment::{Child, Redactor};
use crate::failure::{Place, Symptom};
use crate::process::{self, Command, Ended, Stream};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
/// How many lines of standard error a message shows.
const SHOWN: usize = 5;

/// Runs the command once. What it says is taken at its word, and what fails is not tried again: only its author knows whether it may be.
pub(super) async fn find(command: &[String], pattern: &str, context: &Context) -> Result<Found, Failure> {
    let Some((program, args)) = command.split_first() else {
        return Err(Failure::permanent("the command is empty").usage());
    };
    let program = if program.contains('/') && !Path::new(program).is_absolute() {
        context.root().join(program).into_os_string()
    } else {
        program.into()
    };
    let line = Command::new(program)
        .args(args)
        .within(&context.environment.for_child(Child::Version))
        .dir(context.root());
    let mut output = Printed {
        redactor: context.environment.redactor(),
        ..Printed::default()
    };
    let ended = process::run(&line, Some(TIMEOUT), &context.cancel, |stream, line| {
        output.take(stream, line);
    })
    .await
    .map_err(|error| {
        failed(error.to_string())
            .hint("a program with a slash in its name is looked for from the family's folder, and must be executable")
    })?;
    match ended {
        Ended::Exited(0) => {
            let version = output.only_line()?;
            // Here, so that what it said on standard error can be shown beside it.
            let source = VersionSource::Command {
                command: Vec::new(),
                pattern: pattern.to_owned(),
            };
            shape::check(&source, &version).map_err(|failure| output.beside(failure))?;
            Ok(Found::plain(version))
        }
        Ended::Exited(code) => Err(output.failed(&format!("the command ended with {code}"))),
        Ended::Signalled(signal) => Err(output.failed(&format!("the command was ended by signal {signal}"))),
        Ended::TimedOut => {
            Err(output.failed(&format!("the command did not end within {} s", TIMEOUT.as_secs())))
        }
        Ended::Cancelled => Err(Failure::interrupted()),
    }
}

/// The command is to blame.
fn failed(reason: String) -> Failure {
    Failure::of(&Symptom::at(Place::Command), reason)
}

/// As much of what a command printed as anybody will look at.
#[derive(Default)]
struct Printed {
    first: Option<String>,
    lines: u64,
    errors: VecDeque<String>,
    redactor: Redactor,
}

impl Printed {
    fn take(&mut self, stream: Stream, line: &str) {
        match stream {
            Stream::Stdout => {
                if self.first.is_none() {
                    self.first = Some(line.to_owned());
                }
                self.lines += 1;
            }
            Stream::Stderr if line.trim().is_empty() => {}
            Stream::Stderr => {
                if self.errors.len() == SHOWN {
                    self.errors.pop_front();
                }
                self.errors.push_back(line.to_owned());
            }
        }
    }

    fn only_line(&self) -> Result<String, Failure> {
        match (&self.first, self.lines) {
            (Some(line), 1) if !line.is_empty() => Ok(line.clone()),
            (_, 0 | 1) => Err(self.beside(failed("the command printed nothing".to_owned()))),
            (_, lines) => Err(self.beside(
                failed(format!("the command printed {lines} lines instead of one"))
                    .hint("what is not the version belongs on standard error"),
            )),
        }
    }

    fn failed(&self, end: &str) -> Failure {
        let errors = self.errors();
        failed(if errors.is_empty() {
            end.to_owned()
        } else {
            format!("{end}: {errors}")
        })
    }

    fn beside(&self, failure: Failure) -> Failure {
        let errors = self.errors();
        if errors.is_empty() {
            return failure;
        }
        failure.hint(format!("it said on standard error: {errors}"))
    }

    fn errors(&self) -> String {
        let lines: Vec<String> = self.errors.iter().map(|line| self.redactor.line(line)).collect();
        redact::last_lines(lines.iter().map(String::as_str), SHOWN)
    }
}
