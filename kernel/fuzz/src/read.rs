//! One function for each target. Each must return, whatever the bytes are.

use butterfly_kernel::chain::Head;
use butterfly_kernel::cluster::Timing;
use butterfly_kernel::machine::{Input, Output, Timer};
use butterfly_kernel::message::{Kind, Message};
use butterfly_kernel::node::Role;
use butterfly_kernel::types::{Epoch, NodeId, Nonce, View};
use butterfly_kernel::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::nodes::{step, with_audience};
use crate::pocket::Pocket;
use crate::scene::seat;
use crate::{
    Cluster, CommitProof, Decided, Envelope, Evidence, MEMBERS, Node, Record, Roster, VOTERS, Worth, real, session,
};

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
        audience.tell(|cluster| handed(cluster, &envelope.message));
        audience.tell(|cluster| cluster.verify(envelope.clone()).ok().map(Input::Receive))
    })
}

/// What a host is handed by a client or an operator, and members pass on.
pub fn handed(cluster: &Cluster, message: &Message<Pocket, VOTERS>) -> Option<Input<Pocket, VOTERS>> {
    match message {
        Message::Forward(request) => cluster.verify_submission(request.clone()).ok().map(Input::Submit),
        Message::Change(signed) => cluster.verify_change(signed.clone()).ok().map(Input::Change),
        _ => None,
    }
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

/// Begins a node from a record of the pocket world, in every cluster of which
/// it can be. Returns whether there is one.
pub fn resume(bytes: &[u8], record: Record) -> bool {
    with_audience(|audience| {
        let me = NodeId(1);
        let begin = |cluster: &Cluster| {
            let Ok(node) = Node::new(&seat(cluster, me), Some(record.clone())) else { return false };
            let mut buffer = [0; LONGEST];
            assert_eq!(wire::encode(&node.record(), &mut buffer), Ok(bytes), "the record of a node that just began");
            go_on(cluster, me, node);
            true
        };
        audience.clusters().iter().filter(|cluster| begin(cluster)).count() > 0
    })
}

/// What a node does on its own as soon as it has begun.
fn go_on(cluster: &Cluster, me: NodeId, mut node: Node) {
    let view = Timer::View { epoch: node.epoch(), view: node.agreement().view() };
    for input in [Input::Start { nonce: Nonce([1; 16]) }, Input::Timer(view), Input::Timer(Timer::Retransmit)] {
        step(cluster, me, &mut node, input);
    }
}

/// What ended a cluster: whoever holds it knows the next one, and its members enter it.
pub fn ending(bytes: &[u8]) {
    if let Some(ending) = checked(bytes, decode::<real::Decided>(bytes))
        && real::cluster().decided_is_genuine(&ending)
    {
        let _ = real::cluster().next(&ending);
    }
    if let Some(ending) = decode::<Decided>(bytes) {
        succeed(&ending);
    }
}

/// Goes on behind `ending` in every cluster of the pocket world that can have
/// decided it. Returns whether one has another roster then.
pub fn succeed(ending: &Decided) -> bool {
    with_audience(|audience| audience.clusters().iter().filter(|cluster| enter_behind(cluster, ending)).count() > 0)
}

fn enter_behind(cluster: &Cluster, ending: &Decided) -> bool {
    if !cluster.decided_is_genuine(ending) {
        return false;
    }
    let Ok(next) = cluster.next(ending) else { return false };
    assert_eq!(next.first(), cluster.first(), "the chain has one beginning");
    assert_eq!(next.descent().map(|descent| descent.previous), Some(cluster.id()), "it goes on from another one");
    assert_led(&next);
    for member in cluster.members().iter() {
        let role = if cluster.votes(member) { Role::Replica } else { Role::Worker };
        let record = Record { head: Head::Decided(ending.clone()), ..Record::first(role) };
        let mut node = Node::new(&seat(cluster, member), Some(record)).expect("the decision is genuine");
        assert!(node.is_over(), "its roster changed");
        let key = &cluster.roster().members[member.index()];
        let Some(place) = next.roster().members.iter().position(|other| other == key) else { continue };
        let me = NodeId(u8::try_from(place).expect("a roster is short"));
        let mut outputs = Vec::new();
        node.enter(&seat(&next, me), &mut |output| outputs.push(output)).expect("it holds the decision");
        assert_eq!(outputs.first(), Some(&Output::Persist), "where it is now is durable before it says anything");
        go_on(&next, me, node);
    }
    true
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
    assert_led(&cluster);
}

/// Somebody who votes leads every view.
fn assert_led(cluster: &Cluster) {
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
