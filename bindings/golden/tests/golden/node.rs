//! A node that is given the vectors in the order of the story takes them.

use butterfly_golden::damage::encode;
use butterfly_golden::files::families;
use butterfly_golden::story::{Story, member_key};
use butterfly_golden::{Crypto, Envelope, Message, Record};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::machine::{Input, Output};
use butterfly_kernel::message::Kind;
use butterfly_kernel::node::{Node, Role};
use butterfly_kernel::types::{Epoch, MAX_VOTERS, NodeId, Nonce};
use butterfly_kernel::wire;

#[test]
fn a_node_follows_the_story() {
    let story = Story::new();
    let vectors: Vec<_> = families(&story).into_iter().flat_map(|(_, family)| family.vectors).collect();
    let seat = Seat { cluster: &story.cluster, me: NodeId(2), key: &member_key(2) };
    let mut node = Node::<Crypto, MAX_VOTERS>::new(&seat, Some(Record::first(Role::Replica))).unwrap();
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
    step(Input::Start { nonce: Nonce([1; 16]) });
    let third = encode(&story.envelope(1, Message::Decided(story.third.decided.clone())));
    let vector = |name| vectors.iter().find(|vector| vector.name == name).unwrap().bytes.clone();
    let told = [
        vector("forward"),
        vector("payload"),
        vector("propose"),
        vector("vote"),
        vector("decided"),
        vector("payload_of_the_last_epoch"),
        vector("decided_slow"),
        vector("revise"),
        vector("decided_revision"),
        third,
        vector("payload_readmission"),
        vector("decided_readmission"),
    ];
    for bytes in told {
        let envelope: Envelope = wire::decode(&bytes).unwrap();
        step(Input::Receive(story.cluster.verify(envelope).unwrap()));
    }
    assert!(sent.iter().any(|envelope| envelope.message.kind() == Kind::Vote), "it votes for the proposal");
    assert_eq!(committed, [1, 2, 3, 4, 5].map(Epoch));
    assert_eq!(node.head().value(&story.cluster), story.readmission.ballot(0).value);
}
