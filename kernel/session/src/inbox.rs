//! The frame that is being received.

use core::ops::{Range, RangeInclusive};

use zeroize::Zeroize;

use crate::error::Closed;
use crate::wire::LENGTH;

/// Room for one frame. Nothing of it is stored before its length is allowed.
pub(crate) struct Inbox<const FRAME: usize> {
    length: [u8; LENGTH],
    body: [u8; FRAME],
    /// Bytes that are here, those of the length counted.
    here: usize,
}

impl<const FRAME: usize> Inbox<FRAME> {
    pub(crate) const fn new() -> Self {
        Inbox { length: [0; LENGTH], body: [0; FRAME], here: 0 }
    }

    /// Takes from the front of `bytes` what belongs to the frame. Gives the
    /// frame's length when it is complete; the next call begins another one.
    pub(crate) fn fill(&mut self, bytes: &mut &[u8], allowed: RangeInclusive<usize>) -> Result<Option<usize>, Closed> {
        while let Some(byte) = self.length.get_mut(self.here) {
            let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
            *byte = *first;
            *bytes = rest;
            self.here = self.here.saturating_add(1);
        }
        let length = usize::from(u16::from_le_bytes(self.length));
        if !allowed.contains(&length) {
            return Err(Closed::Length);
        }
        let room = self.body.get_mut(self.here.saturating_sub(LENGTH)..length).ok_or(Closed::Length)?;
        let wanted = room.len();
        let (taken, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
        if let Some(room) = room.get_mut(..taken.len()) {
            room.copy_from_slice(taken);
        }
        *bytes = rest;
        self.here = self.here.saturating_add(taken.len());
        if taken.len() < wanted {
            return Ok(None);
        }
        self.here = 0;
        Ok(Some(length))
    }

    /// Whether a part of a frame is here.
    pub(crate) fn is_between_frames(&self) -> bool {
        self.here == 0
    }

    pub(crate) fn body(&self) -> &[u8; FRAME] {
        &self.body
    }

    /// What is in a frame that was opened here.
    pub(crate) fn inside(&self, range: Range<usize>) -> &[u8] {
        self.body.get(range).unwrap_or_default()
    }

    pub(crate) fn body_mut(&mut self) -> &mut [u8; FRAME] {
        &mut self.body
    }

    /// What was received last is not left lying about.
    pub(crate) fn erase(&mut self) {
        self.body.zeroize();
    }
}

impl<const FRAME: usize> Drop for Inbox<FRAME> {
    fn drop(&mut self) {
        self.erase();
    }
}
