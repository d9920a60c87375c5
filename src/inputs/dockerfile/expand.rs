//! Variables in a Dockerfile's words: `$NAME`, `${NAME}`, `${NAME:-default}` and their kin.

use std::collections::BTreeMap;

/// Values of variables by name.
pub type Variables = BTreeMap<String, String>;

/// The word with variables filled in and quotes taken away; what is not set is empty. `None` for a form that is not understood.
#[must_use]
pub fn expand(word: &str, escape: char, variables: &Variables) -> Option<String> {
    expand_with(word, escape, &|name| variables.get(name).cloned())
}

/// As [`expand`], with the values from a function.
pub(super) fn expand_with(
    word: &str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<String> {
    let mut text = String::new();
    let mut rest = word;
    let mut quote = None;
    while let Some(char) = rest.chars().next() {
        rest = &rest[char.len_utf8()..];
        match char {
            '\'' if quote != Some('"') => quote = if quote.is_some() { None } else { Some('\'') },
            '"' if quote != Some('\'') => quote = if quote.is_some() { None } else { Some('"') },
            char if char == escape && quote != Some('\'') => {
                let Some(next) = rest.chars().next() else {
                    text.push(char);
                    break;
                };
                // Wildcards keep their escape: it is theirs.
                if matches!(next, '*' | '?' | '[') {
                    text.push('\\');
                }
                text.push(next);
                rest = &rest[next.len_utf8()..];
            }
            '$' if quote != Some('\'') => rest = variable(rest, escape, lookup, &mut text)?,
            other => text.push(other),
        }
    }
    Some(text)
}

/// Fills in the variable at the start of `rest`, which comes behind a `$`; what follows it.
fn variable<'a>(
    rest: &'a str,
    escape: char,
    lookup: &dyn Fn(&str) -> Option<String>,
    text: &mut String,
) -> Option<&'a str> {
    let Some(inner) = rest.strip_prefix('{') else {
        let end = name_length(rest);
        if end == 0 {
            text.push('$');
        } else {
            text.push_str(&lookup(&rest[..end]).unwrap_or_default());
        }
        return Some(&rest[end..]);
    };
    let close = closing_brace(inner)?;
    let (body, behind) = (&inner[..close], &inner[close + 1..]);
    let end = name_length(body);
    let (name, operator) = body.split_at(end);
    if name.is_empty() {
        return None;
    }
    let value = lookup(name);
    let (colon, operator) = operator
        .strip_prefix(':')
        .map_or((false, operator), |rest| (true, rest));
    let set = value.as_deref().is_some_and(|value| !colon || !value.is_empty());
    let mut chars = operator.chars();
    match chars.next() {
        None if !colon => text.push_str(&value.unwrap_or_default()),
        Some('-' | '?') if set => text.push_str(&value.unwrap_or_default()),
        Some('-') => text.push_str(&expand_with(chars.as_str(), escape, lookup)?),
        Some('+') if set => text.push_str(&expand_with(chars.as_str(), escape, lookup)?),
        Some('+') => {}
        _ => return None,
    }
    Some(behind)
}

fn name_length(text: &str) -> usize {
    let end = text
        .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .unwrap_or(text.len());
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        0
    } else {
        end
    }
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
