use std::vec;
use std::vec::Vec;

use super::*;
use crate::assignment::layers::{Flow, MAX_FLOW_BYTES, MAX_FLOWS};
use crate::assignment::profile::MAX_LINK;

/// Every list of `length` of the numbers below `base`.
pub(crate) fn lists(base: usize, length: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..base.pow(length as u32)).map(move |mut number| {
        (0..length)
            .map(|_| {
                let digit = number % base;
                number /= base;
                digit
            })
            .collect()
    })
}

/// Layers whose cuts are crossed by different numbers of bytes.
pub(crate) fn layers(work: &[u32], joined: usize) -> Layers {
    let count = work.len() as u8;
    let mut flows: heapless::Vec<Flow, MAX_FLOWS> = heapless::Vec::new();
    for to in 1..count {
        flows.push(Flow { from: to - 1, to, bytes: 100 + 900 * (u32::from(to) % 3) }).unwrap();
        if to == 1 && count > 3 {
            flows.push(Flow { from: 0, to: 3, bytes: 400 }).unwrap();
        }
    }
    let joined = LayerSet::run(0..64).iter().filter(|layer| *layer > 0 && joined >> (layer - 1) & 1 == 1);
    let joined = joined.fold(LayerSet::EMPTY, |set, layer| set.union(LayerSet::run(layer..layer + 1)));
    let layers = Layers { work: work.iter().copied().collect(), flows, joined };
    layers.check().unwrap();
    layers
}

/// Every way to part `layers` into as many runs as there are groups, with the
/// time of each group, in wide numbers and from the definitions alone.
pub(crate) fn every_partition(layers: &Layers, groups: &[Group]) -> Vec<(Vec<u8>, Vec<u128>)> {
    let count = layers.count();
    let mut all = vec![(vec![0_u8], Vec::new())];
    for group in groups {
        let mut longer = Vec::new();
        for (ends, times) in &all {
            let start = *ends.last().unwrap();
            for end in start + 1..=count {
                let holds = (start..end).all(|layer| group.holds.contains(layer));
                let apart = end == count || !layers.joined.contains(end);
                if group.speed > 0 && holds && apart {
                    let work: u128 =
                        layers.work[usize::from(start)..usize::from(end)].iter().map(|w| u128::from(*w)).sum();
                    let crossing = layers.flows.iter().filter(|flow| flow.from < start && flow.to >= start);
                    let bytes: u128 = crossing.map(|flow| u128::from(flow.bytes)).sum();
                    let time = (work * 1_000_000).div_ceil(u128::from(group.speed))
                        + (bytes * u128::from(group.receive)).div_ceil(1_024);
                    longer.push(([&ends[..], &[end]].concat(), [&times[..], &[time]].concat()));
                }
            }
        }
        all = longer;
    }
    all.retain(|(ends, _)| *ends.last().unwrap() == count);
    all.iter_mut().for_each(|(ends, _)| assert_eq!(ends.remove(0), 0));
    all
}

fn compare(layers: &Layers, groups: &[Group]) -> bool {
    let found = balanced(&Chain::new(layers), groups);
    let all = every_partition(layers, groups);
    let cost = |times: &Vec<u128>| (times.iter().copied().max().unwrap(), times.iter().sum::<u128>());
    let best = all.iter().map(|(_, times)| cost(times)).min();
    assert_eq!(found.is_some(), best.is_some(), "{layers:?} {groups:?}");
    let (Some(found), Some(best)) = (found, best) else { return false };
    assert_eq!((u128::from(found.interval), u128::from(found.toll)), best, "{layers:?} {groups:?}");
    let own = all.iter().find(|(ends, _)| ends[..] == found.ends[..]).expect("a partition that is possible");
    assert_eq!(cost(&own.1), best, "the ends cost what they are said to cost");
    true
}

#[test]
fn every_small_chain_is_parted_as_well_as_it_can_be() {
    // A nanosecond for a unit of work: the least differences count.
    let mut parted = 0;
    for count in 1..=5 {
        for work in lists(3, count) {
            let work: Vec<u32> = work.iter().map(|which| [0, 1, 3][*which]).collect();
            for joined in 0..1 << (count - 1) {
                let layers = layers(&work, joined);
                for groups in (1..=3).flat_map(|groups| lists(4, groups)) {
                    let group = |which: &usize| {
                        let (speed, receive) = [(1_000_000, 0), (2_000_000, 1), (5_000_000, 0), (5_000_000, 3)][*which];
                        Group { speed, holds: LayerSet::ALL, receive }
                    };
                    let groups: Vec<Group> = groups.iter().map(group).collect();
                    parted += usize::from(compare(&layers, &groups));
                }
            }
        }
    }
    assert_eq!(parted, 281_028, "cases in which there was anything to part");
}

