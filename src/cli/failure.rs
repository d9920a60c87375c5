//! What a command fails with, and how it is told.

use crate::config::ConfigErrors;
use crate::domain::{ExitCode, Version};
use crate::execute::RunOutcome;
use crate::gather::GatherError;
use crate::plan::PlanError;
use crate::report::{Output, Outputs};
use crate::target::TargetError;
use crate::target::layout::UnfitFolder;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a command fails with: messages with their hints, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit_code: ExitCode,
    pub(super) messages: Vec<Message>,
}

/// One message.
#[derive(Debug)]
pub(super) enum Message {
    /// `error: …` and `hint: …` lines.
    Plain(String, Vec<String>),
    /// Text with places, as it is.
    Placed(ConfigErrors),
}

impl Failure {
    pub(super) fn new(exit_code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            exit_code,
            messages: vec![Message::Plain(message.into(), Vec::new())],
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(Message::Plain(_, hints)) = self.messages.last_mut() {
            hints.push(hint.into());
        }
        self
    }

    /// It in one line.
    pub(super) fn line(&self) -> String {
        let lines = self.messages.iter().map(|message| match message {
            Message::Placed(errors) => errors.render(false),
            Message::Plain(message, _) => message.clone(),
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    /// Tells it on standard error.
    pub(super) fn tell(&self, stderr: &Output) {
        for message in &self.messages {
            match message {
                Message::Placed(errors) => stderr.write(&errors.render(stderr.color())),
                Message::Plain(message, hints) => stderr.write(&crate::report::error(message, hints)),
            }
        }
    }
}

impl Failure {
    fn outcome(&self) -> RunOutcome {
        match self.exit_code {
            ExitCode::Refused => RunOutcome::Refused,
            ExitCode::Interrupted => RunOutcome::Interrupted,
            _ => RunOutcome::Failed,
        }
    }

    /// What it leaves for a workflow: outputs, and a summary in Markdown.
    pub(super) fn left(&self) -> (Outputs, String) {
        let mut outputs = Outputs::new();
        if let Ok(Value::String(outcome)) = serde_json::to_value(self.outcome()) {
            outputs.push(("outcome", outcome));
        }
        outputs.push(("exit_code", self.exit_code.code().to_string()));
        let mut summary = format!(
            "### splitbase ended with exit code {}\n\n````text\n",
            self.exit_code.code()
        );
        for message in &self.messages {
            match message {
                Message::Placed(errors) => summary.push_str(&errors.render(false)),
                Message::Plain(message, hints) => {
                    let _ = writeln!(summary, "error: {message}");
                    for hint in hints {
                        let _ = writeln!(summary, "hint: {hint}");
                    }
                }
            }
        }
        summary.push_str("````\n");
        (outputs, summary)
    }

    /// It as the report of a release that did not come to be run.
    pub(super) fn report(&self, version: Option<&Version>) -> Value {
        let outcome = self.outcome();
        let failures = self.messages.iter().map(|message| {
            let (message, hints) = match message {
                Message::Plain(message, hints) => (message.clone(), hints.clone()),
                Message::Placed(errors) => (errors.render(false), Vec::new()),
            };
            json!({"step": null, "message": message, "output": [], "hints": hints})
        });
        json!({
            "schema": 1,
            "version": version,
            "repository": null,
            "target": null,
            "outcome": outcome,
            "exit_code": self.exit_code.code(),
            "images": [],
            "failures": failures.collect::<Vec<_>>(),
            "warnings": [],
            "seconds": 0.0,
        })
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self {
            exit_code: errors.exit_code(),
            messages: vec![Message::Placed(errors)],
        }
    }
}

impl From<GatherError> for Failure {
    fn from(error: GatherError) -> Self {
        let messages = error
            .messages()
            .into_iter()
            .map(|(message, hints)| Message::Plain(message, hints))
            .collect();
        Self {
            exit_code: error.exit_code(),
            messages,
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self {
            exit_code: error.exit_code(),
            messages: vec![Message::Plain(error.to_string(), error.hints())],
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self {
            exit_code: error.exit_code(),
            messages: vec![Message::Plain(error.to_string(), error.hints.clone())],
        }
    }
}

impl From<UnfitFolder> for Failure {
    fn from(error: UnfitFolder) -> Self {
        Self {
            exit_code: ExitCode::Usage,
            messages: vec![Message::Plain(error.to_string(), error.hints)],
        }
    }
}
