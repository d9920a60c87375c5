//! "Did you mean": the known word nearest to one that is not known.

/// A hint that names the nearest of `known`, if one is near enough to be meant.
pub(in crate::config) fn did_you_mean<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<String> {
    let far = word.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|known| (distance(&word.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| format!("did you mean `{known}`?"))
}

/// Letters to add, drop, change or swap with their neighbour (optimal string alignment).
#[expect(
    clippy::indexing_slicing,
    reason = "`i` and `j` go through the table that was made for them, and look back only where there is something"
)]
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<_>, Vec<_>) = (left.chars().collect(), right.chars().collect());
    if left.len().abs_diff(right.len()) > 8 || left.len() > 128 {
        return usize::MAX;
    }
    let width = right.len() + 1;
    let mut rows = vec![0; (left.len() + 1) * width];
    for i in 0..=left.len() {
        for j in 0..width {
            rows[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = usize::from(left[i - 1] != right[j - 1]);
                let mut best = (rows[(i - 1) * width + j] + 1)
                    .min(rows[i * width + j - 1] + 1)
                    .min(rows[(i - 1) * width + j - 1] + changed);
                if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                    best = best.min(rows[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    rows.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let known = ["platforms", "repository", "name", "tags"];
        let hint = |word| did_you_mean(word, known);
        assert_eq!(hint("platfroms").as_deref(), Some("did you mean `platforms`?"));
        assert_eq!(hint("Tag").as_deref(), Some("did you mean `tags`?"));
        assert_eq!(hint("dockerfile"), None);
        assert_eq!(hint(""), None);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
