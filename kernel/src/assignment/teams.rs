//! Placements to begin with, made of teams: f + 1 members who own the same
//! stages, as many as there are or fewer, parted optimally.
//!
//! A stage is as slow as its slowest owner. So members who are equally fast
//! belong together, and with teams taken from the members in order of speed
//! the k-th fastest team is as fast as it can be in any choice of teams.

use core::cmp::Reverse;
use core::ops::Range;

use heapless::Vec;

use super::layers::LayerSet;
use super::order::ordered;
use super::partition::{Group, Partition, balanced, cheapest, least_possible};
use super::placement::{Ends, MAX_ASSIGNED, Placement};
use super::problem::Problem;
use super::search::{Start, Starts};
use super::seating::{Draft, Turns};
use super::{MAX_MEMBERS, Strategy};
use crate::types::{MAX_STAGES, NodeId};

type Team = Vec<NodeId, MAX_ASSIGNED>;
type Teams = Vec<Team, MAX_STAGES>;

/// Placements from which to look for better ones, beside `in_turn`: those that
/// the strategy suggests for each number of teams, the most promising first.
pub(super) fn starts(problem: &Problem<'_>, turns: &Turns, in_turn: &Start) -> Starts {
    let strategy = problem.facts.strategy;
    let mut starts = Starts::new();
    let [mut known, ..] = in_turn.key;
    for count in (1..=usize::from(problem.facts.stages)).rev() {
        let fastest = (strategy != Strategy::TopologyAware).then(|| fastest(problem, turns, count, known));
        let closest = (strategy != Strategy::LoadBalanced).then(|| closest(problem, turns, count, known));
        for placement in [fastest, closest].into_iter().flatten().flatten() {
            let start = Start { key: problem.key(&placement), turn: starts.len(), placement };
            let [found, ..] = start.key;
            known = known.min(found);
            // There is room for two of each count.
            let _ = starts.push(start);
        }
    }
    starts.sort_unstable();
    starts
}

/// The optimal partition among the `count` fastest teams in their best order.
/// With as many teams as stages, no placement in which everybody owns one
/// stage at most has a smaller `compute_interval`, if members hold all layers.
/// `None` if there are fewer teams, or if it would be longer than `known`.
fn fastest(problem: &Problem<'_>, turns: &Turns, count: usize, known: u64) -> Option<Placement> {
    let by_speed = sorted(turns, |node| Reverse(problem.profile(node).speed));
    let teams: Teams = by_speed.chunks_exact(problem.facts.owners).take(count).map(team).collect();
    let groups = teams.iter().map(|team| problem.group(team, &[])).collect::<Vec<Group, MAX_STAGES>>();
    if teams.len() != count || least_possible(&problem.chain, &groups) > known {
        return None;
    }
    let (order, partition) = ordered(&problem.chain, &groups)?;
    let in_order: Teams = order.iter().filter_map(|place| teams.get(usize::from(*place)).cloned()).collect();
    seat(problem, turns, &in_order, &partition)
}

/// A partition among `count` teams that stand zone by zone, those of the
/// largest zone first. Topology-aware cuts are where fewest bytes cross zones,
/// hybrid ones where the interval is least. `None` if there are fewer teams,
/// or if the strategy's first number would be greater than `known`.
fn closest(problem: &Problem<'_>, turns: &Turns, count: usize, known: u64) -> Option<Placement> {
    let teams = zone_by_zone(problem, turns, count);
    let mut senders: &[NodeId] = &[];
    let mut groups: Vec<Group, MAX_STAGES> = Vec::new();
    let mut crossings: Vec<u64, MAX_STAGES> = Vec::new();
    for team in &teams {
        groups.push(problem.group(team, senders)).ok()?;
        crossings.push(problem.strangers(senders, team)).ok()?;
        senders = team;
    }
    let heeds_bytes_only = problem.facts.strategy == Strategy::TopologyAware;
    let least = if heeds_bytes_only {
        u64::try_from(usize::from(problem.facts.stages).div_ceil(count)).unwrap_or(u64::MAX)
    } else {
        least_possible(&problem.chain, &groups)
    };
    if teams.len() != count || least > known {
        return None;
    }
    let partition = if heeds_bytes_only {
        let bytes = |place: usize, run: Range<u8>| {
            crossings.get(place).copied().unwrap_or(0).saturating_mul(problem.chain.across(run.start))
        };
        let fewest = cheapest(&problem.chain, &groups, u64::MAX, bytes)?;
        evened(problem, &groups, fewest, bytes)
    } else {
        balanced(&problem.chain, &groups)?
    };
    seat(problem, turns, &teams, &partition)
}

