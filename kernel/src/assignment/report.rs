//! What a placement costs: the numbers that strategies make small, computed
//! for any placement.

use super::partition::{time, transfer};
use super::placement::Placement;
use super::problem::Problem;
use super::{Facts, MAX_MEMBERS, PlacementError, Strategy};
use crate::types::{NodeId, NodeSet, Stage};

/// What one token costs when nothing fails. Times are in nanoseconds.
///
/// A device either receives or computes, and takes what f + 1 owners of the
/// stage before send it one after the other. The token that goes back to the
/// first stage is not counted, nor is agreement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Report {
    /// The longest that a member computes, over all stages that it owns: with
    /// links that cost nothing, a full pipeline gives a token this often.
    pub compute_interval: u64,
    /// The longest that a member computes and receives: a full pipeline gives
    /// a token this often.
    pub interval: u64,
    /// One token's way through all stages, each as slow as its slowest owner,
    /// since all f + 1 must agree.
    pub latency: u64,
    /// Bytes that owners send to members in other zones: each owner sends to
    /// all others assigned to its stage and to the next.
    pub bytes_between_zones: u64,
    /// Most stages that one member owns.
    pub most_stages: u8,
}

/// What `placement` costs under `facts`. It may have been made from others: a
/// member that can no longer compute makes the times endless ([`u64::MAX`]).
///
/// # Errors
/// When the facts are outside their bounds.
pub fn report(facts: &Facts<'_>, placement: &Placement) -> Result<Report, PlacementError> {
    Ok(Problem::new(facts)?.report(placement))
}

/// What a strategy makes small: the first number, of equal ones the second, and so on.
pub(super) type Key = [u64; 4];

/// The stages that each member owns when all with speed own equally many, rounded up.
fn even_share(facts: &Facts<'_>) -> u8 {
    let owners = usize::from(facts.stages).saturating_mul(facts.owners);
    let members = facts.members.iter().filter(|member| member.speed > 0).count().max(1);
    u8::try_from(owners.div_ceil(members)).unwrap_or(u8::MAX)
}

impl Problem<'_> {
    pub(super) fn report(&self, placement: &Placement) -> Report {
        Report { bytes_between_zones: self.bytes_between_zones(placement), ..self.times(placement) }
    }

    /// What the strategy makes small. Never less than any `compute_interval`
    /// or number of stages that it is about.
    pub(super) fn key(&self, placement: &Placement) -> Key {
        self.key_up_to(placement, [u64::MAX; 4]).unwrap_or([u64::MAX; 4])
    }

    /// As [`key`](Problem::key), if it is not greater than `most`.
    pub(super) fn key_up_to(&self, placement: &Placement, most: Key) -> Option<Key> {
        let Report { compute_interval, interval, latency, most_stages, .. } = self.times(placement);
        let bytes = || self.bytes_between_zones(placement);
        let key = match self.facts.strategy {
            Strategy::RoundRobin => [0; 4],
            Strategy::LoadBalanced => [compute_interval, latency, 0, 0],
            Strategy::TopologyAware => [u64::from(most_stages.max(even_share(self.facts))), bytes(), interval, latency],
            // Bytes take longest to count, and seldom matter.
            Strategy::Hybrid if [interval, latency, 0, 0] > most => return None,
            Strategy::Hybrid => [interval, latency, bytes(), 0],
        };
        (key <= most).then_some(key)
    }

    /// Everything but the bytes.
    fn times(&self, placement: &Placement) -> Report {
        let mut report = Report::default();
        let mut loads = [Load::default(); MAX_MEMBERS];
        let mut senders: &[NodeId] = &[];
        for stage in placement.stages() {
            let run = placement.layers(stage);
            let work = self.chain.work(run.clone());
            let received = self.chain.across(run.start);
            let owners = placement.owners_in_order(stage);
            let mut slowest = 0;
            for owner in owners {
                let compute = time(work, self.profile(*owner).speed);
                let all = compute.saturating_add(transfer(received, self.receive(senders, *owner)));
                slowest = slowest.max(all);
                if let Some(load) = loads.get_mut(owner.index()) {
                    load.compute = load.compute.saturating_add(compute);
                    load.all = load.all.saturating_add(all);
                    load.stages = load.stages.saturating_add(1);
                }
            }
            report.latency = report.latency.saturating_add(slowest);
            senders = owners;
        }
        for load in loads.iter().take(self.facts.members.len()) {
            report.compute_interval = report.compute_interval.max(load.compute);
            report.interval = report.interval.max(load.all);
            report.most_stages = report.most_stages.max(load.stages);
        }
        report
    }

    fn bytes_between_zones(&self, placement: &Placement) -> u64 {
        placement.stages().fold(0, |sum: u64, stage| {
            let bytes = self.chain.across(placement.layers(stage).end);
            sum.saturating_add(self.crossings(placement, stage).saturating_mul(bytes))
        })
    }

    /// Nanoseconds until `node` has 1024 bytes from each of `senders`.
    pub(super) fn receive(&self, senders: &[NodeId], node: NodeId) -> u64 {
        let zone = self.profile(node).zone;
        let links = self.facts.links;
        let others = senders.iter().filter(|sender| **sender != node);
        let costs = others.map(|sender| if self.profile(*sender).zone == zone { links.within } else { links.between });
        costs.fold(0, |sum: u64, cost| sum.saturating_add(u64::from(cost)))
    }

    /// Pairs of an owner of `stage` and somebody in another zone who gets its output.
    fn crossings(&self, placement: &Placement, stage: Stage) -> u64 {
        let fellows = placement.seats(stage);
        let known: NodeSet = fellows.iter().copied().collect();
        let next = placement.seats(stage.next()).iter().filter(|node| !known.contains(**node));
        let mut pairs = 0_u64;
        for node in fellows.iter().chain(next) {
            let zone = self.profile(*node).zone;
            for owner in placement.owners_in_order(stage) {
                pairs = pairs.saturating_add(u64::from(self.profile(*owner).zone != zone));
            }
        }
        pairs
    }
}

#[derive(Clone, Copy, Default)]
struct Load {
    compute: u64,
    all: u64,
    stages: u8,
}
