//! Several clients with several open requests: each is answered once, in its
//! client's order, and who does not play by the rules delays itself only.

use std::collections::BTreeMap;

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::reference;
use crate::cluster::{Action, Crypto, Network, Plan, TestCluster, World, request_of};
use butterfly_kernel::cluster::Seat;
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::message::inference::SignedRequest;
use butterfly_kernel::node::Coordinator;
use butterfly_kernel::types::{ClientId, NodeId, View};

const STAGES: u8 = 4;
const TOKENS: u16 = 4;
const SECOND: u64 = 1_000_000;

/// The prompt of each request: all are different.
fn prompt(client: u8, sequence: u64) -> [u8; 3] {
    [client, sequence as u8, 50]
}

fn asked(cluster: &TestCluster, client: u8, sequence: u64) -> SignedRequest<Crypto> {
    request_of(cluster, client, sequence, &prompt(client, sequence), TOKENS)
}

/// What honest members handed out, request for request, in the order of epochs.
fn answers(world: &World) -> BTreeMap<(u8, u64), Vec<u8>> {
    let mut epochs = BTreeMap::new();
    for member in world.honest() {
        for commit in &world.members[member].commits {
            let Some((ClientId(client), sequence)) = commit.served else { continue };
            let before = epochs.insert(commit.epoch, ((client, sequence), commit.tokens.clone()));
            assert!(before.is_none_or(|before| before == ((client, sequence), commit.tokens.clone())));
        }
    }
    let mut answers: BTreeMap<(u8, u64), Vec<u8>> = BTreeMap::new();
    let mut last: BTreeMap<u8, u64> = BTreeMap::new();
    for ((client, sequence), tokens) in epochs.into_values() {
        let before = last.insert(client, sequence).unwrap_or(1);
        assert!(sequence == before || sequence == before + 1, "client {client}: {sequence} after {before}");
        answers.entry((client, sequence)).or_default().extend(tokens);
    }
    answers
}

