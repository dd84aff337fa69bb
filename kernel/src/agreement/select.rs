//! Which values a new leader may propose, given what replicas report.
//!
//! A pure function of the reports. The leader runs it to choose and every
//! replica runs it to acknowledge, on the same reports.

use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::Scheme;
use crate::message::agreement::Report;
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
    let votes = || reports.iter().filter_map(|(from, report)| report.voted.map(|ballot| (*from, ballot)));
    let locks = || reports.iter().filter_map(|(_, report)| report.locked);
    let voted_views = votes().map(|(_, ballot)| ballot.view);
    let Some(highest) = voted_views.chain(locks().map(|ballot| ballot.view)).max() else {
        return Selection::Any;
    };
    if let Some(lock) = locks().find(|lock| lock.view == highest) {
        return Selection::Must(lock.value);
    }
    let at_highest = || votes().filter(|(_, ballot)| ballot.view == highest);
    let Some((_, first)) = at_highest().next() else {
        return Selection::Any;
    };
    if at_highest().all(|(_, ballot)| ballot.value == first.value) {
        return Selection::Must(first.value);
    }
    let equivocator = cluster.leader(epoch, highest);
    let excluded = |from: NodeId| from == equivocator && !cluster.mutated(Mutant::KeepEquivocator);
    if reports.iter().filter(|(from, _)| !excluded(**from)).count() < cluster.view_change_quorum() {
        return Selection::NeedMore;
    }
    let support =
        |value: C::Digest| at_highest().filter(|(from, ballot)| !excluded(*from) && ballot.value == value).count();
    let mut best: Option<(usize, C::Digest)> = None;
    for (_, ballot) in at_highest() {
        let count = support(ballot.value);
        let better = best.is_none_or(|(most, value)| count > most || (count == most && ballot.value < value));
        if count >= cluster.equivocation_threshold() && better {
            best = Some((count, ballot.value));
        }
    }
    best.map_or(Selection::Any, |(_, value)| Selection::Must(value))
}

#[cfg(test)]
mod tests;
