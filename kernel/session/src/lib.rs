//! One secure connection between two members of a cluster, as a machine that
//! does no I/O: bytes in, bytes out, events out.
//!
//! A [`Session`] is driven by a host, which brings the bytes, 32 random bytes
//! for each handshake, and what it knows of the time. There is no clock, no
//! randomness, no socket and no heap in here; a server and a microcontroller
//! run the same code with other sizes.
//!
//! | module | subject |
//! | --- | --- |
//! | [`session`] | the machine: [`Session`], [`Event`] |
//! | [`keys`] | identities, exchange keys, the signed [`KeyRecord`] between them |
//! | [`local`] | what a member brings to all of its sessions |
//! | [`token`] | how somebody is let in who is no member yet |
//! | [`gate`] | who may begin a handshake while others do |
//! | [`error`] | why a session is closed, why a call wrote nothing |
//! | [`limits`] | how long frames and messages may be |
//! | [`wire`] | lengths, and layouts that are ours and not Noise's |
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::as_conversions,
        clippy::string_slice
    )
)]

#[cfg(test)]
extern crate std;

#[cfg(feature = "count")]
pub mod count;
pub mod error;
pub mod gate;
mod handshake;
mod inbox;
pub mod keys;
pub mod limits;
pub mod local;
mod open;
mod seal;
pub mod session;
mod suite;
pub mod token;
pub mod wire;

pub use error::{Closed, Unsent};
pub use gate::Gate;
pub use keys::{ClusterId, Ephemeral, ExchangeKey, ExchangeSecret, IdentityKey, KeyRecord, Peer};
pub use local::{Local, Members};
pub use seal::Outgoing;
pub use session::{Chunk, Event, MicroSession, ServerSession, Session};
pub use token::Token;
