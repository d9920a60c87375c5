//! End-to-end tests: the real program against a real engine and real registries. They fail, and are never skipped, where there is none.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests stand outside of the program's layers, and end by panicking"
)]

mod classic;
mod collision;
mod commands;
mod copy;
mod crash;
mod describe;
mod disk;
mod dockerfiles;
mod dockerignore;
mod doctor;
mod elsewhere;
mod engine_lost;
mod explain;
mod failures;
mod faults;
mod freshness;
mod init;
mod interrupt;
mod keep;
mod kill;
mod kinds;
mod layout;
mod layout_races;
mod login;
mod migrating;
mod moments;
mod options;
mod planning;
mod prune;
mod publish;
mod races;
mod recover;
mod release;
mod repositories;
mod rerun;
mod reuse;
mod sbom;
mod scale;
mod secrets;
mod sign;
mod support;
mod terminal;
mod tested;
mod traps;
mod upstream;
mod validate;
mod verify;
mod versions;
mod workflows;
