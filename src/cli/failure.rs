//! What a command fails with, and how it is told.

use crate::config::ConfigErrors;
use crate::domain::ExitCode;
use crate::gather::GatherError;
use crate::plan::PlanError;
use crate::report::Output;
use crate::target::TargetError;

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
