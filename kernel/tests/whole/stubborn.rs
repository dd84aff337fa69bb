//! One faulty member that tells each peer something else, or says just enough:
//! the cluster must finish all the same.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::reference;
use crate::cluster::{Crypto, Network, World, request};
use butterfly_kernel::crypto::Scheme;
use butterfly_kernel::machine::{Rejection, Transmission};
use butterfly_kernel::message::{Envelope, Fetch, Kind, Message};
use butterfly_kernel::types::{Epoch, NodeId};

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const SECOND: u64 = 1_000_000;

/// Every member in turn behaves like that; the others finish, blameless.
fn finish_beside(behaviour: Behaviour) {
    for faulty in 0..4 {
        let mut world = World::new(4, 2, Network::CALM);
        world.behave(faulty, behaviour);
        let asked = request(&world.cluster, 1, &PROMPT, 32);
        world.submit((faulty + 1) % 4, asked);
        assert!(world.run(400 * SECOND, |world| world.all_committed(8)), "beside {faulty}, after {} us", world.now);
        world.assert_agreement();
        assert_eq!(world.text(), reference(4, &PROMPT, 32));
        assert!(world.accused().iter().all(|(node, _)| *node == faulty));
    }
}

#[test]
fn view_changes_told_to_each_leader_alone_do_not_keep_replicas_from_comparing() {
    finish_beside(Behaviour::SplitViews);
}

#[test]
fn outputs_withheld_from_the_next_stage_are_computed_by_a_reserve_that_is_asked() {
    finish_beside(Behaviour::WithholdFromConsumers);
}

#[test]
fn an_attestation_shown_to_one_reserve_does_not_satisfy_it() {
    finish_beside(Behaviour::AttestToReserveOnly);
}

#[test]
fn a_message_now_and_then_does_not_keep_anybody_from_repeating() {
    for seed in 0..3 {
        let mut world = World::new(4, seed, Network::CALM);
        world.behave(3, Behaviour::Silent);
        let asked = request(&world.cluster, 1, &PROMPT, 32);
        world.submit(0, asked);
        assert!(world.run(300 * SECOND, |world| world.all_committed(1)));
        world.network.loss = 0.05;
        let message = Message::Fetch(Fetch { epoch: Epoch(1), value: None });
        let me = NodeId(3);
        let signature = Crypto::sign(&me, &message.statement(&world.cluster));
        let nuisance = Envelope { from: me, message, signature };
        let mut done = false;
        while !done && world.now < 400 * SECOND {
            let until = world.now + SECOND / 10;
            done = world.run(until, |world| world.all_committed(8));
            world.now = world.now.max(until);
            for to in 0..3 {
                // Answered, or answered already in this round.
                let answer = world.replay(to, nuisance.clone());
                assert!(matches!(answer, Ok(()) | Err(Rejection::Duplicate)), "{answer:?}");
            }
        }
        assert!(done, "seed {seed}");
        let repeated = world.sent.keys().any(|(_, transmission)| *transmission == Transmission::Again);
        assert!(repeated, "something was lost and repeated");
    }
}

#[test]
fn an_attestation_cannot_be_moved_to_another_part_of_its_run() {
    let mut world = World::new(4, 1, Network::CALM);
    let asked = request(&world.cluster, 1, &PROMPT, 8);
    world.submit(0, asked);
    assert!(world.run(100 * SECOND, |world| world.all_committed(2)));
    let genuine = world.samples[&Kind::Attest][0].clone();
    let to = (genuine.from.index() + 1) % 4;
    let mut moved = genuine.clone();
    let Message::Attest(attest) = &mut moved.message else { panic!("an attestation") };
    attest.claim.committed += 4;
    assert!(world.cluster.verify(moved).is_err());
    assert_eq!(world.replay(to, genuine), Err(Rejection::Stale));
}

#[test]
fn a_client_that_signs_a_request_in_several_ways_makes_one_state_of_it() {
    use butterfly_kernel::chain::Head;
    use butterfly_kernel::inference::run::Run;
    let world = World::new(4, 1, Network::CALM);
    let asked = request(&world.cluster, 1, &PROMPT, 8);
    let mut again = asked.clone();
    again.signature = Crypto::sign(&NodeId(77), &asked.digest(&world.cluster));
    assert_ne!(asked, again);
    let state = |asked| {
        let run = Run::new(&world.cluster, &Head::Genesis, asked).unwrap();
        let tokens = [1, 2, 3, 4].into_iter().collect();
        let state = Head::Genesis.state().advance(&world.cluster, Epoch(1), &run.active, &tokens, &run.active.links);
        (run.id, state.root(&world.cluster))
    };
    assert_eq!(state(&asked), state(&again));
}
