//! More than one valid value in an epoch, as a faulty client and a faulty
//! member can bring about together: the client signs many requests for one
//! turn, and the member shows a result of another one to everybody.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::reference;
use crate::cluster::{CAPACITY, Crypto, Fate, Network, Plan, TestCluster, TestEnvelope, World, request_of};
use butterfly_kernel::agreement::MAX_VALUES;
use butterfly_kernel::crypto::{Scheme, Tag};
use butterfly_kernel::message::agreement::{AgreementMessage, Ballot};
use butterfly_kernel::message::{Envelope, Fetch, Kind, Message};
use butterfly_kernel::types::{Epoch, NodeId, View};

const STAGES: u8 = 4;
const TOKENS: u16 = 4;
const SECOND: u64 = 1_000_000;

type TestMessage = Message<Crypto, CAPACITY>;

fn plan() -> Plan {
    Plan { clients: 2, tokens_per_epoch: 2, ..Plan::of(4) }
}

fn prompt(rival: u8) -> [u8; 3] {
    [rival, 1, 1]
}

/// Valid results of the first epoch, all of requests that client 0 signed for
/// one turn.
fn valid_values(count: u8) -> Vec<(u64, TestMessage)> {
    let value_of = |rival: u8| {
        let mut world = World::with(plan().cluster(), u64::from(rival), Network::CALM);
        world.weather = Some(Box::new(|_, _, envelope| match envelope.message {
            Message::Agreement { .. } => Fate::Lost,
            _ => Fate::Pass,
        }));
        let asked = request_of(&world.cluster, 0, 1, &prompt(rival), TOKENS);
        world.submit(0, asked);
        world.run(SECOND, |world| world.samples.contains_key(&Kind::Propose));
        let Message::Agreement { message: AgreementMessage::Propose { ballot, .. }, .. } =
            world.samples[&Kind::Propose][0].message.clone()
        else {
            panic!("a proposal")
        };
        let fetch = signed(&world.cluster, 0, Message::Fetch(Fetch { epoch: Epoch(1), value: Some(ballot.value) }));
        world.replay(1, fetch).unwrap();
        let payload = world.samples[&Kind::Payload][0].message.clone();
        (ballot.value, payload)
    };
    let mut values: Vec<_> = (0..count).map(value_of).collect();
    values.dedup_by_key(|(value, _)| *value);
    assert_eq!(values.len(), usize::from(count), "all different");
    values
}

fn signed(cluster: &TestCluster, from: u8, message: TestMessage) -> TestEnvelope {
    let from = NodeId(from);
    let signature = Crypto::sign(&from, &message.statement(cluster));
    Envelope { from, message, signature }
}

#[test]
fn more_valid_values_than_there_is_room_for_do_not_stop_the_cluster() {
    let values = valid_values(3 * MAX_VALUES as u8);
    // Member 1 leads the first view of the first epoch, member 2 the second.
    for faulty in [3, 1] {
        let mut world = World::with(plan().cluster(), 6, Network::CALM);
        world.behave(faulty, Behaviour::Silent);
        let honest: Vec<usize> = world.honest().collect();
        // Every honest member holds as many as it can, and none that another one holds.
        for (member, values) in honest.iter().zip(values.chunks(MAX_VALUES)) {
            for (_, payload) in values {
                let envelope = signed(&world.cluster, faulty as u8, payload.clone());
                world.replay(*member, envelope).unwrap();
            }
        }
        for sequence in 1..=2 {
            let asked = request_of(&world.cluster, 1, sequence, &[7, 7], TOKENS);
            world.submit(honest[0], asked);
        }
        let served = |world: &World| world.finished(&honest, 1, 2) && world.finished(&honest, 0, 1);
        assert!(world.run(120 * SECOND, served), "{faulty} is silent; {:?}", world.node(honest[0]).agreement().view());
        world.assert_agreement();
        assert!(world.accused().is_empty());
    }
}

/// What the leader of the first view, member 1, tells `to` about `value`.
fn told(world: &World, to: usize, value: u64, vote: bool) -> TestEnvelope {
    assert_ne!(to, 1);
    let ballot = Ballot { view: View::ZERO, value };
    let tag = if vote { Tag::Vote } else { Tag::Propose };
    let message =
        if vote { AgreementMessage::Vote(ballot) } else { AgreementMessage::Propose { ballot, progress: None } };
    let signature = Crypto::sign(&NodeId(1), &world.cluster.ballot(tag, Epoch(1), &ballot));
    Envelope { from: NodeId(1), message: Message::Agreement { epoch: Epoch(1), message }, signature }
}

#[test]
fn a_leader_that_proposes_two_valid_values_divides_nobody() {
    let values = valid_values(2);
    let others = [0, 2, 3];
    // To whom it proposes the second value, and who gets its vote for what it was told.
    for (second, voted) in (0..8_u8).flat_map(|second| (0..8_u8).map(move |voted| (second, voted))) {
        let case = format!("the second value to {second:03b}, votes to {voted:03b}");
        let mut world = World::with(plan().cluster(), u64::from(second * 8 + voted), Network::CALM);
        world.behave(1, Behaviour::Silent);
        for (at, member) in others.into_iter().enumerate() {
            let chosen = usize::from(second >> at & 1);
            for (_, payload) in &values {
                let envelope = signed(&world.cluster, 1, payload.clone());
                world.replay(member, envelope).unwrap();
            }
            let value = values[chosen].0;
            let proposal = told(&world, member, value, false);
            world.replay(member, proposal).unwrap();
            if voted >> at & 1 == 1 {
                let vote = told(&world, member, value, true);
                world.replay(member, vote).unwrap();
            }
        }
        assert!(world.run(60 * SECOND, |world| world.finished(&others, 0, 1)), "{case}");
        world.assert_agreement();
        let text = world.text();
        assert!((0..2).any(|rival| reference(STAGES, &prompt(rival), usize::from(TOKENS)) == text), "{case}");
        let accused = world.accused();
        assert!(accused.iter().all(|(node, _)| *node == 1), "{case}: {accused:?}");
        if second != 0 && second != 7 {
            assert!(!accused.is_empty(), "{case}: what it signed proves it");
        }
    }
}
