//! Keeps credentials and foreign control characters out of messages.

use std::borrow::Cow;

/// What stands in the place of credentials.
const HIDDEN: &str = "***@";

/// A URL, or text with URLs in it, without the user and password of any of them. The `git@` of SSH is no secret and stays.
pub(super) fn url(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(|c: char| matches!(c, '/' | '?' | '#' | '\'' | '"' | '`') || c.is_whitespace())
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) if before.ends_with("ssh://") && !user.contains(':') => {
                shown.push_str(user);
                shown.push('@');
                shown.push_str(host);
            }
            Some((_, host)) => {
                shown.push_str(HIDDEN);
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = tail;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// The address of a request for messages: neither user nor query, since queries of download links are often signed.
pub(super) fn address(address: &url::Url) -> String {
    let mut shown = address.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    self::url(shown.as_str()).into_owned()
}

/// Foreign text for one line of a message: no control characters, not too long.
pub(super) fn foreign(text: &str, longest: usize) -> String {
    let clean: String = url(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let clean = clean.trim();
    if clean.chars().count() <= longest {
        return clean.to_owned();
    }
    let mut cut: String = clean.chars().take(longest).collect();
    cut.push('…');
    cut
}

/// The last `count` lines that are not empty, joined for one message.
pub(super) fn last_lines<'a>(lines: impl DoubleEndedIterator<Item = &'a str>, count: usize) -> String {
    let mut last: Vec<String> = lines
        .rev()
        .map(|line| foreign(line, 200))
        .filter(|line| !line.is_empty())
        .take(count)
        .collect();
    last.reverse();
    last.join(" | ")
}
