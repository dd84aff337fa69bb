//! The consequences of what is held: each rule looks at the slots, and acts
//! once. They run until none applies, in a fixed order.

use super::rules::Mutant;
use super::select::{Selection, select};
use super::{Agreement, Ballots, Question, SignedChange, SignedValue};
use crate::bounded::Map;
use crate::cluster::Seat;
use crate::crypto::{Scheme, Signatures, Tag};
use crate::machine::{Outbox, Output, Transmission, send};
use crate::message::agreement::{
    AgreementMessage, Ballot, CertRequest, CommitCertificate, DecisionCertificate, Path, Proposal, Report, ViewChange,
};
use crate::types::{NodeId, NodeSet, View};

impl<C: Scheme, const N: usize> Agreement<C, N> {
    /// Applies every rule that applies, until none does. Each application
    /// fills a slot that stays filled in this view, or raises the view.
    pub(super) fn settle(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        while self.try_decide(seat)
            || self.try_join(seat, out)
            || self.try_start_timer(seat, out)
            || self.try_denounce(seat, out)
            || self.try_commit(seat, out)
            || self.try_ask(seat, out)
            || self.try_acknowledge(seat, out)
            || self.try_propose(seat, out)
            || self.try_vote(seat, out)
        {}
    }

    /// A fast quorum of votes or a slow quorum of commits in one view, of a known value.
    fn try_decide(&mut self, seat: &Seat<'_, C, N>) -> bool {
        if self.decision.is_some() {
            return false;
        }
        let fast = self.find_quorum(seat, &self.votes, seat.cluster.fast_quorum(), Path::Fast);
        let fast = fast.filter(|_| !seat.cluster.mutated(Mutant::NeverDecideFast));
        let slow = || self.find_quorum(seat, &self.commits, seat.cluster.commit_quorum(), Path::Slow);
        let slow = || slow().filter(|_| !seat.cluster.mutated(Mutant::NeverDecideSlow));
        let Some(decision) = fast.or_else(slow) else {
            return false;
        };
        self.decision = Some(decision);
        true
    }

    fn find_quorum<const VIEWS: usize>(
        &self,
        seat: &Seat<'_, C, N>,
        table: &Map<View, Ballots<C, N>, VIEWS>,
        quorum: usize,
        path: Path,
    ) -> Option<DecisionCertificate<C>> {
        table.iter().find_map(|(view, ballots)| {
            let value = value_with(seat, ballots, quorum).filter(|value| self.knows(value))?;
            if seat.cluster.mutated(Mutant::WaitForLast)
                && !seat.cluster.voters().iter().last().is_some_and(|last| ballots.contains(&last))
            {
                return None;
            }
            let signatures = collect(ballots, quorum, value);
            Some(DecisionCertificate { path, ballot: Ballot { view: *view, value }, signatures })
        })
    }

    /// f + 1 replicas are in later views: one of them is honest.
    fn try_join(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        if self.decision.is_some() {
            return false;
        }
        let enough = seat.cluster.resilience().f().saturating_add(1);
        let later = |view: View| self.changes.iter().filter(|(_, signed)| signed.change.view >= view).count();
        let ahead = self.changes.iter().map(|(_, signed)| signed.change.view);
        let target = ahead.filter(|view| *view > self.durable.view && later(*view) >= enough).max();
        let Some(target) = target else {
            return false;
        };
        self.enter(seat, target, out);
        true
    }

    /// The timer of view 0 starts when a proposal could be made; that of a
    /// later view when n - f replicas are in it or beyond, so that views meet.
    fn try_start_timer(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        if self.timed || self.decision.is_some() {
            return false;
        }
        let view = self.durable.view;
        let here = self.changes.iter().filter(|(_, signed)| signed.change.view >= view).count();
        let start = if view == View::ZERO { !self.known.is_empty() } else { here >= seat.cluster.view_change_quorum() };
        if start {
            self.timed = true;
            out.push(self.timer(seat));
        }
        start
    }

    /// f + 1 replicas voted for another value than the leader proposed here:
    /// one of them is honest, so the leader signed both. Shown at once, it can
    /// be proved before the others have gone on.
    fn try_denounce(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        let view = self.durable.view;
        let enough = seat.cluster.resilience().f().saturating_add(1);
        let Some(proposed) = self.proposal.as_ref().map(|proposal| proposal.ballot) else {
            return false;
        };
        let voted = self.votes.get(&view).and_then(|votes| value_with(seat, votes, enough));
        let Some(value) = voted.filter(|value| *value != proposed.value && !self.denounced) else {
            return false;
        };
        self.denounced = true;
        self.denounce_leader(seat, Ballot { view, value }, out);
        true
    }

