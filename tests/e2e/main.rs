//! End-to-end tests: the real program against a real engine and real registries. They fail, and are never skipped, where there is none.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests stand outside of the program's layers, and end by panicking"
)]

mod classic;
mod commands;
mod describe;
mod dockerignore;
mod doctor;
mod elsewhere;
mod failures;
mod init;
mod interrupt;
mod kill;
mod layout;
mod login;
mod migrating;
mod options;
mod planning;
mod publish;
mod release;
mod repositories;
mod rerun;
mod reuse;
mod support;
mod tested;
mod traps;
mod upstream;
mod validate;
mod versions;
mod workflows;
