//! Random interleavings, losses, repetitions, restarts, pauses and liars over
//! whole clusters: whatever happens, no two values in an epoch, nothing but
//! the reference, and once the network calms down, all of it.

mod cluster;

use std::collections::BTreeMap;
use std::ops::Range;

use butterfly_kernel::types::Resilience;
use cluster::byzantine::Behaviour;
use cluster::executor::reference;
use cluster::{Action, Network, World, cluster as make_cluster, request};

const PROMPT: [u8; 7] = [3, 1, 4, 1, 5, 9, 2];
const SECOND: u64 = 1_000_000;
/// Faults happen until then.
const STORM: u64 = 20 * SECOND;
/// After the storm every honest member must be done by then.
const CALM: u64 = STORM + 240 * SECOND;

/// One run from one seed.
fn run(seed: u64, n: usize, f: usize, p: usize) {
    let resilience = Resilience::new(n, f, p).unwrap();
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x00b0_77e5);
    let mut world = World::with(make_cluster(n, resilience, 3, 2), seed, Network::WILD);
    let faulty = rng.usize(0..=f);
    let behaviours = [Behaviour::Silent, Behaviour::Lie, Behaviour::Equivocate];
    let mut members: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut members);
    for member in &members[..faulty] {
        world.behave(*member, behaviours[rng.usize(..behaviours.len())]);
    }
    for member in &members[faulty..] {
        let mut time = rng.u64(0..STORM);
        while time < STORM {
            let rest = rng.u64(1_000..3 * SECOND);
            match rng.u8(0..4) {
                0 => world.at(time, *member, Action::Crash),
                1 | 2 => world.at(time, *member, Action::CrashInStep(rng.usize(0..5))),
                _ => world.at(time, *member, Action::Pause(time + rest)),
            }
            world.at(time + rest, *member, Action::Restart);
            time += rest + rng.u64(0..5 * SECOND);
        }
    }
    let tokens = 12;
    let asked = request(&world.cluster, 1, &PROMPT, tokens);
    // A client that insists: it asks every member, again and again.
    for round in 0..14 {
        let limit = round * 2 * SECOND;
        world.run(limit, |_| false);
        for member in 0..n {
            world.submit(member, asked.clone());
        }
    }
    world.network = Network::CALM;
    let epochs = u64::from(tokens) / 2;
    let done = world.run(CALM, |world| world.all_committed(epochs));
    world.assert_agreement();
    let heads: BTreeMap<usize, u64> = world
        .honest()
        .map(|at| (at, world.members[at].node.as_ref().map_or(0, |node| node.head().epoch().0)))
        .collect();
    assert!(done, "seed {seed}: heads {heads:?}, faulty {:?}", &members[..faulty]);
    let expected = reference(3, &PROMPT, usize::from(tokens));
    assert_eq!(world.text_by_epoch(), expected_by_epoch(&expected, &world), "seed {seed}");
    for (accused, fault) in world.accused() {
        assert!(members[..faulty].contains(&accused), "seed {seed}: honest {accused} blamed for {fault}");
    }
}

/// The reference, cut to the epochs that somebody saw decided rather than caught up with.
fn expected_by_epoch(expected: &[u8], world: &World) -> BTreeMap<u64, Vec<u8>> {
    world
        .text_by_epoch()
        .into_keys()
        .map(|epoch| {
            let at = (epoch as usize - 1) * 2;
            (epoch, expected[at..at + 2].to_vec())
        })
        .collect()
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
        run(seed, 4, 1, 1);
    }
}

#[test]
fn four_members_without_a_fast_path_under_faults() {
    for seed in seeds(1000..1100) {
        run(seed, 4, 1, 0);
    }
}

#[test]
fn seven_members() {
    for seed in seeds(2000..2030) {
        run(seed, 7, 2, 1);
    }
}
