//! Butterfly for other languages: nodes of the protocol kernel, proofs, keys
//! and sessions. Nothing here does network I/O or reads a clock; a host in
//! Python or Swift brings both.
//!
//! | module | subject |
//! | --- | --- |
//! | [`surface`] | inputs, outputs and records, the same for both surfaces |
//! | [`packed`] | frames of many inputs in the kernel's own encoding |
//! | [`node`] | the kernel with what every host must keep for it |
//! | [`desk`], [`parking`] | inputs of stages; messages that came too early |
//! | [`message`] | what can be seen of a message |
//! | [`liar`] | what a lying member says, for tests and teaching |
//! | [`keys`], [`roster`] | who takes part |
//! | [`proof`], [`document`] | what was committed, and who is to blame, offline |
//! | [`ledger`], [`client`] | the way of a client's request, to its proof |
//! | [`session`] | encrypted links |
//! | [`vote_record`] | what a node must not forget, on a disk |
//! | [`transformer`] | stages of the integer transformer |
//! | [`simulation`] | a whole cluster in virtual time |
//! | [`error`] | why a call did nothing |

pub mod client;
pub mod desk;
pub mod document;
pub mod error;
pub mod keys;
pub mod ledger;
pub mod liar;
pub mod message;
pub mod node;
pub mod packed;
pub mod parking;
pub mod proof;
mod protocol;
pub mod roster;
pub mod session;
pub mod simulation;
pub mod surface;
pub mod transformer;
pub mod vote_record;

pub use error::Error;

uniffi::setup_scaffolding!();

/// The version of this library.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