#[test]
fn no_group_gets_a_layer_that_it_does_not_hold() {
    let mut parted = 0;
    for work in lists(2, 4) {
        let work: Vec<u32> = work.iter().map(|which| [1, 3][*which]).collect();
        let layers = layers(&work, 0);
        for holds in lists(16, 3) {
            let hold = |mask: &usize| {
                let held = (0..4).filter(|layer| mask >> layer & 1 == 1);
                held.fold(LayerSet::EMPTY, |set, layer| set.union(LayerSet::run(layer..layer + 1)))
            };
            let groups: Vec<Group> = holds
                .iter()
                .zip([1, 2, 3])
                .map(|(mask, speed)| Group { speed, holds: hold(mask), receive: 7 })
                .collect();
            parted += usize::from(compare(&layers, &groups));
        }
    }
    assert_eq!(parted, 8_192, "cases in which there was anything to part");
}

#[test]
fn the_longest_chain_among_most_groups_agrees_with_a_plain_table() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..40 {
        let work: Vec<u32> = (0..64).map(|_| random.u32(0..50)).collect();
        let layers = layers(&work, usize::try_from(random.u64(..) & random.u64(..) & random.u64(..)).unwrap() >> 1);
        let group = |_| Group { speed: random.u32(1..9), holds: LayerSet::ALL, receive: random.u64(0..2_000_000) };
        let groups: Vec<Group> = (0..16).map(group).collect();
        let chain = Chain::new(&layers);
        // The least interval of the layers before each end, group after group.
        let mut table = vec![u64::MAX; 65];
        table[0] = 0;
        for group in &groups {
            let mut next = vec![u64::MAX; 65];
            for end in 1..=64_u8 {
                let possible = end == 64 || !layers.joined.contains(end);
                let starts = (0..end).filter(|start| possible && table[usize::from(*start)] < u64::MAX);
                let costs = starts.map(|start| table[usize::from(start)].max(group.time(&chain, start..end)));
                next[usize::from(end)] = costs.min().unwrap_or(u64::MAX);
            }
            table = next;
        }
        let found = balanced(&chain, &groups).map(|partition| partition.interval);
        assert_eq!(found, Some(table[64]).filter(|interval| *interval < u64::MAX));
    }
}

#[test]
fn the_greatest_numbers_do_not_overflow() {
    let mut layers = Layers::even(64, MAX_FLOW_BYTES).unwrap();
    layers.work.fill(u32::MAX);
    let mut from = 0;
    while layers.flows.len() < MAX_FLOWS {
        layers.flows.push(Flow { from, to: from + 2, bytes: MAX_FLOW_BYTES }).unwrap();
        from += 1;
        if from == 62 {
            break;
        }
    }
    layers.flows.sort_unstable();
    layers.check().unwrap();
    for (speed, receive) in [(1, 11 * u64::from(MAX_LINK)), (u32::MAX, 11 * u64::from(MAX_LINK)), (u32::MAX, 0)] {
        for groups in 1..=2 {
            compare(&layers, &vec![Group { speed, holds: LayerSet::ALL, receive }; groups]);
        }
    }
}

#[test]
fn what_cannot_be_parted_is_not() {
    let chain = Chain::new(&Layers::even(4, 1).unwrap());
    let group = Group { speed: 1, holds: LayerSet::ALL, receive: 0 };
    assert_eq!(balanced(&chain, &[]), None);
    assert_eq!(balanced(&chain, &[group; 5]), None);
    assert_eq!(balanced(&chain, &[Group { speed: 0, ..group }]), None);
    assert!(balanced(&chain, &[group; 4]).is_some());
    let long = Chain::new(&Layers::even(64, 1).unwrap());
    assert!(balanced(&long, &[group; MAX_GROUPS]).is_some());
    assert_eq!(balanced(&long, &[group; MAX_GROUPS + 1]), None);
}
