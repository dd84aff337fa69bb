//! Why a session is closed, and why a call did nothing.

use core::fmt::{Display, Formatter, Result};

/// Why a session is closed. Its keys are erased; every later call says the
/// same. The peer is told nothing: the host drops the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// A length is announced that no message which may come now has.
    Length,
    /// The first message is of a version that this build does not speak.
    Version,
    /// The first message begins no handshake that there is.
    Pattern,
    /// The first message was made for another cluster or another member.
    NotForUs,
    /// A message of the handshake is not what Noise asks for: altered, made
    /// with another key or for another cluster, or a key of small order.
    Handshake,
    /// The peer is not whom we dialled, or no member with keys that are still good.
    Stranger,
    /// The peer's key record is not signed by its identity, or of another key.
    Record,
    /// The peer announces limits that no message fits in.
    Limits,
    /// The token does not let the peer in.
    Token,
    /// A frame is not the next one that the peer sealed: altered, repeated,
    /// out of order, or one before it was lost.
    Altered,
    /// A frame is genuine, but not one that may come now.
    Unexpected,
    /// A message is announced that is longer than agreed.
    MessageTooLong,
    /// The peer sealed more frames under one key than a key is good for.
    KeyOverused,
    /// The connection ended before the peer said that it would.
    Truncated,
}

impl Display for Closed {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Closed::Length => "no message of this length may come now",
            Closed::Version => "the peer speaks another version",
            Closed::Pattern => "the first message begins no handshake that there is",
            Closed::NotForUs => "the first message is for another cluster or another member",
            Closed::Handshake => "a message of the handshake is not genuine",
            Closed::Stranger => "the peer is not whom we dialled, or no member with these keys",
            Closed::Record => "the peer's key record is not genuine",
            Closed::Limits => "the peer announces limits that no message fits in",
            Closed::Token => "the token does not let the peer in",
            Closed::Altered => "a frame is altered, repeated, out of order or missing",
            Closed::Unexpected => "a genuine frame may not come now",
            Closed::MessageTooLong => "a message is longer than agreed",
            Closed::KeyOverused => "the peer did not change its key in time",
            Closed::Truncated => "the connection ended before the peer said so",
        })
    }
}

impl core::error::Error for Closed {}

/// Why a call did nothing. It has written nothing, and nothing has changed
/// except where this says that the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The session is at another point: the call does not belong here.
    NotNow,
    /// The buffer is too short: [`Session::ROOM`](crate::Session::ROOM) bytes always do.
    NoRoom,
    /// The message is longer than the peer takes.
    TooLong,
    /// Another message has begun and is not all sent.
    Unfinished,
    /// The session is closed.
    Closed(Closed),
}

impl Display for Refused {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        out.write_str(match self {
            Refused::NotNow => "the session is at another point",
            Refused::NoRoom => "the buffer is too short",
            Refused::TooLong => "the message is longer than the peer takes",
            Refused::Unfinished => "another message is not all sent",
            Refused::Closed(reason) => return reason.fmt(out),
        })
    }
}

impl core::error::Error for Refused {}

impl From<Closed> for Refused {
    fn from(reason: Closed) -> Refused {
        Refused::Closed(reason)
    }
}
