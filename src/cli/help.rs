//! The command line as it is understood and shown: what `args` declares, with a first page that fits a screen, and with empty variables as
//! if they were not set.

use super::args::Cli;
use crate::environment::Environment;
use clap::{Arg, Command, CommandFactory as _};
use std::ffi::OsString;
use std::fmt::Write as _;

/// What people need first, in this order.
const FIRST: [&str; 5] = ["plan", "release", "validate", "promote", "recover"];

/// All others by what they are for; what is not listed here comes last.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "look",
        &[
            "status", "history", "verify", "hash", "explain", "resolve", "doctor",
        ],
    ),
    ("do", &["build", "smoke", "rollback", "describe", "prune"]),
    ("set up", &["init", "ci", "schema", "completions"]),
];

/// The widest that a page is made.
const WIDTH: usize = 80;

/// The declaration for one call. `-h` shows a command's own flags; `--help` all of them, with their variables.
pub(super) fn command(environment: &Environment, args: &[OsString]) -> Command {
    let long = args.iter().any(|arg| arg == "--help");
    let command = Cli::command();
    let page = first_page(&command);
    let adapt = |arg: Arg| {
        let variable = arg.get_env().and_then(|name| name.to_str());
        // A workflow sets variables from inputs that may be empty, and clap would take that for a value.
        let unset = variable.is_some_and(|name| environment.get(name).is_none());
        let arg = if unset && !long {
            arg.env(None::<&str>)
        } else {
            arg
        };
        let global = arg.is_global_set();
        arg.hide_env_values(true).hide_env(!long).hide_short_help(global)
    };
    let command = command.mut_args(adapt).override_help(page);
    command.mut_subcommands(|sub| sub.mut_args(adapt))
}

/// `splitbase --help`: 24 lines of 80 columns at most.
fn first_page(command: &Command) -> String {
    let known: Vec<(&str, String)> = command
        .get_subcommands()
        .map(|sub| {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            (sub.get_name(), about)
        })
        .collect();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = wrapped(&about, "", "");
    page.push_str("\nUsage: splitbase [FLAGS] COMMAND\n\n");
    for first in FIRST {
        if let Some((name, about)) = known.iter().find(|(name, _)| *name == first) {
            let _ = writeln!(page, "  {name:<9} {about}");
        }
    }
    page.push('\n');
    let mut left: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    left.retain(|name| !FIRST.contains(name));
    for (group, names) in GROUPS {
        let names: Vec<&str> = names.iter().copied().filter(|name| left.contains(name)).collect();
        left.retain(|name| !names.contains(name));
        if !names.is_empty() {
            page.push_str(&wrapped(
                &names.join(", "),
                &format!("  {group:<9} "),
                "            ",
            ));
        }
    }
    if !left.is_empty() {
        page.push_str(&wrapped(&left.join(", "), "  others    ", "            "));
    }
    page.push_str(
        "\nsplitbase COMMAND -h shows the flags of a command, --help those of all as well.\n\
         Each flag has a variable: SPLITBASE_FILE is --file.\n",
    );
    if let Some(codes) = command.get_after_help() {
        let _ = write!(page, "\n{}", wrapped(&codes.to_string(), "", ""));
    }
    page
}

/// Words in lines of at most [`WIDTH`] columns.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let (mut page, mut line) = (String::new(), first.to_owned());
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(page, "{line}");
            others.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    let _ = writeln!(page, "{line}");
    page
}
