//! The body of one request that is what another one answered, so that nothing of it is kept.

use super::exchange::Failure;
use super::failure::Operation;
use crate::target::FailureClass;
use crate::target::transfer::ByteStream;
use futures_util::StreamExt as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Such a body. It can be sent once.
pub(super) struct Pipe {
    body: Mutex<Option<ByteStream>>,
    pub(super) size: u64,
    /// When the last piece of it was taken to be sent; `None` before it begins, and when all of it is.
    taken: Arc<Mutex<Option<Instant>>>,
}

impl Pipe {
    pub(super) fn new(body: ByteStream, size: u64) -> Self {
        Self {
            body: Mutex::new(Some(body)),
            size,
            taken: Arc::default(),
        }
    }

    /// The body, for the request that sends it.
    pub(super) fn take(&self) -> Option<reqwest::Body> {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let (taken, at_end) = (Arc::clone(&self.taken), Arc::clone(&self.taken));
        let mut left = self.size;
        set(&taken, (left > 0).then(Instant::now));
        let pieces = body.inspect(move |piece| {
            left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
            // Nobody asks for more than the length that was announced, so the end may not be seen.
            set(&taken, (left > 0).then(Instant::now));
        });
        let end = futures_util::stream::poll_fn(move |_| {
            set(&at_end, None);
            std::task::Poll::Ready(None)
        });
        Some(reqwest::Body::wrap_stream(pieces.chain(end)))
    }

    /// Waits for the answer to the request that sends it, as long as the server takes one piece after the other. The answer itself may come late:
    /// a registry hashes and moves what it got before it gives one.
    pub(super) async fn watch(
        &self,
        operation: &Operation,
        idle: Duration,
        sending: impl Future<Output = reqwest::Result<reqwest::Response>>,
    ) -> Result<reqwest::Response, Failure> {
        let mut sending = std::pin::pin!(sending);
        loop {
            let taken = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|error| Failure::of(operation, &error)),
                () = tokio::time::sleep_until(taken.unwrap_or_else(Instant::now) + idle) => {}
            }
            let now = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if taken.is_some() && now == taken {
                let reason = format!(
                    "`{}` took no byte of the upload for {}",
                    operation.host,
                    shown(idle)
                );
                return Err(operation.error(FailureClass::Transient, reason).into());
            }
        }
    }
}

fn set(taken: &Mutex<Option<Instant>>, value: Option<Instant>) {
    *taken.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

fn shown(time: Duration) -> crate::domain::Duration {
    crate::domain::Duration(time)
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
