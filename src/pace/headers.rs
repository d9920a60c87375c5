//! How long a server asks to be left alone.

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// What `Retry-After` says: seconds or an HTTP date, measured by the server's own `Date` where it sends one (RFC 9110, section 10.2.3).
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = http_date(text)?;
    let now = headers
        .get(DATE)
        .and_then(|date| http_date(date.to_str().ok()?))
        .unwrap_or_else(crate::clock::now);
    let seconds = u64::try_from(until.as_second().saturating_sub(now.as_second())).unwrap_or(0);
    Some(Duration::from_secs(seconds))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
#[must_use]
pub fn http_date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let read = |retry_after: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            super::retry_after(&headers).map(|time| time.as_secs())
        };
        assert_eq!(read("7", None), Some(7));
        assert_eq!(read(" 86400 ", None), Some(86400));
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(30));
        assert_eq!(read("Sun, 06 Nov 1994 08:40:07 GMT", now), Some(0));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT", None), Some(0));
        for text in ["soon", "", "-1", "1.5", "99999999999999999999"] {
            assert_eq!(read(text, None), None, "{text}");
        }
        assert_eq!(super::retry_after(&HeaderMap::new()), None);
    }
}
