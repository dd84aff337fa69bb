//! The direction out: messages become frames.

use crate::error::{Closed, Refused};
use crate::limits::Limits;
use crate::suite::Cipher;
use crate::wire::{FRAME_OVERHEAD, KIND, Kind, LAST_UNDER_KEY, LENGTH, TAG, TOTAL, Writer};

/// A message and how much of it is sealed. Sealing it takes one call for each
/// frame, between which others may be received.
#[derive(Clone, Copy)]
pub struct Outgoing<'m> {
    rest: &'m [u8],
    has_begun: bool,
}

impl<'m> Outgoing<'m> {
    /// Nothing of `message` is sealed yet.
    pub const fn new(message: &'m [u8]) -> Outgoing<'m> {
        Outgoing { rest: message, has_begun: false }
    }

    /// The first `sealed` bytes of `message` were sealed before: for a host
    /// that cannot lend the message for as long as that takes.
    pub fn resumed(message: &'m [u8], sealed: usize) -> Outgoing<'m> {
        let has_begun = sealed > 0;
        Outgoing { rest: message.get(sealed..).unwrap_or_default(), has_begun }
    }

    /// Bytes that are not sealed yet.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Whether all of it is sealed.
    pub const fn is_sent(&self) -> bool {
        self.has_begun && self.rest.is_empty()
    }
}

pub(crate) struct Sealer<const FRAMES_PER_KEY: u32> {
    cipher: Cipher,
    limits: Limits,
    under_key: u32,
    /// An hour is over: the next frame is the last under its key.
    key_is_old: bool,
    /// Bytes that are missing of a message that has begun.
    missing: usize,
    has_ended: bool,
}

impl<const FRAMES_PER_KEY: u32> Sealer<FRAMES_PER_KEY> {
    pub(crate) fn new(cipher: Cipher, limits: Limits) -> Self {
        Sealer { cipher, limits, under_key: 0, key_is_old: false, missing: 0, has_ended: false }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn change_key(&mut self) {
        self.key_is_old = true;
    }

    /// The next frame of `message`.
    pub(crate) fn message(&mut self, message: &mut Outgoing<'_>, out: &mut [u8]) -> Result<usize, Refused> {
        if message.is_sent() {
            return Err(Refused::NotNow);
        }
        let expected = if message.has_begun { message.rest.len() } else { 0 };
        if self.missing != expected {
            return Err(Refused::Unfinished);
        }
        let total = u32::try_from(message.rest.len()).map_err(|_| Refused::TooLong)?;
        let (kind, body) = if message.has_begun {
            (Kind::More, self.limits.body())
        } else if total > self.limits.message {
            return Err(Refused::TooLong);
        } else if message.rest.len() <= self.limits.body() {
            (Kind::Whole, self.limits.body())
        } else {
            (Kind::First, self.limits.first_body())
        };
        let (now, later) = message.rest.split_at_checked(body).unwrap_or((message.rest, &[]));
        let total = total.to_le_bytes();
        let written = self.frame(kind, if kind == Kind::First { &total } else { &[] }, now, out)?;
        self.missing = later.len();
        *message = Outgoing { rest: later, has_begun: true };
        Ok(written)
    }

    /// A frame of which the kind is all.
    pub(crate) fn empty(&mut self, out: &mut [u8]) -> Result<usize, Refused> {
        self.frame(Kind::Empty, &[], &[], out)
    }

    /// The last frame.
    pub(crate) fn end(&mut self, out: &mut [u8]) -> Result<usize, Refused> {
        if self.missing > 0 {
            return Err(Refused::Unfinished);
        }
        let written = self.frame(Kind::End, &[], &[], out)?;
        self.has_ended = true;
        Ok(written)
    }

    fn frame(&mut self, kind: Kind, head: &[u8], body: &[u8], out: &mut [u8]) -> Result<usize, Refused> {
        if self.has_ended {
            return Err(Refused::NotNow);
        }
        self.under_key = self.under_key.saturating_add(1);
        let is_last = self.key_is_old || self.under_key >= FRAMES_PER_KEY;
        let sealed = self.seal(if is_last { kind.byte() | LAST_UNDER_KEY } else { kind.byte() }, head, body, out);
        let Ok(written) = sealed else {
            self.under_key = self.under_key.saturating_sub(1);
            return sealed;
        };
        if is_last {
            self.cipher.rekey().map_err(|_| Closed::Altered)?;
            self.under_key = 0;
            self.key_is_old = false;
        }
        Ok(written)
    }

    fn seal(&mut self, kind: u8, head: &[u8], body: &[u8], out: &mut [u8]) -> Result<usize, Refused> {
        let plain = KIND.saturating_add(head.len()).saturating_add(body.len());
        let sealed = plain.saturating_add(TAG);
        let length = u16::try_from(sealed).map_err(|_| Refused::TooLong)?;
        let frame = out.get_mut(..sealed.saturating_add(LENGTH)).ok_or(Refused::NoRoom)?;
        let written = frame.len();
        let (front, inside) = frame.split_at_mut_checked(LENGTH).ok_or(Refused::NoRoom)?;
        front.copy_from_slice(&length.to_le_bytes());
        let mut writer = Writer(inside);
        let fields: [&[u8]; 3] = [&[kind], head, body];
        fields.iter().try_for_each(|field| writer.put(field)).ok_or(Refused::NoRoom)?;
        self.cipher.encrypt_with_ad_in_place(&[], inside, plain).map_err(|_| Closed::Altered)?;
        Ok(written)
    }
}

/// Bytes on the wire of a message of `message` bytes.
pub(crate) fn sealed_len(message: usize, limits: Limits) -> usize {
    let (body, first) = (limits.body(), limits.first_body());
    if message <= body {
        return message.saturating_add(FRAME_OVERHEAD);
    }
    let more = message.saturating_sub(first).div_ceil(body.max(1));
    let frames = more.saturating_add(1);
    message.saturating_add(TOTAL).saturating_add(frames.saturating_mul(FRAME_OVERHEAD))
}
