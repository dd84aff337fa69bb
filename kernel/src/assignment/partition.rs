//! The optimal cut of a chain of layers into contiguous runs, one for each of
//! several uneven groups that stand in a given order.
//!
//! 1. The least possible interval is found by bisection: a limit can be kept
//!    iff the last layer is among those that group after group can reach.
//!    Runs that keep a limit from one first layer are a range of ends, so a
//!    step is a few operations on sets of layers.
//! 2. Among the partitions that keep this limit, dynamic programming over
//!    (group, last layer) takes the one with the least sum of tolls.
//!
//! With g groups and l layers this costs at most 63 g l steps of the first and
//! g l^2 / 2 of the second kind, and 3 kB of stack. The result is exact; the
//! tests compare it with every partition of every small chain.

use core::ops::Range;

use heapless::Vec;

use super::layers::{LayerSet, Layers, MAX_LAYERS};

/// Most groups among which layers are parted. The protocol's stages are fewer.
pub const MAX_GROUPS: usize = 16;
/// Nanoseconds in a millisecond, in which speeds are told.
const NANOS: u64 = 1_000_000;
/// Bytes whose move a link's cost is told for.
const BLOCK: u64 = 1024;

/// The nanoseconds that `work` takes at `speed` units in a millisecond, rounded
/// up: at most 2^58 for a whole model. A member without speed never ends.
pub fn time(work: u64, speed: u32) -> u64 {
    let nanos = work.saturating_mul(NANOS);
    let speed = u64::from(speed);
    nanos.checked_add(speed.saturating_sub(1)).and_then(|nanos| nanos.checked_div(speed)).unwrap_or(u64::MAX)
}

/// The nanoseconds that `bytes` take over links that cost `per_block` together
/// for 1024 bytes, rounded up: at most 2^53 from most owners over the dearest links.
pub fn transfer(bytes: u64, per_block: u64) -> u64 {
    bytes.saturating_mul(per_block).div_ceil(BLOCK)
}

/// Those who run one contiguous run of layers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Work in a millisecond of the slowest among them.
    pub speed: u32,
    /// The layers that all of them hold.
    pub holds: LayerSet,
    /// Nanoseconds until 1024 bytes from the group before have come in.
    pub receive: u64,
}

impl Group {
    /// The nanoseconds that this group takes for the layers `run`.
    pub fn time(&self, chain: &Chain, run: Range<u8>) -> u64 {
        transfer(chain.across(run.start), self.receive).saturating_add(time(chain.work(run), self.speed))
    }

    /// The longest that this group can take for any run.
    pub(super) fn worst(&self, chain: &Chain) -> u64 {
        let dearest = chain.across.iter().max().copied().unwrap_or(0);
        transfer(dearest, self.receive).saturating_add(time(chain.work(0..chain.count), self.speed))
    }

    /// The most work that is done within `time`.
    pub(super) fn capacity(&self, time: u64) -> u64 {
        // Where the product saturates, the quotient is still beyond 2^44, and
        // a whole model is at most 2^38.
        time.saturating_mul(u64::from(self.speed)).checked_div(NANOS).unwrap_or(0)
    }
}

/// A model as a chain: sums over its layers, and where it may be cut.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The work of all layers before each layer, and of all at the end.
    before: [u64; MAX_LAYERS + 1],
    across: [u64; MAX_LAYERS + 1],
    /// The layers behind which a run may end, the last one included.
    lasts: LayerSet,
    /// For each first layer, the end that no run may go beyond.
    reach: [u8; MAX_LAYERS],
    count: u8,
}

