//! How BuildKit sets words apart before it fills in variables: flags, and the words of `ENV` and `ARG`.

/// The flags at the beginning of a text, and what follows them. Quotes and escapes in flags are taken away.
pub(super) fn flags(text: &str, escape: char) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while rest.starts_with("--") {
        let (word, behind) = flag(rest, escape);
        if word == "--" {
            return (found, behind);
        }
        let word = word.strip_prefix("--").unwrap_or(&word);
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        found.push((name.to_owned(), value.to_owned()));
        rest = behind.trim_start();
    }
    (found, rest)
}

fn flag(text: &str, escape: char) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            char if quote.is_none() && char.is_whitespace() => {
                let (_, behind) = text.split_at(at);
                return (word, behind);
            }
            '\'' | '"' if quote.is_none() => quote = Some(char),
            char if quote == Some(char) => quote = None,
            char if char == escape => word.extend(chars.next().map(|(_, next)| next)),
            other => word.push(other),
        }
    }
    (word, "")
}

/// Text at its blanks, but for those in quotes or behind an escape. Quotes and escapes stay.
pub(super) fn quoted_words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match quote {
            None if char.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if matches!(char, '"' | '\'') => quote = Some(char),
            Some(open) if open == char => quote = None,
            _ => {}
        }
        if char == escape && quote != Some('\'') {
            // One at the very end is dropped.
            if let Some(next) = chars.next() {
                word.extend([char, next]);
            }
            continue;
        }
        word.push(char);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `NAME=value …`, or the old form `NAME value` with the rest of the text as value.
pub(super) fn env_pairs(text: &str, escape: char) -> Vec<(String, String)> {
    let words = quoted_words(text, escape);
    match words.first() {
        Some(first) if !first.contains('=') => {
            let (name, value) = text
                .split_once(|char: char| char.is_ascii_whitespace())
                .unwrap_or((text, ""));
            vec![(name.to_owned(), value.trim_start().to_owned())]
        }
        _ => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// The fields of a `--mount`: pairs of key and value, keys in small letters. It is one line of CSV.
pub(super) fn mount_fields(text: &str) -> Vec<(String, String)> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let part = match char {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => '"',
            '"' => {
                quoted = !quoted;
                continue;
            }
            ',' if !quoted => {
                fields.push(String::new());
                continue;
            }
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(part);
        }
    }
    let pair = |field: &String| {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        (key.to_ascii_lowercase(), value.to_owned())
    };
    fields.iter().map(pair).collect()
}
