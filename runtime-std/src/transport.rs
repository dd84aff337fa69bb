//! Frames between members over TCP.
//!
//! Each member dials every other and sends on the connection that it dialled;
//! it receives on those that others dialled. A lost connection is dialled
//! again; what was on its way is lost, which the protocol survives.

pub mod frame;
mod inbound;
mod outbound;
pub mod session;

pub use inbound::{Inbound, receive_from_all};
pub use outbound::{Mesh, Peers};
