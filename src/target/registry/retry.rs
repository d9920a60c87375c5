//! Trying again what can succeed, with a notice for each time.

use crate::config::Retry;
use crate::target::{FailureClass, TargetError};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::sync::Arc;
use std::time::Duration;

/// Longest pause that a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// A request that failed and is going to be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryNotice {
    /// What was attempted: ``read `v1` of `docker.io/acme/devbox` ``.
    pub attempted: String,
    /// The number of the attempt that failed, from 1.
    pub attempt: u32,
    /// How many attempts there are in all.
    pub of: u32,
    /// Why it failed.
    pub reason: String,
    /// How long the pause is that begins now.
    pub delay: Duration,
}

/// Hears of each retry.
pub type Observer = Arc<dyn Fn(RetryNotice) + Send + Sync>;

/// Runs `attempt` until it succeeds, fails for good, or has failed as often as the policy allows. What the server asked for in
/// `Retry-After` is waited, up to five minutes, when it is longer than the policy's own pause.
pub(super) async fn retrying<T, F: Future<Output = Result<T, TargetError>> + Send>(
    policy: &Retry,
    observer: &Observer,
    attempt: impl Fn() -> F + Send + Sync,
) -> Result<T, TargetError> {
    let mut number = 1;
    loop {
        let mut error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if error.class != FailureClass::Transient {
            return Err(error);
        }
        let Some(pause) = policy.pause_after(number) else {
            if number > 1 {
                error.reason = format!("{}, {number} attempts", error.reason);
            }
            return Err(error);
        };
        let delay = error
            .retry_after
            .map_or(pause, |asked| pause.max(asked.min(LONGEST_PAUSE)));
        observer(RetryNotice {
            attempted: error.attempted.clone(),
            attempt: number,
            of: policy.attempts,
            reason: error.reason.clone(),
            delay,
        });
        tokio::time::sleep(delay).await;
        number += 1;
    }
}

/// How long the server asks to wait: seconds or an HTTP date, measured by the server's own `Date` where it sends one.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST_PAUSE));
    }
    let until = http_date(text)?;
    let now = headers
        .get(reqwest::header::DATE)
        .and_then(|date| http_date(date.to_str().ok()?))
        .unwrap_or_else(crate::clock::now);
    let seconds = u64::try_from(until.as_second().saturating_sub(now.as_second())).unwrap_or(0);
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
pub(super) fn http_date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(reqwest::header::DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn registry_retry_after_in_seconds_and_as_a_date() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(retry_after(&headers("7", None)), seconds(7));
        assert_eq!(retry_after(&headers("86400", None)), seconds(300));
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            retry_after(&headers("Sun, 06 Nov 1994 08:50:07 GMT", now)),
            seconds(30)
        );
        assert_eq!(
            retry_after(&headers("Sun, 06 Nov 1994 08:40:07 GMT", now)),
            seconds(0)
        );
        assert_eq!(
            retry_after(&headers("Sun, 06 Nov 1994 08:50:07 GMT", None)),
            seconds(0)
        );
        assert_eq!(retry_after(&headers("soon", None)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn registry_retries_wait_as_long_as_asked_and_are_reported() {
        let notices = Arc::new(std::sync::Mutex::new(Vec::new()));
        let observer: Observer = {
            let notices = Arc::clone(&notices);
            Arc::new(move |notice: RetryNotice| notices.lock().unwrap().push(notice))
        };
        let started = tokio::time::Instant::now();
        let calls = std::sync::atomic::AtomicU32::new(0);
        let result: Result<(), _> = retrying(&Retry::default(), &observer, || async {
            let first = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
            Err(TargetError {
                attempted: "read".to_owned(),
                reason: "429 Too Many Requests".to_owned(),
                status: Some(429),
                codes: Vec::new(),
                class: FailureClass::Transient,
                retry_after: first.then_some(Duration::from_secs(40)),
                hints: Vec::new(),
                write: false,
            })
        })
        .await;
        assert_eq!(result.unwrap_err().reason, "429 Too Many Requests, 3 attempts");
        assert_eq!(calls.into_inner(), 3);
        let delays: Vec<_> = notices
            .lock()
            .unwrap()
            .iter()
            .map(|n| (n.attempt, n.of, n.delay.as_secs()))
            .collect();
        assert_eq!(delays, [(1, 3, 40), (2, 3, 30)]);
        assert_eq!(started.elapsed().as_secs(), 70);
    }
}
