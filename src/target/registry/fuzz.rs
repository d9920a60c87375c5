//! What registries send, whatever it holds, for fuzz targets.

use super::{auth, carry, challenge, failure, pages, retry};
use crate::pace::Pace;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use url::Url;

/// Values of headers, one a line, and a body behind an empty line.
pub(crate) fn answer(data: &[u8]) {
    let end = data
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or(data.len());
    let (head, body) = data.split_at(end);
    let values: Vec<HeaderValue> = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let texts = || values.iter().filter_map(|value| value.to_str().ok());
    let _ = challenge::parse(texts());
    for text in texts() {
        let _ = pages::next(text);
        let _ = retry::http_date(text);
    }
    let mut headers = HeaderMap::new();
    let mut named = values.iter().cloned();
    let names = [
        RETRY_AFTER,
        DATE,
        HeaderName::from_static("ratelimit-limit"),
        HeaderName::from_static("ratelimit-remaining"),
    ];
    headers.extend(names.into_iter().zip(&mut named));
    let _ = retry::retry_after(&headers);
    if let Ok(address) = Url::parse("https://registry.example/v2/") {
        let pace = Pace::default();
        pace.heard(&address, 429, &headers);
        let _ = pace.held(&address, crate::pace::Counts::AsPull);
        assert!(pace.few().iter().all(|line| !line.contains(char::is_control)));
    }
    let (_, text) = failure::read_body(body);
    assert!(!text.contains(char::is_control));
    let line = failure::clean(&String::from_utf8_lossy(body), 100);
    assert!(line.chars().count() <= 101);
    let _: Result<super::tags::Page, _> = serde_json::from_slice(body);
    let _ = carry::descriptors_in(body);
    if let Some((_, validity)) = auth::token_in(body) {
        // A moment that a clock can count to.
        assert!(tokio::time::Instant::now().checked_add(validity).is_some());
    }
}
