//! Makes text of other programs fit to be shown: without secrets, without what a terminal would obey, without signed URLs.

use super::looks_like_token;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// What stands in a secret's place.
const MASK: &str = "***";
/// Shorter values are no secrets, and masking them would shred every text.
const SHORTEST: usize = 4;
/// Shorter values are not looked for in base64, in bytes: too little of it would be theirs alone.
const SHORTEST_ENCODED: usize = 6;
/// Stands where a text was cut, which may be in the middle of a secret.
const CUT: char = '…';
/// Shorter beginnings of a secret are left, in bytes.
const SHORTEST_BEGINNING: usize = 6;
/// Shortest text behind `Bearer` that is taken for a token.
const SHORTEST_TOKEN: usize = 16;

/// Knows the values that must never be shown, and masks them as they are, in base64 and percent-encoded.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What is masked, the longest first, so that a value that holds another one goes as a whole.
    forms: Vec<String>,
    count: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.count)
    }
}

impl Redactor {
    /// A redactor of these values; those of fewer than 4 characters are not masked.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values
            .into_iter()
            .map(|value| value.trim().to_owned())
            .filter(|value| value.chars().count() >= SHORTEST)
            .collect();
        values.sort_unstable();
        values.dedup();
        let mut forms: Vec<String> = values.iter().flat_map(|value| forms(value)).collect();
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self {
            forms,
            count: values.len(),
        }
    }

    /// One line: secrets masked, escape sequences and control characters taken out, queries and passwords cut from URLs.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        without_queries(&self.masked(without_controls(text)))
    }

    /// The text as it is, secrets masked, and what has the form of a credential.
    #[must_use]
    pub fn masked(&self, mut text: String) -> String {
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), MASK);
            }
            if text.contains(CUT) {
                text = without_beginning(&text, form);
            }
        }
        without_credentials(text)
    }
}

/// A value in all forms in which programs and servers repeat it.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    let mut percent = [String::new(), String::new()];
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let [upper, lower] = &mut percent;
        if plain {
            upper.push(char::from(byte));
            lower.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(upper, "%{byte:02X}");
            let _ = write!(lower, "%{byte:02x}");
        }
    }
    forms.extend(percent.into_iter().filter(|form| form != value));
    // As Rust, Go and JSON quote it.
    let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
    forms.extend((quoted != value).then_some(quoted));
    if value.len() >= SHORTEST_ENCODED {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            // Base64 of a text that holds it: three bytes are four characters, so it may begin at three places of such a group.
            for (before, touched) in [(&b""[..], 0), (b" ", 2), (b"  ", 3)] {
                let text = [before, value.as_bytes()].concat();
                let whole = text.len() * 8 / 6;
                let encoded = engine.encode(&text);
                forms.extend(encoded.get(touched..whole).map(str::to_owned));
            }
        }
    }
    forms
}

/// Text without what has the form of a credential, whosever it is: behind `Bearer` and `Basic`, a signed token, a token of a well-known service.
fn without_credentials(text: String) -> String {
    let mut clean = String::new();
    let (mut rest, mut before) = (text.as_str(), "");
    let mut found = false;
    while !rest.is_empty() {
        let start = rest.find(belongs).unwrap_or(rest.len());
        let (between, tail) = rest.split_at(start);
        let end = tail.find(|c| !belongs(c)).unwrap_or(tail.len());
        let (word, after) = tail.split_at(end);
        clean.push_str(between);
        let behind =
            |scheme: &str| before.eq_ignore_ascii_case(scheme) && !between.contains(char::is_alphanumeric);
        let secret = behind("bearer") && word.len() >= SHORTEST_TOKEN && !word.contains("://")
            || behind("basic") && is_pair(word)
            || is_signed(word)
            || looks_like_token(word);
        clean.push_str(if secret { MASK } else { word });
        found |= secret;
        (rest, before) = (after, word);
    }
    if found { clean } else { text }
}

/// Text without the beginning of a value that was cut in the middle, which is marked by `…`.
fn without_beginning(text: &str, form: &str) -> String {
    let mut pieces: Vec<String> = text.split(CUT).map(str::to_owned).collect();
    let cut = pieces.len().saturating_sub(1);
    for piece in pieces.iter_mut().take(cut) {
        let beginnings = form.char_indices().map(|(at, _)| at).rev();
        let left = beginnings
            .take_while(|at| *at >= SHORTEST_BEGINNING)
            .find_map(|at| piece.strip_suffix(form.get(..at)?))
            .map(str::to_owned);
        if let Some(left) = left {
            *piece = left + MASK;
        }
    }
    pieces.join("…")
}

/// What a token is made of (RFC 6750, `b64token`).
fn belongs(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '~' | '+' | '/' | '=')
}

/// Base64 of `USER:PASSWORD`.
fn is_pair(word: &str) -> bool {
    let decoded = STANDARD_NO_PAD.decode(word.trim_end_matches('='));
    decoded.is_ok_and(|bytes| bytes.contains(&b':') && std::str::from_utf8(&bytes).is_ok())
}

