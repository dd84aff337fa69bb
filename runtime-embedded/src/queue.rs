//! Frames that wait for one peer.
//!
//! When there is no more room the oldest are dropped: the newest say most, and
//! the protocol survives loss. What a step says is *staged* first and leaves
//! only once it is released, after the step's record is durable. A frame that
//! leaves in parts stays where it is until the last of them has left.

#[cfg(test)]
mod tests;

use heapless::Vec;

/// Bytes in front of a frame.
const LENGTH: usize = 2;

/// Frames in order, `BYTES` in all.
#[derive(Debug)]
pub struct Queue<const BYTES: usize> {
    bytes: Vec<u8, BYTES>,
    /// Those before it may leave.
    released: usize,
    /// A part of the oldest has left.
    begun: bool,
    dropped: u32,
}

impl<const BYTES: usize> Queue<BYTES> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Queue { bytes: Vec::new(), released: 0, begun: false, dropped: 0 }
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

    /// Lets everything staged leave. Says whether anything may.
    pub fn release(&mut self) -> bool {
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

impl<const BYTES: usize> Default for Queue<BYTES> {
    fn default() -> Self {
        Queue::new()
    }
}
