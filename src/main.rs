//! The `splitbase` program.
// As in the library, whose generic functions are compiled here.
#![recursion_limit = "256"]

use splitbase::{cli, environment::Environment};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), Environment::of_process()).into()
}