/// A JSON web token (RFC 7519): three parts, the first two JSON.
fn is_signed(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    matches!(parts.as_slice(), [head, body, _] if head.starts_with("eyJ") && body.starts_with("eyJ"))
}

/// Text without ANSI escape sequences and control characters; a tab or line break becomes a space.
fn without_controls(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => match chars.next() {
                // CSI: parameters up to a final byte.
                Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // OSC: up to BEL or ST.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' && chars.peek() == Some(&'\\') {
                            chars.next();
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' | '\r' | '\n' => clean.push(' '),
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {}
            c => clean.push(c),
        }
    }
    clean
}

/// URLs carry upload state, signatures and sometimes passwords.
fn without_queries(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, tail) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = tail
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | ')'))
            .unwrap_or(tail.len());
        let (url, after) = tail.split_at(end);
        let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
        let (host, path) = url.split_at(host_end);
        match host.rsplit_once('@') {
            // `docker-image://debian@sha256:…` names no user.
            Some((_, host)) if !host.starts_with("sha256:") => {
                clean.push_str(MASK);
                clean.push('@');
                clean.push_str(host);
            }
            _ => clean.push_str(host),
        }
        match path.split_once('?') {
            Some((path, query)) => {
                clean.push_str(path);
                // What follows the query in a sentence is kept.
                clean.push_str(if query.ends_with(':') { "?…:" } else { "?…" });
            }
            None => clean.push_str(path),
        }
        rest = after;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_controls_and_queries_go() {
        let redactor = Redactor::new(["hunter22".to_owned(), "hunter22-long".to_owned(), "ab".to_owned()]);
        for (text, clean) in [
            ("token=hunter22-long; ab", "token=***; ab"),
            ("\u{1b}[31mred\u{1b}[0m\tx\r", "red x"),
            ("\u{1b}]0;title\u{7}shown\u{1b}]8;;x\u{1b}\\y", "showny"),
            (
                "PUT \"https://r.example/v2/x/uploads/1?_state=abc&sig=1\": 500",
                "PUT \"https://r.example/v2/x/uploads/1?…\": 500",
            ),
            (
                "get https://u:p@h.example/x?a=b: EOF",
                "get https://***@h.example/x?…: EOF",
            ),
            (
                "FROM docker-image://a/b@sha256:00 docker-image://debian@sha256:00",
                "FROM docker-image://a/b@sha256:00 docker-image://debian@sha256:00",
            ),
        ] {
            assert_eq!(redactor.line(text), clean);
        }
        assert_eq!(format!("{redactor:?}"), "Redactor(2 values)");
    }

    #[test]
    fn secrets_go_in_every_form_that_programs_give_them() {
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let secret = "s3cr&t/\"wörd?+=";
        let redactor = Redactor::new([secret.to_owned()]);
        let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut shown = vec![
            secret.to_owned(),
            percent.clone(),
            percent.to_lowercase(),
            format!("{secret:?}"),
        ];
        for before in ["", "u", "us", "user:", "a longer name:"] {
            for after in ["", "x", "xy"] {
                let text = format!("{before}{secret}{after}");
                shown.push(STANDARD.encode(&text));
                shown.push(URL_SAFE.encode(&text));
            }
        }
        for text in shown {
            let masked = redactor.line(&format!("say {text}."));
            assert!(masked.contains("***"), "{text}: {masked}");
            assert!(masked.len() < 40, "{text}: {masked}");
        }
    }

    #[test]
    fn the_beginning_of_a_secret_that_was_cut_goes() {
        let redactor = Redactor::new(["a-long-secret-of-somebody".to_owned()]);
        for (text, clean) in [
            (
                "401 (denied for a-long-secret-of…), 3 attempts",
                "401 (denied for ***…), 3 attempts",
            ),
            ("a-long-secret-of-somebod…", "***…"),
            ("a-lon…", "a-lon…"),
            ("a-long-secret", "a-long-secret"),
        ] {
            assert_eq!(redactor.masked(text.to_owned()), clean);
        }
    }

    #[test]
    fn credentials_of_others_go_by_their_form() {
        let redactor = Redactor::default();
        for (text, clean) in [
            (
                "Authorization: Bearer abcdefghijklmnop.q/r=, x",
                "Authorization: Bearer ***, x",
            ),
            (
                "authorization: basic dXNlcjpodW50ZXIy",
                "authorization: basic ***",
            ),
            (
                "{\"Authorization\":[\"Basic dXNlcjpodW50ZXIy\"]}",
                "{\"Authorization\":[\"Basic ***\"]}",
            ),
            ("token eyJhbGciOi.eyJzdWIi.c2ln is bad", "token *** is bad"),
            ("found glpat-0123456789abcdefghij in it", "found *** in it"),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"x\"",
                "Bearer realm=\"https://auth.example/token\",service=\"x\"",
            ),
            ("basic authentication is needed", "basic authentication is needed"),
            (
                "sha256:0123456789abcdef0123456789abcdef a/b:v1.2.3",
                "sha256:0123456789abcdef0123456789abcdef a/b:v1.2.3",
            ),
        ] {
            assert_eq!(redactor.line(text), clean);
        }
    }
}
