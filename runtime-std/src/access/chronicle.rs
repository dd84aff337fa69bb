//! What a node tells clients: where it is, and what was decided lately.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use butterfly_kernel::types::Epoch;
use tokio::sync::watch;

use super::{Answer, Standing, Told};
use crate::protocol::{Decided, encode};

/// Epochs that a client which comes late can still be told of: more than the
/// longest request takes when each epoch commits one token.
const EPOCHS_KEPT: usize = 512;

/// Written by the event loop, read by the sessions of clients.
pub(crate) struct Chronicle {
    standing: watch::Sender<Standing>,
    past: Mutex<Past>,
}

#[derive(Default)]
struct Past {
    last: Option<Decided>,
    /// Encoded answers, by their epochs, in order.
    told: VecDeque<(Epoch, Vec<u8>)>,
}

impl Chronicle {
    pub(crate) fn new(standing: Standing, last: Option<Decided>) -> Chronicle {
        Chronicle { standing: watch::Sender::new(standing), past: Mutex::new(Past { last, told: VecDeque::new() }) }
    }

    /// Where the node is now.
    pub(crate) fn stand(&self, now: impl FnOnce(&mut Standing)) {
        self.standing.send_if_modified(|standing| {
            let before = standing.clone();
            now(standing);
            *standing != before
        });
    }

    /// The node decided an epoch, or learned that it was.
    pub(crate) fn add(&self, told: Told) -> Result<()> {
        let (epoch, last) = (told.decided.header.epoch, told.decided.clone());
        let answer = encode(&Answer::Told(told))?;
        let mut past = self.past();
        if past.told.len() == EPOCHS_KEPT {
            past.told.pop_front();
        }
        past.told.push_back((epoch, answer));
        past.last = Some(last);
        Ok(())
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

    /// The first kept epoch that is not before `from`, encoded.
    pub(crate) fn next(&self, from: Epoch) -> Option<(Epoch, Vec<u8>)> {
        self.past().told.iter().find(|(epoch, _)| *epoch >= from).cloned()
    }

    /// At most `limit` kept epochs that are not before `from`, encoded, in order.
    pub(crate) fn range(&self, from: Epoch, limit: usize) -> Vec<Vec<u8>> {
        let past = self.past();
        let kept = past.told.iter().filter(|(epoch, _)| *epoch >= from).take(limit);
        kept.map(|(_, told)| told.clone()).collect()
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
