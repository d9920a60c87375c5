//! Runs a credential helper: `docker-credential-NAME get`, which is asked on its standard input and answers with JSON (docker/docker-credential-helpers).

use super::secret::Credential;
use crate::environment::Environment;
use crate::process::{self, Command, Ended};
use serde::Deserialize;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What every helper says of a server that it knows nothing of.
const NOT_FOUND: &str = "credentials not found in native keychain";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Asks a helper; `None` is a server that it knows nothing of. It gets the environment without this program's password.
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
    if name.contains('/') {
        return Err((
            format!("`{name}` is no name of a credential helper"),
            "`credsStore` and `credHelpers` name a program without `docker-credential-`".to_owned(),
        ));
    }
    let mut command = Command::new(&program).arg("get").input(server);
    for (variable, value) in environment.iter() {
        command = command.env(variable, value);
    }
    let login =
        format!("run `{program} get` by hand with `{server}` as its input, or log in without a helper");
    let output = process::output(&command, Some(timeout), &CancellationToken::new())
        .await
        .map_err(|error| match error.source.kind() {
            std::io::ErrorKind::NotFound => (
                format!("run the credential helper `{program}`: there is no such program on PATH"),
                format!(
                    "install `{program}`, or take it out of `credsStore` and `credHelpers` and log in again"
                ),
            ),
            _ => (
                format!("run the credential helper `{program}`: {}", error.source),
                login.clone(),
            ),
        })?;
    match output.ended {
        Ended::Exited(0) => {}
        Ended::TimedOut => {
            let reason = format!(
                "the credential helper `{program}` did not answer within {} s",
                timeout.as_secs()
            );
            return Err((
                reason,
                "unlock the key ring, or log in without a helper".to_owned(),
            ));
        }
        Ended::Exited(_)
            if [&output.stdout, &output.stderr]
                .iter()
                .any(|text| text.contains(NOT_FOUND)) =>
        {
            return Ok(None);
        }
        Ended::Exited(code) => {
            return Err((
                format!("the credential helper `{program}` failed: exit code {code}"),
                login,
            ));
        }
        Ended::Signalled(_) | Ended::Cancelled => {
            return Err((format!("the credential helper `{program}` was ended"), login));
        }
    }
    let answer: Answer = serde_json::from_str(&output.stdout).map_err(|_| {
        (
            format!("the answer of the credential helper `{program}` is not valid"),
            login,
        )
    })?;
    // Helpers that know a server without a credential for it say so with empty fields.
    Ok((!answer.secret.is_empty()).then(|| Credential::new(answer.username, answer.secret)))
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
        for (script, needle) in [
            (
                "echo hunter2; echo hunter2 >&2; exit 3",
                "`docker-credential-x` failed: exit code 3",
            ),
            (
                "echo hunter2",
                "answer of the credential helper `docker-credential-x` is not valid",
            ),
            ("echo hunter2; kill -9 $$", "was ended"),
            ("echo hunter2; sleep 100", "did not answer within"),
        ] {
            let (reason, hint) = answer(script, 1000).await.unwrap_err();
            assert!(reason.contains(needle) && !hint.is_empty(), "{reason}");
            assert!(!format!("{reason} {hint}").contains("hunter2"), "{reason} {hint}");
        }
        for (name, needle) in [
            ("does-not-exist-anywhere", "no such program on PATH"),
            ("../../bin/sh", "no name of a credential helper"),
        ] {
            let environment = Environment::of([("PATH", "/usr/bin")]);
            let asked = ask(name, "a.example", &environment, Duration::from_secs(1)).await;
            let (reason, _) = asked.unwrap_err();
            assert!(reason.contains(needle), "{reason}");
        }
    }
}
