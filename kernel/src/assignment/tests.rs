use std::vec::Vec;

use super::*;
use crate::types::{NodeId, Resilience, Stage};

mod changes;
mod optimal;
mod refused;
mod rules;

const STRATEGIES: [Strategy; 4] =
    [Strategy::RoundRobin, Strategy::LoadBalanced, Strategy::TopologyAware, Strategy::Hybrid];

/// Numbers in place of committed randomness.
fn draws(seed: u64) -> impl FnMut(u64) -> u64 {
    move |round| fastrand::Rng::with_seed(seed << 32 | round).u64(..)
}

/// One gigabit a second within a zone, twenty megabits between zones.
const LINKS: Links = Links { within: 8_192, between: 409_600 };

fn facts<'a>(f: usize, stages: u8, layers: &'a Layers, members: &'a [Profile], strategy: Strategy) -> Facts<'a> {
    Facts { owners: f + 1, assigned: 2 * f + 1, stages, layers, members, links: LINKS, strategy }
}

fn member(speed: u32, zone: u8) -> Profile {
    Profile { zone, ..Profile::with_speed(speed) }
}

/// Twelve members of three zones, and 24 layers of which every fourth is heavier.
fn uneven() -> (Layers, Vec<Profile>) {
    let mut layers = Layers::even(24, 4_096).unwrap();
    layers.work = (0..24).map(|layer| if layer % 4 == 3 { 900 } else { 300 }).collect();
    let speeds = [1_000, 250, 500, 1_000, 250, 500, 1_000, 250, 2_000, 500, 2_000, 250];
    let members = speeds.iter().zip([0, 1, 2].iter().cycle()).map(|(speed, zone)| member(*speed, *zone)).collect();
    (layers, members)
}

/// What must hold of every placement, whatever the strategy.
fn assert_sound(facts: &Facts<'_>, placement: &Placement) {
    assert_eq!(placement.stages().len(), usize::from(facts.stages));
    let mut next = 0;
    for stage in placement.stages() {
        let run = placement.layers(stage);
        assert!(run.start == next && run.end > run.start, "{placement:?}");
        next = run.end;
        assert!(next == facts.layers.count() || facts.layers.cuts().contains(next), "{placement:?}");
        assert_eq!(placement.assigned(stage).count(), facts.assigned);
        assert_eq!(placement.set(stage).len(), facts.assigned, "all distinct: {placement:?}");
        assert!(placement.assigned(stage).take(facts.owners).eq(placement.owners_in_order(stage).iter().copied()));
        assert_eq!(placement.owners(stage).len(), facts.owners);
        for (rank, node) in placement.assigned(stage).enumerate() {
            assert_eq!(placement.rank(stage, node), Some(rank));
            let profile = facts.members[node.index()];
            assert!(profile.speed > 0 && run.clone().all(|layer| profile.holds.contains(layer)), "{placement:?}");
        }
    }
    assert_eq!(next, facts.layers.count());
}