    /// A slow quorum of votes in the current view is kept and announced.
    fn try_commit(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        let back = u32::from(seat.cluster.mutated(Mutant::CommitInOlderView));
        let view = View(self.durable.view.0.saturating_sub(back));
        if !seat.cluster.resilience().slow_path() || self.decision.is_some() || self.durable.locked_in(view) {
            return false;
        }
        let quorum = seat.cluster.slow_quorum();
        let Some((value, votes)) = self.votes.get(&view).and_then(|ballots| {
            value_with(seat, ballots, quorum).map(|value| (value, collect(ballots, quorum, value)))
        }) else {
            return false;
        };
        let ballot = Ballot { view, value };
        if !self.may_commit(seat, &ballot) {
            return false;
        }
        self.durable.locked = Some(CommitCertificate { ballot, votes });
        let signature = self.record_commit(seat, ballot);
        persist(seat, Mutant::CommitUnrecorded, out);
        self.broadcast(seat, self.envelope(seat.me, AgreementMessage::Commit(ballot), signature), out);
        true
    }

    /// The leader of a later view asks whether what it selected is justified.
    fn try_ask(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        let view = self.durable.view;
        if view == View::ZERO
            || self.decision.is_some()
            || self.question.is_some()
            || seat.cluster.leader(self.epoch, view) != seat.me
            || self.durable.proposed_in(view)
            || self.durable.voted_in(view)
            || seat.cluster.mutated(Mutant::NeverAsk)
        {
            return false;
        }
        let reports = self.usable_reports(seat);
        if reports.len() < seat.cluster.view_change_quorum() {
            return false;
        }
        let value = match select(seat.cluster, self.epoch, &reports) {
            Selection::NeedMore => None,
            Selection::Must(value) => Some(value).filter(|_| !seat.cluster.mutated(Mutant::AskOnlyWhenFree)),
            Selection::Any => self.own.filter(|_| !seat.cluster.mutated(Mutant::AskOnlyWhenBound)),
        };
        let Some(value) = value else {
            return false;
        };
        let request = CertRequest { ballot: Ballot { view, value }, reports };
        let envelope = self.signed(seat, AgreementMessage::CertRequest(request.clone()));
        self.question = Some(Question { request, acknowledged: false });
        self.broadcast(seat, envelope, out);
        true
    }

    /// The question is about view changes that are held here too, and they
    /// justify the ballot.
    fn try_acknowledge(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        let Some(question) = &self.question else {
            return false;
        };
        let ballot = question.request.ballot;
        let reports = &question.request.reports;
        let mutated = |mutant| seat.cluster.mutated(mutant);
        let held = || reports.iter().all(|(from, report)| self.usable_report(seat, *from) == Some(*report));
        let justified = self.decision.is_none()
            && !question.acknowledged
            && ballot.view == self.durable.view
            && !mutated(Mutant::NeverAcknowledge)
            && (self.knows(&ballot.value) || mutated(Mutant::AcknowledgeUnknown))
            && (held() || mutated(Mutant::AcknowledgeUnheld))
            && (select(seat.cluster, self.epoch, reports).admits(&ballot.value)
                || mutated(Mutant::AcknowledgeAnything));
        if !justified {
            return false;
        }
        let leader = seat.cluster.leader(self.epoch, ballot.view);
        if leader == seat.me {
            let own = self.sign_ballot(seat, Tag::CertAck, &ballot);
            // One slot for each member: there is room for the first of each.
            let _ = self.acks.insert(seat.me, own);
        } else {
            let envelope = self.signed(seat, AgreementMessage::CertAck(ballot));
            send(NodeSet::EMPTY.with(leader), envelope, Transmission::First, out);
        }
        if let Some(question) = &mut self.question {
            question.acknowledged = true;
        }
        true
    }

    /// The leader proposes: freely in view 0, with a progress certificate later.
    fn try_propose(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        let view = self.durable.view;
        if self.decision.is_some()
            || seat.cluster.leader(self.epoch, view) != seat.me
            || self.durable.proposed_in(view)
            || self.durable.voted_in(view)
        {
            return false;
        }
        let (value, progress) = if view == View::ZERO {
            (self.own, None)
        } else {
            let quorum = seat.cluster.progress_quorum();
            if self.acks.len() < quorum {
                return false;
            }
            let acks = self.acks.iter().take(quorum).map(|(from, signature)| (*from, signature));
            let value = self.question.as_ref().map(|question| question.request.ballot.value);
            (value, Some(C::WeakCertificate::collect(acks)))
        };
        let Some(value) = value else {
            return false;
        };
        let ballot = Ballot { view, value };
        let signature = self.sign_ballot(seat, Tag::Propose, &ballot);
        let proposal = Proposal { ballot, signature, progress };
        // The leader's vote belongs to its proposal: one record for both.
        self.durable.proposed = Some(recorded(seat, &proposal));
        self.durable.voted = Some(recorded(seat, &proposal));
        persist(seat, Mutant::ProposalUnrecorded, out);
        self.broadcast(seat, self.proposal_envelope(seat.me, &proposal), out);
        self.proposal = Some(proposal);
        self.cast(seat, ballot, out);
        true
    }

