//! Facts that were checked, and what is computed from them once.

use core::ops::Range;

use heapless::Vec;

use super::layers::LayerSet;
use super::partition::{Chain, Group, cheapest, least_limit};
use super::placement::{Ends, MAX_ASSIGNED, Placement};
use super::profile::{MAX_LINK, Profile};
use super::{Facts, MAX_MEMBERS, PlacementError};
use crate::types::{MAX_STAGES, NodeId, NodeSet, Stage};

/// Facts for which there is a placement.
pub(super) struct Problem<'a> {
    pub(super) facts: &'a Facts<'a>,
    /// The model; runs that too few members could be assigned to are confined.
    pub(super) chain: Chain,
}

impl<'a> Problem<'a> {
    pub(super) fn new(facts: &'a Facts<'a>) -> Result<Self, PlacementError> {
        facts.layers.check()?;
        if facts.members.len() > MAX_MEMBERS {
            return Err(PlacementError::Members);
        }
        if facts.owners == 0 || facts.owners > facts.assigned || facts.assigned > MAX_ASSIGNED {
            return Err(PlacementError::Sizes);
        }
        if facts.links.within.max(facts.links.between) > MAX_LINK {
            return Err(PlacementError::Links);
        }
        let mut problem = Problem { facts, chain: Chain::new(facts.layers) };
        let possible = u8::try_from(problem.chain.lasts().count().min(MAX_STAGES)).unwrap_or(0);
        if facts.stages == 0 || facts.stages > possible {
            return Err(PlacementError::Stages { possible });
        }
        problem.confine_runs()?;
        let needed = problem.fewest_stages();
        if facts.stages < needed {
            return Err(PlacementError::Scattered { needed });
        }
        Ok(problem)
    }

    /// Forbids the runs that fewer than 2f + 1 members can do. A run that is
    /// shorter can be done by whoever can do the longer one, so there is one
    /// bound for each first layer, and it never moves back.
    fn confine_runs(&mut self) -> Result<(), PlacementError> {
        let needed = self.facts.assigned;
        let lasts = self.chain.lasts();
        let mut start = 0;
        for last in lasts.iter() {
            let able = self.able(start..last.saturating_add(1)).count();
            if able < needed {
                return Err(PlacementError::TooFewMembers { layer: start, able, needed });
            }
            start = last.saturating_add(1);
        }
        let mut reach = 0;
        for start in 0..self.chain.count() {
            while reach < self.chain.count() && self.able(start..reach.saturating_add(1)).count() >= needed {
                reach = reach.saturating_add(1);
            }
            self.chain.confine(start, reach);
        }
        Ok(())
    }

    /// Fewest runs of which the model can be made: each as long as possible.
    fn fewest_stages(&self) -> u8 {
        let mut stages = 0_u8;
        let mut start = 0;
        // Every block that cannot be parted can be run, so each round goes on.
        while let Some(last) = self.chain.ends_from(start).iter().last() {
            start = last.saturating_add(1);
            stages = stages.saturating_add(1);
        }
        stages
    }

    /// Those with speed who hold all layers of `run`.
    pub(super) fn able(&self, run: Range<u8>) -> impl Iterator<Item = NodeId> + '_ {
        let nodes = (0..u8::try_from(self.facts.members.len()).unwrap_or(0)).map(NodeId);
        nodes.filter(move |node| self.can(*node, run.clone()))
    }

    /// Whether `node` has speed and holds all layers of `run`.
    pub(super) fn can(&self, node: NodeId, run: Range<u8>) -> bool {
        let profile = self.profile(node);
        profile.speed > 0 && profile.holds.covers(LayerSet::run(run))
    }

    /// Whether the members of `stage` are distinct and can run its layers, and
    /// it has layers.
    pub(super) fn fits(&self, placement: &Placement, stage: Stage) -> bool {
        let run = placement.layers(stage);
        let seats = placement.seats(stage);
        let distinct: NodeSet = seats.iter().copied().collect();
        !run.is_empty() && distinct.len() == seats.len() && seats.iter().all(|node| self.can(*node, run.clone()))
    }

    /// What `node` can do; a stranger can do nothing.
    pub(super) fn profile(&self, node: NodeId) -> Profile {
        let stranger = Profile { speed: 0, zone: 0, holds: LayerSet::EMPTY };
        self.facts.members.get(node.index()).copied().unwrap_or(stranger)
    }

    /// Stages of as equal numbers of layers as the cuts and the members' layers allow.
    pub(super) fn even_ends(&self) -> Ends {
        let equal = Group { speed: 1, holds: LayerSet::ALL, receive: 0 };
        let groups: Vec<Group, MAX_STAGES> = (0..self.facts.stages).map(|_| equal).collect();
        let level = self.chain.level();
        let square = |_, run: Range<u8>| u64::from(run.end.saturating_sub(run.start)).saturating_pow(2);
        // These facts were checked: there is a partition into that many runs.
        let partition = least_limit(&level, &groups).and_then(|limit| cheapest(&level, &groups, limit, square));
        partition.map(|partition| partition.ends.into_iter().collect()).unwrap_or_default()
    }
}
