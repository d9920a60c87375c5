//! Turns answers and transport failures into errors that a person can act on, in one line and without secrets.

use super::retry;
use crate::domain::Repository;
use crate::failure::{FailureClass, Place, Rule, Symptom, Trouble, classify};
use crate::target::TargetError;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::error::Error as _;
use std::fmt;
use std::io::ErrorKind;

/// Longest text of a server that is repeated, in characters.
const LONGEST_TEXT: usize = 300;
/// Longest piece of a body that is no JSON, in characters.
const LONGEST_BODY: usize = 120;

/// What is being done to which repository: the first half of every error.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    /// ``read `v1` of `docker.io/acme/devbox` ``.
    pub(super) attempted: String,
    pub(super) write: bool,
    pub(super) host: String,
    repository: String,
}

impl Operation {
    pub(super) fn read(repository: &Repository, what: impl fmt::Display) -> Self {
        Self::on(repository, format!("read {what} of `{repository}`"), false)
    }

    pub(super) fn write(repository: &Repository, what: impl fmt::Display) -> Self {
        Self::on(repository, format!("write {what} of `{repository}`"), true)
    }

    pub(super) fn on(repository: &Repository, attempted: String, write: bool) -> Self {
        Self {
            attempted,
            write,
            host: repository.host().to_owned(),
            repository: repository.to_string(),
        }
    }

    pub(super) fn error(&self, class: FailureClass, reason: impl Into<String>) -> TargetError {
        TargetError {
            attempted: self.attempted.clone(),
            reason: reason.into(),
            status: None,
            codes: Vec::new(),
            class,
            retry_after: None,
            hints: Vec::new(),
            write: self.write,
        }
    }

    pub(super) fn permanent(&self, reason: impl Into<String>) -> TargetError {
        self.error(FailureClass::Permanent, reason)
    }

    /// No answer came, or not the whole of it.
    pub(super) fn transport(&self, error: &reqwest::Error) -> TargetError {
        let reason = self.explain(error);
        let rule = classify(&Symptom {
            trouble: Some(Trouble::of(error)),
            text: &reason,
            ..self.symptom()
        });
        let mut failed = self.error(rule.class, reason);
        failed.hints = self.hints(rule);
        failed
    }

    const fn symptom(&self) -> Symptom<'static> {
        Symptom::at(if self.write {
            Place::RegistryWrite
        } else {
            Place::RegistryRead
        })
    }

    fn hints(&self, rule: &Rule) -> Vec<String> {
        let may = if self.write { "write to" } else { "read" };
        let values = [
            ("host", self.host.as_str()),
            ("repository", &self.repository),
            ("may", may),
        ];
        rule.mend(&values).into_iter().collect()
    }

    fn explain(&self, error: &reqwest::Error) -> String {
        let server = error
            .url()
            .and_then(|url| {
                Some(url.host_str()?.to_owned() + &url.port().map(|p| format!(":{p}")).unwrap_or_default())
            })
            .unwrap_or_else(|| self.host.clone());
        let mut innermost = error.to_string();
        let mut source = error.source();
        let mut kind = None;
        while let Some(inner) = source {
            innermost = inner.to_string();
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                kind = Some(io.kind());
            }
            source = inner.source();
        }
        match kind {
            Some(ErrorKind::ConnectionRefused) => format!("connect to `{server}`: connection refused"),
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                format!("`{server}` reset the connection")
            }
            Some(ErrorKind::UnexpectedEof) => format!("`{server}` ended the connection too early"),
            _ if error.is_timeout() && error.is_connect() => format!("connect to `{server}`: timed out"),
            _ if error.is_timeout() => format!("`{server}` did not answer in time"),
            _ if error.is_connect() => {
                format!("connect to `{server}`: {}", clean(&innermost, LONGEST_TEXT))
            }
            _ => format!("`{server}`: {}", clean(&innermost, LONGEST_TEXT)),
        }
    }

    /// An answer that says no. `server` is who gave it: the registry, or `the token server HOST`.
    pub(super) fn status(
        &self,
        server: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> TargetError {
        let (codes, text) = read_body(body);
        let mut reason = server.map(|server| format!("{server}: ")).unwrap_or_default();
        reason += &phrase(status);
        if !text.is_empty() {
            reason = format!("{reason} ({text})");
        }
        let rule = classify(&Symptom {
            status: Some(status.as_u16()),
            codes: &codes,
            text: &text,
            ..self.symptom()
        });
        let mut error = self.error(rule.class, reason);
        error.status = Some(status.as_u16());
        error.codes = codes;
        error.retry_after = retry::retry_after(headers);
        error.hints = self.hints(rule);
        error
    }
}

