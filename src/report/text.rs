//! Text that came from elsewhere, made fit for one line of a terminal or log; and times and counts in words.

use std::time::Duration;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// One line of foreign text without anything that could steer a terminal: ANSI sequences, control characters and marks that reorder
/// text are removed, tabs and line breaks become spaces. Of a line that overwrote itself (`10%\r20%`) the last state is kept.
#[must_use]
pub fn clean(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let last = stripped
        .rsplit('\r')
        .find(|part| !part.trim().is_empty())
        .unwrap_or_default();
    let mut cleaned = String::with_capacity(last.len());
    for character in last.chars() {
        match character {
            '\t' | '\n' | '\u{2028}' | '\u{2029}' => cleaned.push(' '),
            character if character.is_control() || reorders(character) => {}
            character => cleaned.push(character),
        }
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

/// The lines of foreign text, each cleaned.
pub(crate) fn clean_lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(clean)
}

/// Marks that let text look like other text (Unicode technical report 36, "Bidirectional text spoofing").
const fn reorders(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` with each digest cut to its first 12 digits.
#[must_use]
pub fn short_digests(text: &str) -> String {
    const PREFIX: &str = "sha256:";
    let mut parts = text.split(PREFIX);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(part.bytes().take_while(u8::is_ascii_hexdigit).count());
        let first = digits.get(..12).filter(|_| digits.len() == 64);
        short.extend([PREFIX, first.unwrap_or(digits), rest]);
    }
    short
}

/// How many columns `text` takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// Columns of one character, as high as they may come out: the variation selector for emoji makes the one before it wide.
fn columns(character: char) -> usize {
    if character == '\u{fe0f}' {
        1
    } else {
        character.width().unwrap_or(0)
    }
}

/// `text` cut to at most `columns` columns; where something is left out, it ends with `…`.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(1) else {
        return String::new();
    };
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += columns(character);
        if used > room {
            break;
        }
        kept.push(character);
    }
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// `text` cut to at most `columns` columns in its middle, so that the end stays: `build/varia…/linux-arm64`.
#[must_use]
pub fn cut_middle(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(1) else {
        return String::new();
    };
    let tail_room = room * 2 / 3;
    let mut tail = Vec::new();
    let mut used = 0;
    for character in text.chars().rev() {
        used += columns(character);
        if used > tail_room {
            break;
        }
        tail.push(character);
    }
    let tail: String = tail.into_iter().rev().collect();
    // `cut` brings the `…`.
    format!("{}{tail}", cut(text, limit.saturating_sub(width(&tail))))
}

/// `text` filled up with spaces to `columns` columns.
#[must_use]
pub fn pad(text: &str, columns: usize) -> String {
    // Not by a width of `format!`: one of more than 65,535 panics.
    let fill = " ".repeat(columns.saturating_sub(width(text)));
    format!("{text}{fill}")
}

/// A time as people read it, to a tenth of a second at first: `3.2s`, `1m05s`, `1h02m`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{}s", tenths / 10, tenths % 10);
    }
    whole_seconds(Duration::from_millis(
        u64::try_from(time.as_millis())
            .unwrap_or(u64::MAX)
            .saturating_add(500),
    ))
}

/// A running time, in whole seconds: `3s`, `1m05s`, `1h02m`.
#[must_use]
pub fn whole_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{seconds}s")
    } else if seconds < 3600 {
        format!("{}m{:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60)
    }
}

/// Seconds of a document as a time; nonsense (negative, not a number) is none.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// A number with thousands set apart: `1,980`.
#[must_use]
pub fn number(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 step`, `2 steps`, `1,980 steps`.
#[must_use]
pub fn count(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_cut_and_nothing_else() {
        let whole = crate::domain::Digest::of(b"");
        let text = format!("a {whole}, b sha256:12 c");
        assert_eq!(short_digests(&text), "a sha256:e3b0c44298fc, b sha256:12 c");
        assert_eq!(short_digests("none"), "none");
    }
    use proptest::prelude::*;

    #[test]
    fn foreign_text_is_tamed() {
        for (text, cleaned) in [
            ("plain", "plain"),
            ("\x1b[1;31mred\x1b[0m text", "red text"),
            ("\x1b]0;title\x07after", "after"),
            ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("a\tb\nc", "a b c"),
            ("10%\r20%\r30%\r\n", "30%"),
            ("windows\r\n", "windows"),
            ("bell\x07 back\x08space \u{9b}31mc1", "bell backspace 31mc1"),
            ("abc\u{202e}fed", "abcfed"),
            ("trailing  ", "trailing"),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
    }

    #[test]
    fn cutting_counts_columns() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert_eq!(cut("日本語テキスト", 6), "日本…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(
            cut_middle("build/variant/omos-with-everything/linux-arm64", 30),
            "build/vari…rything/linux-arm64"
        );
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad("a", 70_000).len(), 70_000);
    }

    #[test]
    fn times_and_counts() {
        for (milliseconds, text) in [
            (0, "0.0s"),
            (49, "0.0s"),
            (3_249, "3.2s"),
            (59_949, "59.9s"),
            (59_950, "1m00s"),
            (65_400, "1m05s"),
            (3_720_000, "1h02m"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(whole_seconds(Duration::from_millis(3_900)), "3s");
        assert_eq!(count(1, "step", "steps"), "1 step");
        assert_eq!(count(1980, "step", "steps"), "1,980 steps");
        assert_eq!(number(1_000_000), "1,000,000");
        assert_eq!(duration(f64::NAN), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_gets_through(
            parts in proptest::collection::vec(
                prop_oneof![
                    any::<String>(),
                    Just("\x1b".to_owned()),
                    Just("\x1b[".to_owned()),
                    Just("\x1b]".to_owned()),
                    Just("\u{9b}".to_owned()),
                    Just("\r".to_owned()),
                    Just("31m".to_owned()),
                ],
                0..12,
            )
        ) {
            let cleaned = clean(&parts.concat());
            prop_assert!(!cleaned.contains('\x1b'), "{cleaned:?}");
            prop_assert!(!cleaned.chars().any(char::is_control), "{cleaned:?}");
            prop_assert_eq!(clean(&cleaned), cleaned);
        }

        #[test]
        fn what_is_cut_fits(text in any::<String>(), columns in 0_usize..40) {
            let text = clean(&text);
            prop_assert!(width(&cut(&text, columns)) <= columns);
            prop_assert!(width(&cut_middle(&text, columns)) <= columns);
        }
    }
}
