//! Trying again what can succeed, with a notice for each time.

use crate::config::Retry;
use crate::pace::{Again, Pace};
use crate::target::{FailureClass, TargetError};
use std::sync::Arc;
use std::time::Duration;

pub(super) use crate::pace::{http_date, retry_after};

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
/// `Retry-After` is waited when it is longer than the policy's own pause.
pub(super) async fn retrying<T, F: Future<Output = Result<T, TargetError>> + Send>(
    pace: &Pace,
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
        let again = pace.again(policy, number, error.retry_after);
        if number > 1 && !matches!(again, Again::After(_)) {
            error.reason = format!("{}, {number} attempts", error.reason);
        }
        let delay = match again {
            Again::After(delay) => delay,
            Again::No => return Err(error),
            Again::Refused(why) => {
                error.reason = format!("{}; not tried again: {why}", error.reason);
                return Err(error);
            }
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn registry_retries_wait_as_long_as_asked_and_are_reported() {
        let notices = Arc::new(std::sync::Mutex::new(Vec::new()));
        let observer: Observer = {
            let notices = Arc::clone(&notices);
            Arc::new(move |notice: RetryNotice| notices.lock().unwrap().push(notice))
        };
        let started = tokio::time::Instant::now();
        let calls = std::sync::atomic::AtomicU32::new(0);
        let pace = Pace::new(crate::pace::Limits {
            jitter: || 0.0,
            ..crate::pace::Limits::default()
        });
        let result: Result<(), _> = retrying(&pace, &Retry::default(), &observer, || async {
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
