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
//! | [`error`] | why a session is closed, why a call did nothing |
//! | [`limits`] | how long frames and messages may be |
//! | [`wire`] | lengths, and layouts that are ours and not Noise's |
//!
//! Two members, with two buffers for a network:
//!
//! ```
//! use butterfly_session::*;
//! use ed25519_dalek::SigningKey;
//!
//! struct Roster([IdentityKey; 2]);
//! impl Members for Roster {
//!     fn admits(&self, identity: &IdentityKey, _serial: u32) -> bool {
//!         self.0.contains(identity)
//!     }
//! }
//! # fn random() -> [u8; 32] { std::array::from_fn(|_| fastrand::u8(..)) }
//!
//! // Once: an identity signs that an exchange key is its own.
//! let cluster = ClusterId([7; 32]);
//! let member = |identity: &SigningKey| {
//!     let secret = ExchangeSecret::from_random(random());
//!     let record = KeyRecord::sign(identity, cluster, secret.public(), 0);
//!     Local::new(cluster, &secret, record, 1 << 20)
//! };
//! let identities = [SigningKey::from_bytes(&random()), SigningKey::from_bytes(&random())];
//! let (alice, bob) = (member(&identities[0])?, member(&identities[1])?);
//! let roster = Roster(identities.each_ref().map(IdentityKey::of));
//!
//! let (mut dials, mut listens) = (ServerSession::new(), ServerSession::new());
//! let (mut there, mut back) = ([0; ServerSession::ROOM], [0; ServerSession::ROOM]);
//! let fresh = || Ephemeral::from_random(random());
//!
//! let sent = dials.dial(&alice, &bob.record().verify(cluster)?, fresh(), &mut there)?;
//! assert!(matches!(listens.receive(&bob, &mut &there[..sent])?, Some(Event::Knock)));
//! let sent = listens.answer(&bob, &roster, fresh(), &mut back)?;
//! assert!(matches!(dials.receive(&alice, &mut &back[..sent])?, Some(Event::Answered)));
//! let sent = dials.confirm(&mut there)?;
//! let Some(Event::Established(peer)) = listens.receive(&bob, &mut &there[..sent])? else { panic!() };
//! assert_eq!(peer.identity(), alice.record().identity);
//!
//! let sent = listens.seal(&mut Outgoing::new(b"good morning"), &mut back)?;
//! assert!(matches!(dials.receive(&alice, &mut &back[..sent])?, Some(Event::Message(b"good morning"))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
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

pub use error::{Closed, Refused};
pub use gate::Gate;
pub use keys::{ClusterId, Ephemeral, ExchangeKey, ExchangeSecret, IdentityKey, KeyRecord, Peer};
pub use local::{Local, Members};
pub use seal::Outgoing;
pub use session::{Chunk, Event, MicroSender, MicroSession, ServerSession, Session};
pub use token::Token;
