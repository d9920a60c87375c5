//! Makes text of other programs fit to be shown: without secrets, without what a terminal would obey, without signed URLs.

/// What stands in a secret's place.
const MASK: &str = "***";
/// Shorter values are no secrets, and masking them would shred every text.
const SHORTEST: usize = 4;

/// Knows the values that must never be shown.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The longest first, so that a value that holds another one goes as a whole.
    values: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
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
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Self { values }
    }

    /// One line: secrets masked, escape sequences and control characters taken out, queries and passwords cut from URLs.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        without_queries(&self.masked(without_controls(text)))
    }

    /// The text as it is, secrets masked.
    #[must_use]
    pub fn masked(&self, mut text: String) -> String {
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), MASK);
            }
        }
        text
    }
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
}
