//! The machine for one connection.
//!
//! ```text
//!  initiator                                    responder
//!  new ── dial ─────── first message ──────────▶ new
//!                                                 │ Knock      the gate is asked
//!  Answered ◀───────── answer ────────────────── answer        no belief yet
//!   │ confirm ──────── an empty frame ──────────▶ Established
//!  seal ◀──────────── frames ──────────────────▶ seal
//! ```
//!
//! A host feeds what it read to [`Session::receive`] until that asks for more,
//! and writes what the other calls put into its buffer. Whatever goes wrong
//! closes the session for good: keys are erased, and the host drops the
//! connection.

mod enrolment;
#[cfg(feature = "checker")]
mod rehearsed;

use core::ops::{Range, RangeInclusive};

use crate::error::{Closed, Refused};
use crate::handshake::{Ours, Traffic, inside_of_first, look_at_first, member, newcomer};
use crate::inbox::Inbox;
use crate::keys::{Ephemeral, IdentityKey, Peer};
use crate::limits::{FRAMES_PER_KEY, LEAST_FRAME, Limits, MOST_FRAME};
use crate::local::{Local, Members};
use crate::open::{Opened, Part};
use crate::seal::{Outgoing, sealed_len};
use crate::wire::{
    ANSWER_TO_MEMBER, ANSWER_TO_NEWCOMER, APPLICATION, FIRST_OF_MEMBER, FIRST_OF_NEWCOMER, KEY, KIND, LENGTH, Pattern,
    TAG,
};

/// One connection. Frames of at most `FRAME` bytes are received into it, 512
/// to 16,384; the next key comes after `KEY_LIFE` frames, on which both sides
/// of a connection must agree: only tests change it.
///
/// A smaller `FRAME` is for a host that dials and is told nothing, but has no
/// room for what it does not expect: a longer frame closes the session, though
/// it may be as long as was agreed.
///
/// It has no `Debug` and no `Clone`: it holds keys, and a copy would use
/// numbers twice that must be used once.
pub struct Session<const FRAME: usize, const KEY_LIFE: u32 = FRAMES_PER_KEY> {
    phase: Phase<KEY_LIFE>,
    inbox: Inbox<FRAME>,
    /// What was received last, if that is a part of a message.
    part: Option<Part>,
}

/// As servers use it.
pub type ServerSession = Session<MOST_FRAME>;
/// As microcontrollers use it.
pub type MicroSession = Session<LEAST_FRAME>;
/// As microcontrollers use it for what they dial and only send on.
pub type MicroSender = Session<64>;

