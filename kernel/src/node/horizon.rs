//! What a node still listens to, for those who check signatures before it
//! hears a message: see [`crate::agreement::horizon`].

use super::{Node, Role};
use crate::agreement::horizon;
use crate::bounded::Map;
use crate::cluster::Cluster;
use crate::crypto::Scheme;
use crate::machine::Rejection;
use crate::message::agreement::{AgreementMessage, Ballot};
use crate::message::{Envelope, Message, RunId};
use crate::types::{ClientId, Epoch, MAX_CLIENTS, NodeId, NodeSet};

/// A small copy of what can still matter to a node. A host makes a new one
/// after each step, *before* it performs what the step asks for, so that no
/// answer to the node finds an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizon<C: Scheme, const N: usize> {
    role: Role,
    epoch: Epoch,
    agreement: horizon::Horizon<C, N>,
    closed: Option<ClosedHorizon<C>>,
    /// For each client, the sequence number of its last finished request.
    finished: Map<ClientId, u64, MAX_CLIENTS>,
}

/// What the last decided epoch can still be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClosedHorizon<C: Scheme> {
    pub(super) epoch: Epoch,
    /// What was decided.
    pub(super) ballot: Ballot<C>,
    /// Whose vote for another value is held.
    pub(super) dissenters: NodeSet,
    /// The leader's proposal of another value is held.
    pub(super) proposed_otherwise: bool,
    /// What was computed in it.
    pub(super) run: Option<RunId<C>>,
}

impl<C: Scheme, const N: usize> Node<C, N> {
    /// What can still matter to this node, as it is now.
    pub fn horizon(&self) -> Horizon<C, N> {
        Horizon {
            role: self.role,
            epoch: self.epoch(),
            agreement: self.agreement.horizon(),
            closed: self.behind.closed().map(super::closed::Closed::horizon),
            finished: self.head.finished(),
        }
    }
}

impl<C: Scheme, const N: usize> Horizon<C, N> {
    /// The open epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether the signatures of `envelope` are worth checking: whether it
    /// could change anything or prove anything, if it is genuine. That its
    /// time has not come is no reason to refuse it: the host keeps such messages.
    ///
    /// # Errors
    /// A rejection, when [`Node::step`] would reject the genuine message as well,
    /// without any output; of several reasons it may give another.
    pub fn wants(&self, cluster: &Cluster<C, N>, envelope: &Envelope<C, N>) -> Result<(), Rejection> {
        let from = envelope.from;
        match &envelope.message {
            Message::Agreement { epoch, message } if *epoch < self.epoch => {
                let closed = self.closed.as_ref().filter(|closed| closed.epoch == *epoch);
                closed.ok_or(Rejection::Stale)?.wants(cluster, from, message)
            }
            Message::Agreement { epoch, .. } if *epoch > self.epoch => Ok(()),
            Message::Agreement { .. } if self.role != Role::Replica => Err(Rejection::Unauthorised),
            Message::Agreement { message, .. } => self.agreement.wants(cluster, from, message),
            // Whoever asks is behind, or lacks something.
            Message::Fetch(_) => Ok(()),
            message => match (message.epoch(), message.run()) {
                (Some(epoch), _) if epoch < self.epoch => Err(Rejection::Stale),
                (_, Some(run)) if self.has_passed(run) && !self.compares(message, run) => Err(Rejection::Stale),
                _ => Ok(()),
            },
        }
    }
}

impl<C: Scheme, const N: usize> Horizon<C, N> {
    fn has_passed(&self, run: &RunId<C>) -> bool {
        self.finished.get(&run.client).is_some_and(|last| run.sequence <= *last)
    }

    /// A late attestation may contradict what the last epoch certified.
    fn compares(&self, message: &Message<C, N>, run: &RunId<C>) -> bool {
        let compared = self.closed.as_ref().and_then(|closed| closed.run);
        matches!(message, Message::Attest(_)) && compared == Some(*run)
    }
}

impl<C: Scheme> ClosedHorizon<C> {
    fn wants<const N: usize>(
        &self,
        cluster: &Cluster<C, N>,
        from: NodeId,
        message: &AgreementMessage<C, N>,
    ) -> Result<(), Rejection> {
        let (ballot, signed_otherwise) = match message {
            AgreementMessage::Vote(ballot) => (ballot, self.dissenters.contains(from)),
            AgreementMessage::Propose { ballot, .. } if cluster.leader(self.epoch, ballot.view) == from => {
                (ballot, self.proposed_otherwise)
            }
            _ => return Err(Rejection::Stale),
        };
        if ballot.view != self.ballot.view || (*ballot == self.ballot && !signed_otherwise) {
            return Err(Rejection::Stale);
        }
        Ok(())
    }
}
