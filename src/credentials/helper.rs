//! Runs a credential helper: `docker-credential-NAME get`, which is asked on its standard input and answers with JSON (docker/docker-credential-helpers).

use super::secret::Credential;
use crate::environment::{Child, Environment};
use crate::process::{self, Command, Ended, Stream};
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What every helper says of a server that it knows nothing of (docker-credential-helpers, `credentials/error.go`).
const NOT_FOUND: &str = "credentials not found in native keychain";
/// More than any credential: what prints more is not answering, in bytes.
const LONGEST: usize = 256 * 1024;

/// What helpers are known to say when they fail, in small letters; what that means; what to do. Their own words are not repeated, since secrets may
/// stand among them.
const KNOWN: [(&str, &str, &str); 9] = [
    (
        "no credentials server url",
        "it was not told for which server",
        "update it: it does not read its input as docker's helpers do",
    ),
    (
        "no credentials username",
        "it has no user name for this server",
        "log in again: `docker login`",
    ),
    ("pass not initialized", "its password store is not set up", PASS),
    (
        "password store is empty",
        "its password store is not set up",
        PASS,
    ),
    (
        "decryption failed",
        "it could not unlock its key",
        "unlock the key, or log in without a helper",
    ),
    (
        "org.freedesktop.secrets",
        "there is no key ring on this machine",
        HEADLESS,
    ),
    (
        "autolaunch d-bus",
        "there is no key ring on this machine",
        HEADLESS,
    ),
    (
        "user interaction is not allowed",
        "the key chain is locked",
        "unlock it: `security unlock-keychain`",
    ),
    (
        "token has expired",
        "its own login has run out",
        "log in again with the program that it belongs to",
    ),
];
const PASS: &str = "set it up: `pass init KEY`, then `docker login`";
const HEADLESS: &str = "take `credsStore` out of docker's `config.json` and log in again, or set SPLITBASE_USERNAME and SPLITBASE_PASSWORD";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Asks a helper; `None` is a server that it knows nothing of. It gets the environment without this run's secrets.
///
/// # Errors
/// Why there is no answer, and what to do. Never what the helper printed: that may hold anything.
pub(super) async fn ask(
    name: &str,
    server: &str,
    environment: &Environment,
    timeout: Duration,
) -> Result<Option<Credential>, (String, String)> {
    let program = format!("docker-credential-{name}");
    // A name with a slash would run a program that is no helper.
    if name.contains(['/', '\0']) {
        return Err((
            format!("`{}` is no name of a credential helper", name.escape_debug()),
            "`credsStore` and `credHelpers` name a program without `docker-credential-`".to_owned(),
        ));
    }
    let command = Command::new(&program)
        .arg("get")
        .input(server)
        .within(&environment.for_child(Child::Login));
    let login =
        format!("run `{program} get` by hand with `{server}` as its input, or log in without a helper");
    let stop = CancellationToken::new();
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut printed = 0;
    let ended = process::run(&command, Some(timeout), &stop, |stream, line| {
        printed += line.len() + 1;
        if printed > LONGEST {
            stop.cancel();
            return;
        }
        let text = match stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        text.push_str(line);
        text.push('\n');
    })
    .await
    .map_err(|error| not_started(&program, &error.source, &login))?;
    let failed = |reason: String| {
        (
            format!("the credential helper `{program}` {reason}"),
            login.clone(),
        )
    };
    if printed > LONGEST {
        return Err(failed(format!(
            "printed more than {} KiB, which is no answer",
            LONGEST / 1024
        )));
    }
    match ended {
        Ended::Exited(0) => {}
        Ended::TimedOut => {
            let (reason, _) = failed(format!("did not answer within {} s", timeout.as_secs()));
            return Err((
                reason,
                "unlock the key ring, or log in without a helper".to_owned(),
            ));
        }
        Ended::Exited(_) if [&stdout, &stderr].iter().any(|text| text.contains(NOT_FOUND)) => {
            return Ok(None);
        }
        Ended::Exited(code) => {
            let said = format!("{stdout}{stderr}").to_lowercase();
            let known = KNOWN.iter().find(|(words, ..)| said.contains(words));
            let (reason, hint) = failed(format!("failed: exit code {code}"));
            return Err(match known {
                Some((_, meaning, hint)) => (format!("{reason}, {meaning}"), (*hint).to_owned()),
                None => (reason, hint),
            });
        }
        Ended::Signalled(signal) => return Err(failed(format!("was ended by signal {signal}"))),
        Ended::Cancelled => return Err(failed("was ended".to_owned())),
    }
    read(&stdout).map_err(|_| {
        let what = if stdout.trim().is_empty() {
            "printed nothing"
        } else {
            "gave an answer that is not valid: no JSON with `Username` and `Secret`"
        };
        failed(what.to_owned())
    })
}

/// What a helper printed. Helpers that know a server without a credential for it say so with empty fields.
pub(super) fn read(printed: &str) -> Result<Option<Credential>, serde_json::Error> {
    // A list would be taken as the fields in their order.
    let answer: serde_json::Map<String, serde_json::Value> = serde_json::from_str(printed)?;
    let answer: Answer = serde_json::from_value(answer.into())?;
    Ok((!answer.secret.is_empty()).then(|| Credential::new(answer.username, answer.secret)))
}

