//! What a node says that it is doing, in one word.

use std::collections::BTreeSet;

use crate::cluster::byzantine::Behaviour;
use crate::cluster::{Action, CAPACITY, Crypto, Fate, Network, Plan, TestNode, World, request};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::message::Kind;
use butterfly_kernel::node::{Coordinator, Node, Record, Role};
use butterfly_kernel::types::{NodeId, NodeSet, View};

const PROMPT: [u8; 3] = [1, 2, 3];
const SECOND: u64 = 1_000_000;

fn coordinator(world: &World, member: usize) -> Option<Coordinator> {
    let me = NodeId(member as u8);
    let seat = Seat { cluster: &world.cluster, me, key: &me };
    world.members[member].node.as_ref().map(|node| node.coordinator(&seat))
}

/// What the table says of `state`, as far as it can be told from outside.
fn holds(node: &TestNode, state: Coordinator) -> bool {
    let learner = node.role() == Role::Learner;
    let later = node.agreement().view() > View::ZERO;
    let working = node.run().is_some();
    match state {
        Coordinator::Failed => node.blockade().is_some(),
        _ if node.blockade().is_some() => false,
        Coordinator::Recovering => learner || working,
        _ if learner => false,
        // Suspects, and results that are known, cannot be told from outside.
        Coordinator::Degraded => true,
        _ if later => false,
        Coordinator::Committing => true,
        Coordinator::Aggregating | Coordinator::Computing => working,
        Coordinator::Ready => !working,
        Coordinator::Initializing => false,
    }
}

fn check(world: &World, member: usize) -> Option<Coordinator> {
    let state = coordinator(world, member)?;
    let node = world.node(member);
    assert!(holds(node, state), "{member} is {state:?} at {} us", world.now);
    Some(state)
}

/// Runs until `until` and collects what members were doing.
fn observe(world: &mut World, until: u64, seen: &mut BTreeSet<Coordinator>) {
    let states = std::cell::RefCell::new(BTreeSet::new());
    world.run(until, |world| {
        states.borrow_mut().extend((0..world.members.len()).filter_map(|member| check(world, member)));
        false
    });
    world.now = world.now.max(until);
    seen.extend(states.into_inner());
}

#[test]
fn a_node_is_initializing_before_its_first_input() {
    let cluster = Plan::of(4).cluster();
    let me = NodeId(0);
    let seat = Seat { cluster: &cluster, me, key: &me };
    for record in [None, Some(Record::first(Role::Replica))] {
        let node: Node<Crypto, CAPACITY> = Node::new(&seat, record).unwrap();
        assert_eq!(node.coordinator(&seat), Coordinator::Initializing);
    }
}

