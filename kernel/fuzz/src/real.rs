//! The daemon's reading: Ed25519, and the cluster of the golden vectors.

use std::sync::OnceLock;

use butterfly_kernel::cluster::{Cluster as KernelCluster, Seat, Timing};
use butterfly_kernel::crypto::ed25519::Ed25519;
use butterfly_kernel::types::{MAX_CONTEXT, MAX_VOTERS, NodeId};
use butterfly_kernel::{chain, cluster, message, node, proof, wire};
use ed25519_dalek::SigningKey;

/// The daemon's scheme.
pub type Scheme = Ed25519<MAX_VOTERS>;
/// A checked roster with its id.
pub type Cluster = KernelCluster<Scheme, MAX_VOTERS>;
/// The members, the clients and the model.
pub type Roster = cluster::Roster<Scheme>;
/// A message with its author and signature.
pub type Envelope = message::Envelope<Scheme, MAX_VOTERS>;
/// What a member must not forget.
pub type Record = node::Record<Scheme>;
/// What was decided, with the state after it.
pub type Decided = chain::Decided<Scheme>;
/// That a cluster committed tokens for a request.
pub type CommitProof = proof::CommitProof<Scheme, MAX_CONTEXT>;
/// Statements that only a faulty member can have signed.
pub type Evidence = proof::Evidence<Scheme>;

const GOLDEN: &str = include_str!("../../../bindings/golden/vectors/cluster.json");

/// The cluster that genuine vectors are genuine in.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let (_, hex) = GOLDEN.split_once("\"roster\": \"").expect("the file holds a roster");
        let digits = hex.bytes().map_while(|digit| char::from(digit).to_digit(16)).collect::<Vec<u32>>();
        let bytes = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]).to_le_bytes()[0]).collect::<Vec<u8>>();
        let roster = wire::decode::<Roster>(&bytes).expect("the golden roster is one");
        KernelCluster::new(roster, Timing::default()).expect("the golden roster is within its bounds")
    })
}

/// A node of this cluster, if it can go on from `record`.
pub fn resume(record: Record) -> Option<node::Node<Scheme, MAX_VOTERS>> {
    let seat = Seat { cluster: cluster(), me: NodeId(1), key: &SigningKey::from_bytes(&[2; 32]) };
    node::Node::new(&seat, Some(record)).ok()
}
