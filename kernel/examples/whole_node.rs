//! All that a host asks of a node, with the cryptography that is shipped. It
//! is there to be compiled: what the compiler makes the same program of is
//! the same to every host. `cargo xtask mutants` compares by it.

use butterfly_kernel::cluster::{Cluster, ClusterError, Roster, Seat, Timing};
use butterfly_kernel::crypto::Verified;
use butterfly_kernel::crypto::ed25519::Ed25519;
use butterfly_kernel::machine::{Input, Output, Place, Rejection};
use butterfly_kernel::message::{Envelope, Forged};
use butterfly_kernel::node::{Blockade, Coordinator, Horizon, Node, Record, RecordError, RecordRef};
use butterfly_kernel::proof::{CommitProof, Evidence, EvidenceError, ProofError};
use butterfly_kernel::types::{Resilience, ResilienceError, Stage};

/// Voters.
pub const N: usize = 4;
/// Ed25519 for so many.
pub type Shipped = Ed25519<N>;

/// Epochs of one proof.
const STEPS: usize = 4;

/// As [`Resilience::new`], [`Resilience::largest`] and [`Resilience::with_faults`].
///
/// # Errors
/// As theirs.
pub fn resilience(n: usize, f: Option<usize>, p: Option<usize>) -> Result<Resilience, ResilienceError> {
    match (f, p) {
        (Some(f), Some(p)) => Resilience::new(n, f, p),
        (Some(f), None) => Resilience::with_faults(n, f),
        (None, _) => Resilience::largest(n),
    }
}

/// As [`Cluster::new`].
///
/// # Errors
/// As there.
pub fn cluster(roster: Roster<Shipped>, timing: Timing) -> Result<Cluster<Shipped, N>, ClusterError> {
    Cluster::new(roster, timing)
}

/// As [`Node::new`].
///
/// # Errors
/// As there.
pub fn restart(seat: &Seat<'_, Shipped, N>, record: Option<Record<Shipped>>) -> Result<Node<Shipped, N>, RecordError> {
    Node::new(seat, record)
}

/// As [`Node::step`].
///
/// # Errors
/// As there.
pub fn step(
    node: &mut Node<Shipped, N>,
    seat: &Seat<'_, Shipped, N>,
    input: Input<Shipped, N>,
    out: &mut dyn FnMut(Output<Shipped, N>),
) -> Result<(), Rejection> {
    node.step(seat, input, &mut |output| out(output))
}

/// As [`Node::record`].
pub fn record(node: &Node<Shipped, N>) -> RecordRef<'_, Shipped> {
    node.record()
}

/// As [`Node::horizon`].
pub fn horizon(node: &Node<Shipped, N>) -> Horizon<Shipped, N> {
    node.horizon()
}

/// As [`Horizon::wants`].
///
/// # Errors
/// As there.
pub fn wants(
    horizon: &Horizon<Shipped, N>,
    cluster: &Cluster<Shipped, N>,
    envelope: &Envelope<Shipped, N>,
) -> Result<(), Rejection> {
    horizon.wants(cluster, envelope)
}

/// As [`Cluster::verify`].
///
/// # Errors
/// As there.
pub fn verify(
    cluster: &Cluster<Shipped, N>,
    envelope: Envelope<Shipped, N>,
) -> Result<Verified<Envelope<Shipped, N>>, Forged> {
    cluster.verify(envelope)
}

/// As [`CommitProof::verify`].
///
/// # Errors
/// As there.
pub fn verify_proof(proof: &CommitProof<Shipped, STEPS>, cluster: &Cluster<Shipped, N>) -> Result<(), ProofError> {
    proof.verify(cluster)
}

/// As [`Evidence::verify`].
///
/// # Errors
/// As there.
pub fn verify_evidence(evidence: &Evidence<Shipped>, cluster: &Cluster<Shipped, N>) -> Result<(), EvidenceError> {
    evidence.verify(cluster)
}

/// Whether what came too early may be offered again, and else whether it is
/// worth keeping: [`Node::reached`], [`Node::is_near`].
pub fn early(node: &Node<Shipped, N>, seat: &Seat<'_, Shipped, N>, place: &Place) -> (bool, bool) {
    (node.reached(place), node.is_near(seat, place))
}

/// What an operator is shown: [`Node::coordinator`], [`Node::blockade`],
/// [`Node::standing`].
pub fn shown(
    node: &Node<Shipped, N>,
    seat: &Seat<'_, Shipped, N>,
    stage: Stage,
) -> (Coordinator, Option<Blockade>, Option<bool>) {
    let works = node.standing(stage).map(|standing| standing.works && standing.has_past);
    (node.coordinator(seat), node.blockade(), works)
}
