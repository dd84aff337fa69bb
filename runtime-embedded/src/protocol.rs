//! The kernel's types as a device runs them: Ed25519, at most `N` members.
//!
//! A server holds sixteen voters in the same types, and the bytes on the wire
//! are the same: capacities are not part of an encoding.

use butterfly_kernel::crypto::ed25519::{self, Ed25519};
use butterfly_kernel::{chain, cluster, machine, message, node};

/// A SHA-256 digest.
pub type Digest = ed25519::Digest;
/// A checked roster with its id.
pub type Cluster<const N: usize> = cluster::Cluster<Ed25519<N>, N>;
/// The members, the clients and the model.
pub type Roster<const N: usize> = cluster::Roster<Ed25519<N>>;
/// One member's place in its cluster.
pub type Seat<'a, const N: usize> = cluster::Seat<'a, Ed25519<N>, N>;
/// The protocol's state at one member.
pub type Node<const N: usize> = node::Node<Ed25519<N>, N>;
/// What a member must not forget.
pub type Record<const N: usize> = node::Record<Ed25519<N>>;
/// What a host tells a node.
pub type Input<const N: usize> = machine::Input<Ed25519<N>, N>;
/// What a node asks of its host.
pub type Output<const N: usize> = machine::Output<Ed25519<N>, N>;
/// A message with its author and signature.
pub type Envelope<const N: usize> = message::Envelope<Ed25519<N>, N>;
/// A client's request with its signature.
pub type SignedRequest<const N: usize> = message::SignedRequest<Ed25519<N>>;
/// The work on one request.
pub type RunId<const N: usize> = message::RunId<Ed25519<N>>;
/// A request under way.
pub type Run<const N: usize> = butterfly_kernel::inference::run::Run<Ed25519<N>>;
/// Inputs of a stage, for one that lacks them.
pub type History<const N: usize> = message::History<Ed25519<N>>;
/// Proof that a member is faulty.
pub type Evidence<const N: usize> = butterfly_kernel::proof::Evidence<Ed25519<N>>;
/// A decided epoch with its certificate and state.
pub type Decided<const N: usize> = chain::Decided<Ed25519<N>>;
