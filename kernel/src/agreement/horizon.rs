//! What a replica still listens to in its epoch, for those who check
//! signatures before it hears a message.
//!
//! Checking a signature costs more than everything else that is done with a
//! vote, and votes beyond the quorum arrive in every epoch. A [`Horizon`] is a
//! small copy of what tells them apart. It says no to a message only if the
//! replica, at the moment of the copy, would reject the genuine one and could
//! prove nothing by it; so to say no is to deliver the message at that moment.
//! It need not say no to all of those: what is seldom sent is not looked at.

use heapless::Vec;

use super::receive::is_consistent;
use super::{Agreement, Ballots, COMMIT_VIEWS, VIEWS_KEPT};
use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::Scheme;
use crate::machine::Rejection;
use crate::message::agreement::{AgreementMessage, Ballot};
use crate::types::{Epoch, NodeId, NodeSet, View};

/// What one replica's agreement still listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon<C: Scheme, const N: usize> {
    epoch: Epoch,
    decided: bool,
    view: View,
    /// The proposal voted for last.
    voted: Option<Ballot<C>>,
    /// The proposal held of the current view.
    proposal: Option<Ballot<C>>,
    votes: Vec<Heard<C>, VIEWS_KEPT>,
    commits: Vec<Heard<C>, COMMIT_VIEWS>,
    /// The view that each member was last known to leave for.
    changes: Map<NodeId, View, N>,
}

/// Who is known to have signed for a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Heard<C: Scheme> {
    ballot: Ballot<C>,
    from: NodeSet,
}

impl<C: Scheme, const N: usize> Agreement<C, N> {
    /// What can still matter here, as it is now.
    pub fn horizon(&self) -> Horizon<C, N> {
        let mut changes = Map::new();
        for (from, signed) in self.changes.iter() {
            // As many slots as there are view changes.
            let _ = changes.insert(*from, signed.change.view);
        }
        Horizon {
            epoch: self.epoch,
            decided: self.decision.is_some(),
            view: self.durable.view,
            voted: self.durable.voted.as_ref().map(|proposal| proposal.ballot),
            proposal: self.proposal.as_ref().map(|proposal| proposal.ballot),
            votes: heard(&self.votes),
            commits: heard(&self.commits),
            changes,
        }
    }
}

/// For each view what the first of its voters signed for, and who else did.
/// Where nobody lies that is everybody; other values are seldom heard of.
fn heard<C: Scheme, const N: usize, const VIEWS: usize>(
    table: &Map<View, Ballots<C, N>, VIEWS>,
) -> Vec<Heard<C>, VIEWS> {
    let mut views = Vec::new();
    for (view, ballots) in table.iter() {
        let Some(value) = ballots.iter().next().map(|(_, signed)| signed.value) else { continue };
        let same = ballots.iter().filter(|(_, signed)| signed.value == value);
        let from = same.map(|(from, _)| *from).collect();
        // As many slots as there are views.
        let _ = views.push(Heard { ballot: Ballot { view: *view, value }, from });
    }
    views
}

impl<C: Scheme, const N: usize> Horizon<C, N> {
    /// Whether a message of this epoch, if it is genuine, could change
    /// anything or prove anything.
    ///
    /// # Errors
    /// A rejection, when [`Agreement::receive`] would reject it as well; of several
    /// reasons it may give another.
    pub fn wants(
        &self,
        cluster: &Cluster<C, N>,
        from: NodeId,
        message: &AgreementMessage<C, N>,
    ) -> Result<(), Rejection> {
        if self.decided {
            return Err(Rejection::Stale);
        }
        match message {
            AgreementMessage::Propose { ballot, .. } => self.wants_proposal(cluster, from, ballot),
            AgreementMessage::Vote(ballot) => self.wants_ballot(&self.votes, from, ballot),
            AgreementMessage::Commit(_) if !cluster.resilience().slow_path() => Err(Rejection::Invalid),
            AgreementMessage::Commit(ballot) => self.wants_ballot(&self.commits, from, ballot),
            AgreementMessage::ViewChange(change) => {
                // One of the current view may be what the leader's question names.
                let old = self.changes.get(&from).is_some_and(|held| *held > change.view) && change.view != self.view;
                match (is_consistent(change), old) {
                    (false, _) => Err(Rejection::Invalid),
                    (true, true) => Err(Rejection::Stale),
                    (true, false) => Ok(()),
                }
            }
            AgreementMessage::CertRequest(request) => {
                let view = request.ballot.view;
                if view == View::ZERO || cluster.leader(self.epoch, view) != from {
                    return Err(Rejection::Unauthorised);
                }
                if view < self.view { Err(Rejection::Stale) } else { Ok(()) }
            }
            AgreementMessage::CertAck(ballot) if ballot.view != self.view => Err(Rejection::Stale),
            AgreementMessage::CertAck(_) => Ok(()),
        }
    }

    fn wants_proposal(&self, cluster: &Cluster<C, N>, from: NodeId, ballot: &Ballot<C>) -> Result<(), Rejection> {
        if cluster.leader(self.epoch, ballot.view) != from {
            return Err(Rejection::Unauthorised);
        }
        // Another proposal than the one voted for proves that its leader made two.
        let voted_otherwise = self.voted.is_some_and(|voted| voted.view == ballot.view && voted != *ballot);
        // So does another one than a replica reports to have voted for. What is
        // reported is not copied here: of a view that was left little comes late.
        let reported = !self.changes.is_empty();
        if ballot.view < self.view && !voted_otherwise && !reported {
            return Err(Rejection::Stale);
        }
        if self.proposal == Some(*ballot) { Err(Rejection::Duplicate) } else { Ok(()) }
    }

    fn wants_ballot(&self, heard: &[Heard<C>], from: NodeId, ballot: &Ballot<C>) -> Result<(), Rejection> {
        if ballot.view.next() < self.view {
            return Err(Rejection::Stale);
        }
        let known = heard.iter().any(|heard| heard.ballot == *ballot && heard.from.contains(from));
        if known { Err(Rejection::Duplicate) } else { Ok(()) }
    }
}
