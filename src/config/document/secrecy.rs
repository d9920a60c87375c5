//! Where values of keys that look like secrets stand: they are never shown.

use super::Span;
use crate::environment::looks_harmless;
pub(crate) use crate::environment::{looks_like_secret, looks_like_token};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Where strings stand that are secrets by their form, or give one to a program: `--password=…`, `secret_access_key=…`.
pub(super) fn secrets_in(table: &DeTable<'_>) -> Vec<Span> {
    let mut found = Vec::new();
    let mut open: Vec<&Spanned<DeValue<'_>>> = table.values().collect();
    while let Some(value) = open.pop() {
        match value.get_ref() {
            DeValue::String(text) if looks_like_token(text) || gives_secret(text) => {
                found.push(value.span());
            }
            DeValue::Array(items) => open.extend(items.iter()),
            DeValue::Table(table) => open.extend(table.values()),
            _ => {}
        }
    }
    found.sort_by_key(|span| span.start);
    found
}

/// Whether a text has a `KEY=VALUE` whose key is that of a secret, and whose value is neither a switch, a path nor filled in elsewhere.
fn gives_secret(text: &str) -> bool {
    text.split([',', ';', '?', '&', ' ']).any(|piece| {
        piece.split_once('=').is_some_and(|(key, value)| {
            let key = key.trim_start_matches('-');
            let elsewhere = value.starts_with(['{', '$', '/', '.']) || value.contains("://");
            let switch = matches!(
                value,
                "" | "true" | "false" | "yes" | "no" | "on" | "off" | "0" | "1"
            );
            looks_like_secret(key) && !looks_harmless(key) && !elsewhere && !switch
        })
    })
}

/// Where the values of keys that look like secrets stand. It goes by the text alone, so that it also works where that is not TOML.
pub(super) fn secret_values(text: &str) -> Vec<Span> {
    text.match_indices('=')
        .filter_map(|(at, equals)| {
            let (before, behind) = text.split_at(at);
            let key = before.trim_end_matches([' ', '\t', '"', '\'']);
            let key = key
                .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
                .next()
                .unwrap_or(key);
            if key == "secrets" || !looks_like_secret(key) {
                return None;
            }
            let value = behind.strip_prefix(equals).unwrap_or(behind);
            let value = value.trim_start_matches([' ', '\t']);
            let start = text.len() - value.len();
            Some(start..start + value_length(value))
        })
        .collect()
}

fn value_length(value: &str) -> usize {
    let line = value.split('\n').next().unwrap_or(value);
    for quote in ["\"\"\"", "'''"] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.find(quote).map_or(value.len(), |at| at + 2 * quote.len());
        }
    }
    match value.as_bytes().first() {
        // Up to the line's end: a quote may be escaped, and hiding too much is the lesser evil.
        Some(b'"' | b'\'' | b'{' | b'[') => line.len(),
        _ => line.find([',', '}', '#']).unwrap_or(line.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let text = "A = 1\nx.NPM_TOKEN = \"a\\\"b\" # c\nargs = { API_KEY = 12, B = 2 }\nsecrets = []\n'MY_SECRET' = '''a\nb'''";
        let values: Vec<_> = secret_values(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(values, ["\"a\\\"b\" # c", "12", "'''a\nb'''"]);
    }

    #[test]
    fn texts_that_give_a_secret_to_a_program() {
        for text in [
            "--password=x",
            "type=s3,region=eu,secret_access_key=abc,mode=max",
            "https://h.example/x?access_token=abc",
            "curl -H API_KEY=abc",
        ] {
            assert!(gives_secret(text), "{text}");
        }
        for text in [
            "type=s3,bucket=x,name=y",
            "--require-token=false",
            "--token-file=x",
            "--identity-token=/run/token",
            "--password={env.X}",
            "TOKENIZER=x",
            "--key=env://SIGNING_TOKEN",
            "password",
        ] {
            assert!(!gives_secret(text), "{text}");
        }
    }
}
