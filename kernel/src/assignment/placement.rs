//! A placement: what was decided about who runs which layers.

use core::ops::Range;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::types::{MAX_STAGES, NodeId, NodeSet, Stage, bound};

/// Most members of one stage: 2f + 1 for the greatest f.
pub const MAX_ASSIGNED: usize = bound(11, 5, 3);
/// Most owners of one stage: f + 1 for the greatest f.
pub const MAX_OWNERS: usize = MAX_ASSIGNED.div_ceil(2);
/// Most places in all stages together.
pub(super) const MAX_SEATS: usize = MAX_ASSIGNED * MAX_STAGES;

/// The layer behind each stage, rising.
pub(super) type Ends = Vec<u8, MAX_STAGES>;
/// The members of each stage.
pub(super) type Seats = Vec<Vec<NodeId, MAX_ASSIGNED>, MAX_STAGES>;

/// The layers and the members of each stage. Every stage has equally many
/// members, all distinct: f + 1 owners, then reserves, 2f + 1 together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Placement {
    owners: u8,
    assigned: u8,
    /// The layer behind each stage, rising.
    ends: Ends,
    /// The members of the first stage, then those of the second, and so on.
    seats: Vec<NodeId, MAX_SEATS>,
}

impl Placement {
    /// Stages that end before the layers `ends`, with the members `seats`, of
    /// whom the first `owners` of each stage are its owners.
    pub(super) fn new(owners: usize, ends: Ends, seats: &Seats) -> Placement {
        let small = |count: usize| u8::try_from(count).unwrap_or(0);
        let assigned = seats.first().map_or(0, |seated| seated.len());
        Placement {
            owners: small(owners),
            assigned: small(assigned),
            ends,
            seats: seats.iter().flatten().copied().collect(),
        }
    }

    /// The stages, in order.
    pub fn stages(&self) -> impl DoubleEndedIterator<Item = Stage> + ExactSizeIterator + use<> {
        (0..u8::try_from(self.ends.len()).unwrap_or(0)).map(Stage)
    }

    /// The layers of `stage`; none when there is no such stage.
    pub fn layers(&self, stage: Stage) -> Range<u8> {
        let before = stage.index().checked_sub(1);
        let start = before.map_or(Some(0), |before| self.ends.get(before).copied());
        match (start, self.ends.get(stage.index())) {
            (Some(start), Some(end)) => start..*end,
            _ => 0..0,
        }
    }

    /// Everyone assigned to `stage`: owners first, then reserves.
    pub fn assigned(&self, stage: Stage) -> impl Iterator<Item = NodeId> + '_ {
        self.seats(stage).iter().copied()
    }

    /// Everyone assigned to `stage`, as a set.
    pub fn set(&self, stage: Stage) -> NodeSet {
        self.assigned(stage).collect()
    }

    /// Those who compute `stage` without being asked.
    pub fn owners(&self, stage: Stage) -> NodeSet {
        self.owners_in_order(stage).iter().copied().collect()
    }

    /// How many members of `stage` stand before `node`.
    pub fn rank(&self, stage: Stage, node: NodeId) -> Option<usize> {
        self.assigned(stage).position(|member| member == node)
    }

    pub(super) fn owners_in_order(&self, stage: Stage) -> &[NodeId] {
        let seats = self.seats(stage);
        seats.get(..usize::from(self.owners)).unwrap_or(seats)
    }

    pub(super) fn seats(&self, stage: Stage) -> &[NodeId] {
        let seats = usize::from(self.assigned);
        let start = self.seat(stage, 0);
        self.seats.get(start..start.saturating_add(seats)).unwrap_or(&[])
    }

    pub(super) fn set_end(&mut self, stage: Stage, end: u8) {
        if let Some(entry) = self.ends.get_mut(stage.index()) {
            *entry = end;
        }
    }

    pub(super) fn set_seat(&mut self, stage: Stage, place: usize, node: NodeId) {
        let seat = self.seat(stage, place);
        if let Some(entry) = self.seats.get_mut(seat) {
            *entry = node;
        }
    }

    pub(super) fn exchange(&mut self, (stage, place): (Stage, usize), (other, other_place): (Stage, usize)) {
        let seats = [self.seat(stage, place), self.seat(other, other_place)];
        if let Ok([left, right]) = self.seats.get_disjoint_mut(seats) {
            core::mem::swap(left, right);
        }
    }

    fn seat(&self, stage: Stage, place: usize) -> usize {
        stage.index().saturating_mul(usize::from(self.assigned)).saturating_add(place)
    }
}
