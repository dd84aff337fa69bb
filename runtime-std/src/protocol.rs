//! The kernel's types as this host runs them: Ed25519, at most sixteen voters.

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::message::agreement::Path;
use butterfly_kernel::types::{MAX_CONTEXT, Millis, NodeId};
use butterfly_kernel::wire::{self, WireError};
use butterfly_kernel::{cluster, crypto, machine, message, node, proof};
use serde::Serialize;

/// Most members of a cluster.
pub const VOTERS: usize = 16;

/// How members sign and digest.
pub type Crypto = crypto::ed25519::Ed25519<VOTERS>;
/// A SHA-256 digest.
pub type Digest = crypto::ed25519::Digest;
/// A checked roster with its id.
pub type Cluster = cluster::Cluster<Crypto, VOTERS>;
/// The members, the clients and the model.
pub type Roster = cluster::Roster<Crypto>;
/// One member's place in its cluster.
pub type Seat<'a> = cluster::Seat<'a, Crypto, VOTERS>;
/// The protocol's state at one member.
pub type Node = node::Node<Crypto, VOTERS>;
/// What a member still listens to.
pub type Horizon = node::Horizon<Crypto, VOTERS>;
/// What a member must not forget.
pub type Record = node::Record<Crypto>;
/// What a host tells a node.
pub type Input = machine::Input<Crypto, VOTERS>;
/// What a node asks of its host.
pub type Output = machine::Output<Crypto, VOTERS>;
/// A message with its author and signature.
pub type Envelope = message::Envelope<Crypto, VOTERS>;
/// A message of which every signature was checked.
pub type VerifiedEnvelope = crypto::Verified<Envelope>;
/// What a member can say.
pub type Message = message::Message<Crypto, VOTERS>;
/// A client's request with its signature.
pub type SignedRequest = message::SignedRequest<Crypto>;
pub use crypto::ed25519::PublicKey;
/// What is different in the next roster.
pub type Change = message::change::Change<Crypto>;
/// A change, and by whose word.
pub type SignedChange = message::change::SignedChange<Crypto>;
/// Somebody who comes.
pub type Newcomer = message::change::Newcomer<Crypto>;
/// The work on one request.
pub type RunId = message::RunId<Crypto>;
/// What an epoch's value stands for.
pub type Payload = message::Payload<Crypto>;
/// A decided epoch with its certificate and state.
pub type Decided = butterfly_kernel::chain::Decided<Crypto>;
/// That a cluster committed tokens for a request.
pub type CommitProof = proof::CommitProof<Crypto, MAX_CONTEXT>;
/// One epoch of a commit proof.
pub type Step = proof::Step<Crypto>;
/// Statements that only a faulty member can have signed.
pub type Evidence = proof::Evidence<Crypto>;

/// The waiting times of a cluster whose first view may take `view`
/// milliseconds; the others keep their defaults unless that would make them
/// longer than a view.
pub fn timing(view: u32) -> Timing {
    let default = Timing::default();
    Timing {
        view: Millis(view),
        view_cap: Millis(view.saturating_mul(8)),
        retransmit: default.retransmit.min(Millis(view.div_ceil(2))),
        escalate: default.escalate.min(Millis(view.div_ceil(4))),
    }
}

/// The canonical encoding of `value`, as a vector of exactly its length.
///
/// # Errors
/// None in practice: the buffer is as long as the kernel says it must be.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut buffer = vec![0; wire::encoded_len(value)];
    let used = wire::encode(value, &mut buffer)?.len();
    buffer.truncate(used);
    Ok(buffer)
}

/// The name of a path, in reports.
pub fn path_name(path: Path) -> &'static str {
    match path {
        Path::Fast => "fast",
        Path::Slow => "slow",
    }
}

/// Names one member of one cluster: what is stored for it is nobody else's.
pub fn member_name(cluster: &Cluster, node: NodeId) -> [u8; 32] {
    butterfly_record::owner(&cluster.id().0, node.0)
}
