//! Which members run which stage: a pure function of committed facts.

use heapless::Vec;

use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::types::{MAX_VOTERS, NodeId, NodeSet, Resilience, Stage};

/// The members of each stage, in order: f + 1 owners, then f reserves.
///
/// The seed shuffles the members once; stage s takes 2f + 1 of them in turn,
/// beginning s (f + 1) places further on, so that owners are spread evenly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    order: Vec<NodeId, MAX_VOTERS>,
    owners: u8,
    assigned: u8,
}

impl Placement {
    /// The placement that `seed` draws.
    pub fn draw<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, seed: &C::Digest) -> Placement {
        let mut order: Vec<NodeId, MAX_VOTERS> = Vec::new();
        for member in cluster.members().iter() {
            // A roster has no more members than may vote.
            let _ = order.push(member);
        }
        for last in (1..order.len()).rev() {
            let round = u64::try_from(last).unwrap_or(0);
            let number = C::number(&cluster.statement(Tag::Placement, &(seed, round)));
            // The bias of the remainder is below 2^-59 for at most 16 members.
            let pick = number.checked_rem(round.saturating_add(1)).and_then(|pick| usize::try_from(pick).ok());
            // A member drawn for its own place stays there.
            if let Some(Ok([drawn, last])) = pick.map(|pick| order.get_disjoint_mut([pick, last])) {
                core::mem::swap(drawn, last);
            }
        }
        Placement::in_order(cluster.resilience(), order)
    }

    fn in_order(resilience: Resilience, order: Vec<NodeId, MAX_VOTERS>) -> Placement {
        let small = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        Placement { order, owners: small(resilience.attestation_quorum()), assigned: small(resilience.stage_set()) }
    }

    /// Everyone assigned to `stage`: owners first, then reserves.
    pub fn assigned(&self, stage: Stage) -> impl Iterator<Item = NodeId> + '_ {
        let start = stage.index().saturating_mul(usize::from(self.owners));
        self.order
            .iter()
            .cycle()
            .skip(start.checked_rem(self.order.len()).unwrap_or(0))
            .take(usize::from(self.assigned).min(self.order.len()))
            .copied()
    }

    /// Everyone assigned to `stage`, as a set.
    pub fn set(&self, stage: Stage) -> NodeSet {
        self.assigned(stage).collect()
    }

    /// Those who compute `stage` without being asked.
    pub fn owners(&self, stage: Stage) -> NodeSet {
        self.assigned(stage).take(usize::from(self.owners)).collect()
    }

    /// How many members of `stage` stand before `node`.
    pub fn rank(&self, stage: Stage, node: NodeId) -> Option<usize> {
        self.assigned(stage).position(|member| member == node)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cluster::{Model, Roster, Timing};
    use crate::crypto::ideal::Ideal;

    type C = Ideal<16>;

    fn cluster(n: u8) -> Cluster<C, 16> {
        let roster = Roster {
            resilience: Resilience::largest(usize::from(n)).unwrap(),
            members: (0..n).map(NodeId).collect(),
            clients: [NodeId(100)].into_iter().collect(),
            model: Model { manifest: [0; 32], stages: 4, context: 8, vocabulary: 2, signal: 1, tokens_per_epoch: 1 },
        };
        Cluster::new(roster, Timing::default()).unwrap()
    }

    #[test]
    fn every_stage_has_f_plus_one_owners_and_f_reserves_all_distinct() {
        for n in 1..=16 {
            let cluster = cluster(n);
            let resilience = cluster.resilience();
            for seed in 0..50_u64 {
                let placement = Placement::draw(&cluster, &seed);
                for stage in cluster.stages() {
                    assert_eq!(placement.set(stage).len(), resilience.stage_set(), "n = {n}");
                    assert_eq!(placement.owners(stage).len(), resilience.f() + 1);
                    let owners = placement.assigned(stage).take(resilience.f() + 1);
                    assert_eq!(owners.collect::<NodeSet>(), placement.owners(stage), "owners stand first");
                }
            }
        }
    }

    #[test]
    fn seeds_shuffle_and_work_is_spread() {
        let cluster = cluster(4);
        let mut orders = BTreeSet::new();
        let mut load = [0_usize; 4];
        for seed in 0..2_400_u64 {
            let placement = Placement::draw(&cluster, &seed);
            assert_eq!(placement, Placement::draw(&cluster, &seed), "the same for everyone");
            orders.insert(placement.order.clone());
            for stage in cluster.stages() {
                for owner in placement.owners(stage).iter() {
                    load[owner.index()] += 1;
                }
            }
        }
        assert_eq!(orders.len(), 24, "every order of four members is drawn");
        // Four stages with two owners each over four members: two apiece, always.
        assert_eq!(load, [4_800; 4]);
    }
}
