//! Finds status, code and request in the texts of other programs.

/// Error codes of the OCI distribution specification, and two more that registries use.
const CODES: &[&str] = &[
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DENIED",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "TOOMANYREQUESTS",
    "UNAUTHORIZED",
    "UNAVAILABLE",
    "UNKNOWN",
    "UNSUPPORTED",
];

/// The request that a text of `BuildKit` is about, without the query of its URL: `PUT https://registry.example/v2/…`.
#[must_use]
pub fn request(text: &str) -> Option<String> {
    let (before, url) = if let Some((before, behind)) = text.split_once(" request to ") {
        (before, behind.split_whitespace().next()?)
    } else {
        // `failed to do request: Head "https://…": dial tcp …`, as Go's client says it.
        let (before, behind) = text.split_at(text.find(" \"http")?);
        (before, behind.split('"').nth(1)?)
    };
    let method = before.rsplit(' ').next()?;
    let is_method =
        ["get", "head", "put", "post", "patch", "delete"].contains(&method.to_lowercase().as_str());
    let url = url.trim_matches(['"', ':']);
    let url = url.split(['?', '#']).next().unwrap_or(url);
    (is_method && url.contains("://")).then(|| format!("{} {url}", method.to_uppercase()))
}

/// The error code of a registry, as `BuildKit` writes it: `toomanyrequests: slow down`, `manifest unknown: …`.
#[must_use]
pub fn code(text: &str) -> Option<&'static str> {
    let parts: Vec<&str> = text.split(": ").collect();
    // One word alone is not taken for a code.
    let parts = if parts.len() > 1 { parts } else { Vec::new() };
    parts.iter().find_map(|part| {
        let part = part.trim().replace(' ', "_").to_uppercase();
        CODES.iter().find(|code| **code == part).copied()
    })
}

/// The HTTP status in a text: `401 Unauthorized`, `status: 500`, `status code 503`.
#[must_use]
pub fn status(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    let apart = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_none_or(|byte| !byte.is_ascii_alphanumeric())
    };
    for (at, digits) in bytes.windows(3).enumerate() {
        let alone = apart(at.checked_sub(1)) && apart(Some(at + 3));
        if !alone || !matches!(digits, [b'4' | b'5', ..]) || !digits.iter().all(u8::is_ascii_digit) {
            continue;
        }
        let (Some(before), Some(Ok(number)), Some(behind)) = (
            text.get(..at),
            text.get(at..at + 3).map(str::parse),
            text.get(at + 3..),
        ) else {
            continue;
        };
        let before = before.to_lowercase();
        let told = [
            "status: ",
            "status ",
            "status code: ",
            "status code ",
            "http ",
            "returned error: ",
        ]
        .iter()
        .any(|word| before.ends_with(word));
        let named = reqwest::StatusCode::from_u16(number)
            .ok()
            .and_then(|status| status.canonical_reason())
            .is_some_and(|reason| {
                behind
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
            (
                "fatal: unable to access 'http://h/': The requested URL returned error: 503",
                Some(503),
            ),
        ] {
            assert_eq!(status(text), number, "{text}");
        }
    }

    #[test]
    fn requests_lose_their_queries() {
        for (text, expected) in [
            (
                "failed to push r/x: unexpected status from PUT request to http://r/v2/x/uploads/1?_state=abc: 500 Internal Server Error",
                Some("PUT http://r/v2/x/uploads/1"),
            ),
            (
                "failed to do request: Head \"https://r:1/v2/x/blobs/sha256:00\": dial tcp 127.0.0.1:1: connect: connection refused",
                Some("HEAD https://r:1/v2/x/blobs/sha256:00"),
            ),
            ("no request to speak of", None),
            ("see \"https://r\"", None),
            ("", None),
        ] {
            assert_eq!(request(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn codes_are_read_where_they_stand_alone() {
        for (text, expected) in [
            (
                "failed to push r/x: toomanyrequests: slow down",
                Some("TOOMANYREQUESTS"),
            ),
            (
                "denied: requested access to the resource is denied",
                Some("DENIED"),
            ),
            ("failed to push r/x:t: unknown: unknown error", Some("UNKNOWN")),
            ("r/x:t: manifest unknown: nothing here", Some("MANIFEST_UNKNOWN")),
            ("failed to push r/x:t: unauthorized", Some("UNAUTHORIZED")),
            ("push access denied, repository does not exist", None),
            ("denied", None),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }
}