impl Chain {
    /// The chain of `layers`, with runs of any length.
    pub fn new(layers: &Layers) -> Chain {
        let mut before = [0; MAX_LAYERS + 1];
        let mut across = [0; MAX_LAYERS + 1];
        let mut sum = 0_u64;
        for (work, before) in layers.work.iter().zip(before.iter_mut().skip(1)) {
            sum = sum.saturating_add(u64::from(*work));
            *before = sum;
        }
        for (cut, across) in (0..layers.count()).zip(across.iter_mut()) {
            *across = layers.bytes_across(cut);
        }
        let last = layers.count().saturating_sub(1);
        let inner = layers.cuts().iter().map(|cut| cut.saturating_sub(1));
        let lasts =
            inner.chain([last]).fold(LayerSet::EMPTY, |set, at| set.union(LayerSet::run(at..at.saturating_add(1))));
        Chain { before, across, lasts, reach: [layers.count(); MAX_LAYERS], count: layers.count() }
    }

    /// The same chain, every layer being one unit of work.
    #[must_use]
    pub(super) fn level(&self) -> Chain {
        let mut level = self.clone();
        for (place, before) in (0_u64..).zip(level.before.iter_mut()) {
            *before = place;
        }
        level
    }

    /// How many layers there are.
    pub fn count(&self) -> u8 {
        self.count
    }

    /// The work of the layers `run`.
    pub fn work(&self, run: Range<u8>) -> u64 {
        let before = |layer: u8| self.before.get(usize::from(layer)).copied().unwrap_or(0);
        before(run.end).saturating_sub(before(run.start))
    }

    /// The bytes that pass into the run that starts with the layer `start`.
    pub fn across(&self, start: u8) -> u64 {
        self.across.get(usize::from(start)).copied().unwrap_or(0)
    }

    /// The layers behind which a run may end, the last one included.
    pub(super) fn lasts(&self) -> LayerSet {
        self.lasts
    }

    /// Forbids every run from `start` that goes beyond `end`.
    pub(super) fn confine(&mut self, start: u8, end: u8) {
        if let Some(reach) = self.reach.get_mut(usize::from(start)) {
            *reach = end;
        }
    }

    /// The last layers of the runs that start with `start` and are not confined.
    pub(super) fn ends_from(&self, start: u8) -> LayerSet {
        let reach = self.reach.get(usize::from(start)).copied().unwrap_or(start);
        self.lasts.common(LayerSet::run(start..reach))
    }

    /// The first layers of the runs that follow on those with the last layers `reached`.
    pub(super) fn starts_behind(&self, reached: LayerSet) -> impl Iterator<Item = u8> + use<> {
        let count = self.count;
        reached.iter().map(|last| last.saturating_add(1)).filter(move |start| *start < count)
    }

    /// The layers behind which there is no more than `work` to do.
    pub(super) fn close_enough(&self, work: u64) -> LayerSet {
        let least = self.work(0..self.count).saturating_sub(work);
        let below = self.before.get(1..=usize::from(self.count)).unwrap_or(&[]);
        let first = below.partition_point(|before| *before < least);
        LayerSet::run(u8::try_from(first).unwrap_or(u8::MAX)..self.count)
    }

    /// The last layers of the runs from `start` that `group` can do within `limit`.
    pub(super) fn ends_within(&self, start: u8, group: &Group, limit: u64) -> LayerSet {
        let Some(left) = limit.checked_sub(transfer(self.across(start), group.receive)) else {
            return LayerSet::EMPTY;
        };
        let bound = self.work(0..start).saturating_add(group.capacity(left));
        let below = self.before.get(..=usize::from(self.count)).unwrap_or(&[]);
        let end = below.partition_point(|before| *before <= bound).saturating_sub(1);
        let end = u8::try_from(end).unwrap_or(0).min(group.holds.first_missing(start));
        self.ends_from(start).common(LayerSet::run(start..end))
    }
}

/// Where each group's run ends, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The layer behind each group's run, rising; the last is the number of layers.
    pub ends: Vec<u8, MAX_GROUPS>,
    /// The time of the group that takes longest, in nanoseconds.
    pub interval: u64,
    /// The sum of the tolls.
    pub toll: u64,
}

/// The partition with the least interval and, among those, with the least sum
/// of all groups' times. `None` if the chain cannot be parted like that at all:
/// no groups or more than [`MAX_GROUPS`], fewer possible runs than groups, or
/// layers that a group does not hold.
pub fn balanced(chain: &Chain, groups: &[Group]) -> Option<Partition> {
    let limit = least_limit(chain, groups)?;
    cheapest(chain, groups, limit, |place, run| groups.get(place).map_or(0, |group| group.time(chain, run)))
}