/// `503 Service Unavailable`; the number alone where there is no name for it.
fn phrase(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// The codes and the text of an error body: `{"errors":[{"code","message"}]}` of the distribution specification, the shapes that token
/// servers use, the title of an HTML page, or the beginning of any other text.
pub(super) fn read_body(body: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8_lossy(body);
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
        return (Vec::new(), read_text(&text));
    };
    let string = |value: &serde_json::Value, key: &str| {
        value
            .get(key)
            .and_then(serde_json::Value::as_str)
            .filter(|text| !text.trim().is_empty())
            .map(|text| clean(text, LONGEST_TEXT))
    };
    if let Some(errors) = json.get("errors").and_then(serde_json::Value::as_array) {
        let codes = errors.iter().filter_map(|error| string(error, "code")).collect();
        let texts: Vec<String> = errors
            .iter()
            .filter_map(|error| match (string(error, "code"), string(error, "message")) {
                (Some(code), Some(message)) => Some(format!("{code}: {message}")),
                (one, other) => one.or(other),
            })
            .take(3)
            .collect();
        return (codes, texts.join("; "));
    }
    let text = ["details", "error_description", "message", "error"]
        .iter()
        .find_map(|key| string(&json, key))
        .unwrap_or_default();
    (Vec::new(), text)
}

fn read_text(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").and_then(|at| {
        let start = at + "<title>".len();
        let length = lower.get(start..)?.find("</title>")?;
        text.get(start..start + length)
    });
    let title = title.filter(|title| !title.trim().is_empty());
    clean(title.unwrap_or(text), LONGEST_BODY)
}

/// Foreign text as one line: no control characters, no queries or users in URLs, at most `limit` characters.
pub(super) fn clean(text: &str, limit: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_control() || is_format(c) { ' ' } else { c })
        .collect();
    let words: Vec<String> = visible.split_whitespace().map(cut_url).collect();
    let line = words.join(" ");
    if line.chars().count() <= limit {
        return line;
    }
    let mut cut: String = line.chars().take(limit).collect();
    cut.push('…');
    cut
}

/// Characters that change how the text around them is shown.
const fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn cut_url(word: &str) -> String {
    let Some(at) = word.find("://") else {
        return word.to_owned();
    };
    let (scheme, rest) = word.split_at(at + 3);
    let end_of_url = rest.find(['"', '\'', '`', '<', '>', ')']).unwrap_or(rest.len());
    let (url, tail) = rest.split_at(end_of_url);
    let url = url.split(['?', '#']).next().unwrap_or(url);
    let (authority, path) = url.split_at(url.find('/').unwrap_or(url.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}{host}{path}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: u16, body: &str) -> TargetError {
        let repository = "docker.io/acme/devbox".parse().unwrap();
        Operation::read(&repository, "`v1`").status(
            None,
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn registry_errors_say_what_the_server_said() {
        let error = reason(
            503,
            r#"{"errors":[{"code":"UNAVAILABLE","message":"try\u001b[31m later\n"}]}"#,
        );
        assert_eq!(
            error.to_string(),
            "read `v1` of `docker.io/acme/devbox`: 503 Service Unavailable (UNAVAILABLE: try [31m later)"
        );
        assert_eq!(error.codes, ["UNAVAILABLE"]);
        assert_eq!(
            reason(401, r#"{"details":"incorrect username or password"}"#).reason,
            "401 Unauthorized (incorrect username or password)"
        );
        assert_eq!(
            reason(
                400,
                "<html><head><Title>Bad\nRequest</TITLE></head><body>long</body>"
            )
            .reason,
            "400 Bad Request (Bad Request)"
        );
        assert_eq!(
            reason(522, &"x".repeat(500)).reason.chars().count(),
            "522 (…)".chars().count() + 120
        );
        assert_eq!(reason(502, "").reason, "502 Bad Gateway");
        assert_eq!(reason(404, "{}").reason, "404 Not Found");
    }

    #[test]
    fn registry_errors_have_hints() {
        assert_eq!(
            reason(403, "").hints,
            ["`docker login docker.io` with an account that may read `docker.io/acme/devbox`"]
        );
        assert!(reason(429, "").hints[0].contains("limits the rate"));
    }

    #[test]
    fn registry_urls_lose_queries_and_users() {
        assert_eq!(
            clean(
                r#"Put "https://u:p@h.example/up?_state=abc&x=1": EOF https://a/b?c"#,
                200
            ),
            r#"Put "https://h.example/up": EOF https://a/b"#
        );
    }
}
