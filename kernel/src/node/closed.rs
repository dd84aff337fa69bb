//! What the last decided epoch can still be held to: signed statements of the
//! view that decided, and what was certified, to compare late statements with.

use heapless::Vec;

use super::horizon::ClosedHorizon;
use crate::agreement::{Ballots, SignedValue};
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::inference::certify::contradiction;
use crate::message::agreement::{AgreementMessage, Ballot};
use crate::message::inference::{Attest, Claim, Links, Payload, RunId, Work};
use crate::proof::{Evidence, Fault, SignedBallot};
use crate::types::{Epoch, MAX_STAGES, NodeId};

/// The end of an epoch, until the next one ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Closed<C: Scheme, const N: usize> {
    pub(super) epoch: Epoch,
    /// What was decided, and in which view.
    pub(super) ballot: Ballot<C>,
    /// What the leader of that view signed, as far as it was heard here.
    pub(super) proposal: Option<SignedBallot<C>>,
    /// The first vote of each member in that view, of those that arrived late
    /// only what is for another value.
    pub(super) votes: Ballots<C, N>,
    /// None when the epoch computed nothing, or was caught up with.
    pub(super) certified: Option<Certified<C>>,
}

/// What an epoch certified about each stage, without the request and the tokens:
/// the links stand for them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Certified<C: Scheme> {
    run: RunId<C>,
    committed: u16,
    links: Links<C>,
    certificates: Vec<C::WeakCertificate, MAX_STAGES>,
}

impl<C: Scheme> From<Work<C>> for Certified<C> {
    fn from(work: Work<C>) -> Self {
        let Work { run, committed, links, certificates, .. } = work;
        Certified { run, committed, links, certificates }
    }
}

/// What a node keeps that its open epoch did not bring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::large_enum_variant, reason = "no heap to box into, and one for each node")]
pub(super) enum Behind<C: Scheme, const N: usize> {
    Nothing,
    /// The payload of a record that was read back, until it is a value of the
    /// open epoch. Whoever goes on from a record has closed no epoch.
    Recovered(Payload<C>),
    /// What the last decided epoch can still be held to.
    Closed(Closed<C, N>),
}

impl<C: Scheme, const N: usize> Behind<C, N> {
    pub(super) fn recovered(&self) -> Option<&Payload<C>> {
        match self {
            Behind::Recovered(payload) => Some(payload),
            Behind::Nothing | Behind::Closed(_) => None,
        }
    }

    pub(super) fn closed(&self) -> Option<&Closed<C, N>> {
        match self {
            Behind::Closed(closed) => Some(closed),
            Behind::Nothing | Behind::Recovered(_) => None,
        }
    }

    pub(super) fn closed_mut(&mut self) -> Option<&mut Closed<C, N>> {
        match self {
            Behind::Closed(closed) => Some(closed),
            Behind::Nothing | Behind::Recovered(_) => None,
        }
    }
}

/// What became of a statement about an epoch that is decided.
pub(super) enum Late<C: Scheme> {
    /// It changes nothing.
    Known,
    /// It is for another value than was decided, and the first of its author.
    /// It is kept; others may hold its counterpart.
    Dissents,
    /// Its author signed another one.
    Contradicts(Evidence<C>),
}

impl<C: Scheme, const N: usize> Closed<C, N> {
    /// Takes a late proposal or vote of the view that decided.
    pub(super) fn hear(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        message: &AgreementMessage<C, N>,
        signature: &C::Signature,
    ) -> Late<C> {
        let (is_vote, ballot) = match message {
            AgreementMessage::Vote(ballot) => (true, *ballot),
            AgreementMessage::Propose { ballot, .. } if seat.cluster.leader(self.epoch, ballot.view) == from => {
                (false, *ballot)
            }
            _ => return Late::Known,
        };
        if ballot.view != self.ballot.view {
            return Late::Known;
        }
        let second = SignedBallot { ballot, signature: signature.clone() };
        let held = if is_vote { self.vote_of(from) } else { self.proposal.clone() };
        match held {
            Some(first) if first.ballot == ballot => return Late::Known,
            Some(first) => {
                let epoch = self.epoch;
                let fault = if is_vote {
                    Fault::Votes { epoch, first, second }
                } else {
                    Fault::Proposals { epoch, first, second }
                };
                return Late::Contradicts(Evidence { accused: from, fault });
            }
            // It is one more for what was decided. If its author signs for another
            // value as well, those who counted this one in time can prove it.
            None if ballot == self.ballot => return Late::Known,
            None if is_vote => {
                // One slot for each member: there is room.
                let _ = self.votes.insert(from, SignedValue { value: ballot.value, signature: second.signature });
            }
            None => self.proposal = Some(second),
        }
        Late::Dissents
    }

    /// What of this can still matter.
    pub(super) fn horizon(&self) -> ClosedHorizon<C> {
        let dissenting = self.votes.iter().filter(|(_, vote)| vote.value != self.ballot.value);
        ClosedHorizon {
            epoch: self.epoch,
            ballot: self.ballot,
            dissenters: dissenting.map(|(from, _)| *from).collect(),
            proposed_otherwise: self.proposal.as_ref().is_some_and(|proposal| proposal.ballot != self.ballot),
            run: self.certified.as_ref().map(|certified| certified.run),
        }
    }

    /// Evidence, if an attestation contradicts what the epoch certified.
    pub(super) fn compare(&self, from: NodeId, attest: &Attest<C>, signature: &C::Signature) -> Option<Evidence<C>> {
        let stage = attest.claim.stage;
        let Certified { run, committed, links, certificates } = self.certified.as_ref()?;
        let proven = Claim::along(links, *run, *committed, stage)?;
        contradiction(proven, || certificates.get(stage.index()).cloned(), from, attest.claim, signature.clone())
    }

    fn vote_of(&self, member: NodeId) -> Option<SignedBallot<C>> {
        let held = self.votes.get(&member)?;
        let ballot = Ballot { view: self.ballot.view, value: held.value };
        Some(SignedBallot { ballot, signature: held.signature.clone() })
    }
}
