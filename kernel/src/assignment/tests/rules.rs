//! What holds for every strategy and what tells them apart.

use std::collections::BTreeSet;

use super::*;
use crate::assignment::placement::MAX_SEATS;
use crate::types::MAX_VOTERS;
use crate::wire::{decode, encode, encoded_len};

#[test]
fn there_is_room_for_the_largest_stage_sets() {
    let largest = (1..=MAX_VOTERS).map(|n| Resilience::largest(n).unwrap().stage_set()).max();
    assert_eq!(largest, Some(MAX_ASSIGNED));
    assert_eq!(MAX_SEATS, MAX_ASSIGNED * MAX_STAGES);
}

#[test]
fn round_robin_draws_every_order_and_spreads_stages() {
    let layers = Layers::even(4, 64).unwrap();
    let members = [Profile::default(); 4];
    let facts = facts(1, 4, &layers, &members, Strategy::RoundRobin);
    let mut orders = BTreeSet::new();
    let mut load = [0_usize; 4];
    for seed in 0..2_400 {
        let placement = place(&facts, draws(seed)).unwrap();
        orders.insert([Stage(0), Stage(1)].map(|stage| placement.owners_in_order(stage).to_vec()));
        for owner in placement.stages().flat_map(|stage| placement.owners(stage).iter().collect::<Vec<NodeId>>()) {
            load[owner.index()] += 1;
        }
    }
    assert_eq!(orders.len(), 24, "every order of four members is drawn");
    assert_eq!(load, [4_800; 4], "four stages with two owners each: two apiece, always");
}

#[test]
fn every_committee_is_placed_soundly_and_alike_everywhere() {
    let mut random = fastrand::Rng::with_seed(11);
    for n in 1..=MAX_VOTERS {
        let resilience = Resilience::largest(n).unwrap();
        for stages in 1..=MAX_STAGES as u8 {
            let mut layers = Layers::even(random.u8(stages..=16), 100).unwrap();
            layers.work.iter_mut().for_each(|work| *work = random.u32(0..900));
            let workers = n + random.usize(0..4);
            let members: Vec<Profile> = (0..workers).map(|_| member(random.u32(1..2_000), random.u8(0..3))).collect();
            for strategy in STRATEGIES {
                let facts = facts(resilience.f(), stages, &layers, &members, strategy);
                assert_eq!((facts.owners, facts.assigned), (resilience.attestation_quorum(), resilience.stage_set()));
                let placement = place(&facts, draws(1)).unwrap();
                assert_sound(&facts, &placement);
                assert_eq!(placement, place(&facts, draws(1)).unwrap());
            }
        }
    }
}

