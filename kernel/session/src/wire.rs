//! Lengths and layouts of what is ours on the wire. Integers are little-endian.
//!
//! Every message of a handshake and every frame stands behind two bytes that
//! say how long it is, themselves not counted. The first message of a
//! connection is a version, a pattern, Noise's own message, and a [`MAC`] over
//! all of it. What follows is Noise's alone.

/// The version of everything in here. It stands first in a connection, and in
/// the prologue of the handshake.
pub const VERSION: u8 = 1;
/// Bytes of the length in front of every message and frame.
pub const LENGTH: usize = 2;
/// Bytes that authenticate a sealed frame or payload.
pub const TAG: usize = 16;
/// Bytes of the code behind a first message.
pub const MAC: usize = 16;
/// Bytes of version and pattern.
pub const PREFACE: usize = 2;
/// Bytes of a key, public or secret.
pub const KEY: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;
/// Bytes of the announced limits: longest frame, longest message.
pub const LIMITS: usize = 6;
/// Bytes of a key record without its exchange key, which Noise carries.
pub const CREDENTIAL: usize = KEY + 4 + SIGNATURE;

/// Bytes of a first message between members, its length not counted:
/// e, sealed s, sealed credential and limits.
pub const FIRST_OF_MEMBER: usize = PREFACE + KEY + (KEY + TAG) + (CREDENTIAL + LIMITS + TAG) + MAC;
/// Bytes of the answer to it: e, sealed limits.
pub const ANSWER_TO_MEMBER: usize = KEY + (LIMITS + TAG);

/// Bytes of a first message of an enrolment: e, nothing else.
pub const FIRST_OF_NEWCOMER: usize = PREFACE + KEY + MAC;
/// Bytes of the answer to it: e, sealed s, sealed credential and limits.
pub const ANSWER_TO_NEWCOMER: usize = KEY + (KEY + TAG) + (CREDENTIAL + LIMITS + TAG);
/// Bytes of a token: sponsor, invitee, number, operator, signature.
pub const TOKEN: usize = KEY + (1 + KEY) + 16 + KEY + SIGNATURE;
/// Bytes of an application: sealed s, sealed credential, limits, token and secret.
pub const APPLICATION: usize = (KEY + TAG) + (CREDENTIAL + LIMITS + TOKEN + KEY + TAG);

/// Which handshake a first message begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `IK`: a member dials a member whose key record it holds.
    Member,
    /// `XX`: a newcomer with a token dials its sponsor.
    Newcomer,
}

impl Pattern {
    /// The byte behind the version.
    pub const fn byte(self) -> u8 {
        match self {
            Pattern::Member => 1,
            Pattern::Newcomer => 2,
        }
    }

    /// The pattern that `byte` stands for.
    pub const fn from_byte(byte: u8) -> Option<Pattern> {
        match byte {
            1 => Some(Pattern::Member),
            2 => Some(Pattern::Newcomer),
            _ => None,
        }
    }

    /// Bytes of its first message.
    pub const fn first(self) -> usize {
        match self {
            Pattern::Member => FIRST_OF_MEMBER,
            Pattern::Newcomer => FIRST_OF_NEWCOMER,
        }
    }
}

/// What a frame is, by its first byte. The byte is sealed with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: confirms a session, keeps it alive, or brings a new key.
    Empty,
    /// A message.
    Whole,
    /// The length of a message in four bytes, and the beginning of it.
    First,
    /// What follows in a message.
    More,
    /// Nothing, and no frame after it.
    End,
}

/// Set in the first byte of the last frame under a key.
pub const LAST_UNDER_KEY: u8 = 0x80;
/// Bytes of a frame's kind.
pub const KIND: usize = 1;
/// Bytes of a message's length in its first frame.
pub const TOTAL: usize = 4;
/// What a frame costs besides the bytes of the message.
pub const FRAME_OVERHEAD: usize = LENGTH + KIND + TAG;

impl Kind {
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Kind::Empty => 0,
            Kind::Whole => 1,
            Kind::First => 2,
            Kind::More => 3,
            Kind::End => 4,
        }
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Kind> {
        match byte {
            0 => Some(Kind::Empty),
            1 => Some(Kind::Whole),
            2 => Some(Kind::First),
            3 => Some(Kind::More),
            4 => Some(Kind::End),
            _ => None,
        }
    }
}

/// Reads fields from the front of bytes. Running short is `None`.
pub(crate) struct Reader<'b>(pub(crate) &'b [u8]);

impl Reader<'_> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}

/// Writes fields to the front of a buffer. Running out of room is `None`.
pub(crate) struct Writer<'b>(pub(crate) &'b mut [u8]);

impl Writer<'_> {
    pub(crate) fn put(&mut self, field: &[u8]) -> Option<()> {
        let (here, rest) = core::mem::take(&mut self.0).split_at_mut_checked(field.len())?;
        here.copy_from_slice(field);
        self.0 = rest;
        Some(())
    }
}
