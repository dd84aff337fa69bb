//! One function for each target. Each must return, whatever the bytes are.

use butterfly_kernel::cluster::Timing;
use butterfly_kernel::machine::{Input, Timer};
use butterfly_kernel::message::{Kind, Message};
use butterfly_kernel::types::{Epoch, NodeId, Nonce, View};
use butterfly_kernel::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::nodes::{step, with_audience};
use crate::rehearsal::seat;
use crate::{Cluster, CommitProof, Envelope, Evidence, MEMBERS, Node, Record, Roster, Worth, real, session};

/// No input is longer: xtask tells libFuzzer the same.
pub const LONGEST: usize = 2_048;
/// To check one Ed25519 signature takes as long as dozens of inputs: one input
/// in so many is checked, drawn by its bytes.
const CHECKED_OF: u64 = 512;

/// A message: as the daemon reads it, and told to nodes of the pocket world.
pub fn message(kind: Kind, bytes: &[u8]) -> Worth {
    let real = decode::<real::Envelope>(bytes);
    let pocket = decode::<Envelope>(bytes);
    let kind_of = [real.as_ref().map(|real| real.message.kind()), pocket.as_ref().map(|pocket| pocket.message.kind())];
    if kind_of != [None, None] && !kind_of.contains(&Some(kind)) {
        return Worth::Reject;
    }
    if let Some(envelope) = checked(bytes, real) {
        let _ = real::cluster().verify(envelope);
    }
    if let Some(envelope) = pocket.filter(|envelope| envelope.message.kind() == kind) {
        hear(envelope);
    }
    Worth::Keep
}

/// Checks a message of the pocket world and tells it to everybody. Returns
/// the moments in which it was taken.
pub fn hear(envelope: Envelope) -> Vec<&'static str> {
    with_audience(|audience| {
        if let Message::Forward(request) = &envelope.message
            && let Ok(request) = audience.cluster().verify_submission(request.clone())
        {
            audience.tell(&Input::Submit(request));
        }
        match audience.cluster().verify(envelope) {
            Ok(verified) => audience.tell(&Input::Receive(verified)),
            Err(_) => Vec::new(),
        }
    })
}

/// A vote record: a node that goes on from it comes back to it, and can go on.
pub fn record(bytes: &[u8]) {
    if let Some(record) = checked(bytes, decode(bytes)) {
        real::resume(record);
    }
    if let Some(record) = decode::<Record>(bytes) {
        resume(bytes, record);
    }
}

/// Begins a node from a record of the pocket world. Returns whether it could.
pub fn resume(bytes: &[u8], record: Record) -> bool {
    with_audience(|audience| {
        let (cluster, me) = (audience.cluster(), NodeId(1));
        let Ok(mut node) = Node::new(&seat(cluster, &me), Some(record)) else { return false };
        let mut buffer = [0; LONGEST];
        assert_eq!(wire::encode(&node.record(), &mut buffer), Ok(bytes), "the record of a node that just began");
        let view = Timer::View { epoch: node.epoch(), view: node.agreement().view() };
        for input in [Input::Start { nonce: Nonce([1; 16]) }, Input::Timer(view), Input::Timer(Timer::Retransmit)] {
            step(cluster, &me, &mut node, input);
        }
        true
    })
}

/// A commit proof.
pub fn commit_proof(bytes: &[u8]) {
    if let Some(proof) = checked(bytes, decode::<real::CommitProof>(bytes)) {
        let _ = proof.verify(real::cluster());
    }
    let Some(proof) = decode::<CommitProof>(bytes) else { return };
    let holds = with_audience(|audience| proof.verify(audience.cluster()).is_ok());
    if holds {
        let asked = usize::from(proof.request.request.tokens);
        assert!(proof.tokens().count() <= asked && proof.last() >= proof.first, "{proof:?} proves too much");
    }
}

/// Evidence.
pub fn evidence(bytes: &[u8]) {
    if let Some(evidence) = checked(bytes, decode::<real::Evidence>(bytes)) {
        let _ = evidence.verify(real::cluster());
    }
    let Some(evidence) = decode::<Evidence>(bytes) else { return };
    let holds = with_audience(|audience| evidence.verify(audience.cluster()).is_ok());
    assert!(!holds || evidence.accused.index() < MEMBERS, "evidence against nobody: {evidence:?}");
}

/// A roster: a cluster that takes it has a leader for every view.
pub fn roster(bytes: &[u8]) {
    if let Some(roster) = decode::<real::Roster>(bytes) {
        let _ = real::Cluster::new(roster, Timing::default());
    }
    let Some(roster) = decode::<Roster>(bytes) else { return };
    let Ok(cluster) = Cluster::new(roster, Timing::default()) else { return };
    for (epoch, view) in [(0, 0), (1, 2), (u64::MAX, u32::MAX)] {
        assert!(cluster.votes(cluster.leader(Epoch(epoch), View(view))), "nobody leads");
    }
}

/// A connection: a stranger says it, then a member with keys, by the same bytes.
pub fn session(bytes: &[u8]) {
    session::from_stranger(bytes);
    let _ = session::from_peer(bytes);
}

/// The value that `bytes` encode, if any; encoding it gives them again.
fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let value = wire::decode::<T>(bytes).ok()?;
    let mut buffer = [0; LONGEST];
    let room = buffer.get_mut(..bytes.len())?;
    assert_eq!(wire::encode(&value, room), Ok(bytes), "the encoding is another one");
    Some(value)
}

/// What was read from `bytes`, if its genuine signatures are to be checked.
fn checked<T>(bytes: &[u8], read: Option<T>) -> Option<T> {
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    read.filter(|_| (bytes.iter().fold(0, hash) >> 32).is_multiple_of(CHECKED_OF))
}