    /// The first justified proposal of the current view, once its value is known.
    fn try_vote(&mut self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) -> bool {
        if self.decision.is_some() {
            return false;
        }
        let held = self.proposal.as_ref().filter(|proposal| self.may_vote(seat, &proposal.ballot));
        let Some(proposal) = held.cloned() else {
            return false;
        };
        let ballot = proposal.ballot;
        self.durable.voted = Some(recorded(seat, &proposal));
        persist(seat, Mutant::VoteUnrecorded, out);
        self.cast(seat, ballot, out);
        true
    }

    /// It did not vote in that view yet, and the value is known.
    fn may_vote(&self, seat: &Seat<'_, C, N>, ballot: &Ballot<C>) -> bool {
        let mutated = |mutant| seat.cluster.mutated(mutant);
        let voted = self.durable.voted.as_ref().map(|proposal| proposal.ballot.value);
        let locked = self.durable.locked.as_ref().map(|certificate| certificate.ballot.value);
        let other = |value: Option<C::Digest>| value.is_some_and(|value| value != ballot.value);
        !self.durable.voted_in(ballot.view)
            && (self.knows(&ballot.value) || mutated(Mutant::VoteUnknown))
            && !(mutated(Mutant::VoteOnlyOwnValue) && other(self.own))
            && !(mutated(Mutant::VoteOnce) && voted.is_some())
            && !(mutated(Mutant::StickyVote) && other(voted))
            && !(mutated(Mutant::StickyLock) && other(locked))
    }

    /// A lock may be taken and announced, whatever this replica voted for itself.
    fn may_commit(&self, seat: &Seat<'_, C, N>, ballot: &Ballot<C>) -> bool {
        let own = self.durable.voted.as_ref().is_some_and(|proposal| proposal.ballot == *ballot);
        !seat.cluster.mutated(Mutant::NeverCommit) && (own || !seat.cluster.mutated(Mutant::CommitOnlyOwnVote))
    }

    fn cast(&mut self, seat: &Seat<'_, C, N>, ballot: Ballot<C>, out: &mut impl Outbox<C, N>) {
        let signature = self.record_vote(seat, ballot);
        self.broadcast(seat, self.envelope(seat.me, AgreementMessage::Vote(ballot), signature), out);
    }

    /// Leaves for `view` and says so. From now on nothing is signed in a smaller one.
    pub(super) fn enter(&mut self, seat: &Seat<'_, C, N>, view: View, out: &mut impl Outbox<C, N>) {
        self.hand_over_proposal(seat, out);
        self.durable.view = view;
        self.timed = false;
        self.proposal = None;
        self.question = None;
        self.denounced = false;
        self.acks.clear();
        let drop_votes = seat.cluster.mutated(Mutant::DropOldVotes);
        self.votes.retain(|kept, _| if drop_votes { *kept >= view } else { kept.next() >= view });
        self.commits.retain(|kept, _| kept.next() >= view);
        self.record_change(seat);
        persist(seat, Mutant::ViewUnrecorded, out);
        if let Some(own) = self.changes.get(&seat.me) {
            let message = AgreementMessage::ViewChange(own.change.clone());
            let envelope = self.envelope(seat.me, message, own.signature.clone());
            self.broadcast(seat, envelope, out);
        }
        out.push(Output::EnterView { epoch: self.epoch, view });
    }

    /// A proposal that could not be voted for is shown to everybody before it
    /// is dropped: whoever voted for another one of that view can prove that
    /// its leader signed both.
    fn hand_over_proposal(&self, seat: &Seat<'_, C, N>, out: &mut impl Outbox<C, N>) {
        let view = self.durable.view;
        if let Some(proposal) = self.proposal.as_ref().filter(|_| !self.durable.voted_in(view) && !self.denounced) {
            self.show_proposal(seat, proposal, out);
        }
    }

    /// Signs a vote, puts it into this replica's own slot and hands the signature back.
    pub(super) fn record_vote(&mut self, seat: &Seat<'_, C, N>, ballot: Ballot<C>) -> C::Signature {
        let signature = self.sign_ballot(seat, Tag::Vote, &ballot);
        record(&mut self.votes, seat.me, ballot, signature.clone());
        signature
    }

