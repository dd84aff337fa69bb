//! When committed facts change, so does the placement.

use super::*;

/// The stages that `node` owns.
fn owned(placement: &Placement, node: NodeId) -> usize {
    placement.stages().filter(|stage| placement.owners(*stage).contains(node)).count()
}

fn layers_of(placement: &Placement, node: NodeId) -> usize {
    let stages = placement.stages().filter(|stage| placement.owners(*stage).contains(node));
    stages.map(|stage| placement.layers(stage).len()).sum()
}

#[test]
fn a_member_that_became_slow_gets_less_to_do() {
    let layers = Layers::even(12, 1_000).unwrap();
    let mut members = [Profile::with_speed(1_000); 3];
    let before = place(&facts(0, 3, &layers, &members, Strategy::LoadBalanced), draws(4)).unwrap();
    assert_eq!([0, 1, 2].map(|node| layers_of(&before, NodeId(node))), [4, 4, 4]);
    members[1].speed = 500;
    for strategy in [Strategy::LoadBalanced, Strategy::Hybrid] {
        let facts = Facts { links: Links::FREE, ..facts(0, 3, &layers, &members, strategy) };
        let after = place(&facts, draws(4)).unwrap();
        assert_eq!([0, 1, 2].map(|node| layers_of(&after, NodeId(node))), [5, 2, 5]);
        let (stale, fresh) = (report(&facts, &before).unwrap(), report(&facts, &after).unwrap());
        assert_eq!((stale.compute_interval, fresh.compute_interval), (8_000, 5_000), "nanoseconds");
    }
    let even = place(&facts(0, 3, &layers, &members, Strategy::RoundRobin), draws(4)).unwrap();
    assert_eq!([0, 1, 2].map(|node| layers_of(&even, NodeId(node))), [4, 4, 4], "round-robin does not look");
}

#[test]
fn a_member_that_is_gone_is_in_no_stage_and_the_rest_is_optimal_again() {
    let (layers, mut members) = uneven();
    for strategy in STRATEGIES {
        let before = place(&facts(1, 6, &layers, &members, strategy), draws(4)).unwrap();
        for gone in (0..12).map(NodeId) {
            let speed = core::mem::take(&mut members[gone.index()].speed);
            let facts = facts(1, 6, &layers, &members, strategy);
            let after = place(&facts, draws(4)).unwrap();
            assert_sound(&facts, &after);
            assert!(after.stages().all(|stage| !after.set(stage).contains(gone)));
            let (stale, fresh) = (report(&facts, &before).unwrap(), report(&facts, &after).unwrap());
            assert!(fresh.interval < u64::MAX);
            assert_eq!(stale.interval == u64::MAX, owned(&before, gone) > 0, "nobody waits for a reserve");
            members[gone.index()].speed = speed;
        }
        assert_eq!(place(&facts(1, 6, &layers, &members, strategy), draws(4)).unwrap(), before, "and back");
    }
}

#[test]
fn a_member_that_came_gets_its_share() {
    let layers = Layers::even(12, 1_000).unwrap();
    let members = [Profile::with_speed(1_000), Profile::with_speed(1_000), Profile::with_speed(4_000)];
    let cost = |members| {
        let facts = facts(0, 2, &layers, members, Strategy::LoadBalanced);
        let placement = place(&facts, draws(4)).unwrap();
        (layers_of(&placement, NodeId(2)), report(&facts, &placement).unwrap().compute_interval)
    };
    assert_eq!(cost(&members[..2]), (0, 6_000));
    assert_eq!(cost(&members), (10, 2_500));
}

#[test]
fn a_member_that_lost_layers_keeps_those_that_it_holds() {
    let layers = Layers::even(8, 1_000).unwrap();
    let mut members = [Profile::with_speed(1_000); 5];
    members[3].holds = LayerSet::run(0..3);
    members[4].holds = LayerSet::run(5..8);
    for strategy in STRATEGIES {
        let facts = facts(1, 4, &layers, &members, strategy);
        let placement = place(&facts, draws(4)).unwrap();
        assert_sound(&facts, &placement);
        assert!(owned(&placement, NodeId(3)) + owned(&placement, NodeId(4)) > 0, "{strategy:?}: {placement:?}");
    }
}

#[test]
fn the_greatest_facts_are_placed_and_reported_without_overflow() {
    let mut layers = Layers::even(64, MAX_FLOW_BYTES).unwrap();
    layers.work.fill(u32::MAX);
    let members: Vec<Profile> = (0..64).map(|node| member(1 + node % 3, (node % 7) as u8)).collect();
    for strategy in STRATEGIES {
        let links = Links { within: MAX_LINK, between: MAX_LINK };
        let facts = Facts { links, ..facts(5, 8, &layers, &members, strategy) };
        let placement = place(&facts, draws(0)).unwrap();
        assert_sound(&facts, &placement);
        let cost = report(&facts, &placement).unwrap();
        // The loads once more, in wide numbers.
        let load = |node: NodeId| -> u128 {
            let stages = placement.stages().filter(|stage| placement.owners(*stage).contains(node));
            let times = stages.map(|stage| placement.layers(stage).len() as u128 * u128::from(u32::MAX) * 1_000_000);
            times.map(|time| time.div_ceil(u128::from(members[node.index()].speed))).sum()
        };
        assert_eq!(Some(u128::from(cost.compute_interval)), (0..64).map(|node| load(NodeId(node))).max());
        assert!(cost.interval > cost.compute_interval && cost.latency < u64::MAX);
    }
}
