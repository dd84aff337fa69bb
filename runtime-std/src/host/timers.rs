//! The node's timers, by what they are for.

use std::collections::BTreeMap;

use butterfly_kernel::machine::Timer;
use butterfly_kernel::types::{Epoch, Millis};
use std::time::Duration;
use tokio::time::Instant;

/// Running timers. As many as the node sets: one for the view, one for each
/// stage, one for retransmission, since those of closed epochs are dropped.
#[derive(Debug, Default)]
pub(super) struct Timers {
    running: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Starts `timer`, or starts it again.
    pub(super) fn set(&mut self, timer: Timer, after: Millis) {
        self.running.insert(timer, Instant::now() + Duration::from_millis(u64::from(after.0)));
    }

    /// When the next one runs out.
    pub(super) fn next(&self) -> Option<Instant> {
        self.running.values().min().copied()
    }

    /// One that has run out.
    pub(super) fn take_expired(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let expired = self.running.iter().find(|(_, at)| **at <= now).map(|(timer, _)| *timer)?;
        self.running.remove(&expired);
        Some(expired)
    }

    /// Drops the timers of epochs before `open`: they would be inert.
    pub(super) fn drop_before(&mut self, open: Epoch) {
        self.running.retain(|timer, _| match timer {
            Timer::View { epoch, .. } | Timer::Escalate { epoch, .. } => *epoch >= open,
            Timer::Retransmit => true,
        });
    }
}
