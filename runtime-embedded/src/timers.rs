//! The node's timers, by what they are for.

use butterfly_kernel::machine::Timer;
use butterfly_kernel::types::{Epoch, MAX_STAGES, Millis};
use embassy_time::{Duration, Instant};
use heapless::Vec;

/// Timers of one open epoch: its view, its stages, and retransmission. Those of
/// closed epochs are dropped, and one of two views is the late one.
const RUNNING: usize = MAX_STAGES + 4;

/// Running timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    running: Vec<(Timer, Instant), RUNNING>,
}

impl Timers {
    pub(crate) const fn new() -> Self {
        Timers { running: Vec::new() }
    }

    /// Starts `timer`, or starts it again. When there is no room, the one that
    /// names the earliest place goes: it is the one most likely to be inert.
    pub(crate) fn set(&mut self, timer: Timer, after: Millis) {
        let at = Instant::now().saturating_add(Duration::from_millis(u64::from(after.0)));
        self.running.retain(|(known, _)| *known != timer);
        if self.running.is_full() {
            let oldest = self.running.iter().enumerate().filter(|(_, (known, _))| *known != Timer::Retransmit);
            if let Some(place) = oldest.min_by_key(|(_, (known, _))| *known).map(|(place, _)| place) {
                self.running.swap_remove(place);
            }
        }
        // There is room now.
        let _ = self.running.push((timer, at));
    }

    /// When the next one runs out.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.running.iter().map(|(_, at)| *at).min()
    }

    /// One that has run out.
    pub(crate) fn take_expired(&mut self) -> Option<Timer> {
        let now = Instant::now();
        let place = self.running.iter().position(|(_, at)| *at <= now)?;
        Some(self.running.swap_remove(place).0)
    }

    /// Drops the timers of epochs before `open`: they would be inert.
    pub(crate) fn drop_before(&mut self, open: Epoch) {
        self.running.retain(|(timer, _)| match timer {
            Timer::View { epoch, .. } | Timer::Escalate { epoch, .. } => *epoch >= open,
            Timer::Retransmit => true,
        });
    }
}
