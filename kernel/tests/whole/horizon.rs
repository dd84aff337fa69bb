//! What a node still listens to. That a horizon never says no to a message
//! that matters is asserted in every run of `cluster`, at each delivery; here
//! is what it spares.

use crate::cluster::byzantine::Behaviour;
use crate::cluster::{Network, World, request};
use butterfly_kernel::message::Kind;

const PROMPT: [u8; 5] = [10, 20, 30, 40, 50];
const SECOND: u64 = 1_000_000;
const EPOCHS: u64 = 4;

/// A request's epochs, and what is still under way when the last one is decided.
fn run(world: &mut World) {
    let tokens = EPOCHS as u16 * u16::from(world.cluster.model().tokens_per_epoch);
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    world.submit(0, asked);
    assert!(world.run(60 * SECOND, |world| world.all_committed(EPOCHS)));
    let limit = world.now + SECOND / 100;
    world.run(limit, |_| false);
}

fn count(counts: &std::collections::BTreeMap<Kind, u64>, kind: Kind) -> u64 {
    counts.get(&kind).copied().unwrap_or(0)
}

#[test]
fn a_decision_costs_each_replica_the_proposal_and_one_vote_less_than_a_quorum() {
    for n in [4, 7, 10] {
        let mut world = World::new(n, 1, Network::EVEN);
        run(&mut world);
        let (n, quorum) = (n as u64, world.cluster.resilience().fast_quorum() as u64);
        assert_eq!(count(&world.wanted, Kind::Propose), EPOCHS * (n - 1), "n = {n}");
        assert_eq!(count(&world.wanted, Kind::Vote), EPOCHS * n * (quorum - 1), "n = {n}");
        assert_eq!(count(&world.unwanted, Kind::Vote), EPOCHS * n * (n - quorum), "n = {n}");
        let commits = world.first_transmissions(Kind::Commit);
        assert_eq!(commits > 0, world.cluster.resilience().slow_path());
        assert_eq!(count(&world.unwanted, Kind::Commit), commits, "none of them decides anything, n = {n}");
    }
}

#[test]
fn one_answer_to_a_member_that_fell_behind_is_read_and_the_others_are_not() {
    let mut world = World::new(4, 1, Network::EVEN);
    world.at(1_000, 3, crate::cluster::Action::Crash);
    // The others are done by then.
    world.at(50_000_000, 3, crate::cluster::Action::Restart);
    run(&mut world);
    assert_eq!(count(&world.wanted, Kind::Decided), 1);
    assert_eq!(count(&world.unwanted, Kind::Decided), 2);
}

#[test]
fn an_equivocator_is_proven_faulty_by_what_is_still_listened_to() {
    for equivocator in 0..4 {
        let mut world = World::new(4, 4, Network::EVEN);
        world.behave(equivocator, Behaviour::Equivocate);
        run(&mut world);
        assert!(count(&world.unwanted, Kind::Vote) > 0);
        let accused = world.accused();
        assert!(accused.contains(&(equivocator, "votes")), "{accused:?}");
        assert!(accused.contains(&(equivocator, "proposals")), "{accused:?}");
    }
}
