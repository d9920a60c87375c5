//! How much of the time that a run may spend with pauses is spent.

use std::time::Duration;
use tokio::time::Instant;

/// Pauses at the same time count once: what forty requests wait for at once keeps the run no longer than what one waits for.
#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: Duration,
    /// Until when somebody pauses already.
    until: Option<Instant>,
}

impl Budget {
    /// Takes the time from `now` to `end` out of `most`; false, and nothing is taken, where too little is left.
    pub(super) fn take(&mut self, now: Instant, end: Instant, most: Duration) -> bool {
        let begin = self.until.map_or(now, |until| until.max(now));
        let spent = self.spent + end.saturating_duration_since(begin);
        if spent > most {
            return false;
        }
        self.spent = spent;
        self.until = Some(end.max(begin));
        true
    }
}
