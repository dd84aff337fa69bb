//! Frames that wait for one peer.
//!
//! When there is no more room the oldest are dropped: the newest say most, and
//! the protocol survives loss. What a step says is *staged* first and leaves
//! only once it is released, after the step's record is durable.

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
    dropped: u32,
}

impl<const BYTES: usize> Queue<BYTES> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Queue { bytes: Vec::new(), released: 0, dropped: 0 }
    }

    /// Adds `frame`, in place of the oldest if need be. One that does not fit
    /// at all is dropped itself.
    pub fn stage(&mut self, frame: &[u8]) {
        let Ok(length) = u16::try_from(frame.len()) else { return };
        let needed = frame.len().saturating_add(LENGTH);
        if needed > BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        while BYTES.saturating_sub(self.bytes.len()) < needed && self.pop() {
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

    /// Takes the oldest frame out. Says whether there was one.
    pub fn pop(&mut self) -> bool {
        let Some((length, _)) = self.bytes.split_first_chunk() else { return false };
        let taken = LENGTH.saturating_add(usize::from(u16::from_le_bytes(*length)));
        let taken = taken.min(self.bytes.len());
        let left = self.bytes.len().saturating_sub(taken);
        self.bytes.copy_within(taken.., 0);
        self.bytes.truncate(left);
        self.released = self.released.saturating_sub(taken);
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
