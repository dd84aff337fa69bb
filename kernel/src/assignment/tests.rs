use super::*;
use crate::types::Stage;

/// A draw that follows from `seed`.
fn draw(seed: u64) -> impl FnMut(u64) -> u64 {
    move |round| {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(round));
        random.u64(..)
    }
}

fn facts<'a>(f: usize, stages: u8, layers: &'a Layers, members: &'a [Profile], strategy: Strategy) -> Facts<'a> {
    let links = Links { within: 8_192, between: 81_920 };
    Facts { owners: f + 1, assigned: 2 * f + 1, stages, layers, members, links, strategy }
}

#[test]
fn round_robin_shuffles_and_spreads() {
    let layers = Layers::even(4, 64).unwrap();
    let members = [Profile::default(); 4];
    let facts = facts(1, 4, &layers, &members, Strategy::RoundRobin);
    let mut firsts = std::collections::BTreeSet::new();
    let mut load = [0_usize; 4];
    for seed in 0..2_400 {
        let placement = place(&facts, draw(seed)).unwrap();
        firsts.insert((placement.owners_in_order(Stage(0)).to_vec(), placement.owners_in_order(Stage(1)).to_vec()));
        for stage in placement.stages() {
            assert_eq!(placement.layers(stage), stage.0..stage.0 + 1);
            assert_eq!(placement.set(stage).len(), 3);
            for owner in placement.owners(stage).iter() {
                load[owner.index()] += 1;
            }
        }
    }
    assert_eq!(firsts.len(), 24, "every order of four members is drawn");
    assert_eq!(load, [4_800; 4]);
}