/// What came of received bytes.
pub enum Event<'s> {
    /// Responder: a first message that was made for us. What comes next costs
    /// Diffie-Hellman operations: ask the [`Gate`](crate::Gate), then call
    /// [`Session::answer`]. Said until then.
    Knock,
    /// Initiator: the answer is genuine. Call [`Session::confirm`], or a
    /// newcomer [`Session::apply`]. Said until then.
    Answered,
    /// Responder: this member is at the other end, now.
    Established(Peer),
    /// Sponsor: a newcomer has applied. Call [`Session::examine`], write the
    /// number down, and call [`Session::accept`]. Said until then.
    Applied,
    /// A message that came in one frame.
    Message(&'s [u8]),
    /// A part of a message that comes in several. They come in order and
    /// without another message between them.
    Chunk(Chunk<'s>),
    /// The peer will send nothing more. We still may.
    Ended,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'s> {
    /// Bytes of the whole message, the same in each part; within the limit
    /// that was agreed.
    pub total: u32,
    /// Bytes of it that came before these.
    pub offset: u32,
    /// The part itself. The message is complete when it reaches to `total`.
    pub bytes: &'s [u8],
}

#[allow(clippy::large_enum_variant, reason = "there is no heap")]
enum Phase<const KEY_LIFE: u32> {
    Fresh,
    /// The first message is in the inbox, looked at.
    Knocked(Pattern),
    /// Initiator, waiting for the answer.
    Dialled(Ephemeral, Peer),
    /// Initiator, answered.
    Answered(Traffic<KEY_LIFE>, Peer),
    /// Responder, waiting for the frame that shows who is there.
    Unconfirmed(Traffic<KEY_LIFE>, Peer),
    /// Newcomer, waiting for the answer of the sponsor.
    Asked(Ephemeral, IdentityKey),
    /// Newcomer; the answer is in the inbox, and genuine.
    Introduced(Ephemeral, Peer),
    /// Sponsor, waiting for the application; with what was in the first message.
    Sponsoring(Ephemeral, [u8; KEY]),
    /// Sponsor; the application is in the inbox, and genuine.
    Applied(Ephemeral, [u8; KEY]),
    /// Sponsor, with an application that is in order.
    Examined(Traffic<KEY_LIFE>, Peer),
    Open(Traffic<KEY_LIFE>, Peer),
    Closed(Closed),
}

/// An [`Event`] that does not yet borrow.
enum Heard {
    Knock,
    Answered,
    Established(Peer),
    Applied,
    Message(Range<usize>),
    Part(Part),
    Ended,
}

/// The frame that confirms a session has no other length.
const CONFIRMATION: usize = KIND + TAG;

impl<const FRAME: usize, const KEY_LIFE: u32> Session<FRAME, KEY_LIFE> {
    const IS_WITHIN_BOUNDS: () = assert!(ANSWER_TO_MEMBER <= FRAME && FRAME <= MOST_FRAME && KEY_LIFE > 1);

    /// Bytes of the longest frame that there is room for.
    pub const FRAME: usize = FRAME;

    /// What we announce.
    const LONGEST_FRAME: usize = if FRAME < LEAST_FRAME { LEAST_FRAME } else { FRAME };

    /// Bytes of a buffer in which every call finds room that writes.
    pub const ROOM: usize = Self::LONGEST_FRAME + LENGTH;

    /// A connection on which nothing was said. It becomes the initiator's by
    /// [`Session::dial`] or [`Session::enrol`], the responder's by what it receives.
    pub const fn new() -> Self {
        let () = Self::IS_WITHIN_BOUNDS;
        Session { phase: Phase::Fresh, inbox: Inbox::new(), part: None }
    }

    /// Writes the first message to `peer` and returns how long it is.
    ///
    /// # Errors
    /// [`Refused`]. The randomness is used up in any case.
    pub fn dial(&mut self, local: &Local, peer: &Peer, ephemeral: Ephemeral, out: &mut [u8]) -> Result<usize, Refused> {
        let Phase::Fresh = self.phase else { return Err(self.not_now()) };
        let written = self.settle(member::first(&Self::ours(local, &ephemeral), peer, out))?;
        self.phase = Phase::Dialled(ephemeral, *peer);
        Ok(written)
    }

    /// Takes bytes from the front of `bytes` up to the next event. Without an
    /// event it has taken all of them and waits for more. `local` is the same
    /// in all calls of one session.
    ///
    /// # Errors
    /// [`Closed`], now or earlier. The rest of `bytes` means nothing any more.
    pub fn receive(&mut self, local: &Local, bytes: &mut &[u8]) -> Result<Option<Event<'_>>, Closed> {
        self.part = None;
        let heard = self.hear(local, bytes).inspect_err(|reason| self.close(*reason))?;
        Ok(heard.and_then(|heard| match heard {
            Heard::Knock => Some(Event::Knock),
            Heard::Answered => Some(Event::Answered),
            Heard::Established(peer) => Some(Event::Established(peer)),
            Heard::Applied => Some(Event::Applied),
            Heard::Message(range) => Some(Event::Message(self.inbox.inside(range))),
            Heard::Part(part) => {
                self.part = Some(part);
                self.chunk().map(Event::Chunk)
            }
            Heard::Ended => Some(Event::Ended),
        }))
    }

    /// The part of a message that [`Session::receive`] gave last, until it is
    /// called again: for a host that must first find a place for it.
    pub fn chunk(&self) -> Option<Chunk<'_>> {
        let Part { total, offset, bytes } = self.part.clone()?;
        Some(Chunk { total, offset, bytes: self.inbox.inside(bytes) })
    }

    /// Responder, after [`Event::Knock`]: writes the answer. This is the call
    /// that costs Diffie-Hellman operations. Nothing is believed yet.
    ///
    /// # Errors
    /// [`Refused`]. When the first message is not genuine, or of somebody whom
    /// `members` does not admit, the session is closed.
    pub fn answer(
        &mut self,
        local: &Local,
        members: &impl Members,
        ephemeral: Ephemeral,
        out: &mut [u8],
    ) -> Result<usize, Refused> {
        let Phase::Knocked(pattern) = self.phase else { return Err(self.not_now()) };
        let ours = Self::ours(local, &ephemeral);
        let inside = self.inbox.body().get(..pattern.first()).and_then(inside_of_first).unwrap_or_default();
        match pattern {
            Pattern::Member => {
                let answer = member::answer(&ours, members, inside, out);
                let answer = self.settle(answer)?;
                self.phase = Phase::Unconfirmed(answer.traffic, answer.peer);
                Ok(answer.written)
            }
            Pattern::Newcomer => {
                let first = inside.first_chunk().copied().unwrap_or_default();
                let answer = newcomer::answer(&ours, inside, out);
                let (_, written) = self.settle(answer)?;
                self.phase = Phase::Sponsoring(ephemeral, first);
                Ok(written)
            }
        }
    }

    /// Initiator, after [`Event::Answered`]: writes the frame that lets the
    /// responder believe us. From then on both may seal.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn confirm(&mut self, out: &mut [u8]) -> Result<usize, Refused> {
        let Phase::Answered(traffic, _) = &mut self.phase else { return Err(self.not_now()) };
        let sealed = traffic.sealer.empty(out);
        let written = self.settle(sealed)?;
        if let Phase::Answered(traffic, peer) = self.take() {
            self.phase = Phase::Open(traffic, peer);
        }
        Ok(written)
    }

    /// Writes the next frame of `message` and returns how long it is. To be
    /// called until [`Outgoing::is_sent`]; no other message can begin before.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn seal(&mut self, message: &mut Outgoing<'_>, out: &mut [u8]) -> Result<usize, Refused> {
        let sealed = self.open_traffic()?.sealer.message(message, out);
        self.settle(sealed)
    }

    /// Writes a frame with nothing in it: it shows that we are alive, and
    /// brings a new key after [`Session::change_key`].
    ///
    /// # Errors
    /// [`Refused`].
    pub fn seal_nothing(&mut self, out: &mut [u8]) -> Result<usize, Refused> {
        let sealed = self.open_traffic()?.sealer.empty(out);
        self.settle(sealed)
    }

    /// Writes the last frame. The peer can tell this end from one that
    /// somebody else brought about.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn seal_end(&mut self, out: &mut [u8]) -> Result<usize, Refused> {
        let sealed = self.open_traffic()?.sealer.end(out);
        self.settle(sealed)
    }

    /// To be called when a key has been in use for an hour: the next frame
    /// that we seal is the last under it. The peer changes its own key.
    pub fn change_key(&mut self) {
        if let Phase::Open(traffic, _) = &mut self.phase {
            traffic.sealer.change_key();
        }
    }

    /// To be called when the connection ends. `Ok` when the peer said that it would.
    ///
    /// # Errors
    /// [`Closed::Truncated`] when it did not, or why the session was closed before.
    pub fn end_of_bytes(&mut self) -> Result<(), Closed> {
        match &self.phase {
            Phase::Closed(reason) => Err(*reason),
            Phase::Open(traffic, _) if traffic.opener.has_ended() && self.inbox.is_between_frames() => Ok(()),
            _ => {
                self.close(Closed::Truncated);
                Err(Closed::Truncated)
            }
        }
    }

    /// Who is at the other end of an open session. After an enrolment that is
    /// a newcomer, or the sponsor.
    pub fn peer(&self) -> Option<&Peer> {
        match &self.phase {
            Phase::Open(_, peer) => Some(peer),
            _ => None,
        }
    }

    /// What was agreed on in an open session.
    pub fn limits(&self) -> Option<Limits> {
        match &self.phase {
            Phase::Open(traffic, _) => Some(traffic.sealer.limits()),
            _ => None,
        }
    }

    /// Bytes on the wire of a message of `message` bytes, in an open session.
    pub fn sealed_len(&self, message: usize) -> Option<usize> {
        self.limits().map(|limits| sealed_len(message, limits))
    }

    fn ours<'h>(local: &'h Local, ephemeral: &'h Ephemeral) -> Ours<'h> {
        let frame = u16::try_from(Self::LONGEST_FRAME).unwrap_or(u16::MAX);
        Ours { local, limits: Limits { frame, message: local.longest_message() }, ephemeral }
    }

    fn hear(&mut self, local: &Local, bytes: &mut &[u8]) -> Result<Option<Heard>, Closed> {
        let length = loop {
            let allowed = match &self.phase {
                Phase::Closed(reason) => return Err(*reason),
                Phase::Knocked(_) => return Ok(Some(Heard::Knock)),
                Phase::Answered(..) | Phase::Introduced(..) => return Ok(Some(Heard::Answered)),
                Phase::Applied(..) | Phase::Examined(..) => return Ok(Some(Heard::Applied)),
                waiting => waiting.allowed(),
            };
            let Some(length) = self.inbox.fill(bytes, allowed)? else { return Ok(None) };
            let Phase::Open(traffic, _) = &mut self.phase else { break length };
            match traffic.opener.open(self.inbox.body_mut(), length)? {
                Opened::Empty => {}
                Opened::Message(range) => return Ok(Some(Heard::Message(range))),
                Opened::Part(part) => return Ok(Some(Heard::Part(part))),
                Opened::End => return Ok(Some(Heard::Ended)),
            }
        };
        self.hear_handshake(local, length).map(Some)
    }

    /// A whole message of the handshake is in the inbox.
    fn hear_handshake(&mut self, local: &Local, length: usize) -> Result<Heard, Closed> {
        let phase = self.take();
        let message = self.inbox.body_mut().get_mut(..length).ok_or(Closed::Length)?;
        let (phase, heard) = match phase {
            Phase::Fresh => (Phase::Knocked(look_at_first(local, message)?), Heard::Knock),
            Phase::Dialled(ephemeral, peer) => {
                let traffic = member::hear(&Self::ours(local, &ephemeral), &peer, message)?;
                (Phase::Answered(traffic, peer), Heard::Answered)
            }
            Phase::Unconfirmed(mut traffic, peer) => match traffic.opener.open(message, length)? {
                Opened::Empty => (Phase::Open(traffic, peer), Heard::Established(peer)),
                _ => return Err(Closed::Unexpected),
            },
            Phase::Asked(ephemeral, sponsor) => {
                let peer = newcomer::hear(&Self::ours(local, &ephemeral), sponsor, message)?;
                (Phase::Introduced(ephemeral, peer), Heard::Answered)
            }
            Phase::Sponsoring(ephemeral, first) => {
                newcomer::read_application::<KEY_LIFE>(&Self::ours(local, &ephemeral), &first, message)?;
                (Phase::Applied(ephemeral, first), Heard::Applied)
            }
            // The others wait for nothing, or for frames.
            _ => return Err(Closed::Unexpected),
        };
        self.phase = phase;
        Ok(heard)
    }

    fn open_traffic(&mut self) -> Result<&mut Traffic<KEY_LIFE>, Refused> {
        match &mut self.phase {
            Phase::Open(traffic, _) => Ok(traffic),
            Phase::Closed(reason) => Err(Refused::Closed(*reason)),
            _ => Err(Refused::NotNow),
        }
    }

    /// Why a call does not belong here.
    fn not_now(&self) -> Refused {
        match &self.phase {
            Phase::Closed(reason) => Refused::Closed(*reason),
            _ => Refused::NotNow,
        }
    }

    /// Closes the session if that is what a call came to.
    fn settle<T>(&mut self, outcome: Result<T, Refused>) -> Result<T, Refused> {
        if let Err(Refused::Closed(reason)) = &outcome {
            self.close(*reason);
        }
        outcome
    }

    /// The phase, for one that takes its place. Without one the session is closed.
    fn take(&mut self) -> Phase<KEY_LIFE> {
        core::mem::replace(&mut self.phase, Phase::Closed(Closed::Unexpected))
    }

    fn close(&mut self, reason: Closed) {
        self.phase = Phase::Closed(reason);
        self.part = None;
        self.inbox.erase();
    }
}

impl<const FRAME: usize, const KEY_LIFE: u32> Default for Session<FRAME, KEY_LIFE> {
    fn default() -> Self {
        Session::new()
    }
}

impl<const KEY_LIFE: u32> Phase<KEY_LIFE> {
    /// How long a message may be that comes now.
    fn allowed(&self) -> RangeInclusive<usize> {
        match self {
            Phase::Fresh => FIRST_OF_NEWCOMER..=FIRST_OF_MEMBER,
            Phase::Dialled(..) => ANSWER_TO_MEMBER..=ANSWER_TO_MEMBER,
            Phase::Asked(..) => ANSWER_TO_NEWCOMER..=ANSWER_TO_NEWCOMER,
            Phase::Sponsoring(..) => APPLICATION..=APPLICATION,
            Phase::Unconfirmed(..) => CONFIRMATION..=CONFIRMATION,
            Phase::Open(traffic, _) => CONFIRMATION..=traffic.opener.longest(),
            // These wait for their host.
            _ => RangeInclusive::new(1, 0),
        }
    }
}