    /// Signs a commit, puts it into this replica's own slot and hands the signature back.
    pub(super) fn record_commit(&mut self, seat: &Seat<'_, C, N>, ballot: Ballot<C>) -> C::Signature {
        let signature = self.sign_ballot(seat, Tag::Commit, &ballot);
        record(&mut self.commits, seat.me, ballot, signature.clone());
        signature
    }

    /// Puts this replica's own view change into its slot. After a restart that
    /// is possible as long as nothing was signed in the view since.
    pub(super) fn record_change(&mut self, seat: &Seat<'_, C, N>) {
        let view = self.durable.view;
        if view == View::ZERO || self.durable.voted_in(view) || self.durable.locked_in(view) {
            return;
        }
        let forgets = |any, old, reported: View| {
            seat.cluster.mutated(any) || seat.cluster.mutated(old) && reported.next() != view
        };
        let voted = self.durable.voted.clone();
        let voted = voted.filter(|held| !forgets(Mutant::ForgetVote, Mutant::ForgetOldVote, held.ballot.view));
        let locked = self.durable.locked.clone();
        let locked = locked.filter(|held| !forgets(Mutant::ForgetLock, Mutant::ForgetOldLock, held.ballot.view));
        let change = ViewChange { view, voted, locked };
        let statement = AgreementMessage::<C, N>::ViewChange(change.clone()).statement(seat.cluster, self.epoch);
        let signature = C::sign(seat.key, &statement);
        // One slot for each member: there is room.
        let _ = self.changes.insert(seat.me, SignedChange { change, signature });
    }

    fn usable_reports(&self, seat: &Seat<'_, C, N>) -> Map<NodeId, Report<C>, N> {
        let mut reports = Map::new();
        for (from, _) in self.changes.iter() {
            if let Some(report) = self.usable_report(seat, *from) {
                // As many slots as there are view changes.
                let _ = reports.insert(*from, report);
            }
        }
        reports
    }

    /// What `from` reported for the current view, if all values in it are known.
    fn usable_report(&self, seat: &Seat<'_, C, N>, from: NodeId) -> Option<Report<C>> {
        let change = &self.changes.get(&from)?.change;
        let report = change.report();
        let mut values = report.voted.iter().chain(report.locked.iter());
        let stale = seat.cluster.mutated(Mutant::StaleReport) && change.view < self.durable.view;
        let usable = change.view == self.durable.view || stale;
        (usable && values.all(|ballot| self.knows(&ballot.value))).then_some(report)
    }
}

/// What is signed next must be durable, unless `mutant` is chosen.
fn persist<C: Scheme, const N: usize>(seat: &Seat<'_, C, N>, mutant: Mutant, out: &mut impl Outbox<C, N>) {
    if !seat.cluster.mutated(mutant) {
        out.push(Output::Persist);
    }
}

/// A proposal as it is written down: with what justifies it.
fn recorded<C: Scheme, const N: usize>(seat: &Seat<'_, C, N>, proposal: &Proposal<C>) -> Proposal<C> {
    let mut recorded = proposal.clone();
    if seat.cluster.mutated(Mutant::ProgressUnrecorded) {
        recorded.progress = None;
    }
    recorded
}

fn record<C: Scheme, const N: usize, const VIEWS: usize>(
    table: &mut Map<View, Ballots<C, N>, VIEWS>,
    me: NodeId,
    ballot: Ballot<C>,
    signature: C::Signature,
) {
    // Room for the views around the current one, and in each for every member.
    if let Ok(ballots) = table.entry(ballot.view, Map::new) {
        let _ = ballots.insert(me, SignedValue { value: ballot.value, signature });
    }
}

fn value_with<C: Scheme, const N: usize>(
    seat: &Seat<'_, C, N>,
    ballots: &Ballots<C, N>,
    quorum: usize,
) -> Option<C::Digest> {
    let any = seat.cluster.mutated(Mutant::CountAnyValue);
    let count = |value: C::Digest| ballots.iter().filter(|(_, signed)| signed.value == value || any).count();
    ballots.iter().map(|(_, signed)| signed.value).find(|value| count(*value) >= quorum)
}

/// The first `quorum` signatures on `value`: exactly as many as a certificate has.
fn collect<C: Scheme, S: Signatures<C::Signature>, const N: usize>(
    ballots: &Ballots<C, N>,
    quorum: usize,
    value: C::Digest,
) -> S {
    let on_value = ballots.iter().filter(|(_, signed)| signed.value == value);
    S::collect(on_value.take(quorum).map(|(from, signed)| (*from, &signed.signature)))
}
