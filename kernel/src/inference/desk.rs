//! One stage's outputs as a node sees them: which position is next, who
//! reported what for it, and what the node itself does about it.
//!
//! A position is certain when f + 1 assigned members reported equal signals,
//! one of them honest. Only then do the next stage and the next position go
//! on, so a lie never travels further than one link.

use core::cmp::Reverse;

use heapless::Vec;

use super::PARTS;
use super::recovery::Past;
use crate::bounded::Map;
use crate::crypto::Scheme;
use crate::machine::Rejection;
use crate::message::inference::Signal;
use crate::types::{NodeId, NodeSet, Position, Stage};

/// The outputs of one stage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Desk<C: Scheme, const N: usize> {
    pub(super) stage: Stage,
    /// The first position that is not certain.
    pub(super) next: Position,
    /// The link behind the stage, over all certain positions.
    pub(super) link: C::Digest,
    /// The same at the end of each part that is not committed, as far as `next` got.
    pub(super) ends: Vec<C::Digest, PARTS>,
    /// The first report of each member for `next`: the link behind the stage to
    /// which the signal leads.
    pub(super) reports: Map<NodeId, C::Digest, N>,
    /// The signal that most of them reported; of several, the one that leads to
    /// the smallest link.
    favourite: Option<Signal>,
    /// This node computes the stage: it owns it, or stepped in for an owner.
    pub(super) working: bool,
    /// The first position that this node did not compute itself; never beyond `next`
    /// by more than the one that waits there for agreement.
    pub(super) computed: Position,
    /// The link behind the stage, over what this node computed itself.
    pub(super) own: C::Digest,
    /// The same at the end of each part that is not committed, as far as `computed` got.
    pub(super) own_ends: Vec<C::Digest, PARTS>,
    /// The host was asked for `computed`.
    pub(super) busy: bool,
    /// As a reserve, this node gives the owners time to get beyond this.
    pub(super) watched: Option<Watch>,
    /// `next` was the same when the last round began, and its input certain.
    pub(super) lasting: bool,
    /// Members that were given what they lacked in this round.
    pub(super) served: NodeSet,
    /// Whether the host has the inputs before the run's first position.
    pub(super) past: Past<C>,
}

/// What a reserve waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Watch {
    /// The output at this position, whose input is certain.
    Output(Position),
    /// That the part is committed that ends before this position.
    Commit(Position),
}

impl Watch {
    pub(super) fn position(self) -> Position {
        match self {
            Watch::Output(position) | Watch::Commit(position) => position,
        }
    }
}

/// What became of a position.
pub(super) struct Certain<C: Scheme> {
    pub(super) signal: Signal,
    /// The link behind the stage to which it leads.
    pub(super) link: C::Digest,
    /// Members that reported something else.
    pub(super) dissenters: NodeSet,
    /// Members that reported it.
    pub(super) reporters: NodeSet,
}

impl<C: Scheme, const N: usize> Desk<C, N> {
    pub(super) fn new(stage: Stage, next: Position, link: C::Digest, working: bool, past: Past<C>) -> Self {
        Desk {
            stage,
            next,
            link,
            ends: Vec::new(),
            reports: Map::new(),
            favourite: None,
            working,
            computed: next,
            own: link,
            own_ends: Vec::new(),
            busy: false,
            watched: None,
            lasting: false,
            served: NodeSet::EMPTY,
            past,
        }
    }

    /// Takes the report of `from`, a `signal` that leads to `link`. Only one
    /// signal is kept: another one that comes to be reported more often does so
    /// by the report that brings it.
    ///
    /// # Errors
    /// [`Rejection::Full`]: there is no slot for another member.
    pub(super) fn report(&mut self, from: NodeId, link: C::Digest, signal: Signal) -> Result<(), Rejection> {
        self.reports.insert(from, link).map_err(|_| Rejection::Full)?;
        if self.most_reported() == Some(link) {
            self.favourite = Some(signal);
        }
        Ok(())
    }

    /// Members disagree about `next`: somebody lies.
    pub(super) fn is_disputed(&self) -> bool {
        let mut links = self.reports.iter().map(|(_, link)| link);
        let first = links.next();
        links.any(|link| Some(link) != first)
    }

    /// What `quorum` members agree on for `next`, if they do.
    pub(super) fn certain(&self, quorum: usize) -> Option<Certain<C>> {
        let link = self.most_reported()?;
        let reporters = self.reporters(&link);
        if reporters.len() < quorum {
            return None;
        }
        let others = self.reports.iter().map(|(from, _)| *from).filter(|from| !reporters.contains(*from));
        Some(Certain { signal: self.favourite.clone()?, link, dissenters: others.collect(), reporters })
    }

    /// The signal that `member` reported, if it is the one that is kept.
    pub(super) fn signal_of(&self, member: NodeId) -> Option<&Signal> {
        self.favourite.as_ref().filter(|_| self.reports.get(&member).copied() == self.most_reported())
    }

    /// The link to which most reports lead, of several the smallest.
    fn most_reported(&self) -> Option<C::Digest> {
        let links = self.reports.iter().map(|(_, link)| *link);
        links.max_by_key(|link| (self.reporters(link).len(), Reverse(*link)))
    }

    fn reporters(&self, link: &C::Digest) -> NodeSet {
        self.reports.iter().filter(|(_, other)| *other == link).map(|(from, _)| *from).collect()
    }

    /// Goes on to the next position, beyond which the link is `link`.
    pub(super) fn advance(&mut self, link: C::Digest, ends_part: bool) {
        self.link = link;
        self.next = self.next.next();
        self.lasting = false;
        self.reports.clear();
        self.favourite = None;
        if ends_part {
            // No more parts end before `next` than are open.
            let _ = self.ends.push(link);
        }
    }

    /// This node computed one position more.
    pub(super) fn advance_own(&mut self, link: C::Digest, ends_part: bool) {
        self.busy = false;
        self.own = link;
        self.computed = self.computed.next();
        if ends_part {
            // As above.
            let _ = self.own_ends.push(link);
        }
    }

    /// The first open part was committed; its outputs end before `first`, where
    /// the link is `link`. Says whether this node had followed them.
    pub(super) fn close_part(&mut self, first: Position, link: C::Digest) -> bool {
        if self.ends.first() != Some(&link) {
            *self = Desk::new(self.stage, first, link, self.working, self.past);
            return false;
        }
        self.ends.remove(0);
        if !self.own_ends.is_empty() {
            self.own_ends.remove(0);
        }
        if self.computed < first {
            self.computed = first;
            self.own = link;
            self.busy = false;
        }
        self.watched = None;
        true
    }
}
