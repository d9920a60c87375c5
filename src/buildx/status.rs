//! Finds the HTTP status in an error text.

/// The HTTP status in a text: `401 Unauthorized`, `status: 500`, `status code 503`.
pub(super) fn status(text: &str) -> Option<u16> {
    for (at, _) in text.match_indices(['4', '5']) {
        let (Some(before), Some(digits), Some(after)) =
            (text.get(..at), text.get(at..at + 3), text.get(at + 3..))
        else {
            continue;
        };
        let goes_on = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
        if goes_on(before.chars().next_back()) || goes_on(after.chars().next()) {
            continue;
        }
        let Some(number) = digits
            .parse()
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            continue;
        };
        let before = before.to_lowercase();
        let told = ["status: ", "status ", "status code: ", "status code ", "http "]
            .iter()
            .any(|word| before.ends_with(word));
        let named = reqwest::StatusCode::from_u16(number)
            .ok()
            .and_then(|status| status.canonical_reason())
            .is_some_and(|reason| {
                after
                    .trim_start()
                    .to_lowercase()
                    .starts_with(&reason.to_lowercase())
            });
        // Behind the URL stands what the server said, in words of its own: `503 Backend fetch failed`.
        let answered = before.contains("unexpected status from ") && before.ends_with(": ");
        if told || named || answered {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_where_they_are_said() {
        for (text, number) in [
            ("x: 401 Unauthorized", Some(401)),
            ("unexpected status code 503", Some(503)),
            ("unexpected status: 429 Too Many Requests", Some(429)),
            (
                "unexpected status from PUT request to http://r:80/v2/a/manifests/b: 503 Backend fetch failed",
                Some(503),
            ),
            ("layer of 500 bytes", None),
            ("localhost:443: EOF", None),
            ("sha256:404abc", None),
            ("übergröße 404 not found", Some(404)),
        ] {
            assert_eq!(status(text), number, "{text}");
        }
    }
}
