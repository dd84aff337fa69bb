//! What a node tells clients: where it is, and what was decided: lately from
//! memory, before that from its history.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use butterfly_kernel::types::Epoch;
use tokio::sync::watch;

use super::{Answer, Standing};
use crate::history::{Entry, Shelf};
use crate::protocol::Decided;

/// Epochs in memory: more than the longest request takes when each epoch commits
/// one token, and more than are on their way to the history.
const EPOCHS_KEPT: usize = 512;

/// Written by the event loop, read by the sessions of clients.
pub(crate) struct Chronicle {
    standing: watch::Sender<Standing>,
    past: Mutex<Past>,
    history: Shelf,
}

struct Past {
    last: Option<Decided>,
    /// Nothing behind this epoch is known here, neither in memory nor on disk.
    end: Epoch,
    /// Encoded answers, by their epochs, in order.
    told: VecDeque<Entry>,
}

impl Chronicle {
    /// With the decision at which the node goes on, and what it has on disk.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) fn new(standing: Standing, last: Option<Decided>, history: Shelf) -> Result<Chronicle> {
        let end = history.last()?;
        let past = Mutex::new(Past { last, end, told: VecDeque::new() });
        Ok(Chronicle { standing: watch::Sender::new(standing), past, history })
    }

    /// Where the node is now.
    pub(crate) fn stand(&self, now: impl FnOnce(&mut Standing)) {
        self.standing.send_if_modified(|standing| {
            let before = standing.clone();
            now(standing);
            *standing != before
        });
    }

    /// The node decided an epoch, or learned that it was: an encoded [`Answer::Told`].
    pub(crate) fn add(&self, decided: Decided, answer: Arc<[u8]>) {
        let mut past = self.past();
        if past.told.len() == EPOCHS_KEPT {
            past.told.pop_front();
        }
        past.end = past.end.max(decided.header.epoch);
        past.told.push_back((decided.header.epoch, answer));
        past.last = Some(decided);
    }

    /// Changes when there is something new to tell.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Where the node is.
    pub(crate) fn stands(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// The last decision that it holds.
    pub(crate) fn last(&self) -> Option<Decided> {
        self.past().last.clone()
    }

    /// Both, for a client.
    pub(crate) fn standing(&self) -> Answer {
        Answer::Standing(self.stands(), self.last())
    }

    /// The first epoch that is not before `from` and known here, encoded.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) fn next(&self, from: Epoch) -> Result<Option<Entry>> {
        Ok(self.range(from, 1)?.pop())
    }

    /// At most `limit` epochs that are not before `from` and known here, encoded, in order.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub(crate) fn range(&self, from: Epoch, limit: usize) -> Result<Vec<Entry>> {
        let (first, recent): (Option<Epoch>, Vec<Entry>) = {
            let past = self.past();
            if from > past.end {
                // Whoever follows asks at each change; the disk is left alone.
                return Ok(Vec::new());
            }
            let kept = past.told.iter().filter(|(epoch, _)| *epoch >= from).take(limit);
            (past.told.front().map(|(epoch, _)| *epoch), kept.cloned().collect())
        };
        let first = first.unwrap_or(Epoch(u64::MAX));
        if from >= first {
            return Ok(recent);
        }
        let mut entries = self.history.range(from, first, limit)?;
        entries.extend(recent);
        entries.truncate(limit);
        Ok(entries)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
