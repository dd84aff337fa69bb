//! The direction in: frames become messages and parts of messages.

use core::ops::Range;

use crate::error::Closed;
use crate::limits::Limits;
use crate::suite::Cipher;
use crate::wire::{KIND, Kind, LAST_UNDER_KEY, Reader, TAG, TOTAL};

/// What was in a frame. Ranges are of the buffer that it was opened in.
pub(crate) enum Opened {
    Empty,
    Message(Range<usize>),
    Part(Part),
    End,
}

/// A part of a message of `total` bytes, of which `offset` came before it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) total: u32,
    pub(crate) offset: u32,
    pub(crate) bytes: Range<usize>,
}

pub(crate) struct Opener<const FRAMES_PER_KEY: u32> {
    cipher: Cipher,
    limits: Limits,
    under_key: u32,
    /// The message that has begun: its length, and how much of it was opened.
    begun: Option<(u32, u32)>,
    has_ended: bool,
}

impl<const FRAMES_PER_KEY: u32> Opener<FRAMES_PER_KEY> {
    pub(crate) fn new(cipher: Cipher, limits: Limits) -> Self {
        Opener { cipher, limits, under_key: 0, begun: None, has_ended: false }
    }

    /// Bytes of the longest frame that may come.
    pub(crate) fn longest(&self) -> usize {
        usize::from(self.limits.frame)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Opens the frame at the front of `buffer`, in place.
    pub(crate) fn open(&mut self, buffer: &mut [u8], length: usize) -> Result<Opened, Closed> {
        if self.has_ended {
            return Err(Closed::Unexpected);
        }
        let frame = buffer.get_mut(..length).filter(|_| length >= KIND.saturating_add(TAG)).ok_or(Closed::Length)?;
        let plain = self.cipher.decrypt_with_ad_in_place(&[], frame, length).map_err(|_| Closed::Altered)?;
        let kind = self.turn_key(frame.first().copied().unwrap_or_default())?;
        let (plain, longest) = (KIND..plain, self.limits.body());
        match (kind, self.begun) {
            (Kind::Empty, _) if plain.is_empty() => Ok(Opened::Empty),
            (Kind::Whole, None) => {
                let length = u32::try_from(plain.len()).map_err(|_| Closed::MessageTooLong)?;
                if length > self.limits.message {
                    return Err(Closed::MessageTooLong);
                }
                Ok(Opened::Message(plain))
            }
            (Kind::First, None) => {
                let mut reader = Reader(frame.get(plain.clone()).unwrap_or_default());
                let total = u32::from_le_bytes(reader.array().ok_or(Closed::Unexpected)?);
                if total > self.limits.message {
                    return Err(Closed::MessageTooLong);
                }
                // What fits in one frame comes in one.
                if usize::try_from(total).is_ok_and(|total| total <= longest) {
                    return Err(Closed::Unexpected);
                }
                self.part(total, 0, plain.start.saturating_add(TOTAL)..plain.end, self.limits.first_body())
            }
            (Kind::More, Some((total, offset))) => self.part(total, offset, plain, longest),
            (Kind::End, None) if plain.is_empty() => {
                self.has_ended = true;
                Ok(Opened::End)
            }
            _ => Err(Closed::Unexpected),
        }
    }

    /// The kind without the mark, which is obeyed.
    fn turn_key(&mut self, byte: u8) -> Result<Kind, Closed> {
        self.under_key = self.under_key.saturating_add(1);
        if byte & LAST_UNDER_KEY != 0 {
            self.cipher.rekey().map_err(|_| Closed::Altered)?;
            self.under_key = 0;
        } else if self.under_key >= FRAMES_PER_KEY {
            return Err(Closed::KeyOverused);
        }
        Kind::from_byte(byte & !LAST_UNDER_KEY).ok_or(Closed::Unexpected)
    }

    /// Parts are as long as they can be: how many frames a message takes is
    /// not the sender's choice.
    fn part(&mut self, total: u32, offset: u32, bytes: Range<usize>, longest: usize) -> Result<Opened, Closed> {
        let length = u32::try_from(bytes.len()).map_err(|_| Closed::Unexpected)?;
        let missing = total.checked_sub(offset).ok_or(Closed::Unexpected)?;
        let due = usize::try_from(missing).map_or(longest, |missing| missing.min(longest));
        if bytes.len() != due {
            return Err(Closed::Unexpected);
        }
        self.begun = if length == missing { None } else { Some((total, offset.saturating_add(length))) };
        Ok(Opened::Part(Part { total, offset, bytes }))
    }
}
