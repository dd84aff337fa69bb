//! One handler for each message of agreement. Each checks who may say it and
//! when, puts it into its slot, and lets [`Agreement::settle`] draw the
//! consequences. Handlers are idempotent, and insensitive to order up to
//! "the first of each sender".

use super::rules::Mutant;
use super::{Agreement, Ballots, Question, SignedChange, SignedValue, VIEWS_AHEAD};
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::Scheme;
use crate::machine::{Outbox, Output, Place, Rejection, Transmission, send};
use crate::message::agreement::{AgreementMessage, Ballot, CertRequest, Proposal, ViewChange};
use crate::proof::{Evidence, Fault, SignedBallot};
use crate::types::{NodeId, View};

impl<C: Scheme, const N: usize> Agreement<C, N> {
    /// A message of this epoch, signatures checked.
    ///
    /// # Errors
    /// A [`Rejection`] when it changes nothing.
    pub fn receive(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        message: AgreementMessage<C, N>,
        signature: C::Signature,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if self.decision.is_some() && !seat.cluster.mutated(Mutant::ListenAfterDecision) {
            return Err(Rejection::Stale);
        }
        match message {
            AgreementMessage::Propose { ballot, progress } => {
                self.on_propose(seat, from, Proposal { ballot, signature, progress }, out)?;
            }
            AgreementMessage::Vote(ballot) => self.on_vote(seat, from, ballot, signature, out)?,
            AgreementMessage::Commit(ballot) => self.on_commit(seat, from, ballot, signature, out)?,
            AgreementMessage::ViewChange(change) => {
                self.on_view_change(seat, from, SignedChange { change, signature }, out)?;
            }
            AgreementMessage::CertRequest(request) => self.on_cert_request(seat, from, request, out)?,
            AgreementMessage::CertAck(ballot) => self.on_cert_ack(seat, from, ballot, signature)?,
        }
        self.settle(seat, out);
        Ok(())
    }

    fn on_propose(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        proposal: Proposal<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let view = proposal.ballot.view;
        let leads = seat.cluster.leader(self.epoch, view) == from || seat.cluster.mutated(Mutant::ForeignProposal);
        if !leads || from == seat.me {
            return Err(Rejection::Unauthorised);
        }
        let proof = self.other_proposal(seat, &proposal.ballot).map(|held| self.two_proposals(from, held, &proposal));
        if view < self.durable.view && !seat.cluster.mutated(Mutant::VoteInOlderView) {
            out.push(Output::Evidence(proof.ok_or(Rejection::Stale)?));
            return Ok(());
        }
        if view > self.durable.view {
            // Justified by f + 1 acknowledgements, one of them honest: as good as a time-out.
            self.enter(seat, view, out);
        }
        match &self.proposal {
            None => self.proposal = Some(proposal),
            Some(held) if held.ballot == proposal.ballot => return Err(Rejection::Duplicate),
            Some(_) if seat.cluster.mutated(Mutant::VoteTwice) => {
                self.proposal = Some(proposal);
                self.durable.voted = None;
            }
            Some(_) => {}
        }
        if let Some(proof) = proof {
            out.push(Output::Evidence(proof));
        }
        Ok(())
    }

    /// A proposal for another value in the view of `ballot`, from wherever it is known here.
    fn other_proposal(&self, seat: &Seat<'_, C, N>, ballot: &Ballot<C>) -> Option<&Proposal<C>> {
        let anywhere = seat.cluster.mutated(Mutant::BlameAcrossViews);
        let reported = self.changes.iter().filter_map(|(_, signed)| signed.change.voted.as_ref());
        let mut held = self.durable.voted.iter().chain(&self.proposal).chain(reported);
        held.find(|held| (held.ballot.view == ballot.view || anywhere) && held.ballot.value != ballot.value)
    }

    fn two_proposals(&self, leader: NodeId, held: &Proposal<C>, other: &Proposal<C>) -> Evidence<C> {
        let (first, second) = (held.signed_ballot(), other.signed_ballot());
        Evidence { accused: leader, fault: Fault::Proposals { epoch: self.epoch, first, second } }
    }

    fn on_vote(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        ballot: Ballot<C>,
        signature: C::Signature,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let view = if seat.cluster.mutated(Mutant::CountOnArrival) { self.durable.view } else { ballot.view };
        let ballot = Ballot { view, ..ballot };
        let Some(held) = self.place(seat, from, |agreement| &mut agreement.votes, ballot, &signature)? else {
            return Ok(());
        };
        let fault = Fault::Votes { epoch: self.epoch, first: held, second: SignedBallot { ballot, signature } };
        out.push(Output::Evidence(Evidence { accused: from, fault }));
        Ok(())
    }

    fn on_commit(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        ballot: Ballot<C>,
        signature: C::Signature,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if !seat.cluster.resilience().slow_path() {
            return Err(Rejection::Invalid);
        }
        let Some(held) = self.place(seat, from, |agreement| &mut agreement.commits, ballot, &signature)? else {
            return Ok(());
        };
        let fault = Fault::Commits { epoch: self.epoch, first: held, second: SignedBallot { ballot, signature } };
        out.push(Output::Evidence(Evidence { accused: from, fault }));
        Ok(())
    }

