//! Placements beside the best of all placements, where all can be listed.

use super::*;
use crate::assignment::partition::tests::lists;
use crate::assignment::placement::Ends;
use crate::assignment::placement::Seats;

/// Every placement of `facts` with one owner and no reserve for each stage.
fn every_placement(facts: &Facts<'_>) -> Vec<Placement> {
    let stages = usize::from(facts.stages);
    let cuts: Vec<u8> = facts.layers.cuts().iter().collect();
    let mut all = Vec::new();
    for chosen in lists(2, cuts.len()).filter(|chosen| chosen.iter().sum::<usize>() == stages - 1) {
        let inner = cuts.iter().zip(chosen).filter(|(_, chosen)| *chosen == 1).map(|(cut, _)| *cut);
        let ends: Ends = inner.chain([facts.layers.count()]).collect();
        for owners in lists(facts.members.len(), stages) {
            let seats: Seats = owners.iter().map(|owner| [NodeId(*owner as u8)].into_iter().collect()).collect();
            all.push(Placement::new(1, ends.clone(), &seats));
        }
    }
    all
}

/// How many of all small clusters a strategy places optimally, and the worst
/// excess over the optimum, in percent.
fn compared(
    strategy: Strategy,
    number: impl Fn(&Report) -> u64,
    allowed: impl Fn(&Report) -> bool,
) -> (usize, usize, u64) {
    let (mut optimal, mut all, mut excess) = (0, 0, 0);
    for work in [[3, 1, 1, 2, 2], [1, 1, 5, 1, 1], [4, 3, 2, 1, 1]] {
        let mut layers = Layers::even(5, 1_000).unwrap();
        layers.work = work.into_iter().collect();
        layers.flows[2].bytes = 3_000;
        for speeds in lists(3, 4) {
            for zones in lists(2, 3) {
                let speed = |which: &usize| [1, 2, 9][*which];
                let zones = zones.iter().chain(&[0]);
                let members: Vec<Profile> =
                    speeds.iter().zip(zones).map(|(which, zone)| member(speed(which), *zone as u8)).collect();
                let mut facts = facts(0, 3, &layers, &members, strategy);
                facts.links = Links { within: 10_000, between: 1_000_000 };
                let problem = Problem::new(&facts).unwrap();
                let best = every_placement(&facts).into_iter().map(|placement| problem.report(&placement));
                let best = best.filter(&allowed).map(|cost| number(&cost)).min().unwrap();
                let found = report(&facts, &place(&facts, draws(0)).unwrap()).unwrap();
                assert!(allowed(&found));
                all += 1;
                optimal += usize::from(number(&found) == best);
                let over = (number(&found) - best) * 100;
                excess = excess.max(if over == 0 { 0 } else { over / best.max(1) });
            }
        }
    }
    (optimal, all, excess)
}

#[test]
fn no_placement_of_a_small_cluster_balances_better() {
    assert_eq!(compared(Strategy::LoadBalanced, |cost| cost.compute_interval, |_| true), (1_944, 1_944, 0));
}

#[test]
fn zones_are_crossed_as_rarely_as_an_even_share_allows() {
    let even = |cost: &Report| cost.most_stages == 1;
    assert_eq!(compared(Strategy::TopologyAware, |cost| cost.bytes_between_zones, even), (1_944, 1_944, 0));
}

#[test]
fn work_and_links_are_weighed_perfectly_in_seven_of_eight_small_clusters() {
    assert_eq!(compared(Strategy::Hybrid, |cost| cost.interval, |_| true), (1_683, 1_944, 37));
}

/// Every way to give `stages` teams of two to distinct members.
fn every_choice_of_pairs(members: usize, stages: usize) -> Vec<Vec<[usize; 2]>> {
    let mut all: Vec<Vec<[usize; 2]>> = [Vec::new()].into();
    for _ in 0..stages {
        let mut longer = Vec::new();
        for pairs in &all {
            let free: Vec<usize> =
                (0..members).filter(|node| !pairs.iter().flatten().any(|other| other == node)).collect();
            for (at, left) in free.iter().enumerate() {
                longer.extend(free[at + 1..].iter().map(|right| [&pairs[..], &[[*left, *right]]].concat()));
            }
        }
        all = longer;
    }
    all
}

#[test]
fn no_choice_of_distinct_owners_balances_better() {
    let pairs = every_choice_of_pairs(5, 2);
    assert_eq!(pairs.len(), 30);
    let (mut cases, mut shared) = (0, 0);
    for work in lists(3, 4) {
        let mut layers = Layers::even(4, 1_000).unwrap();
        layers.work = work.iter().map(|which| [1, 2, 5][*which]).collect();
        for speeds in lists(3, 5) {
            let members: Vec<Profile> = speeds.iter().map(|which| member([1, 2, 9][*which], 0)).collect();
            let facts = facts(1, 2, &layers, &members, Strategy::LoadBalanced);
            let problem = Problem::new(&facts).unwrap();
            let with = |pairs: &Vec<[usize; 2]>, cut: u8| {
                let ends: Ends = [cut, 4].into_iter().collect();
                let seat = |pair: &[usize; 2]| pair.iter().map(|node| NodeId(*node as u8)).collect();
                let seats: Seats = pairs.iter().map(seat).collect();
                problem.report(&Placement::new(2, ends, &seats)).compute_interval
            };
            let best = pairs.iter().flat_map(|pairs| (1..4).map(move |cut| with(pairs, cut))).min().unwrap();
            let found = report(&facts, &place(&facts, draws(0)).unwrap()).unwrap();
            assert!(found.compute_interval <= best, "{layers:?} {members:?}");
            cases += 1;
            shared += usize::from(found.compute_interval < best);
        }
    }
    assert_eq!((cases, shared), (19_683, 5_590), "cases, and those in which a fast member had better own both stages");
}
