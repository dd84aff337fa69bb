//! Signature checks: the only way from an [`Envelope`] to a [`Verified`] one.
//!
//! These are pure functions of the message and the roster, so a host may run
//! them on any thread. What depends on the state (is this the leader's view,
//! is this member assigned to the stage) is left to the handlers.

use super::agreement::{AgreementMessage, CommitCertificate, DecisionCertificate, Path, Proposal};
use super::inference::Work;
use super::{Envelope, Kind, Message, Payload, SignedChange, SignedRequest};
use crate::agreement::rules::Mutant;
use crate::chain::Decided;
use crate::cluster::Cluster;
use crate::crypto::{Scheme, Signatures, Tag, Verified};
use crate::types::{Epoch, NodeId, View};

/// Why a message was not believed. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forged {
    /// The author is not a member, or the client not admitted.
    Stranger,
    /// The author's signature does not verify.
    Signature,
    /// A certificate or a signature inside the message does not verify.
    Certificate,
}

impl core::fmt::Display for Forged {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(match self {
            Forged::Stranger => "the author is unknown to the cluster",
            Forged::Signature => "the author's signature does not verify",
            Forged::Certificate => "a certificate inside the message does not verify",
        })
    }
}

impl core::error::Error for Forged {}

impl<C: Scheme, const N: usize> Cluster<C, N> {
    /// Checks every signature of `envelope`, one by one and strictly.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(&self, envelope: Envelope<C, N>) -> Result<Verified<Envelope<C, N>>, Forged> {
        if matches!(envelope.message, Message::Agreement { .. }) && !self.votes(envelope.from) {
            return Err(Forged::Stranger);
        }
        let statement = envelope.message.statement(self);
        if !(self.mutated(Mutant::UnsignedVote) && envelope.message.kind() == Kind::Vote) {
            self.verify_member(envelope.from, &statement, &envelope.signature)?;
        }
        let genuine = match &envelope.message {
            Message::Forward(request) => return self.verify_request(request).map(|()| Verified::vouch(envelope)),
            Message::StageOutput(_)
            | Message::Attest(_)
            | Message::Pull(_)
            | Message::Recall(_)
            | Message::History(_)
            | Message::Fetch(_)
            | Message::Notice(_) => true,
            Message::Payload(payload) => self.payload_is_genuine(payload),
            Message::Agreement { epoch, message } => self.agreement_is_genuine(*epoch, message),
            Message::Decided(decided) => self.decided_is_genuine(decided),
            Message::Change(signed) => self.change_is_genuine(signed),
        };
        if genuine { Ok(Verified::vouch(envelope)) } else { Err(Forged::Certificate) }
    }

    /// Checks a request that a client handed to this node.
    ///
    /// # Errors
    /// As [`Cluster::verify_request`].
    pub fn verify_submission(&self, signed: SignedRequest<C>) -> Result<Verified<SignedRequest<C>>, Forged> {
        self.verify_request(&signed).map(|()| Verified::vouch(signed))
    }

    /// Checks a change that an operator handed to this node.
    ///
    /// # Errors
    /// When no operator of this cluster wants it.
    pub fn verify_change(&self, signed: SignedChange<C>) -> Result<Verified<SignedChange<C>>, Forged> {
        if self.change_is_genuine(&signed) { Ok(Verified::vouch(signed)) } else { Err(Forged::Signature) }
    }

    /// Checks a client's signature.
    ///
    /// # Errors
    /// When the client is not admitted or did not sign the request.
    pub fn verify_request(&self, signed: &SignedRequest<C>) -> Result<(), Forged> {
        let key = self.client_key(signed.request.client).ok_or(Forged::Stranger)?;
        let genuine = C::verify(&C::prepare(key), &signed.digest(self), &signed.signature);
        if genuine { Ok(()) } else { Err(Forged::Signature) }
    }

    /// Checks a member's signature on a statement.
    ///
    /// # Errors
    /// When `from` is not a member or did not sign it.
    pub fn verify_member(&self, from: NodeId, statement: &C::Digest, signature: &C::Signature) -> Result<(), Forged> {
        if !self.members().contains(from) {
            return Err(Forged::Stranger);
        }
        if self.signed_by(from, statement, signature) { Ok(()) } else { Err(Forged::Signature) }
    }

    /// Whether `certificate` proves that its ballot was decided in `epoch`.
    pub fn decision_is_genuine(&self, epoch: Epoch, certificate: &DecisionCertificate<C>) -> bool {
        let (tag, quorum) = match certificate.path {
            Path::Fast => (Tag::Vote, self.fast_quorum()),
            Path::Slow if self.resilience().slow_path() => (Tag::Commit, self.commit_quorum()),
            Path::Slow => return false,
        };
        let statement = self.ballot(tag, epoch, &certificate.ballot);
        self.quorum_of_voters(quorum, &statement, &certificate.signatures)
    }

    /// Whether `decided` carries a genuine certificate of exactly its header,
    /// and the state that the header names.
    pub fn decided_is_genuine(&self, decided: &Decided<C>) -> bool {
        let header = &decided.header;
        let mutated = |mutant| self.mutated(mutant);
        (decided.certificate.ballot.value == header.value(self) || mutated(Mutant::UncheckedHeader))
            && decided.state.epoch == header.epoch
            && (decided.state.root(self) == header.state || mutated(Mutant::UncheckedState))
            && decided.state.active.as_ref().is_none_or(|active| self.verify_request(&active.request).is_ok())
            && (self.decision_is_genuine(header.epoch, &decided.certificate) || mutated(Mutant::UncheckedDecision))
    }

    /// Whether every signature inside `payload` is good. What depends on the
    /// decided prefix is left to the handler: that the signers are assigned to
    /// the stage, that the work continues what was committed, that the notice is
    /// the member's next.
    pub fn payload_is_genuine(&self, payload: &Payload<C>) -> bool {
        match payload {
            Payload::Work(work) => self.work_is_genuine(work),
            Payload::Notice(signed) => {
                self.verify_member(signed.member, &signed.notice.statement(self), &signed.signature).is_ok()
            }
            Payload::Change(signed) => self.change_is_genuine(signed),
        }
    }

    /// Whether every stage of `work` has exactly f + 1 signatures on the claim
    /// that its links make.
    fn work_is_genuine(&self, work: &Work<C>) -> bool {
        work.links.len() == usize::from(self.model().stages).saturating_add(1)
            && work.certificates.len() == usize::from(self.model().stages)
            && self.verify_request(&work.request).is_ok()
            && self.stages().zip(work.certificates.iter()).all(|(stage, certificate)| {
                work.claim(stage).is_some_and(|claim| {
                    let statement = claim.statement(self);
                    self.quorum(self.attestation_quorum(), &statement, certificate)
                })
            })
    }

    /// Whether exactly `quorum` voters signed `statement`.
    fn quorum_of_voters(
        &self,
        quorum: usize,
        statement: &C::Digest,
        signatures: &impl Signatures<C::Signature>,
    ) -> bool {
        signatures
            .is_quorum(quorum, |signer, signature| self.votes(signer) && self.signed_by(signer, statement, signature))
    }

    /// Whether exactly `quorum` members signed `statement`.
    pub(crate) fn quorum(
        &self,
        quorum: usize,
        statement: &C::Digest,
        signatures: &impl Signatures<C::Signature>,
    ) -> bool {
        signatures.is_quorum(quorum, |signer, signature| self.signed_by(signer, statement, signature))
    }

    fn agreement_is_genuine(&self, epoch: Epoch, message: &AgreementMessage<C, N>) -> bool {
        match message {
            AgreementMessage::Propose { ballot, progress } => {
                self.mutated(Mutant::UncertifiedProposal) || self.progress_is_genuine(epoch, ballot, progress.as_ref())
            }
            AgreementMessage::Vote(_)
            | AgreementMessage::Commit(_)
            | AgreementMessage::CertAck(_)
            | AgreementMessage::CertRequest(_) => true,
            AgreementMessage::ViewChange(change) => {
                let voted = change.voted.as_ref();
                let locked = change.locked.as_ref();
                voted.is_none_or(|proposal| self.proposal_is_genuine(epoch, proposal))
                    && locked.is_none_or(|certificate| self.lock_is_genuine(epoch, certificate))
            }
        }
    }

    fn proposal_is_genuine(&self, epoch: Epoch, proposal: &Proposal<C>) -> bool {
        let leader = self.leader(epoch, proposal.ballot.view);
        let statement = self.ballot(Tag::Propose, epoch, &proposal.ballot);
        let signed = self.verify_member(leader, &statement, &proposal.signature).is_ok();
        (signed || self.mutated(Mutant::UnsignedReport))
            && (self.mutated(Mutant::UncertifiedReport)
                || self.progress_is_genuine(epoch, &proposal.ballot, proposal.progress.as_ref()))
    }

    fn progress_is_genuine(
        &self,
        epoch: Epoch,
        ballot: &super::agreement::Ballot<C>,
        progress: Option<&C::WeakCertificate>,
    ) -> bool {
        match progress {
            None => ballot.view == View::ZERO,
            Some(signatures) => {
                let statement = self.ballot(Tag::CertAck, epoch, ballot);
                ballot.view > View::ZERO && self.quorum_of_voters(self.progress_quorum(), &statement, signatures)
            }
        }
    }

    fn lock_is_genuine(&self, epoch: Epoch, certificate: &CommitCertificate<C>) -> bool {
        let statement = self.ballot(Tag::Vote, epoch, &certificate.ballot);
        self.resilience().slow_path()
            && (self.quorum_of_voters(self.slow_quorum(), &statement, &certificate.votes)
                || self.mutated(Mutant::ShortLock))
    }
}