    /// Puts a signed value into the slot of its sender and view, or returns
    /// the other value that stands there.
    fn place<const VIEWS: usize>(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        table: impl FnOnce(&mut Self) -> &mut Map<View, Ballots<C, N>, VIEWS>,
        ballot: Ballot<C>,
        signature: &C::Signature,
    ) -> Result<Option<SignedBallot<C>>, Rejection> {
        let (view, current) = (ballot.view, self.durable.view);
        let last = if seat.cluster.mutated(Mutant::OldBallotsIgnored) { view } else { view.next() };
        if last < current {
            return Err(Rejection::Stale);
        }
        let ahead = u32::try_from(VIEWS_AHEAD).unwrap_or(0);
        if view.0 > current.0.saturating_add(ahead) {
            return Err(Rejection::Early(Place::View(self.epoch, View(view.0.saturating_sub(ahead)))));
        }
        let ballots = table(self).entry(view, Map::new).map_err(|_| Rejection::Full)?;
        match ballots.get(&from) {
            None => {
                let signed = SignedValue { value: ballot.value, signature: signature.clone() };
                ballots.insert(from, signed).map_err(|_| Rejection::Full)?;
                Ok(None)
            }
            Some(held) if held.value == ballot.value && !seat.cluster.mutated(Mutant::BlameRepetition) => {
                Err(Rejection::Duplicate)
            }
            Some(held) => {
                Ok(Some(SignedBallot { ballot: Ballot { view, value: held.value }, signature: held.signature.clone() }))
            }
        }
    }

    fn on_view_change(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        signed: SignedChange<C>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        if !is_consistent(&signed.change) || from == seat.me {
            return Err(Rejection::Invalid);
        }
        // The leader's question names what each sender reported to *it*. A faulty
        // sender that told this replica something else, or that it is further
        // on, must not keep it from comparing.
        let named = self.question.as_ref().and_then(|question| question.request.reports.get(&from));
        let asked = signed.change.view == self.durable.view && named == Some(&signed.change.report());
        let proof = self.deceived(seat, from, &signed.change);
        let mut replaces = true;
        if let Some(held) = self.changes.get(&from) {
            if held.change.view > signed.change.view && !asked {
                return Err(Rejection::Stale);
            }
            if held.change.view == signed.change.view {
                let (first, second) = (held.change.report(), signed.change.report());
                if first == second {
                    // What it proves was said when it came first.
                    return Err(Rejection::Duplicate);
                }
                let fault = Fault::ViewChanges {
                    epoch: self.epoch,
                    view: held.change.view,
                    first: (first, held.signature.clone()),
                    second: (second, signed.signature.clone()),
                };
                out.push(Output::Evidence(Evidence { accused: from, fault }));
                replaces = asked;
            }
        }
        if let Some(proof) = proof {
            out.push(Output::Evidence(proof));
        }
        if replaces {
            // One slot for each member: there is room.
            let _ = self.changes.insert(from, signed);
        }
        Ok(())
    }

    /// The proof that a leader signed two proposals: the one that `change`
    /// reports, and another that is known here.
    fn deceived(&self, seat: &Seat<'_, C, N>, from: NodeId, change: &ViewChange<C>) -> Option<Evidence<C>> {
        let reported = change.voted.as_ref()?;
        let held = self.other_proposal(seat, &reported.ballot)?;
        let leader = seat.cluster.leader(self.epoch, reported.ballot.view);
        let accused = if seat.cluster.mutated(Mutant::BlameReporter) { from } else { leader };
        Some(self.two_proposals(accused, held, reported))
    }

    fn on_cert_request(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        request: CertRequest<C, N>,
        out: &mut impl Outbox<C, N>,
    ) -> Result<(), Rejection> {
        let view = request.ballot.view;
        if view == View::ZERO || seat.cluster.leader(self.epoch, view) != from || from == seat.me {
            return Err(Rejection::Unauthorised);
        }
        if view < self.durable.view {
            return Err(Rejection::Stale);
        }
        if view > self.durable.view {
            return Err(Rejection::Early(Place::View(self.epoch, view)));
        }
        let few = request.reports.len() < seat.cluster.view_change_quorum();
        if few && !seat.cluster.mutated(Mutant::ShortQuestion)
            || request.reports.iter().any(|(node, _)| !seat.cluster.votes(*node))
        {
            return Err(Rejection::Invalid);
        }
        match &self.question {
            Some(held) if held.request == request && held.acknowledged => {
                // The acknowledgement may have been lost.
                let message = AgreementMessage::CertAck(request.ballot);
                let to = crate::types::NodeSet::EMPTY.with(from);
                send(to, self.signed(seat, message), Transmission::Again, out);
                Ok(())
            }
            Some(held) if held.request == request => Err(Rejection::Duplicate),
            // A leader that lost its memory may ask again, for another value.
            _ => {
                self.question = Some(Question { request, acknowledged: false });
                Ok(())
            }
        }
    }

    fn on_cert_ack(
        &mut self,
        seat: &Seat<'_, C, N>,
        from: NodeId,
        ballot: Ballot<C>,
        signature: C::Signature,
    ) -> Result<(), Rejection> {
        let view = self.durable.view;
        let asked = self.question.as_ref().map(|question| question.request.ballot);
        if seat.cluster.leader(self.epoch, view) != seat.me || asked != Some(ballot) || self.durable.proposed_in(view) {
            return Err(Rejection::Stale);
        }
        if self.acks.contains(&from) {
            return Err(Rejection::Duplicate);
        }
        self.acks.insert(from, signature).map_err(|_| Rejection::Full)
    }
}

/// Whether everything reported lies in views before the one that is entered.
pub(super) fn is_consistent<C: Scheme>(change: &ViewChange<C>) -> bool {
    let report = change.report();
    let mut reported = report.voted.into_iter().chain(report.locked);
    change.view > View::ZERO && reported.all(|ballot| ballot.view < change.view)
}
