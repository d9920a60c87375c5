//! At most so many requests in any span of time.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The turns that were given last, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Often(VecDeque<Instant>);

impl Often {
    /// The next turn: now, or as soon as the one `most` turns before it is `span` ago.
    pub(super) fn next(&mut self, now: Instant, most: usize, span: Duration) -> Instant {
        let most = most.max(1);
        while self.0.len() > most {
            self.0.pop_front();
        }
        let turn = if self.0.len() < most {
            now
        } else {
            self.0.pop_front().map_or(now, |oldest| now.max(oldest + span))
        };
        self.0.push_back(turn);
        turn
    }
}
