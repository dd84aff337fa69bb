//! Random interleavings, losses, repetitions, restarts, pauses, lost records
//! and faulty members over whole clusters: whatever happens, no two values in an epoch, nothing but
//! the reference, and once the network calms down, all of it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::cluster::byzantine::Behaviour;
use crate::cluster::executor::{reference, reference_digest};
use crate::cluster::{Action, Network, Plan, World, request_of};
use butterfly_kernel::types::{Epoch, Resilience};

const STAGES: u8 = 3;
const TOKENS: u16 = 12;
/// What a faulty member may be like.
const BEHAVIOURS: [Behaviour; 6] = [
    Behaviour::Silent,
    Behaviour::Lie,
    Behaviour::Equivocate,
    Behaviour::Withhold,
    Behaviour::Replay,
    Behaviour::Misremember,
];
const SECOND: u64 = 1_000_000;
/// Faults happen until then.
const STORM: u64 = 20 * SECOND;
/// After the storm every honest member must be done by then.
const CALM: u64 = STORM + 240 * SECOND;

/// What a run is made of.
#[derive(Clone, Copy)]
struct Size {
    n: usize,
    f: usize,
    p: usize,
    workers: usize,
    clients: u8,
}

/// One run from one seed.
fn run(seed: u64, size: Size) {
    let Size { n, f, p, workers, clients } = size;
    let resilience = Resilience::new(n, f, p).unwrap();
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x00b0_77e5);
    let plan = Plan { resilience, workers, clients, stages: STAGES, tokens_per_epoch: 2, ..Plan::of(n) };
    let mut world = World::with(plan.cluster(), seed, Network::WILD);
    let faulty = rng.usize(0..=f);
    let mut members: Vec<usize> = (0..n + workers).collect();
    rng.shuffle(&mut members);
    for member in &members[..faulty] {
        world.behave(*member, BEHAVIOURS[rng.usize(..BEHAVIOURS.len())]);
    }
    for (at, member) in members.iter().enumerate().skip(faulty) {
        let mut time = rng.u64(0..STORM);
        while time < STORM {
            let rest = rng.u64(1_000..3 * SECOND);
            match rng.u8(0..5) {
                0 => world.at(time, *member, Action::Crash),
                1 | 2 => world.at(time, *member, Action::CrashInStep(rng.usize(0..5))),
                // Who loses its record is a fault until it is admitted again.
                3 if at < f => world.at(time, *member, Action::Wipe),
                _ => world.at(time, *member, Action::Pause(time + rest)),
            }
            world.at(time + rest, *member, Action::Restart);
            time += rest + rng.u64(0..5 * SECOND);
        }
    }
    let asked: Vec<_> =
        (0..clients).map(|client| request_of(&world.cluster, client, 1, &prompt(client), TOKENS)).collect();
    // Clients that insist: they ask every member, again and again.
    for round in 0..14 {
        let limit = round * 2 * SECOND;
        world.run(limit, |_| false);
        for member in 0..n + workers {
            asked.iter().for_each(|asked| world.submit(member, asked.clone()));
        }
    }
    world.network = Network::CALM;
    let honest: Vec<usize> = world.honest().collect();
    let done = |world: &World| (0..clients).all(|client| world.finished(&honest, client, 1));
    let done = world.run(CALM, done);
    world.assert_agreement();
    let heads: BTreeMap<usize, u64> = honest.iter().map(|at| (*at, world.head(*at))).collect();
    assert!(done, "seed {seed}: heads {heads:?}, faulty {:?}", &members[..faulty]);
    let last = world.node(honest[0]).head().state().served.unwrap();
    let computed = reference_digest(&world.cluster, &asked[usize::from(last.0)]);
    for member in honest {
        let state = world.node(member).head().state();
        assert_eq!(state.computed, Some(computed), "seed {seed}: what {member} holds is wrong");
    }
    for (client, tokens) in handed_out(&world) {
        let expected = reference(STAGES, &prompt(client), usize::from(TOKENS));
        assert!(is_part(&tokens, &expected), "seed {seed}: client {client} got {tokens:?}");
    }
    for (accused, fault) in world.accused() {
        assert!(members[..faulty].contains(&accused), "seed {seed}: honest {accused} blamed for {fault}");
    }
}

fn prompt(client: u8) -> [u8; 7] {
    [3, 1, 4, 1, 5, 9, client]
}

/// The tokens for each client that somebody saw decided rather than caught up with.
fn handed_out(world: &World) -> BTreeMap<u8, Vec<u8>> {
    let commits = world.honest().flat_map(|member| &world.members[member].commits);
    let seen = commits.filter_map(|commit| Some((commit.epoch, (commit.served?.0.0, commit.tokens.clone()))));
    let epochs: BTreeMap<Epoch, (u8, Vec<u8>)> = seen.collect();
    let mut clients: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (client, tokens) in epochs.into_values() {
        clients.entry(client).or_default().extend(tokens);
    }
    clients
}

/// Whether `tokens` are some of `all`, in order, two by two.
fn is_part(tokens: &[u8], all: &[u8]) -> bool {
    let mut pairs = all.chunks(2);
    tokens.chunks(2).all(|pair| pairs.any(|other| other == pair))
}

/// The seeds to run: those given, or those named as `BUTTERFLY_SEEDS=from..to`.
fn seeds(default: Range<u64>) -> Range<u64> {
    let Ok(named) = std::env::var("BUTTERFLY_SEEDS") else { return default };
    let (from, to) = named.split_once("..").expect("BUTTERFLY_SEEDS=from..to");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn four_members() {
    for seed in seeds(0..150) {
        run(seed, Size { n: 4, f: 1, p: 1, workers: 0, clients: 1 });
    }
}

#[test]
fn four_members_without_a_fast_path_under_faults() {
    for seed in seeds(1000..1100) {
        run(seed, Size { n: 4, f: 1, p: 0, workers: 0, clients: 1 });
    }
}

#[test]
fn seven_members() {
    for seed in seeds(2000..2030) {
        run(seed, Size { n: 7, f: 2, p: 1, workers: 0, clients: 1 });
    }
}

#[test]
fn four_voters_three_workers_and_three_clients() {
    for seed in seeds(3000..3060) {
        run(seed, Size { n: 4, f: 1, p: 1, workers: 3, clients: 3 });
    }
}

#[test]
fn seven_voters_five_workers_and_two_clients() {
    for seed in seeds(4000..4015) {
        run(seed, Size { n: 7, f: 2, p: 1, workers: 5, clients: 2 });
    }
}
