//! How long frames and messages may be. Each side announces what it takes,
//! inside the handshake, and the smaller of two numbers holds in both directions.

use crate::error::Closed;
use crate::wire::{KIND, LIMITS, Reader, TAG, TOTAL};

/// A frame may always be this long: whatever a handshake needs fits in one.
pub const LEAST_FRAME: usize = 512;
/// No frame is longer, whoever the peers are.
pub const MOST_FRAME: usize = 16 * 1024;
/// Frames sealed under one key, in one direction, before the next key.
pub const FRAMES_PER_KEY: u32 = 1 << 20;

/// What one side takes, or what both agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a sealed frame, its length not counted.
    pub frame: u16,
    /// Bytes of a message, in however many frames.
    pub message: u32,
}

impl Limits {
    pub(crate) fn to_bytes(self) -> [u8; LIMITS] {
        let ([f0, f1], [m0, m1, m2, m3]) = (self.frame.to_le_bytes(), self.message.to_le_bytes());
        [f0, f1, m0, m1, m2, m3]
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Limits> {
        Some(Limits { frame: u16::from_le_bytes(reader.array()?), message: u32::from_le_bytes(reader.array()?) })
    }

    /// What holds when the other side announces `theirs`.
    pub(crate) fn agree(self, theirs: Limits) -> Result<Limits, Closed> {
        if usize::from(theirs.frame) < LEAST_FRAME {
            return Err(Closed::Limits);
        }
        Ok(Limits { frame: self.frame.min(theirs.frame), message: self.message.min(theirs.message) })
    }

    /// Bytes of a message that fit in a frame that is not its first of several.
    pub(crate) fn body(self) -> usize {
        usize::from(self.frame).saturating_sub(KIND + TAG)
    }

    /// Bytes of a message that fit in its first frame of several.
    pub(crate) fn first_body(self) -> usize {
        self.body().saturating_sub(TOTAL)
    }
}