/// Sixteen voters and forty workers serve eight clients with `requests`
/// requests each, two of them open at a time.
fn serve(requests: u64, seed: u64, faulty: &[(usize, Behaviour)]) -> World {
    let plan = Plan { workers: 40, clients: 8, stages: STAGES, tokens_per_epoch: 2, ..Plan::of(16) };
    let mut world = World::with(plan.cluster(), seed, Network::CALM);
    for (member, behaviour) in faulty {
        world.behave(*member, *behaviour);
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let honest: Vec<usize> = world.honest().collect();
    let mut submitted = [0_u64; 8];
    for _ in 0..requests {
        // Each client hands its requests to members of its choice, the later one first.
        let mut order: Vec<u8> = (0..8).collect();
        rng.shuffle(&mut order);
        for client in order {
            let finished = world.node(honest[0]).head().state().next_sequence(ClientId(client)) - 1;
            let upto = (finished + 2).min(requests);
            for sequence in (submitted[usize::from(client)] + 1..=upto).rev() {
                let asked = asked(&world.cluster, client, sequence);
                world.try_submit(honest[rng.usize(..honest.len())], asked).unwrap();
            }
            submitted[usize::from(client)] = upto;
        }
        // Until every client is served once more.
        let served =
            |world: &World| (0..8).all(|client| world.finished(&honest, client, submitted[client as usize] - 1));
        assert!(world.run(world.now + 60 * SECOND, served), "{submitted:?} after {} us", world.now);
    }
    let all = |world: &World| (0..8).all(|client| world.finished(&honest, client, requests));
    assert!(world.run(world.now + 60 * SECOND, all), "after {} us", world.now);
    world.assert_agreement();
    let answers = answers(&world);
    assert_eq!(answers.len() as u64, 8 * requests);
    for ((client, sequence), tokens) in answers {
        let expected = reference(STAGES, &prompt(client, sequence), usize::from(TOKENS));
        assert_eq!(tokens, expected, "client {client}, request {sequence}");
    }
    world
}

#[test]
fn eight_clients_with_two_open_requests_are_served_by_sixteen_voters_and_forty_workers() {
    let world = serve(3, 1, &[]);
    assert!(world.accused().is_empty());
    let commits = world.members.iter().flat_map(|member| &member.commits);
    assert!(commits.into_iter().all(|commit| commit.view == View::ZERO));
    // Nobody serves a client twice while another one waits.
    let mut order: Vec<(u64, u8)> = Vec::new();
    for commit in world.members[0].commits.iter().filter(|commit| commit.served.is_some()) {
        let (ClientId(client), sequence) = commit.served.unwrap();
        if order.last() != Some(&(sequence, client)) {
            order.push((sequence, client));
        }
    }
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_silent_voter_and_a_lying_worker_change_nothing() {
    for seed in 2..4 {
        let world = serve(2, seed, &[(3, Behaviour::Silent), (20 + seed as usize, Behaviour::Lie)]);
        assert!(world.accused().iter().all(|(accused, _)| *accused == 20 + seed as usize), "{:?}", world.accused());
    }
}

#[test]
fn more_than_the_open_limit_is_refused() {
    let mut world = World::with(Plan { clients: 8, ..Plan::of(4) }.cluster(), 4, Network::CALM);
    let submit = |world: &mut World, asked: SignedRequest<Crypto>| world.try_submit(0, asked);
    let asks = |world: &World, sequence| asked(&world.cluster, 5, sequence);
    let two = asks(&world, 2);
    assert_eq!(submit(&mut world, two.clone()), Ok(()));
    assert_eq!(submit(&mut world, two), Err(Rejection::Duplicate));
    let (one, three) = (asks(&world, 1), asks(&world, 3));
    assert_eq!(submit(&mut world, three.clone()), Err(Rejection::Full), "two may be open");
    assert_eq!(submit(&mut world, one.clone()), Ok(()));
    assert!(world.run(SECOND, |world| world.finished(&[0, 1, 2, 3], 5, 2)));
    assert_eq!(submit(&mut world, one), Err(Rejection::Stale));
    assert_eq!(submit(&mut world, three), Ok(()));
    // The most that may be open in the whole cluster are.
    for client in (0..8).filter(|client| *client != 5) {
        for sequence in 1..=2 {
            let asked = asked(&world.cluster, client, sequence);
            assert_eq!(submit(&mut world, asked), Ok(()));
        }
    }
    let four = asks(&world, 4);
    assert_eq!(submit(&mut world, four), Ok(()));
    for client in 0..8 {
        let sequences = if client == 5 { 4 } else { 2 };
        assert!(world.run(60 * SECOND, |world| world.finished(&[0, 1, 2, 3], client, sequences)));
    }
    assert_eq!(answers(&world).len(), 18);
}

/// When client 1 has its answers, while client 0 signs `rivals` requests for
/// its first turn, each smaller than the one before, and tells each member another one.
fn time_beside_rivals(rivals: u8) -> u64 {
    let plan = Plan { clients: 2, tokens_per_epoch: 2, ..Plan::of(4) };
    let mut world = World::with(plan.cluster(), 5, Network::CALM);
    for sequence in 1..=3 {
        let asked = asked(&world.cluster, 1, sequence);
        world.submit(2, asked);
    }
    let served = |world: &World| world.finished(&[0, 1, 2, 3], 1, 3);
    for rival in 0..rivals {
        let asked = request_of(&world.cluster, 0, 1, &[90 - rival, 1, 1], TOKENS);
        world.submit(usize::from(rival % 4), asked);
        let until = world.now + 100;
        world.run(until, |_| false);
        world.now = until;
    }
    assert!(world.run(60 * SECOND, served), "beside {rivals} rivals");
    let times = world.now;
    if rivals > 0 {
        assert!(world.run(60 * SECOND, |world| world.finished(&[0, 1, 2, 3], 0, 1)), "one of them is served");
    }
    world.assert_agreement();
    for ((client, sequence), tokens) in answers(&world) {
        if client == 1 {
            assert_eq!(tokens, reference(STAGES, &prompt(client, sequence), usize::from(TOKENS)));
        }
    }
    times
}

#[test]
fn a_client_that_signs_ever_smaller_requests_for_one_turn_delays_itself_only() {
    let alone = time_beside_rivals(0);
    // One request of client 0 may come first, before anybody can tell.
    let beside = time_beside_rivals(60).max(time_beside_rivals(2));
    println!("alone {alone} us, beside a client that signs ever smaller requests {beside} us");
    assert!(beside < alone + alone, "{alone} us, {beside} us");
}

/// Who has the work of a request that the others lost when they began again,
/// and another request's turn came meanwhile, does not wait for them for ever,
/// nor they for it: with one member down, none can do without the others.
#[test]
fn work_that_the_others_lost_is_given_up_for_the_request_whose_turn_it_is() {
    let mut held = 0;
    for (holder, down) in (0..4).flat_map(|holder| (0..4).map(move |down| (holder, down))).filter(|(a, b)| a != b) {
        let plan = Plan { clients: 2, stages: STAGES, ..Plan::of(4) };
        let mut world = World::with(plan.cluster(), 7, Network::CALM);
        let (first, better) = (asked(&world.cluster, 1, 1), asked(&world.cluster, 0, 1));
        world.submit(holder, first);
        let others: Vec<usize> = (0..4).filter(|member| *member != holder).collect();
        let has_work = |world: &World, member: usize| {
            let me = NodeId(member as u8);
            let seat = Seat { cluster: &world.cluster, me, key: &me };
            world.node(member).coordinator(&seat) == Coordinator::Committing
        };
        let until = world.now + 5 * SECOND;
        assert!(world.run(until, |world| has_work(world, holder)), "{holder} puts the work together");
        // Nobody else decided it yet.
        held += usize::from(others.iter().all(|member| world.head(*member) == 0));
        let now = world.now;
        others.iter().for_each(|member| world.at(now, *member, Action::Crash));
        let back: Vec<usize> = others.into_iter().filter(|member| *member != down).collect();
        back.iter().for_each(|member| world.at(now, *member, Action::Restart));
        world.run(now, |_| false);
        back.iter().for_each(|member| world.submit(*member, better.clone()));
        let alive: Vec<usize> = (0..4).filter(|member| *member != down).collect();
        let done = |world: &World| (0..2).all(|client| world.finished(&alive, client, 1));
        assert!(world.run(now + 60 * SECOND, done), "{holder} has the work, {down} is down");
        world.assert_agreement();
    }
    assert!(held > 6, "{held}: hardly anybody held work alone, so this shows nothing");
}