/// The partition with the least interval of those with the toll of `partition`.
fn evened(
    problem: &Problem<'_>,
    groups: &[Group],
    partition: Partition,
    toll: impl Fn(usize, Range<u8>) -> u64,
) -> Partition {
    let mut best = partition;
    let mut least = least_possible(&problem.chain, groups);
    while least < best.interval {
        let middle = least.midpoint(best.interval);
        match cheapest(&problem.chain, groups, middle, &toll) {
            Some(other) if other.toll == best.toll => best = other,
            _ => least = middle.saturating_add(1),
        }
    }
    best
}

fn zone_by_zone(problem: &Problem<'_>, turns: &Turns, count: usize) -> Teams {
    let zone = |node: NodeId| problem.profile(node).zone;
    let size = |node: NodeId| turns.iter().filter(|other| zone(**other) == zone(node)).count();
    let sorted = sorted(turns, |node| (Reverse(size(node)), zone(node), Reverse(problem.profile(node).speed)));
    let owners = problem.facts.owners;
    let zones = || sorted.chunk_by(|left, right| zone(*left) == zone(*right));
    // Those who are left over in their zones make the last teams.
    let rest: Turns = zones().flat_map(|zone| zone.chunks_exact(owners).remainder()).copied().collect();
    let whole = zones().flat_map(|zone| zone.chunks_exact(owners));
    whole.chain(rest.chunks_exact(owners)).take(count).map(team).collect()
}

/// `turns` by `key`, those with equal keys in their turn.
fn sorted<K: Ord>(turns: &Turns, key: impl Fn(NodeId) -> K) -> Turns {
    let mut keyed: Vec<(K, usize, NodeId), MAX_MEMBERS> =
        turns.iter().enumerate().map(|(turn, node)| (key(*node), turn, *node)).collect();
    keyed.sort_unstable();
    keyed.iter().map(|(_, _, node)| *node).collect()
}

fn team(members: &[NodeId]) -> Team {
    members.iter().copied().collect()
}

/// Cuts the teams' runs further until there are as many stages as asked for,
/// and gives each stage its reserves.
fn seat(problem: &Problem<'_>, turns: &Turns, teams: &[Team], partition: &Partition) -> Option<Placement> {
    let mut stages: Vec<(u8, u8), MAX_STAGES> = partition.ends.iter().copied().zip(0..).collect();
    while stages.len() < usize::from(problem.facts.stages) {
        let (place, cut) = next_cut(problem, &stages)?;
        let (_, owner) = *stages.get(place)?;
        stages.insert(place, (cut, owner)).ok()?;
    }
    let ends: Ends = stages.iter().map(|(end, _)| *end).collect();
    let mut draft = Draft::new(ends);
    for (stage, (_, owner)) in stages.iter().enumerate() {
        teams.get(usize::from(*owner))?.iter().for_each(|node| draft.give(stage, *node));
    }
    draft.add_reserves(problem, turns);
    Some(draft.finish(problem))
}

/// The stage to cut next, and where: one of the team with fewest stages, its
/// longest, in the middle.
fn next_cut(problem: &Problem<'_>, stages: &[(u8, u8)]) -> Option<(usize, u8)> {
    let starts = core::iter::once(0).chain(stages.iter().map(|(end, _)| *end));
    let cuts = starts.zip(stages).enumerate().filter_map(|(place, (start, (end, owner)))| {
        let middle = start.midpoint(*end);
        let inner = problem.chain.ends_from(start).iter().map(|last| last.saturating_add(1)).filter(|cut| cut < end);
        let cut = inner.min_by_key(|cut| cut.abs_diff(middle))?;
        let owned = stages.iter().filter(|(_, other)| other == owner).count();
        Some(((owned, Reverse(end.saturating_sub(start))), place, cut))
    });
    cuts.min().map(|(_, place, cut)| (place, cut))
}

impl Problem<'_> {
    /// `members` as a group that receives from `senders`.
    fn group(&self, members: &[NodeId], senders: &[NodeId]) -> Group {
        let mut group = Group { speed: u32::MAX, holds: LayerSet::ALL, receive: 0 };
        for node in members {
            let profile = self.profile(*node);
            group.speed = group.speed.min(profile.speed);
            group.holds = group.holds.common(profile.holds);
            group.receive = group.receive.max(self.receive(senders, *node));
        }
        group
    }

    /// Pairs of one of `senders` and one of `members` in another zone.
    pub(super) fn strangers(&self, senders: &[NodeId], members: &[NodeId]) -> u64 {
        let zone = |node: &NodeId| self.profile(*node).zone;
        let pairs = senders.iter().flat_map(|sender| members.iter().filter(move |node| zone(node) != zone(sender)));
        u64::try_from(pairs.count()).unwrap_or(u64::MAX)
    }
}