/// The least interval of any partition.
pub(super) fn least_limit(chain: &Chain, groups: &[Group]) -> Option<u64> {
    let mut above = groups.iter().map(|group| group.worst(chain)).max()?;
    if !within(chain, groups, above) {
        return None;
    }
    // Nothing below `least` can be kept, `above` can.
    let mut least = least_possible(chain, groups);
    while least < above {
        let middle = least.midpoint(above);
        if within(chain, groups, middle) {
            above = middle;
        } else {
            least = middle.saturating_add(1);
        }
    }
    Some(above)
}

/// No partition has an interval below this: everybody is busy all the time and
/// receives nothing.
pub(super) fn least_possible(chain: &Chain, groups: &[Group]) -> u64 {
    let speed = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(u64::from(group.speed)));
    let nanos = chain.work(0..chain.count).saturating_mul(NANOS);
    nanos.checked_div(speed).unwrap_or(0)
}

/// Whether there is a partition whose interval is at most `limit`.
fn within(chain: &Chain, groups: &[Group], limit: u64) -> bool {
    // What the groups that are left could do at best.
    let mut left = groups.iter().fold(0, |sum: u64, group| sum.saturating_add(group.capacity(limit)));
    let mut reached: Option<LayerSet> = None;
    for group in groups {
        left = left.saturating_sub(group.capacity(limit));
        let ends = |start| chain.ends_within(start, group, limit);
        let next = match reached {
            None => ends(0),
            Some(reached) => chain.starts_behind(reached).fold(LayerSet::EMPTY, |all, start| all.union(ends(start))),
        };
        reached = Some(next.common(chain.close_enough(left)));
    }
    reached.is_some_and(|reached| reached.contains(chain.count.saturating_sub(1)))
}

/// The partition with the least sum of tolls among those whose interval is at
/// most `limit`; of equal ones that whose later runs start earlier.
pub(super) fn cheapest(
    chain: &Chain,
    groups: &[Group],
    limit: u64,
    toll: impl Fn(usize, Range<u8>) -> u64,
) -> Option<Partition> {
    let mut steps: Vec<Steps, MAX_GROUPS> = Vec::new();
    // What it costs to come to each first layer, behind the groups so far.
    let mut paid = [None; MAX_LAYERS];
    *paid.first_mut()? = Some(0);
    let mut sum = None;
    for (place, group) in groups.iter().enumerate() {
        let mut next = [None; MAX_LAYERS];
        let mut best = [0; MAX_LAYERS];
        sum = None;
        for (start, paid) in (0..chain.count).zip(paid) {
            let Some(paid) = paid else { continue };
            for last in chain.ends_within(start, group, limit).iter() {
                let end = last.saturating_add(1);
                let total = toll(place, start..end).saturating_add(paid);
                // Behind the last layer there is no place in the list.
                let known = next.get_mut(usize::from(end)).filter(|_| end < chain.count).unwrap_or(&mut sum);
                if known.is_none_or(|known| total < known) {
                    *known = Some(total);
                    if let Some(best) = best.get_mut(usize::from(last)) {
                        *best = start;
                    }
                }
            }
        }
        steps.push(best).ok()?;
        paid = next;
    }
    let mut partition = Partition { ends: Vec::new(), interval: 0, toll: sum? };
    let mut end = chain.count;
    for (group, starts) in groups.iter().zip(&steps).rev() {
        let start = starts.get(usize::from(end.checked_sub(1)?)).copied()?;
        partition.ends.push(end).ok()?;
        partition.interval = partition.interval.max(group.time(chain, start..end));
        end = start;
    }
    partition.ends.reverse();
    Some(partition)
}

/// For each last layer, the first layer of the best run that ends there.
type Steps = [u8; MAX_LAYERS];

#[cfg(test)]
pub(crate) mod tests;