#[test]
fn every_state_is_seen_where_it_belongs() {
    let mut world = World::with(Plan::of(4).cluster(), 1, Network::CALM);
    let only = |state| BTreeSet::from([state]);
    let mut seen = BTreeSet::new();
    observe(&mut world, SECOND, &mut seen);
    assert_eq!(seen, only(Coordinator::Ready));

    // Attestations, and then votes, are under way for a while.
    let kinds = |lost: Kind| {
        move |_: usize, _: usize, envelope: &crate::cluster::TestEnvelope| {
            if envelope.message.kind() == lost { Fate::Late(SECOND / 100) } else { Fate::Pass }
        }
    };
    let asked = request(&world.cluster, 1, &PROMPT, 4);
    world.weather = Some(Box::new(kinds(Kind::Attest)));
    world.submit(0, asked);
    seen.clear();
    observe(&mut world, SECOND + 8_000, &mut seen);
    let before = [Coordinator::Ready, Coordinator::Computing, Coordinator::Aggregating];
    assert_eq!(seen, BTreeSet::from(before));
    world.weather = Some(Box::new(kinds(Kind::Vote)));
    seen.clear();
    observe(&mut world, 2 * SECOND, &mut seen);
    let after = [Coordinator::Aggregating, Coordinator::Committing, Coordinator::Ready];
    assert_eq!(seen, BTreeSet::from(after));
    world.weather = None;

    // A silent member: the views that it leads fail, and reserves suspect it.
    world.behave(3, Behaviour::Silent);
    let asked = request(&world.cluster, 2, &PROMPT, 16);
    world.submit(0, asked);
    seen.clear();
    observe(&mut world, 12 * SECOND, &mut seen);
    assert!(seen.contains(&Coordinator::Degraded), "{seen:?}");
    assert!(world.finished(&[0, 1, 2], 0, 2));
    let suspects = NodeSet::EMPTY.with(NodeId(3));
    assert!((0..3).any(|member| world.node(member).suspects() == suspects));
    world.behave(3, Behaviour::Honest);
    observe(&mut world, 20 * SECOND, &mut seen);

    // A lost record.
    world.at(world.now, 2, Action::Wipe);
    world.at(world.now + 1, 2, Action::Restart);
    let now = world.now;
    world.run(now + 1, |_| false);
    assert_eq!(check(&world, 2), Some(Coordinator::Recovering));
    observe(&mut world, 40 * SECOND, &mut seen);
    assert_eq!(check(&world, 2), Some(Coordinator::Ready));

    // More than f are away.
    world.at(world.now, 2, Action::Crash);
    world.at(world.now, 3, Action::Crash);
    let asked = request(&world.cluster, 3, &PROMPT, 4);
    world.submit(0, asked);
    observe(&mut world, 60 * SECOND, &mut seen);
    assert_eq!((check(&world, 0), check(&world, 1)), (Some(Coordinator::Failed), Some(Coordinator::Failed)));
    world.at(world.now, 2, Action::Restart);
    observe(&mut world, 100 * SECOND, &mut seen);
    assert_ne!(check(&world, 0), Some(Coordinator::Failed));
    assert!(world.finished(&[0, 1, 2], 0, 3));
}

#[test]
fn a_member_whose_stages_lack_inputs_is_recovering() {
    let network = Network { delay: (4_000, 6_000), ..Network::CALM };
    let mut world = World::with(Plan::of(4).cluster(), 2, network);
    let asked = request(&world.cluster, 1, &PROMPT, 40);
    world.submit(0, asked);
    assert!(world.run(60 * SECOND, |world| world.head(1) >= 4));
    world.at(world.now, 1, Action::Crash);
    world.at(world.now + 1, 1, Action::Restart);
    let limit = world.now + SECOND;
    assert!(world.run(limit, |world| coordinator(world, 1) == Some(Coordinator::Recovering)));
    assert_eq!(world.node(1).role(), Role::Replica);
    assert!(world.run(limit, |world| coordinator(world, 1) == Some(Coordinator::Computing)), "and then no more");
}

#[test]
fn the_table_holds_in_random_runs() {
    let mut seen = BTreeSet::new();
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let network = Network { loss: 0.05, duplication: 0.05, delay: (50, 20_000) };
        let plan = Plan { workers: 1, tokens_per_epoch: 2, stages: 3, ..Plan::of(4) };
        let mut world = World::with(plan.cluster(), seed, network);
        world.behave(rng.usize(..4), [Behaviour::Silent, Behaviour::Lie, Behaviour::Withhold][rng.usize(..3)]);
        for member in 0..5 {
            let time = rng.u64(..8 * SECOND);
            let action = [Action::Crash, Action::Wipe, Action::Pause(time + 3 * SECOND)][rng.usize(..3)];
            world.at(time, member, action);
            world.at(time + rng.u64(..4 * SECOND), member, Action::Restart);
        }
        for sequence in 1..=3 {
            let asked = request(&world.cluster, sequence, &[sequence as u8, 2], 12);
            (0..5).for_each(|member| world.submit(member, asked.clone()));
        }
        observe(&mut world, 16 * SECOND, &mut seen);
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), Coordinator::ALL.len() - 1, "all but the first: {seen:?}");
}
