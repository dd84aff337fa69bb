use std::vec::Vec;

use super::*;
use crate::assignment::partition::tests::{layers, lists};

/// Every order of `groups`, each with the places of its groups.
fn every_order(count: usize) -> Vec<Vec<u8>> {
    let places = lists(count, count).filter(|places| (0..count).all(|place| places.contains(&place)));
    places.map(|places| places.iter().map(|place| *place as u8).collect()).collect()
}

fn compare(chain: &Chain, groups: &[Group], orders: &[Vec<u8>]) -> bool {
    let in_order = |order: &[u8]| order.iter().map(|place| groups[usize::from(*place)]).collect::<Vec<Group>>();
    let best =
        orders.iter().filter_map(|order| balanced(chain, &in_order(order))).map(|partition| partition.interval).min();
    let found = ordered(chain, groups);
    assert_eq!(found.as_ref().map(|(_, partition)| partition.interval), best, "{chain:?} {groups:?}");
    if let Some((order, partition)) = &found {
        assert!(orders.contains(&order.to_vec()), "each group once");
        assert_eq!(balanced(chain, &in_order(order)).as_ref(), Some(partition));
    }
    found.is_some()
}

#[test]
fn no_order_of_a_few_groups_is_better() {
    let orders: Vec<Vec<Vec<u8>>> = (0..=4).map(every_order).collect();
    let mut parted = 0;
    for count in 1..=5 {
        for work in lists(3, count) {
            let work: Vec<u32> = work.iter().map(|which| [0, 1, 3][*which]).collect();
            for joined in [0, 0b10, 0b110] {
                let chain = Chain::new(&layers(&work, joined & ((1 << (count - 1)) - 1)));
                for speeds in (1..=4).flat_map(|groups| lists(3, groups)) {
                    let group = |which: &usize| Group {
                        speed: [1, 2, 5][*which] * 1_000_000,
                        holds: LayerSet::ALL,
                        receive: 0,
                    };
                    let groups: Vec<Group> = speeds.iter().map(group).collect();
                    parted += usize::from(compare(&chain, &groups, &orders[groups.len()]));
                }
            }
        }
    }
    assert_eq!(parted, 83_700, "cases in which there was anything to part");
}

#[test]
fn groups_that_hold_parts_stand_where_their_layers_are() {
    let chain = Chain::new(&layers(&[2, 1, 3, 1], 0));
    let mut parted = 0;
    for holds in lists(10, 3) {
        let runs: Vec<LayerSet> =
            (0..4).flat_map(|start| (start + 1..=4).map(move |end| LayerSet::run(start..end))).collect();
        let groups: Vec<Group> = holds
            .iter()
            .zip([1, 2, 3])
            .map(|(which, speed)| Group { speed, holds: runs[*which], receive: 0 })
            .collect();
        parted += usize::from(compare(&chain, &groups, &every_order(3)));
    }
    assert_eq!(parted, 478, "cases in which there was anything to part");
}

#[test]
fn six_groups_and_most_layers_agree_with_every_order() {
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..4 {
        let work: Vec<u32> = (0..64).map(|_| random.u32(1..50)).collect();
        let groups: Vec<Group> = (0..6)
            .map(|_| Group { speed: random.u32(1..30), holds: LayerSet::ALL, receive: random.u64(0..9_000) })
            .collect();
        assert!(compare(&Chain::new(&layers(&work, 0b1010)), &groups, &every_order(6)));
    }
}

#[test]
fn as_many_groups_as_may_be_ordered_are() {
    let group = Group { speed: 1, holds: LayerSet::ALL, receive: 0 };
    let chain = Chain::new(&layers(&[1; 64], 0));
    let (order, partition) = ordered(&chain, &[group; MAX_ORDERED]).unwrap();
    assert_eq!((order.len(), partition.interval), (8, 8_000_000));
    assert_eq!(ordered(&chain, &[group; MAX_ORDERED + 1]), None);
    assert_eq!(ordered(&chain, &[]), None);
}
