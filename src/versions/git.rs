//! Refs of git repositories: `git ls-remote`, and only what it says word for word.

use super::error::Failure;
use super::{Context, Found, redact, shape};
use crate::environment::{Child, Redactor};
use crate::failure::{Place, Symptom, Trouble, status};
use crate::process::{self, Command, Ended};
use base64::Engine as _;
use std::time::Duration;
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Makes one attempt to find the commit of a ref.
pub(super) async fn find(url: &str, reference: &str, context: &Context) -> Result<Found, Failure> {
    let lower = reference.to_ascii_lowercase();
    if shape::is_commit(&lower) {
        return Ok(Found::plain(lower));
    }
    check_reference(reference)?;
    let command = command(url, reference, context);
    let output = process::output(&command, Some(TIMEOUT), &context.cancel)
        .await
        .map_err(|error| Failure::at(Place::GitRefs, Trouble::NoProgram, error.to_string()))?;
    let said = || redactor(url, context).masked(output.stderr.clone());
    match output.ended {
        Ended::Exited(0) => commit(&output.stdout, reference).map(Found::plain),
        Ended::Exited(2) => Err(no_such_ref(reference)),
        Ended::Exited(code) => Err(failed(&said(), Some(code), &format!("git ended with {code}"))),
        Ended::Signalled(signal) => Err(failed(
            &said(),
            None,
            &format!("git was ended by signal {signal}"),
        )),
        Ended::TimedOut => {
            let reason = format!("git ls-remote did not end within {} s", TIMEOUT.as_secs());
            Err(Failure::at(Place::GitRefs, Trouble::TimedOut, reason))
        }
        Ended::Cancelled => Err(Failure::interrupted()),
    }
}

fn no_such_ref(reference: &str) -> Failure {
    // What git itself ends with then.
    let symptom = Symptom {
        exit_code: Some(2),
        ..Symptom::at(Place::GitRefs)
    };
    Failure::of(&symptom, format!("the repository has no ref `{reference}`"))
}

/// The rules of git for names of refs, as far as they keep a name from meaning something else than itself.
fn check_reference(reference: &str) -> Result<(), Failure> {
    let bad = reference.is_empty()
        || reference.starts_with(['-', '/'])
        || reference.ends_with(['/', '.'])
        || reference.contains("..")
        || reference.contains("//")
        || reference.contains("@{")
        || reference
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c));
    if bad {
        Err(Failure::permanent(format!(
            "`{}` is not the name of a ref",
            redact::foreign(reference, 60)
        ))
        .usage())
    } else {
        Ok(())
    }
}

/// The refs that a name may stand for.
fn candidates(reference: &str) -> Vec<String> {
    if reference == "HEAD" || reference.starts_with("refs/") {
        return vec![reference.to_owned()];
    }
    vec![
        format!("refs/heads/{reference}"),
        format!("refs/tags/{reference}"),
    ]
}

pub(super) fn command(url: &str, reference: &str, context: &Context) -> Command {
    let (address, header) = without_credentials(url);
    let mut command = Command::new("git")
        .args(["ls-remote", "--exit-code", "--"])
        .arg(&address)
        .within(&context.environment.for_child(Child::Login))
        .dir(context.root())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C");
    for candidate in candidates(reference) {
        command = command.arg(format!("{candidate}^{{}}")).arg(candidate);
    }
    let asks_itself = ["GIT_SSH_COMMAND", "GIT_SSH", "SSH_ASKPASS"]
        .iter()
        .any(|name| context.environment.get(name).is_some());
    if !asks_itself {
        // ssh would otherwise ask on the terminal, and wait.
        command = command
            .env("SSH_ASKPASS", "false")
            .env("SSH_ASKPASS_REQUIRE", "force");
    }
    if let Some(header) = header {
        // Not on the command line, which everybody on the machine can read.
        let count: usize = context
            .environment
            .get("GIT_CONFIG_COUNT")
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        command = command
            .env("GIT_CONFIG_COUNT", (count + 1).to_string())
            .env(
                format!("GIT_CONFIG_KEY_{count}"),
                format!("http.{address}.extraHeader"),
            )
            .env(format!("GIT_CONFIG_VALUE_{count}"), header);
    }
    command
}

/// Takes the credentials out of a URL over HTTP and makes a header of them.
fn without_credentials(text: &str) -> (String, Option<String>) {
    let Ok(mut url) = Url::parse(text) else {
        return (text.to_owned(), None);
    };
    let is_http = matches!(url.scheme(), "http" | "https");
    let has_secret = url.password().is_some() || (is_http && !url.username().is_empty());
    if !has_secret {
        return (text.to_owned(), None);
    }
    let pair = [
        decoded(url.username()),
        b":".to_vec(),
        decoded(url.password().unwrap_or_default()),
    ]
    .concat();
    // Neither fails for a URL with a host, and without one there are no credentials.
    let _ = url.set_password(None);
    if !is_http {
        return (url.into(), None);
    }
    let _ = url.set_username("");
    let header = format!(
        "Authorization: Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    (url.into(), Some(header))
}

/// Masks what git was given: the password in the address, as it stands there and as it is meant.
fn redactor(url: &str, context: &Context) -> Redactor {
    let address = Url::parse(url).ok();
    let password = address.as_ref().and_then(|url| {
        let token = url.scheme().starts_with("http").then(|| url.username());
        url.password().or(token)
    });
    let meant = password.map(|password| String::from_utf8_lossy(&decoded(password)).into_owned());
    let given = [password.map(str::to_owned), meant];
    context.environment.redactor_with(given.into_iter().flatten())
}

/// Undoes percent encoding.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = text
            .get(at + 1..at + 3)
            .filter(|_| byte == b'%')
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(code.unwrap_or(byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    plain
}

/// The commit of the one ref that is meant; of an annotated tag, the commit that it points at.
pub(super) fn commit(listing: &str, reference: &str) -> Result<String, Failure> {
    let refs: Vec<(&str, &str)> = listing
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(id, name)| (id.trim(), name.trim()))
        .collect();
    let of = |name: &str| refs.iter().find(|(_, listed)| *listed == name).map(|(id, _)| *id);
    let found: Vec<(String, &str)> = candidates(reference)
        .into_iter()
        .filter_map(|name| {
            let id = of(&format!("{name}^{{}}")).or_else(|| of(&name))?;
            Some((name, id))
        })
        .collect();
    match found.as_slice() {
        [] => Err(no_such_ref(reference)),
        [(_, id)] => Ok((*id).to_owned()),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|(name, id)| format!("{name} ({})", id.get(..12).unwrap_or(id)))
                .collect();
            Err(
                Failure::permanent(format!("`{reference}` is ambiguous: {}", names.join(" and ")))
                    .hint("write the full name of the one that is meant"),
            )
        }
    }
}

/// What git said, and what it means.
pub(super) fn failed(stderr: &str, exit_code: Option<i32>, end: &str) -> Failure {
    let text = redact::last_lines(stderr.lines(), 4);
    let reason = if text.is_empty() {
        end.to_owned()
    } else {
        format!("{end}: {text}")
    };
    let symptom = Symptom {
        status: status(stderr),
        exit_code,
        text: stderr,
        ..Symptom::at(Place::GitRefs)
    };
    Failure::of(&symptom, reason)
}
