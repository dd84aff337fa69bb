//! A node that is given the vectors in the order of the story takes them.

use butterfly_golden::files::families;
use butterfly_golden::story::{Story, member_key};
use butterfly_golden::{Crypto, Envelope, Record};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::message::Kind;
use butterfly_kernel::node::Node;
use butterfly_kernel::types::{Epoch, MAX_VOTERS, NodeId};
use butterfly_kernel::wire;

#[test]
fn a_node_follows_the_story() {
    let story = Story::new();
    let vectors: Vec<_> = families(&story).into_iter().flat_map(|(_, family)| family.vectors).collect();
    let seat = Seat { cluster: &story.cluster, me: NodeId(2), key: &member_key(2) };
    let mut node = Node::<Crypto, MAX_VOTERS>::new(&seat, Some(Record::first())).unwrap();
    let mut sent = Vec::new();
    let mut committed = Vec::new();
    let mut step = |input| {
        let result = node.step(&seat, input, &mut |output| match output {
            Output::Send { envelope, .. } => sent.push(envelope),
            Output::Commit { epoch, .. } => committed.push(epoch),
            _ => {}
        });
        result.unwrap();
    };
    step(Input::Start);
    for name in ["forward", "payload", "propose", "vote", "decided", "payload_of_the_last_epoch", "decided_slow"] {
        let vector = vectors.iter().find(|vector| vector.name == name).unwrap();
        let envelope: Envelope = wire::decode(&vector.bytes).unwrap();
        step(Input::Receive(story.cluster.verify(envelope).unwrap()));
    }
    assert!(sent.iter().any(|envelope| envelope.message.kind() == Kind::Vote), "it votes for the proposal");
    assert_eq!(committed, [Epoch(1), Epoch(2)]);
    assert_eq!(node.head().value(&story.cluster), story.second.ballot(1).value);
}
