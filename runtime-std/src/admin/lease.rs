//! How long a connection may last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Shared by a connection and whoever answers on it.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    end: Arc<Mutex<Instant>>,
}

impl Lease {
    /// For `time` from now.
    pub(super) fn new(time: Duration) -> Lease {
        Lease { end: Arc::new(Mutex::new(Instant::now() + time)) }
    }

    /// For `time` from now instead.
    pub(super) fn extend(&self, time: Duration) {
        *self.end() = Instant::now() + time;
    }

    /// Waits until it is over.
    pub(super) async fn run_out(&self) {
        loop {
            let end = *self.end();
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn end(&self) -> MutexGuard<'_, Instant> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
