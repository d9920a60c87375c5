//! The interrupt, and how long everything may take from then on.
//!
//! CI sends SIGINT, SIGTERM and SIGKILL within 10 s, and a person is promised a word within 5 s. Each part of a run has its share of that time, counted
//! from the moment of the interrupt, so that no number of slow parts one after the other is too slow together.

use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A step that waits for the registry is left where it is. Most answer within this time, and then it is known what stands.
pub(super) const REQUESTS: Duration = Duration::from_secs(2);
/// A step with children is left: they had their time to end, and were killed after it.
pub(super) const CHILDREN: Duration = Duration::from_millis(3400);
/// The record is left as it is.
pub(super) const RECORD: Duration = Duration::from_millis(4100);

/// Whether, and when, the command was interrupted. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    token: CancellationToken,
    came: Arc<OnceLock<Instant>>,
}

impl Interrupt {
    /// How long cleaning up behind a run may take: there is a report then, which is to be told.
    pub const CLEANING: Duration = Duration::from_millis(4400);
    /// How long the command may take to say its last word by itself.
    pub const LAST_WORD: Duration = Duration::from_millis(4600);

    /// What is cancelled when it comes.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// It comes now, unless it came before.
    pub fn come(&self) {
        self.moment();
        self.token.cancel();
    }

    fn moment(&self) -> Instant {
        *self.came.get_or_init(Instant::now)
    }

    /// Waits for it, and for this time from its moment on. Does not end without an interrupt.
    pub async fn after(&self, time: Duration) {
        self.token.cancelled().await;
        tokio::time::sleep_until(self.moment() + time).await;
    }
}

impl From<CancellationToken> for Interrupt {
    fn from(token: CancellationToken) -> Self {
        Self {
            token,
            came: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each share ends before the next, and all of them before the 5 s that are promised.
    #[tokio::test(start_paused = true)]
    async fn shares_are_counted_from_the_moment_of_the_interrupt() {
        let interrupt = Interrupt::default();
        let began = Instant::now();
        let waiting = tokio::time::timeout(Duration::from_secs(60), interrupt.after(REQUESTS)).await;
        assert!(waiting.is_err(), "nobody has interrupted");
        tokio::time::sleep(Duration::from_secs(1)).await;
        interrupt.come();
        for share in [
            REQUESTS,
            CHILDREN,
            RECORD,
            Interrupt::CLEANING,
            Interrupt::LAST_WORD,
        ] {
            interrupt.come();
            interrupt.after(share).await;
            assert_eq!(began.elapsed(), Duration::from_secs(61) + share);
        }
        assert!(Interrupt::LAST_WORD < Duration::from_secs(5));
    }
}
