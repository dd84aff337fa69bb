//! The kernel's types as the daemon runs them: Ed25519, at most sixteen voters.

use butterfly_kernel::types::{MAX_CONTEXT, MAX_VOTERS, NodeSet};
use butterfly_kernel::{cluster, crypto, inference, machine, message, node, proof, wire};
use serde::Serialize;

pub(crate) type Crypto = crypto::ed25519::Ed25519<MAX_VOTERS>;
pub(crate) type KernelDigest = crypto::ed25519::Digest;
pub(crate) type Cluster = cluster::Cluster<Crypto, MAX_VOTERS>;
pub(crate) type KernelRoster = cluster::Roster<Crypto>;
pub(crate) type Seat<'a> = cluster::Seat<'a, Crypto, MAX_VOTERS>;
pub(crate) type KernelNode = node::Node<Crypto, MAX_VOTERS>;
pub(crate) type Record = node::Record<Crypto>;
pub(crate) type KernelInput = machine::Input<Crypto, MAX_VOTERS>;
pub(crate) type KernelOutput = machine::Output<Crypto, MAX_VOTERS>;
pub(crate) type Envelope = message::Envelope<Crypto, MAX_VOTERS>;
pub(crate) type VerifiedEnvelope = crypto::Verified<Envelope>;
pub(crate) type Message = message::Message<Crypto, MAX_VOTERS>;
pub(crate) type SignedRequest = message::SignedRequest<Crypto>;
pub(crate) type RunId = message::RunId<Crypto>;
pub(crate) type Run = inference::run::Run<Crypto>;
pub(crate) type Decided = butterfly_kernel::chain::Decided<Crypto>;
pub(crate) type KernelProof = proof::CommitProof<Crypto, MAX_CONTEXT>;
pub(crate) type KernelEvidence = proof::Evidence<Crypto>;

/// The canonical encoding of `value`. It fits: the buffer is as long as the
/// kernel says that it must be.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut buffer = vec![0; wire::encoded_len(value)];
    let used = wire::encode(value, &mut buffer).map_or(0, <[u8]>::len);
    buffer.truncate(used);
    buffer
}

/// The members of a set, by number.
pub(crate) fn numbers(nodes: NodeSet) -> Vec<u8> {
    nodes.iter().map(|node| node.0).collect()
}
