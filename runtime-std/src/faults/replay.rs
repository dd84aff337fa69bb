//! A member that cannot let the past rest.

use std::collections::BTreeMap;

use butterfly_kernel::message::Kind;
use butterfly_kernel::types::Epoch;

use super::Outgoing;
use crate::protocol::{Envelope, Seat};

/// Different messages kept of each kind and epoch.
const OF_EACH: usize = 8;
/// Kinds in epochs kept; the first of them are never given up for later ones.
const SHELVES: usize = 512;
/// Old messages that go out with each new one.
const AT_ONCE: usize = 2;

/// What was said so far, by anybody.
#[derive(Debug, Default)]
pub(super) struct Replay {
    memory: BTreeMap<(Option<Epoch>, Kind), Vec<Envelope>>,
    /// The message whose turn it is, of all that are kept.
    turn: usize,
}

impl Replay {
    /// Keeps `envelope`, if there are not enough of its kind and epoch.
    pub(super) fn remember(&mut self, envelope: &Envelope) {
        let shelf = (envelope.message.epoch(), envelope.message.kind());
        if self.memory.len() >= SHELVES && !self.memory.contains_key(&shelf) {
            return;
        }
        let kept = self.memory.entry(shelf).or_default();
        if kept.len() < OF_EACH && !kept.contains(envelope) {
            kept.push(envelope.clone());
        }
    }

    /// How many messages are kept.
    pub(super) fn len(&self) -> usize {
        self.memory.values().map(Vec::len).sum()
    }

    /// The next old messages, to everybody: all of them in turn, from the
    /// oldest epoch to the newest, then from the beginning.
    pub(super) fn again(&mut self, seat: &Seat<'_>) -> Vec<Outgoing> {
        let count = self.len();
        let mut repeated = Vec::new();
        for _ in 0..AT_ONCE.min(count) {
            self.turn = (self.turn + 1) % count;
            let envelope = self.memory.values().flatten().nth(self.turn);
            repeated.extend(envelope.map(|envelope| Outgoing::now(seat.others(), envelope.clone())));
        }
        repeated
    }
}
