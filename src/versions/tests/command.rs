//! Commands that print a version, and commands that do not.

use super::super::{Resolved, VersionError};
use super::{World, write};
use crate::config::VersionSource;
use crate::domain::ExitCode;
use crate::failure::FailureClass;
use std::os::unix::fs::PermissionsExt as _;

const PATTERN: &str = r"\d+\.\d+\.\d+";

async fn run(world: &World, words: &[&str], pattern: &str) -> Result<Resolved, VersionError> {
    let source = VersionSource::Command {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        pattern: pattern.into(),
    };
    world.resolve(&source).await
}

async fn shell(script: &str) -> Result<Resolved, VersionError> {
    run(&World::new("", &[]), &["sh", "-c", script], PATTERN).await
}

#[tokio::test]
async fn one_line_that_matches_is_the_version() {
    for script in ["echo 1.2.3", "printf 1.2.3", "echo noise >&2; echo 1.2.3"] {
        assert_eq!(shell(script).await.unwrap().version, "1.2.3", "{script}");
    }
}

#[tokio::test]
async fn a_program_with_a_slash_is_the_familys_own_and_runs_in_its_folder() {
    let world = World::new("", &[]);
    let script = world.root().join("scripts/tool-version");
    write(&script, "#!/bin/sh\ncat version.txt\n");
    write(&world.root().join("version.txt"), "4.5.6\n");
    let error = run(&world, &["scripts/tool-version"], PATTERN).await.unwrap_err();
    assert!(error.reason.contains("ermission denied"), "{error}");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let resolved = run(&world, &["scripts/tool-version"], PATTERN).await.unwrap();
    assert_eq!(
        (resolved.version.as_str(), resolved.source.as_str()),
        ("4.5.6", "command:scripts/tool-version")
    );
    let error = run(&world, &["scripts/none"], PATTERN).await.unwrap_err();
    assert_eq!(error.exit_code, ExitCode::Unknown);
}

#[tokio::test]
async fn anything_else_is_an_error_that_is_not_tried_again() {
    for (script, reason) in [
        ("echo 1.2", r"`1.2` does not match `\d+\.\d+\.\d+`"),
        ("echo v1.2.3", r"`v1.2.3` does not match `\d+\.\d+\.\d+`"),
        ("echo 1.2.3-rc", r"`1.2.3-rc` does not match `\d+\.\d+\.\d+`"),
        ("true", "the command printed nothing"),
        ("echo", "the command printed nothing"),
        (
            "printf '1.2.3\\n\\n'",
            "the command printed 2 lines instead of one",
        ),
        (
            "printf '1.2.3\\n4.5.6\\n'",
            "the command printed 2 lines instead of one",
        ),
        ("echo 1.2.3; exit 3", "the command ended with 3"),
        (
            "echo 'no network' >&2; exit 1",
            "the command ended with 1: no network",
        ),
        ("kill -9 $$", "the command was ended by signal 9"),
        (
            "echo ' 1.2.3'",
            "`1.2.3` is no version: it holds white space, control characters or bytes that are not UTF-8",
        ),
    ] {
        let error = shell(script).await.unwrap_err();
        assert_eq!(error.reason, reason, "{script}");
        assert_eq!(
            (error.class, error.attempts),
            (FailureClass::Permanent, 1),
            "{script}"
        );
        assert_eq!(error.exit_code, ExitCode::Unknown);
    }
}

#[tokio::test]
async fn the_last_lines_of_standard_error_are_shown() {
    let error = shell("seq 1 20 >&2; exit 1").await.unwrap_err();
    assert_eq!(error.reason, "the command ended with 1: 16 | 17 | 18 | 19 | 20");
    let error = shell("echo odd >&2; echo x").await.unwrap_err();
    assert_eq!(error.hints, ["it said on standard error: odd"]);
}

#[tokio::test]
async fn a_pattern_that_is_none_is_a_mistake_of_the_user() {
    let world = World::new("", &[]);
    for pattern in ["(", "a)(b"] {
        let error = run(&world, &["echo", "x"], pattern).await.unwrap_err();
        assert_eq!(error.exit_code, ExitCode::Usage, "{pattern}");
    }
}

#[tokio::test]
async fn an_interrupt_ends_the_command() {
    let world = World::new("", &[]);
    let cancel = world.context.cancel.clone();
    let soon = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        cancel.cancel();
    };
    let (error, ()) = tokio::join!(run(&world, &["sleep", "30"], PATTERN), soon);
    assert_eq!(error.unwrap_err().exit_code, ExitCode::Interrupted);
}
