//! Frames that wait for one peer.
//!
//! When there is no more room the oldest are dropped: the newest say most, and
//! the protocol survives loss. What a step says is *staged* first and leaves
//! only once it is released, after the step's record is durable. A frame that
//! leaves in parts stays where it is until the last of them has left.
//!
//! What is said *again* takes nobody's place. It is the answer to somebody who
//! lacks something, and of outputs in their order whoever asked needs the first
//! before it can use the others. Or it is a *round* of retransmission: that may
//! be more than there is room for, so the next round goes on where it ended. If
//! the oldest made room, the same would be lost each time, and two devices could
//! wait for each other for ever.

#[cfg(test)]
mod tests;

use butterfly_kernel::machine::Transmission;
use butterfly_kernel::types::{NodeId, NodeSet};
use heapless::Vec;

/// Bytes in front of a frame.
const LENGTH: usize = 2;

/// How far a round of retransmission is.
#[derive(Debug)]
struct Round {
    under_way: bool,
    /// Frames that it has brought.
    brought: u16,
    /// As many of them were said by the rounds before.
    begins: u16,
    /// The first for which there was no room: the next round begins there.
    ends: Option<u16>,
}

/// Frames in order, `BYTES` in all.
#[derive(Debug)]
pub struct Queue<const BYTES: usize> {
    bytes: Vec<u8, BYTES>,
    /// Those before it may leave.
    released: usize,
    /// A part of the oldest has left.
    begun: bool,
    round: Round,
    dropped: u32,
}

impl<const BYTES: usize> Queue<BYTES> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Queue { bytes: Vec::new(), released: 0, begun: false, round: Round::new(), dropped: 0 }
    }

    /// Adds `frame`, in place of the oldest if need be, but not of one that has
    /// begun to leave. One that does not fit then is dropped itself.
    pub fn stage(&mut self, frame: &[u8]) {
        let Ok(length) = u16::try_from(frame.len()) else { return };
        let needed = frame.len().saturating_add(LENGTH);
        let kept = if self.begun { self.length_at(0).unwrap_or(0) } else { 0 };
        if needed > BYTES.saturating_sub(kept) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        while BYTES.saturating_sub(self.bytes.len()) < needed && self.remove(kept) {
            self.dropped = self.dropped.saturating_add(1);
        }
        // There is room now.
        let _ = self.bytes.extend_from_slice(&length.to_le_bytes());
        let _ = self.bytes.extend_from_slice(frame);
    }

    /// Adds `frame` if there is room for it.
    pub fn stage_again(&mut self, frame: &[u8]) {
        let has_room = frame.len().saturating_add(LENGTH) <= BYTES.saturating_sub(self.bytes.len());
        if has_room {
            self.stage(frame);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Adds `frame`, which belongs to a round of retransmission, if it is its
    /// turn and there is room for it.
    fn stage_in_round(&mut self, frame: &[u8]) {
        if self.round.takes(frame.len().saturating_add(LENGTH) <= BYTES.saturating_sub(self.bytes.len())) {
            self.stage(frame);
        }
    }

    /// What is staged up to the next release belongs to a round of retransmission.
    fn begin_round(&mut self) {
        self.round = Round { under_way: true, brought: 0, begins: self.round.ends.unwrap_or(0), ends: None };
    }

    /// Lets everything staged leave. Says whether anything may.
    pub fn release(&mut self) -> bool {
        self.round.under_way = false;
        self.released = self.bytes.len();
        self.released > 0
    }

    /// The oldest frame that may leave.
    pub fn front(&self) -> Option<&[u8]> {
        let (length, rest) = self.bytes.get(..self.released)?.split_first_chunk()?;
        rest.get(..usize::from(u16::from_le_bytes(*length)))
    }

    /// A part of the oldest frame has left: it stays until it is popped.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// What has left of the oldest frame is lost: it may be dropped again.
    pub fn rewind(&mut self) {
        self.begun = false;
    }

    /// Takes the oldest frame out. Says whether there was one.
    pub fn pop(&mut self) -> bool {
        self.begun = false;
        self.remove(0)
    }

    /// Bytes of the frame at `place`, those in front of it counted.
    fn length_at(&self, place: usize) -> Option<usize> {
        let (length, rest) = self.bytes.get(place..)?.split_first_chunk()?;
        Some(LENGTH.saturating_add(usize::from(u16::from_le_bytes(*length)).min(rest.len())))
    }

    fn remove(&mut self, place: usize) -> bool {
        let Some(taken) = self.length_at(place) else { return false };
        let left = self.bytes.len().saturating_sub(taken);
        self.bytes.copy_within(place.saturating_add(taken).., place);
        self.bytes.truncate(left);
        if self.released > place {
            self.released = self.released.saturating_sub(taken);
        }
        true
    }

    /// Frames that were dropped.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }
}

impl Round {
    const fn new() -> Self {
        Round { under_way: false, brought: 0, begins: 0, ends: None }
    }

    /// Whether the next frame is to be said, when there is room for it or not.
    fn takes(&mut self, has_room: bool) -> bool {
        let place = self.brought;
        self.brought = place.saturating_add(1);
        if place < self.begins || self.ends.is_some() {
            return false;
        }
        if !has_room {
            self.ends = Some(place);
        }
        has_room
    }
}

impl<const BYTES: usize> Default for Queue<BYTES> {
    fn default() -> Self {
        Queue::new()
    }
}

/// A queue for each peer, none for oneself.
#[derive(Debug)]
pub(crate) struct Queues<'m, const BYTES: usize> {
    me: NodeId,
    queues: &'m mut [Queue<BYTES>],
}

impl<'m, const BYTES: usize> Queues<'m, BYTES> {
    /// For the peers of `me`, as many as there are `queues`.
    pub(crate) fn new(me: NodeId, queues: &'m mut [Queue<BYTES>]) -> Self {
        Queues { me, queues }
    }

    /// What waits for `peer`.
    pub(crate) fn of(&mut self, peer: NodeId) -> Option<&mut Queue<BYTES>> {
        if peer == self.me {
            return None;
        }
        // Those behind the place of oneself have moved up.
        self.queues.get_mut(peer.index().saturating_sub(usize::from(peer > self.me)))
    }

    /// What is staged up to the next release belongs to a round of retransmission.
    pub(crate) fn begin_round(&mut self) {
        self.queues.iter_mut().for_each(Queue::begin_round);
    }

    /// Lets everything staged leave.
    pub(crate) fn release(&mut self) {
        self.queues.iter_mut().for_each(|queue| {
            queue.release();
        });
    }

    /// Stages `frame` for `peer`.
    pub(crate) fn stage(&mut self, peer: NodeId, frame: &[u8], transmission: Transmission) {
        let Some(queue) = self.of(peer) else { return };
        match transmission {
            _ if queue.round.under_way => queue.stage_in_round(frame),
            Transmission::First => queue.stage(frame),
            Transmission::Again => queue.stage_again(frame),
        }
    }

    /// Those for whom something waits.
    pub(crate) fn waiting(&self) -> NodeSet {
        let peers = (0..u8::MAX).map(NodeId).filter(|peer| *peer != self.me);
        let waiting = peers.zip(self.queues.iter()).filter(|(_, queue)| queue.front().is_some());
        waiting.map(|(peer, _)| peer).collect()
    }
}
