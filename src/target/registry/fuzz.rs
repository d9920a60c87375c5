//! What registries send, whatever it holds, for fuzz targets.

use super::{challenge, failure, pages, retry};
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};

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
    headers.extend(named.next().map(|value| (RETRY_AFTER, value)));
    headers.extend(named.next().map(|value| (DATE, value)));
    let _ = retry::retry_after(&headers);
    let (_, text) = failure::read_body(body);
    assert!(!text.contains(char::is_control));
    let line = failure::clean(&String::from_utf8_lossy(body), 100);
    assert!(line.chars().count() <= 101);
    let _: Result<super::tags::Page, _> = serde_json::from_slice(body);
}
