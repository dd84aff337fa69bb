//! Which values a new leader may propose, given what replicas report.
//!
//! A pure function of the reports. The leader runs it to choose and every
//! replica runs it to acknowledge, on the same reports.

use core::cmp::Reverse;

use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::Scheme;
use crate::message::agreement::{Ballot, Report};
use crate::types::{Epoch, NodeId};

use super::rules::Mutant;

/// What the reports allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection<D> {
    /// The leader of the highest reported view equivocated, and without its
    /// own report there are too few. Wait for more reports.
    NeedMore,
    /// Only this value may have been decided.
    Must(D),
    /// Nothing was decided in an earlier view: any valid value will do.
    Any,
}

impl<D: PartialEq> Selection<D> {
    /// Whether a proposal of `value` is justified.
    pub fn admits(&self, value: &D) -> bool {
        match self {
            Selection::NeedMore => false,
            Selection::Must(only) => only == value,
            Selection::Any => true,
        }
    }
}

/// Applies the rule of view change to `reports`, at least n - f of them, each
/// verified and of a distinct sender.
///
/// Let w be the highest view in any report. A commit certificate of w binds.
/// Else, if the votes of w are for one value, that value binds. Else the
/// leader of w signed two proposals: it is faulty, its report is left out, and
/// of the others f + p votes for a value bind.
pub fn select<C: Scheme, const N: usize>(
    cluster: &Cluster<C, N>,
    epoch: Epoch,
    reports: &Map<NodeId, Report<C>, N>,
) -> Selection<C::Digest> {
    let mutated = |mutant| cluster.mutated(mutant);
    let votes = || reports.iter().filter_map(|(from, report)| report.voted.map(|ballot| (*from, ballot)));
    let locked = |report: &Report<C>| report.locked.filter(|_| !mutated(Mutant::IgnoreLocks));
    let locks = || reports.iter().filter_map(|(_, report)| locked(report));
    let locked_views = locks().filter(|_| !mutated(Mutant::VotedViewsOnly)).map(|ballot| ballot.view);
    let views = votes().map(|(_, ballot)| ballot.view).chain(locked_views);
    let highest = if mutated(Mutant::LowestView) { views.min() } else { views.max() };
    let Some(highest) = highest else {
        return Selection::Any;
    };
    let equivocator = cluster.leader(epoch, highest);
    let counts = |from: NodeId| from != equivocator || !mutated(Mutant::ExcludeAlways);
    let at_highest = || votes().filter(|(from, ballot)| ballot.view == highest && counts(*from));
    let outvoted = mutated(Mutant::VotesBeforeLock) && at_highest().next().is_some();
    let binds = |lock: &Ballot<C>| lock.view == highest || mutated(Mutant::LockAlwaysWins);
    if let Some(lock) = locks().find(|lock| binds(lock) && !outvoted) {
        return Selection::Must(lock.value);
    }
    let Some((_, first)) = at_highest().nth(usize::from(mutated(Mutant::SingleVoteIgnored))) else {
        return Selection::Any;
    };
    if at_highest().all(|(_, ballot)| ballot.value == first.value) {
        return Selection::Must(first.value);
    }
    let excluded = |from: NodeId| from == equivocator && !mutated(Mutant::KeepEquivocator);
    let counted = reports.iter().filter(|(from, _)| !excluded(**from)).count();
    if counted < cluster.view_change_quorum() && !mutated(Mutant::TooFewWithoutEquivocator) {
        return Selection::NeedMore;
    }
    if mutated(Mutant::AnyAfterEquivocation) {
        return Selection::Any;
    }
    if mutated(Mutant::FirstAfterEquivocation) {
        return Selection::Must(first.value);
    }
    let support =
        |value: C::Digest| at_highest().filter(|(from, ballot)| !excluded(*from) && ballot.value == value).count();
    let rank = |count: usize| if mutated(Mutant::WeakestAfterEquivocation) { !count } else { count };
    let supported = at_highest().map(|(_, ballot)| (support(ballot.value), ballot.value));
    let enough = supported.filter(|(count, _)| *count >= cluster.equivocation_threshold());
    // Of values with equal support everybody takes the smallest.
    let best = enough.max_by_key(|(count, value)| (rank(*count), Reverse(*value)));
    best.map_or(Selection::Any, |(_, value)| Selection::Must(value))
}

#[cfg(test)]
mod tests;
