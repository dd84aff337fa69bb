//! What was sent, by kind of message. A message to three peers counts three
//! times. And what was received in vain.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use butterfly_kernel::machine::Transmission;
use butterfly_kernel::message::Kind;
use serde::{Deserialize, Serialize};

/// How often and how much of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Messages sent for the first time.
    pub first: u64,
    /// Messages sent again, since nothing told whether they had arrived.
    pub retransmitted: u64,
    /// Bytes of all of them, before they are sealed.
    pub bytes: u64,
    /// Messages received that could not matter any more: nobody checked their signatures.
    pub unread: u64,
}

/// Counts by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Traffic {
    kinds: BTreeMap<Kind, Count>,
}

impl Traffic {
    /// Counts `messages` of `bytes` each.
    pub fn add(&mut self, kind: Kind, transmission: Transmission, messages: usize, bytes: usize) {
        let count = self.kinds.entry(kind).or_default();
        let messages = messages as u64;
        match transmission {
            Transmission::First => count.first += messages,
            Transmission::Again => count.retransmitted += messages,
        }
        count.bytes += messages * bytes as u64;
    }

    /// Adds everything counted in `other`.
    pub fn merge(&mut self, other: &Traffic) {
        for (kind, more) in &other.kinds {
            let count = self.kinds.entry(*kind).or_default();
            count.first += more.first;
            count.retransmitted += more.retransmitted;
            count.bytes += more.bytes;
            count.unread += more.unread;
        }
    }

    /// Adds what was received in vain.
    pub fn add_unread(&mut self, unread: &Unread) {
        for (kind, messages) in &*unread.counts() {
            self.kinds.entry(*kind).or_default().unread += messages;
        }
    }

    /// The counts of one kind.
    pub fn of(&self, kind: Kind) -> Count {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// The counts of all kinds together.
    pub fn all(&self) -> Count {
        self.kinds.values().fold(Count::default(), |all, count| Count {
            first: all.first + count.first,
            retransmitted: all.retransmitted + count.retransmitted,
            bytes: all.bytes + count.bytes,
            unread: all.unread + count.unread,
        })
    }

    /// Bytes of all kinds.
    pub fn bytes(&self) -> u64 {
        self.kinds.values().map(|count| count.bytes).sum()
    }
}

/// Messages received in vain, counted by every task that receives.
#[derive(Clone, Debug, Default)]
pub struct Unread {
    kinds: Arc<Mutex<BTreeMap<Kind, u64>>>,
}

impl Unread {
    /// Counts one.
    pub fn add(&self, kind: Kind) {
        *self.counts().entry(kind).or_default() += 1;
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Kind, u64>> {
        // Counts are whole after each addition, whatever becomes of the task.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
