//! Names that look like those of secrets, and values that look like tokens.

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
#[must_use]
pub fn looks_like_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    WORDS.iter().any(|word| {
        name.split(word).skip(1).any(|rest| {
            let rest = rest.strip_prefix('S').unwrap_or(rest);
            rest.bytes().next().is_none_or(|next| !next.is_ascii_alphabetic())
        })
    })
}

/// Ends of names that say where a secret is, or what of it is no secret.
const HARMLESS: [&str; 9] = [
    "FILE", "PATH", "DIR", "URL", "URI", "VERSION", "NAME", "ID", "TTL",
];

/// Whether a name is that of a secret's place (`NPM_TOKEN_FILE`), or of a part of it that is public.
#[must_use]
pub fn looks_harmless(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let last = upper.rsplit(['_', '-', '.']).next().unwrap_or(&upper);
    HARMLESS.contains(&last) || upper.contains("PUBLIC")
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
#[must_use]
pub fn looks_like_token(value: &str) -> bool {
    let belongs = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let key = value.split_once("-----BEGIN ").is_some_and(|(_, rest)| {
        let line = rest.lines().next().unwrap_or_default();
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
        for name in ["NPM_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_URL", "PUBLIC_TOKEN"] {
            assert!(looks_harmless(name), "{name}");
        }
        assert!(!looks_harmless("NPM_TOKEN"));
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
}
