//! What a person at a terminal, which `script` makes, is asked before public tags move; a job never is.

use crate::support::{Family, Registry};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Exit code and output of a command on a terminal, with what is typed there.
fn on_terminal(family: &Family, command: &str, typed: &str, ci: bool) -> (i32, String) {
    let command = format!("'{}' {command}", env!("CARGO_BIN_EXE_splitbase"));
    let mut terminal = Command::new("script");
    terminal
        .args(["-qec", &command, "/dev/null"])
        .current_dir(family.path("."))
        .env_remove("CI")
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if ci {
        terminal.env("CI", "true");
    }
    let mut running = terminal.spawn().unwrap();
    running.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), said)
}

#[test]
fn e2e_terminal_a_person_is_asked_before_tags_move() {
    let registry = Registry::start();
    let family = Family::of_two(&registry);
    family.smoke("true");
    let splitbase = family.splitbase();
    splitbase.ok(&["release", "v1.0.0"]);
    family.append("marker", "more\n");
    splitbase.ok(&["release", "v2.0.0"]);
    let latest = || family.digest(&registry, "latest");
    let (first, second) = (
        family.digest(&registry, "v1.0.0"),
        family.digest(&registry, "v2.0.0"),
    );
    assert_eq!(latest(), second);

    registry.requests();
    for typed in ["n\n", "\n", "yess\n", "\u{4}"] {
        let (code, said) = on_terminal(&family, "rollback", typed, false);
        assert_eq!(code, 2, "{typed:?}: {said}");
        for text in ["from v2.0.0 to v1.0.0", "do it? [y/N]", "nothing was done"] {
            assert!(said.contains(text), "{text}: {said}");
        }
    }
    // Nobody is asked in CI, whatever comes from the terminal.
    let (code, said) = on_terminal(&family, "rollback", "y\n", true);
    assert_eq!(code, 2, "{said}");
    assert!(!said.contains("[y/N]") && said.contains("--yes"), "{said}");
    assert_eq!(registry.writes(), []);
    assert_eq!(latest(), second);

    let (code, said) = on_terminal(&family, "rollback", "y\n", false);
    assert_eq!(code, 0, "{said}");
    assert_eq!(latest(), first);
    let (code, said) = on_terminal(&family, "promote v2.0.0", "yes\n", false);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("do it? [y/N]"), "{said}");
    assert_eq!(latest(), second);
}
