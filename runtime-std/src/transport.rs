//! Sessions between the parties of a cluster, over TCP.
//!
//! Each member dials every other and sends on the connection that it dialled;
//! it receives on those that others dialled. A lost connection is dialled
//! again; what was on its way is lost, which the protocol survives. Every
//! connection is a Noise session of `butterfly-session`: whoever is at its
//! other end has shown that it holds the keys of somebody in the roster, or
//! a token of an operator's who lets it in.

mod connection;
mod door;
mod inbound;
mod outbound;
mod party;
#[cfg(test)]
mod tests;

pub use connection::{Application, Connection, Knocking, Visitor};
pub(crate) use inbound::{Behind, Inbound, receive_from_all};
pub use outbound::{Mesh, Peers};
pub use party::{LONGEST_MESSAGE, Party, Who, local_of};
