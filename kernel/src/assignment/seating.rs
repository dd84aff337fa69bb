//! Members for stages whose layers are settled, in turn.

use core::cmp::Reverse;

use heapless::Vec;

use super::placement::{Ends, Placement, Seats};
use super::problem::Problem;
use super::{MAX_MEMBERS, Strategy};
use crate::types::NodeId;

/// Members in the order in which ties among them are broken.
pub(super) type Turns = Vec<NodeId, MAX_MEMBERS>;

/// The members with speed in an order that committed randomness draws.
pub(super) fn draw_turns(problem: &Problem<'_>, draw: &mut impl FnMut(u64) -> u64) -> Turns {
    let mut turns: Turns = problem.able(0..0).collect();
    for last in (1..turns.len()).rev() {
        let round = u64::try_from(last).unwrap_or(0);
        // The bias of the remainder is below 2^-57 for at most 64 members.
        let pick = draw(round).checked_rem(round.saturating_add(1)).and_then(|pick| usize::try_from(pick).ok());
        // A member drawn for its own place stays there.
        if let Some(Ok([drawn, last])) = pick.map(|pick| turns.get_disjoint_mut([pick, last])) {
            core::mem::swap(drawn, last);
        }
    }
    turns
}

/// A placement in the making.
pub(super) struct Draft {
    ends: Ends,
    seats: Seats,
    /// The places that each member has got so far.
    got: [u8; MAX_MEMBERS],
}

impl Draft {
    pub(super) fn new(ends: Ends) -> Draft {
        let seats = ends.iter().map(|_| Vec::new()).collect();
        Draft { ends, seats, got: [0; MAX_MEMBERS] }
    }

    /// The places that `node` has got so far.
    pub(super) fn got(&self, node: NodeId) -> u8 {
        self.got.get(node.index()).copied().unwrap_or(0)
    }

    /// Gives the next place of `stage` to `node`.
    pub(super) fn give(&mut self, stage: usize, node: NodeId) {
        if let Some(seated) = self.seats.get_mut(stage) {
            // A stage has room for all who may be assigned to it.
            let _ = seated.push(node);
        }
        if let Some(got) = self.got.get_mut(node.index()) {
            *got = got.saturating_add(1);
        }
    }

    /// Fills each stage up with reserves: those to whom few bytes must cross
    /// zones, if the strategy heeds zones; then those with fewest places; then
    /// the fastest.
    pub(super) fn add_reserves(&mut self, problem: &Problem<'_>, turns: &Turns) {
        let heeds_zones = matches!(problem.facts.strategy, Strategy::TopologyAware | Strategy::Hybrid);
        self.fill(problem, turns, problem.facts.assigned, |draft, stage, node| {
            let senders = |stage: Option<usize>| {
                let seated = stage.and_then(|stage| draft.seats.get(stage));
                seated.and_then(|seated| seated.get(..problem.facts.owners)).unwrap_or(&[])
            };
            let strangers = |stage| problem.strangers(senders(stage), &[node]);
            let crossings = strangers(Some(stage)).saturating_add(strangers(stage.checked_sub(1)));
            (if heeds_zones { crossings } else { 0 }, draft.got(node), Reverse(problem.profile(node).speed))
        });
    }

    /// Gives members to each stage until it has `places`: the able one with
    /// the least key, of equal ones the first of `turns`.
    pub(super) fn fill<K: Ord>(
        &mut self,
        problem: &Problem<'_>,
        turns: &Turns,
        places: usize,
        key: impl Fn(&Draft, usize, NodeId) -> K,
    ) {
        let mut start = 0;
        for stage in 0..self.ends.len() {
            let end = self.ends.get(stage).copied().unwrap_or(start);
            while let Some(seated) = self.seats.get(stage).filter(|seated| seated.len() < places) {
                let able = |node: &&NodeId| problem.can(**node, start..end) && !seated.contains(node);
                // Every run of these ends can be done by enough members.
                let Some(node) = turns.iter().filter(able).min_by_key(|node| key(self, stage, **node)).copied() else {
                    break;
                };
                self.give(stage, node);
            }
            start = end;
        }
    }

    pub(super) fn finish(self, problem: &Problem<'_>) -> Placement {
        Placement::new(problem.facts.owners, self.ends, &self.seats)
    }
}

/// Members in turn for stages that end before the layers `ends`: each place
/// goes to the able member that has got fewest so far, first all owners'
/// places, then all reserves'. Where everybody holds everything, that is one
/// long row of members, again and again.
pub(super) fn in_turn(problem: &Problem<'_>, turns: &Turns, ends: Ends) -> Placement {
    let mut draft = Draft::new(ends);
    for places in [problem.facts.owners, problem.facts.assigned] {
        draft.fill(problem, turns, places, |draft, _, node| draft.got(node));
    }
    draft.finish(problem)
}
