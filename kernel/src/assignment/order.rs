//! The optimal partition over every order of the groups, too.
//!
//! A limit can be kept iff the last layer is among those that all groups
//! together reach in some order. What a set of groups reaches follows from
//! what it reaches without each one of them: 2^g sets of layers instead of g!
//! orders. Bisection over the limit as in [`partition`](super::partition): at
//! most 63 g l + 63 g l 2^(g - 1) steps and 6 kB of stack; the layers that are
//! reached at once are few, so in practice it is a small part of that.

use heapless::Vec;

use super::layers::{LayerSet, MAX_LAYERS};
use super::partition::{Chain, Group, Partition, balanced, cheapest, least_possible};

/// Most groups for which every order is tried.
pub const MAX_ORDERED: usize = 8;
/// Sets of groups.
const SETS: usize = 256;

/// The order of the groups that gives the least interval, and the
/// [`balanced`] partition for it. What a group takes to receive is reckoned
/// alike behind every other. `None` as there, or for more than [`MAX_ORDERED`] groups.
pub fn ordered(chain: &Chain, groups: &[Group]) -> Option<(Vec<u8, MAX_ORDERED>, Partition)> {
    if groups.is_empty() || groups.len() > MAX_ORDERED {
        return None;
    }
    let worst = groups.iter().map(|group| group.worst(chain)).max()?;
    // The order as given is a good guess wherever it is possible at all.
    let guess = balanced(chain, groups).map_or(worst, |partition| partition.interval);
    let (mut above, mut order) = Reached::new(chain, groups, guess).order(chain, groups)?;
    let mut least = least_possible(chain, groups);
    while least < above {
        let reached = Reached::new(chain, groups, least.midpoint(above));
        match reached.order(chain, groups) {
            Some(better) => (above, order) = better,
            None => least = reached.next_limit,
        }
    }
    let in_order: Vec<Group, MAX_ORDERED> =
        order.iter().filter_map(|place| groups.get(usize::from(*place)).copied()).collect();
    let partition =
        cheapest(chain, &in_order, above, |place, run| in_order.get(place).map_or(0, |group| group.time(chain, run)))?;
    Some((order, partition))
}

/// What can be reached within a limit.
struct Reached {
    groups: usize,
    count: u8,
    /// For each group and first layer, the last layers of its run.
    ends: Vec<[LayerSet; MAX_LAYERS], MAX_ORDERED>,
    /// For each set of groups, the last layers behind all their runs.
    sets: [LayerSet; SETS],
    /// The least limit under which some run of some group is longer.
    next_limit: u64,
}

impl Reached {
    fn new(chain: &Chain, groups: &[Group], limit: u64) -> Reached {
        let count = chain.count();
        let mut next_limit = u64::MAX;
        let mut ends: Vec<[LayerSet; MAX_LAYERS], MAX_ORDERED> = Vec::new();
        for group in groups {
            let mut row = [LayerSet::EMPTY; MAX_LAYERS];
            for (start, ends) in (0..count).zip(row.iter_mut()) {
                *ends = chain.ends_within(start, group, limit);
                let beyond = chain.ends_from(start).common(ends.complement()).iter().next();
                let longer = beyond.map(|last| group.time(chain, start..last.saturating_add(1)));
                // What is not held is beyond every limit.
                next_limit =
                    longer.filter(|longer| *longer > limit).map_or(next_limit, |longer| next_limit.min(longer));
            }
            // There are at most `MAX_ORDERED` groups.
            let _ = ends.push(row);
        }
        let capacities: Vec<u64, MAX_ORDERED> = groups.iter().map(|group| group.capacity(limit)).collect();
        let mut reached = Reached { groups: groups.len(), count, ends, sets: [LayerSet::EMPTY; SETS], next_limit };
        for set in 1..=reached.all() {
            let ends =
                reached.members(set).fold(LayerSet::EMPTY, |ends, group| ends.union(reached.behind(chain, set, group)));
            // What the groups outside the set could do at best.
            let others = capacities.iter().zip(0..).filter(|(_, group)| set & bit(*group) == 0);
            let left = others.fold(0, |sum: u64, (capacity, _)| sum.saturating_add(*capacity));
            if let Some(entry) = reached.sets.get_mut(usize::from(set)) {
                *entry = ends.common(chain.close_enough(left));
            }
        }
        reached
    }

    fn all(&self) -> u8 {
        u8::MAX.checked_shr(u32::try_from(MAX_ORDERED.saturating_sub(self.groups)).unwrap_or(0)).unwrap_or(0)
    }

    fn members(&self, set: u8) -> impl DoubleEndedIterator<Item = u8> + use<> {
        (0..8).filter(move |group| set & bit(*group) != 0)
    }

    /// The last layers when `group` goes last of `set`.
    fn behind(&self, chain: &Chain, set: u8, group: u8) -> LayerSet {
        let starts = self.starts(chain, set & !bit(group));
        starts.fold(LayerSet::EMPTY, |ends, start| ends.union(self.ends(group, start)))
    }

    /// The first layers of whoever goes behind `set`.
    fn starts(&self, chain: &Chain, set: u8) -> impl Iterator<Item = u8> + use<> {
        let reached = self.sets.get(usize::from(set)).copied().unwrap_or(LayerSet::EMPTY);
        (set == 0).then_some(0).into_iter().chain(chain.starts_behind(reached))
    }

    fn ends(&self, group: u8, start: u8) -> LayerSet {
        let row = self.ends.get(usize::from(group)).and_then(|row| row.get(usize::from(start)));
        row.copied().unwrap_or(LayerSet::EMPTY)
    }

    /// An order in which everything is reached, and the interval that some
    /// partition has then; of several orders, the one that has groups of
    /// greater number last. `None` if the limit cannot be kept.
    fn order(&self, chain: &Chain, groups: &[Group]) -> Option<(u64, Vec<u8, MAX_ORDERED>)> {
        let mut order = Vec::new();
        let mut interval = 0;
        let mut set = self.all();
        let mut end = self.count;
        while set != 0 {
            let last = end.checked_sub(1)?;
            let step = |group: u8| {
                let before =
                    self.starts(chain, set & !bit(group)).find(|start| self.ends(group, *start).contains(last));
                before.map(|start| (group, start))
            };
            let (group, start) = self.members(set).rev().find_map(step)?;
            interval = groups.get(usize::from(group))?.time(chain, start..end).max(interval);
            order.push(group).ok()?;
            set &= !bit(group);
            end = start;
        }
        order.reverse();
        Some((interval, order))
    }
}

fn bit(group: u8) -> u8 {
    1_u8.checked_shl(u32::from(group)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
