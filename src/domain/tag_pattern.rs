//! Patterns of tags.

use super::{InvalidText, Tag, string_serde};
use std::fmt;
use std::str::FromStr;

const EXPECTED: &str = "a pattern of tags: characters of a tag, `*` for any of them, `?` for one";

/// A pattern of tags: `*` stands for any characters, also none, and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagPattern(String);

impl TagPattern {
    /// Whether the whole of a tag is as the pattern says.
    #[must_use]
    pub fn matches(&self, tag: &Tag) -> bool {
        let (pattern, text) = (self.0.as_bytes(), tag.as_str().as_bytes());
        let (mut at, mut seen) = (0, 0);
        // Where the last `*` is, and up to where it has taken the text.
        let mut star: Option<(usize, usize)> = None;
        while let Some(&letter) = text.get(seen) {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, seen));
                    at += 1;
                }
                Some(&byte) if byte == b'?' || byte == letter => {
                    at += 1;
                    seen += 1;
                }
                _ => {
                    let Some((back, taken)) = star else { return false };
                    star = Some((back, taken + 1));
                    at = back + 1;
                    seen = taken + 1;
                }
            }
        }
        pattern.iter().skip(at).all(|&byte| byte == b'*')
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TagPattern {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'*' | b'?');
        if (1..=128).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText::new(text, EXPECTED))
        }
    }
}

string_serde!(TagPattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_whole_tags() {
        for (pattern, tag, taken) in [
            ("base-*", "base-0123456789ab", true),
            ("base-*", "variant-base-0", false),
            ("*", "x", true),
            ("v1.?", "v1.2", true),
            ("v1.?", "v1.23", false),
            ("*-omos*", "v1-omos", true),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            let pattern: TagPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&tag.parse().unwrap()), taken, "{pattern} {tag}");
        }
        for text in ["", "a/b", "[ab]", "a b"] {
            assert!(text.parse::<TagPattern>().is_err(), "{text}");
        }
    }
}