/// Why a helper could not be started.
fn not_started(program: &str, error: &std::io::Error, login: &str) -> (String, String) {
    let (why, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => (
            "there is no such program on PATH".to_owned(),
            format!("install `{program}`, or take it out of `credsStore` and `credHelpers` and log in again"),
        ),
        std::io::ErrorKind::PermissionDenied => (
            "it is not executable".to_owned(),
            format!("`chmod +x` the file `{program}` that is on PATH"),
        ),
        _ => (error.to_string(), login.to_owned()),
    };
    (format!("run the credential helper `{program}`: {why}"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::write;

    async fn answer(script: &str, timeout: u64) -> Result<Option<Credential>, (String, String)> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("docker-credential-x");
        write(&program, format!("#!/bin/sh\n{script}\n"), true);
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let environment = Environment::of([("PATH", path.as_str()), ("SPLITBASE_PASSWORD", "own")]);
        ask("x", "a.example", &environment, Duration::from_millis(timeout)).await
    }

    #[tokio::test]
    async fn credentials_helper_is_asked_for_the_server_and_not_told_the_password() {
        let script = r#"read -r server || :; printf '{"ServerURL":"%s","Username":"%s-%s","Secret":"s-%s"}' "$server" "$server" "$1" "$SPLITBASE_PASSWORD""#;
        let found = answer(script, 10_000).await;
        assert_eq!(found, Ok(Some(Credential::new("a.example-get", "s-"))));
        let found = answer(r#"echo '{"Username":"<token>","Secret":"refresh"}'"#, 10_000).await;
        assert_eq!(found, Ok(Some(Credential::new("<token>", "refresh"))));
    }

    #[tokio::test]
    async fn credentials_helper_that_knows_nothing_means_anonymous() {
        for script in [
            "echo 'credentials not found in native keychain'; exit 1",
            "echo 'credentials not found in native keychain' >&2; exit 1",
            r#"echo '{"Username":"","Secret":""}'"#,
        ] {
            assert_eq!(answer(script, 10_000).await, Ok(None), "{script}");
        }
    }

    #[tokio::test]
    async fn credentials_helper_that_fails_is_told_and_what_it_printed_is_not() {
        let not_found_but_good =
            r#"echo 'credentials not found in native keychain' >&2; echo '{"Username":"u","Secret":"s"}'"#;
        let found = answer(not_found_but_good, 60_000).await;
        assert_eq!(found, Ok(Some(Credential::new("u", "s"))));
        let says = |words: &str| format!("echo 'hunter2: {words}'; exit 1");
        for (script, needle, mend) in [
            (
                "echo hunter2; echo hunter2 >&2; exit 3".to_owned(),
                "failed: exit code 3",
                "by hand",
            ),
            (
                says("no credentials server URL"),
                "exit code 1, it was not told for which server",
                "update it",
            ),
            (
                says("no credentials username"),
                "exit code 1, it has no user name",
                "docker login",
            ),
            (
                says("pass not initialized: exit status 1"),
                "its password store is not set up",
                "pass init",
            ),
            (
                says("gpg: decryption failed: No secret key"),
                "could not unlock its key",
                "unlock",
            ),
            (
                says("The name org.freedesktop.secrets was not provided by any .service files"),
                "there is no key ring on this machine",
                "take `credsStore` out",
            ),
            (
                says("Cannot autolaunch D-Bus without X11 $DISPLAY"),
                "there is no key ring on this machine",
                "SPLITBASE_USERNAME",
            ),
            (
                says("User interaction is not allowed."),
                "the key chain is locked",
                "security unlock-keychain",
            ),
            (
                "echo hunter2".to_owned(),
                "gave an answer that is not valid",
                "by hand",
            ),
            (
                "echo '[\"hunter2\"]'".to_owned(),
                "gave an answer that is not valid",
                "by hand",
            ),
            (
                "echo '{\"Username\":1,\"Secret\":\"hunter2\"}'".to_owned(),
                "gave an answer that is not valid",
                "by hand",
            ),
            (":".to_owned(), "printed nothing", "by hand"),
            (
                "echo hunter2; kill -9 $$".to_owned(),
                "was ended by signal 9",
                "by hand",
            ),
            (
                "echo hunter2; kill -SEGV $$".to_owned(),
                "was ended by signal 11",
                "by hand",
            ),
            ("yes hunter2".to_owned(), "printed more than 256 KiB", "by hand"),
            (
                "head -c 3000000 /dev/zero | tr '\\0' x".to_owned(),
                "printed more than 256 KiB",
                "by hand",
            ),
        ] {
            let (reason, hint) = answer(&script, 60_000).await.unwrap_err();
            assert!(reason.contains("`docker-credential-x` "), "{reason}");
            assert!(reason.contains(needle) && hint.contains(mend), "{reason}: {hint}");
            assert!(!format!("{reason} {hint}").contains("hunter2"), "{reason} {hint}");
        }
    }

    #[tokio::test]
    async fn credentials_helper_that_hangs_is_ended() {
        let begun = std::time::Instant::now();
        // It ignores being asked to end, and what it started keeps its output open.
        let script = "trap '' TERM INT; echo hunter2; sleep 300 & sleep 300; sleep 300";
        let (reason, hint) = answer(script, 300).await.unwrap_err();
        assert!(
            reason.contains("did not answer within") && hint.contains("key ring"),
            "{reason}"
        );
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn credentials_helper_that_cannot_be_run_is_told_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        write(
            &folder.path().join("docker-credential-plain"),
            "#!/bin/sh\n",
            false,
        );
        for (name, needle, mend) in [
            ("does-not-exist", "no such program on PATH", "install"),
            ("plain", "it is not executable", "chmod +x"),
            (
                "../../bin/sh",
                "no name of a credential helper",
                "without `docker-credential-`",
            ),
            (
                "a\0b",
                "no name of a credential helper",
                "without `docker-credential-`",
            ),
        ] {
            let environment = Environment::of([("PATH", path.as_str())]);
            let asked = ask(name, "a.example", &environment, Duration::from_secs(60)).await;
            let (reason, hint) = asked.unwrap_err();
            assert!(reason.contains(needle) && hint.contains(mend), "{reason}: {hint}");
        }
    }
}