#[test]
fn members_get_only_layers_that_they_hold() {
    let mut random = fastrand::Rng::with_seed(5);
    let mut placed = 0;
    for _ in 0..300 {
        let mut layers = Layers::even(12, 100).unwrap();
        layers.joined = LayerSet::run(5..7);
        layers.work.iter_mut().for_each(|work| *work = random.u32(1..900));
        let holds = |start: u8, length: u8| LayerSet::run(start..(start + length).min(12));
        let members: Vec<Profile> = (0..12)
            .map(|_| Profile {
                holds: holds(random.u8(0..6), random.u8(4..12)),
                ..member(random.u32(0..9), random.u8(0..2))
            })
            .collect();
        for strategy in STRATEGIES {
            let facts = facts(1, 4, &layers, &members, strategy);
            match place(&facts, draws(2)) {
                Ok(placement) => {
                    assert_sound(&facts, &placement);
                    placed += 1;
                }
                Err(PlacementError::TooFewMembers { .. } | PlacementError::Scattered { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!((100..1_100).contains(&placed), "some can be placed, some cannot: {placed}");
}

#[test]
fn each_strategy_is_best_at_what_it_promises() {
    let (layers, members) = uneven();
    let cost = |strategy, seed| {
        let facts = facts(1, 6, &layers, &members, strategy);
        let placement = place(&facts, draws(seed)).unwrap();
        assert_sound(&facts, &placement);
        report(&facts, &placement).unwrap()
    };
    for seed in 0..20 {
        let [round_robin, load, topology, hybrid] = STRATEGIES.map(|strategy| cost(strategy, seed));
        let all = [round_robin, load, topology, hybrid];
        assert_eq!(Some(load.compute_interval), all.iter().map(|cost| cost.compute_interval).min());
        assert_eq!(Some(topology.bytes_between_zones), all.iter().map(|cost| cost.bytes_between_zones).min());
        assert_eq!(Some(hybrid.interval), all.iter().map(|cost| cost.interval).min());
        assert!(
            load.compute_interval < topology.compute_interval && load.compute_interval < round_robin.compute_interval
        );
        assert!(topology.bytes_between_zones * 2 < load.bytes_between_zones);
        assert!(hybrid.interval < load.interval && hybrid.interval < topology.interval);
        assert!(topology.interval < round_robin.interval, "of the cuts that cross few bytes, even ones are taken");
        assert!(topology.most_stages == 1 && round_robin.most_stages == 1, "an even share is one stage");
    }
}

#[test]
fn a_report_counts_what_the_protocol_sends() {
    let layers = Layers::even(2, 1_024).unwrap();
    let members = [0, 0, 1, 1].map(|zone| member(1_000, zone));
    let facts =
        Facts { links: Links { within: 10, between: 100 }, ..facts(1, 2, &layers, &members, Strategy::RoundRobin) };
    let stage = |members: [u8; 3]| members.into_iter().map(NodeId).collect();
    let seats = [stage([0, 1, 2]), stage([1, 2, 3])].into_iter().collect();
    let placement = Placement::new(2, [1, 2].into_iter().collect(), &seats);
    let expected = Report {
        // Member 1 computes both stages, a microsecond each.
        compute_interval: 2_000,
        // It has its own signal already and gets the other from its zone.
        interval: 2_010,
        // Member 2 waits for two signals from the other zone.
        latency: 1_000 + 1_200,
        // Both owners of the first stage send to members 2 and 3.
        bytes_between_zones: 4 * 1_024,
        most_stages: 2,
    };
    assert_eq!(report(&facts, &placement), Ok(expected));
}

#[test]
fn only_ties_are_left_to_chance() {
    let (layers, mut members) = uneven();
    for (place, member) in members.iter_mut().enumerate() {
        member.speed += place as u32;
    }
    let placed = |strategy| {
        let facts = facts(1, 6, &layers, &members, strategy);
        (0..20).map(|seed| place(&facts, draws(seed)).unwrap()).collect::<BTreeSet<Placement>>().len()
    };
    assert_eq!(placed(Strategy::RoundRobin), 20);
    assert_eq!(placed(Strategy::LoadBalanced), 1);
}

#[test]
fn a_placement_answers_for_its_own_stages_only() {
    let (layers, members) = uneven();
    let placement = place(&facts(1, 6, &layers, &members, Strategy::RoundRobin), draws(0)).unwrap();
    assert_eq!(placement.layers(Stage(6)), 0..0);
    assert_eq!(placement.assigned(Stage(6)).count(), 0);
    let outside = (0..12).map(NodeId).find(|node| !placement.set(Stage(0)).contains(*node)).unwrap();
    assert_eq!(placement.rank(Stage(0), outside), None);
    let mut buffer = [0; 256];
    assert_eq!(encode(&placement, &mut buffer).unwrap().len(), encoded_len(&placement));
    assert_eq!(encoded_len(&placement), 2 + 1 + 6 + 1 + 18);
}

#[test]
fn facts_are_the_same_behind_the_wire() {
    let profile = Profile { speed: 7, zone: 3, holds: LayerSet::run(2..9) };
    let mut buffer = [0; 32];
    let bytes = encode(&(profile, LINKS, Strategy::Hybrid), &mut buffer).unwrap();
    assert_eq!(decode::<(Profile, Links, Strategy)>(bytes), Ok((profile, LINKS, Strategy::Hybrid)));
}
