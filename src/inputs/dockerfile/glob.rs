//! Shell patterns in variable expansions: `*` and `?` match anything, `/` too; there are no brackets. Time is proportional to value × pattern,
//! and for a replacement to that times the value.

/// Above this many steps a replacement is not worked out.
const STEPS: usize = 1 << 24;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
}

/// `None` where an escape stands before what needs none: BuildKit refuses that.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '*' => Token::Any,
            '?' => Token::One,
            // The escape before these two is for the braces' sake.
            '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
            '\\' => Token::Char(chars.next().filter(|next| matches!(next, '*' | '?' | '\\'))?),
            other => Token::Char(other),
        });
    }
    Some(tokens)
}

/// How many of these characters the tokens match from the first on: as many as possible, or as few.
fn matched(tokens: &[Token], chars: &[char], greedy: bool) -> Option<usize> {
    let mut active = vec![false; tokens.len() + 1];
    enter(tokens, &mut active, 0);
    let mut found = None;
    for at in 0..=chars.len() {
        if active.last() == Some(&true) {
            found = Some(at);
            if !greedy {
                break;
            }
        }
        let Some(char) = chars.get(at) else { break };
        let mut next = vec![false; tokens.len() + 1];
        for (index, (token, active)) in tokens.iter().zip(&active).enumerate() {
            match token {
                _ if !active => {}
                Token::Char(wanted) if wanted == char => enter(tokens, &mut next, index + 1),
                Token::One => enter(tokens, &mut next, index + 1),
                Token::Any => enter(tokens, &mut next, index),
                Token::Char(_) => {}
            }
        }
        if !next.contains(&true) {
            break;
        }
        active = next;
    }
    found
}

fn enter(tokens: &[Token], active: &mut [bool], mut at: usize) {
    mark(active, at);
    while tokens.get(at) == Some(&Token::Any) {
        at += 1;
        mark(active, at);
    }
}

fn mark(active: &mut [bool], at: usize) {
    if let Some(place) = active.get_mut(at) {
        *place = true;
    }
}

pub(super) fn without_prefix(value: &str, pattern: &str, greedy: bool) -> Option<String> {
    let chars: Vec<char> = value.chars().collect();
    let count = matched(&tokens(pattern)?, &chars, greedy).unwrap_or(0);
    Some(chars.iter().skip(count).collect())
}

pub(super) fn without_suffix(value: &str, pattern: &str, greedy: bool) -> Option<String> {
    let mut tokens = tokens(pattern)?;
    tokens.reverse();
    let chars: Vec<char> = value.chars().rev().collect();
    let count = matched(&tokens, &chars, greedy).unwrap_or(0);
    Some(chars.iter().skip(count).rev().collect())
}

pub(super) fn replaced(value: &str, pattern: &str, replacement: &str, all: bool) -> Option<String> {
    let tokens = tokens(pattern)?;
    let chars: Vec<char> = value.chars().collect();
    // An empty match, and `$1` where all are replaced, mean what Go's regular expressions make of them.
    let odd = tokens.iter().all(|token| *token == Token::Any) || (all && replacement.contains('$'));
    let steps = chars
        .len()
        .saturating_mul(chars.len())
        .saturating_mul(tokens.len());
    if odd || steps > STEPS {
        return None;
    }
    let mut text = String::new();
    let (mut rest, mut done) = (chars.as_slice(), false);
    while let Some((first, behind)) = rest.split_first() {
        let count = if done && !all {
            None
        } else {
            matched(&tokens, rest, true)
        };
        if let Some(behind) = count.and_then(|count| rest.get(count..)) {
            text.push_str(replacement);
            rest = behind;
            done = true;
        } else {
            text.push(*first);
            rest = behind;
        }
    }
    Some(text)
}
