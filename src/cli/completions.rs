//! `completions`: the script that makes a shell complete commands and flags.

use super::args::{Cli, CompletionShell, CompletionsArgs};
use super::session::Session;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

pub(super) fn run(session: &Session, args: &CompletionsArgs) {
    let shell = match args.shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "splitbase", &mut script);
    session.stdout.write(&String::from_utf8_lossy(&script));
}
