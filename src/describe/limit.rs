//! The limits of Docker Hub, in bytes; text is cut between characters.

/// Longest `full_description`, in bytes (Docker Hub answers 400 to more).
pub(super) const PAGE: usize = 25_000;
/// Longest `description`, in bytes.
pub(super) const SHORT: usize = 100;

/// The text, or as much of its beginning as fits; also says how many bytes are left out, 0 for none.
pub(super) fn cut(text: &str, most: usize) -> (&str, usize) {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let (kept, left_out) = text.split_at(end);
    (kept, left_out.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), ("abc", 0));
        assert_eq!(cut("abcd", 3), ("abc", 1));
        // 2, 3 and 4 bytes.
        assert_eq!(cut("aä", 2), ("a", 2));
        assert_eq!(cut("a€b", 3), ("a", 4));
        assert_eq!(cut("🦀🦀", 7), ("🦀", 4));
        assert_eq!(cut("🦀", 3), ("", 4));
        let long = "ä".repeat(12_501);
        assert_eq!(cut(&long, PAGE).0.len(), 25_000);
    }
}
