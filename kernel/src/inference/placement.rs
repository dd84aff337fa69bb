//! Which members run which stage: a pure function of committed facts.

use heapless::Vec;

use crate::cluster::Cluster;
use crate::crypto::{Scheme, Tag};
use crate::types::{MAX_VOTERS, NodeId, NodeSet, Resilience, Stage};

/// The members of each stage, in order: f + 1 owners, then f reserves.
///
/// The seed shuffles the members once; stage s takes 2f + 1 of them in turn,
/// beginning s (f + 1) places further on, so that owners are spread evenly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement {
    order: Vec<NodeId, MAX_VOTERS>,
    owners: u8,
    assigned: u8,
}

impl Placement {
    /// The placement that `seed` draws.
    pub fn draw<C: Scheme, const N: usize>(cluster: &Cluster<C, N>, seed: &C::Digest) -> Placement {
        let mut order: Vec<NodeId, MAX_VOTERS> = cluster.members().iter().collect();
        for last in (1..order.len()).rev() {
            let round = u64::try_from(last).unwrap_or(0);
            let number = C::number(&cluster.statement(Tag::Placement, &(seed, round)));
            // The bias of the remainder is below 2^-59 for at most 16 members.
            let pick = number.checked_rem(round.saturating_add(1)).and_then(|pick| usize::try_from(pick).ok());
            if let Some(pick) = pick {
                order.swap(last, pick);
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
