//! A cluster that lost more than f voters says so, and names them, rather than
//! wait in silence.
//!
//! A node cannot know that; it counts. When an epoch that has work to do is
//! not decided for [`PATIENCE`] rounds of asking, and in these rounds fewer
//! than n - f voters that may sign were heard of, it says that it is blocked,
//! by whom, and goes on asking. It says when that is over.

use super::{Node, Role};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output};
use crate::types::{Epoch, NodeId, NodeSet, View};

/// Rounds of retransmission without a decision before a node looks whom it heard of.
/// Members that know of nothing to do ask in one round of [`super::IDLE_FACTOR`] only,
/// and a single faulty member can see to it that others know less than this one:
/// they must have been able to ask twice.
const PATIENCE: u8 = 20;

/// Why no epoch can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blockade {
    /// Voters of whom nothing was heard.
    pub silent: NodeSet,
    /// Voters that lost their vote record and were not admitted again.
    pub learners: NodeSet,
}

/// What a node remembers of the last rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Watch {
    /// Where it was in the last round.
    last: Option<(Epoch, View)>,
    /// Rounds in this epoch.
    rounds: u8,
    /// Voters that were heard of since they are counted.
    heard: NodeSet,
    /// Members that were told in this round what was decided.
    told: NodeSet,
    blockade: Option<Blockade>,
}

impl Watch {
    /// Whether nothing has moved since the last round.
    pub(super) fn is_still_at(&mut self, epoch: Epoch, view: View) -> bool {
        let same = self.last == Some((epoch, view));
        self.told = NodeSet::EMPTY;
        if self.last.is_none_or(|(last, _)| last != epoch) {
            self.rounds = 0;
            self.heard = NodeSet::EMPTY;
        }
        self.last = Some((epoch, view));
        same
    }

    /// Whether `member` is to be told what was decided: once in each round,
    /// however often its question is repeated, by whomever.
    pub(super) fn may_tell(&mut self, member: NodeId) -> bool {
        let first = !self.told.contains(member);
        self.told = self.told.with(member);
        first
    }

    /// Notes that `from` is there. Says whether that is news.
    pub(super) fn hear(&mut self, from: NodeId) -> bool {
        let news = !self.heard.contains(from);
        self.heard = self.heard.with(from);
        news
    }
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// Why no epoch can be decided, if that is so.
    pub fn blockade(&self) -> Option<Blockade> {
        self.watch.blockade
    }

    /// One round of asking is over.
    pub(super) fn look_for_blockade(&mut self, seat: &Seat<'_, C, N>, idle: bool, out: &mut impl Outbox<C, N>) {
        let moved = self.watch.rounds == 0;
        self.watch.rounds = self.watch.rounds.saturating_add(1);
        let found = if idle || moved {
            None
        } else if self.watch.rounds < PATIENCE {
            return;
        } else {
            self.watch.rounds = 1;
            self.count_signers(seat)
        };
        match found {
            Some(blockade) if self.watch.blockade != found => out.push(Output::Blocked(blockade)),
            None if self.watch.blockade.is_some() => out.push(Output::Resumed),
            _ => {}
        }
        self.watch.blockade = found;
    }

    /// Who is missing, if those who may sign are too few.
    fn count_signers(&mut self, seat: &Seat<'_, C, N>) -> Option<Blockade> {
        let mut learners = self.learners();
        if self.role == Role::Learner {
            learners = learners.with(seat.me);
        }
        let heard = self.watch.heard.with(seat.me);
        self.watch.heard = NodeSet::EMPTY;
        let silent = seat.cluster.voters().difference(heard);
        let signers = seat.cluster.voters().difference(silent).difference(learners);
        let enough = signers.len() >= seat.cluster.resilience().view_change_quorum();
        (!enough).then_some(Blockade { silent, learners })
    }
}
