//! Names that look like those of secrets, and their values, which are never shown.

use super::Span;

const WORDS: [&str; 8] = [
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
];

/// Whether a name ends one of its words like a secret's: `NPM_TOKEN`, `dbpassword`, `API_KEY_2`; not `TOKENIZER_VERSION`.
pub(crate) fn looks_like_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    WORDS.iter().any(|word| {
        name.match_indices(word).any(|(at, _)| {
            let rest = &name[at + word.len()..];
            let rest = rest.strip_prefix('S').unwrap_or(rest);
            rest.bytes().next().is_none_or(|next| !next.is_ascii_alphabetic())
        })
    })
}

/// How tokens of well-known services begin, and how many letters, digits, `_` and `-` follow at least.
const TOKENS: [(&str, usize); 22] = [
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("gldt-", 20),
    ("npm_", 36),
    ("pypi-AgEI", 40),
    ("dckr_pat_", 20),
    ("hf_", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk-ant-", 30),
    ("sk-proj-", 30),
    ("sk_live_", 20),
    ("rk_live_", 20),
    ("shpat_", 30),
];

/// Whether a value has a part that is shaped like a token of a well-known service, or begins a private key.
pub(crate) fn looks_like_token(value: &str) -> bool {
    let belongs = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let key = value.find("-----BEGIN ").is_some_and(|at| {
        let line = value[at..].lines().next().unwrap_or_default();
        line.contains("PRIVATE KEY")
    });
    let mut words = value.split(|char: char| !belongs(char));
    key || words.any(|word| {
        TOKENS.iter().any(|(begin, length)| {
            word.strip_prefix(begin)
                .is_some_and(|rest| rest.len() >= *length && rest.bytes().any(|byte| byte.is_ascii_digit()))
        })
    })
}

/// Where the values of keys that look like secrets stand. It goes by the text alone, so that it also works where that is not TOML.
pub(super) fn secret_values(text: &str) -> Vec<Span> {
    text.match_indices('=')
        .filter(|(at, _)| {
            let key = text[..*at].trim_end_matches([' ', '\t', '"', '\'']);
            let start = key
                .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
                .map_or(0, |at| at + key[at..].chars().next().map_or(1, char::len_utf8));
            let key = &key[start..];
            key != "secrets" && looks_like_secret(key)
        })
        .map(|(at, _)| {
            let value = text[at + 1..].trim_start_matches([' ', '\t']);
            let start = text.len() - value.len();
            start..start + value_length(value)
        })
        .collect()
}

fn value_length(value: &str) -> usize {
    let line = value.find('\n').unwrap_or(value.len());
    for quote in ["\"\"\"", "'''"] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.find(quote).map_or(value.len(), |at| at + 2 * quote.len());
        }
    }
    match value.as_bytes().first() {
        // Up to the line's end: a quote may be escaped, and hiding too much is the lesser evil.
        Some(b'"' | b'\'' | b'{' | b'[') => line,
        _ => value[..line].find([',', '}', '#']).unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "NPM_TOKEN",
            "npm-token",
            "GITHUBTOKEN",
            "DB_PASSWORD_2",
            "API_KEYS",
            "AWS_SECRET_ACCESS_KEY",
            "SSH_PRIVATE_KEY",
            "CREDENTIALS",
        ] {
            assert!(looks_like_secret(name), "{name}");
        }
        for name in ["TOKENIZER_VERSION", "USER_NAME", "KEY", "SECRETARY"] {
            assert!(!looks_like_secret(name), "{name}");
        }
    }

    #[test]
    fn tokens() {
        let letters = "abc0DEF1".repeat(6);
        for begin in ["ghp_", "glpat-", "npm_", "https://x:github_pat_", "AKIA"] {
            assert!(looks_like_token(&format!("{begin}{letters}")), "{begin}");
        }
        assert!(looks_like_token("-----BEGIN OPENSSH PRIVATE KEY-----\nx"));
        for value in [
            "npm_config_prefix",
            "ghp_short1",
            "sk-learn",
            "AKIAbc",
            "-----BEGIN CERTIFICATE-----",
            "",
        ] {
            assert!(!looks_like_token(value), "{value}");
        }
    }

    #[test]
    fn values() {
        let text = "A = 1\nx.NPM_TOKEN = \"a\\\"b\" # c\nargs = { API_KEY = 12, B = 2 }\nsecrets = []\n'MY_SECRET' = '''a\nb'''";
        let values: Vec<_> = secret_values(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(values, ["\"a\\\"b\" # c", "12", "'''a\nb'''"]);
    }
}
